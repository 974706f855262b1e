//go:build integration

package mobileconfig_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

// readProfiles reads profiles twice: with Python's plistlib, which is built on expat, and with libplist, which has an
// XML reader of its own and writes them in the binary form, which plistlib reads. It takes and gives JSON: data becomes
// base64, as encoding/json writes it too.
const readProfiles = `
import base64, datetime, json, plistlib, subprocess, sys
def plain(v):
    if isinstance(v, bytes): return base64.b64encode(v).decode()
    if isinstance(v, datetime.datetime): return v.isoformat() + "Z"
    if isinstance(v, dict): return {k: plain(x) for k, x in v.items()}
    if isinstance(v, list): return [plain(x) for x in v]
    return v
def binary(x):
    return subprocess.run(["plistutil", "-f", "bin"], input=x, stdout=subprocess.PIPE, check=True).stdout
texts = [base64.b64decode(x) for x in json.load(sys.stdin)]
json.dump({
    "plistlib": [plain(plistlib.loads(x, fmt=plistlib.FMT_XML)) for x in texts],
    "libplist": [plain(plistlib.loads(binary(x), fmt=plistlib.FMT_BINARY)) for x in texts],
}, sys.stdout)
`

// foreign returns what other programs read in profiles, by the name of their library.
func foreign(t *testing.T, profiles [][]byte) map[string][]any {
	t.Helper()
	for _, program := range []string{"/usr/bin/python3", "plistutil"} {
		_, err := exec.LookPath(program)
		require.NoError(t, err, "Debian packages python3, libplist-utils")
	}
	in, err := json.Marshal(profiles)
	require.NoError(t, err)
	// Debian's own; another one in PATH is not the peer that test.sh installs.
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", readProfiles)
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &problem
	require.NoError(t, cmd.Run(), "%s", problem.Bytes())
	var read map[string][]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	return read
}

// inJSON gives a decoded property list the types of decoded JSON.
func inJSON(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	var plain any
	require.NoError(t, json.Unmarshal(text, &plain))
	return plain
}

// Others read the same as we do, and so as what was put in, in every field at once.
func TestForeignReaders(t *testing.T) {
	profiles := [][]byte{encode(t, everything(t))}
	all := fields()
	maps.Copy(all, names(t))
	for _, text := range fineTexts() {
		p := full(t)
		for _, set := range all {
			set(&p, text)
		}
		profiles = append(profiles, encode(t, p))
	}
	for _, text := range finePasswords() {
		p := full(t)
		withPassword(t, &p, text)
		profiles = append(profiles, encode(t, p))
	}
	for library, read := range foreign(t, profiles) {
		require.Len(t, read, len(profiles))
		for i, profile := range profiles {
			top, _ := decode(t, profile)
			assert.Equal(t, inJSON(t, top), read[i], "%s, %d", library, i)
		}
		t.Logf("%d profiles read by %s", len(read), library)
	}
}

// The .p12 and the CAs in the profile are what OpenSSL takes.
func TestOpenSSLReadsPayloads(t *testing.T) {
	profile := foreign(t, [][]byte{encode(t, full(t))})["libplist"][0].(map[string]any)
	for _, item := range profile["PayloadContent"].([]any) {
		payload := item.(map[string]any)
		text, isData := payload["PayloadContent"].(string)
		if !isData {
			continue
		}
		var content []byte
		require.NoError(t, json.Unmarshal([]byte(`"`+text+`"`), &content))
		file := filepath.Join(t.TempDir(), payload["PayloadCertificateFileName"].(string))
		require.NoError(t, os.WriteFile(file, content, 0o600))
		args := []string{"x509", "-inform", "DER", "-in", file}
		if payload["PayloadType"] == "com.apple.security.pkcs12" {
			args = []string{"pkcs12", "-in", file, "-nokeys", "-passin", "pass:" + payload["Password"].(string)}
		}
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		block, rest := pem.Decode(out)
		require.NotNil(t, block)
		assert.NotContains(t, string(rest), "BEGIN CERTIFICATE", "one alone")
		cert, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		assert.Equal(t, payload["PayloadDisplayName"], cert.Subject.CommonName)
	}
}

// Files of another program, in the algorithms that systems of Apple read, and in others.
func TestOpenSSLFiles(t *testing.T) {
	folder := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	key, cert := filepath.Join(folder, "key.pem"), filepath.Join(folder, "cert.pem")
	run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=alice", "-keyout", key, "-out", cert)
	for _, test := range []struct {
		args    []string
		refused string
	}{
		{nil, ""}, // AES-256 and SHA-256
		{[]string{"-legacy"}, ""},
		{[]string{"-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "SHA1"}, ""},
		{[]string{"-keypbe", "PBE-SHA1-3DES", "-certpbe", "NONE", "-macalg", "SHA1"}, ""},
		{[]string{"-keypbe", "AES-128-CBC"}, "AES-128"},
		{[]string{"-certpbe", "AES-192-CBC"}, "AES-192"},
		{[]string{"-keypbe", "NONE"}, "not encrypted"},
	} {
		file := filepath.Join(folder, "identity.p12")
		export := []string{"pkcs12", "-export", "-inkey", key, "-in", cert, "-out", file, "-passout", "pass:" + password}
		run(slices.Concat(export, test.args)...)
		p := minimal(t)
		var err error
		p.Identity.PKCS12, err = os.ReadFile(file)
		require.NoError(t, err)
		_, err = mobileconfig.Encode(p)
		if test.refused == "" {
			assert.NoError(t, err, test.args)
		} else {
			assert.ErrorIs(t, err, mobileconfig.ErrIdentity, test.args)
			assert.ErrorContains(t, err, test.refused)
		}
	}
}
