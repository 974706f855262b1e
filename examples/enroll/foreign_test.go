//go:build integration

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// foreign is a CA that has nothing of ours: ../../adcs/testdata/foreign_ca.py.
type foreign struct {
	EPM    int    `json:"epm"`
	CA     int    `json:"ca"`
	Roots  string `json:"roots"`
	dir    string // where enroll runs
	secret string // file with the password
}

// startForeign runs the server until the end of the test, and fails the test if it had to complain about enroll.
// Debian's Python packages belong to /usr/bin/python3; another one may come first in PATH.
func startForeign(t *testing.T, options ...string) *foreign {
	t.Helper()
	folder, f := t.TempDir(), &foreign{dir: t.TempDir()}
	f.secret = filepath.Join(folder, "password")
	require.NoError(t, os.WriteFile(f.secret, []byte("Foreign-1\n"), 0o600))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", append(append([]string{"../../adcs/testdata/foreign_ca.py"}, options...),
		folder)...)
	cmd.Env = append(os.Environ(), "PEER_PASSWORD=Foreign-1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		defer cancel()
		assert.NoError(t, stdin.Close())
		_, _ = io.Copy(io.Discard, stdout)
		assert.NoError(t, cmd.Wait())
		assert.Empty(t, stderr.String(), "what the server holds against enroll")
	})
	if err := json.NewDecoder(stdout).Decode(f); err != nil {
		require.NoError(t, err, "the server does not start: %s", &stderr)
	}
	return f
}

func (f *foreign) enroll(t *testing.T, args ...string) (int, result) {
	t.Helper()
	status, out, stderr := enroll(t, f.dir, append([]string{"-host", "127.0.0.1", "-epm", fmt.Sprintf("127.0.0.1:%d", f.EPM),
		"-ca", "Foreign CA", "-user", `CORP\enroller`, "-password-file", f.secret, "-transport", "tcp", "-auth", "ntlm", "-allow-ntlm",
		"-template", "Device", "-roots", f.Roots, "-out", "device.p12", "-json"}, args...)...)
	var r result
	require.NoError(t, json.Unmarshal([]byte(out), &r), "%s%s", out, stderr)
	return status, r
}

// check opens the .p12 with OpenSSL and verifies the certificate in it.
func (f *foreign) check(t *testing.T, r result) {
	t.Helper()
	assert.True(t, r.ChainVerified)
	password := "file:" + filepath.Join(f.dir, r.P12PasswordFile)
	p12 := filepath.Join(f.dir, r.P12)
	certificates := openssl(t, "", "pkcs12", "-in", p12, "-passin", password, "-nokeys")
	key := openssl(t, "", "pkcs12", "-in", p12, "-passin", password, "-nocerts", "-noenc")
	file := filepath.Join(t.TempDir(), "certificates.pem")
	require.NoError(t, os.WriteFile(file, []byte(certificates), 0o600))
	openssl(t, "", "verify", "-CAfile", f.Roots, "-untrusted", file, "-purpose", "sslclient", file)
	assert.Equal(t, openssl(t, "", "x509", "-in", file, "-noout", "-pubkey"), openssl(t, key, "pkey", "-pubout"))
	assert.Contains(t, openssl(t, "", "x509", "-in", file, "-noout", "-ext", "subjectAltName"), "DNS:device.corp.test")
}

func openssl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	return out.String()
}

// TestForeignServer enrolls at servers that make different use of what the specifications leave to them, with raw NTLM
// and inside of SPNEGO.
func TestForeignServer(t *testing.T) {
	for name, options := range map[string][]string{
		"as it comes":         nil,
		"no header signing":   {"--no-header-signing", "--hint", "fragment", "--answer", "24"},
		"odd hints":           {"--no-header-signing", "--hint", "asked", "--fault", "signed"},
		"padded hints":        {"--hint", "padded", "--answer", "20", "--align", "8", "--no-header-signing"},
		"needs a MIC":         {"--require-mic", "--channel-bindings", "--hint", "zero"},
		"no version":          {"--without", "version", "--message", "bare"},
		"challenge with gaps": {"--layout", "gaps", "--message", "none"},
		"sealing not named":   {"--without", "sign"},
		"least of NTLM": {"--without", "version", "--without", "keyexch", "--without", "56", "--without", "timestamp",
			"--without", "dns", "--layout", "gaps"},
		"no key exchange": {"--without", "keyexch", "--no-header-signing", "--answer", "21", "--align", "1"},
		"small fragments": {"--fragment", "1432", "--answer", "8", "--align", "4", "--hint", "whole"},
		"large fragments": {"--fragment", "65535", "--group", "0", "--secondary", ""},
		"many towers":     {"--towers", "many", "--array", "exact", "--secondary", `\pipe\cert`},
		"any address":     {"--towers", "any", "--referents", "random", "--group", "4294967295"},
		"one call":        {"--once", "--towers", "twice", "--empty", "pointer"},
		"chain reversed":  {"--chain", "reversed", "--align", "1"},
		"chain with CRLs": {"--chain", "lists"},
		"only the CAs":    {"--chain", "authorities", "--align", "4"},
		"only the issuer": {"--chain", "issuing", "--align", "8"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			f := startForeign(t, options...)
			for auth, key := range map[string]string{"ntlm": "rsa2048", "negotiate": "p256"} {
				status, r := f.enroll(t, "-auth", auth, "-key", key, "-subject", "CN=device,O=Corp", "-dns", "device.corp.test", "-out", key+".p12",
					"-email", "device@corp.test", "-uri", "urn:uuid:"+strings.Repeat("12", 1000))
				require.Zero(t, status, "%s: %s", auth, r.Error)
				assert.Equal(t, "CN=device,O=Corp", r.Subject)
				f.check(t, r)
			}
		})
	}
}

// TestForeignServerWithoutChain has servers that send the certificate alone: the issuing CA has to be known here.
func TestForeignServerWithoutChain(t *testing.T) {
	for _, chain := range []string{"none", "leaf", "bare"} {
		t.Run(chain, func(t *testing.T) {
			t.Parallel()
			f := startForeign(t, "--chain", chain)
			status, r := f.enroll(t, "-subject", "CN=device")
			assert.Equal(t, 5, status, "the root alone is not enough: %s", r.Error)
			status, r = f.enroll(t, "-subject", "CN=device", "-key-file", "second.key",
				"-roots", filepath.Join(filepath.Dir(f.Roots), "issuing.pem"))
			assert.Zero(t, status, r.Error)
		})
	}
}

func TestForeignServerDecides(t *testing.T) {
	for _, auth := range []string{"ntlm", "negotiate"} {
		t.Run(auth, func(t *testing.T) {
			t.Parallel()
			f := startForeign(t, "--once")
			names := []string{"-auth", auth, "-subject", "CN=device", "-dns", "device.corp.test"}
			status, r := f.enroll(t, append(names, "-template", "Held")...)
			require.Equal(t, 3, status, r.Error)
			retrieve := []string{"-auth", auth, "-template", "", "-retrieve", fmt.Sprint(r.RequestID), "-key-file", r.KeyFile}
			status, r = f.enroll(t, retrieve...)
			require.Equal(t, 3, status, r.Error)
			status, r = f.enroll(t, retrieve...)
			require.Zero(t, status, r.Error)
			f.check(t, r)

			names = append(names, "-out", "other.p12")
			status, r = f.enroll(t, append(names, "-template", "Held", "-wait", "1m", "-poll", "1ms")...)
			require.Zero(t, status, r.Error)
			f.check(t, r)
			names = append(names, "-out", "none.p12")
			status, r = f.enroll(t, append(names, "-template", "Denied")...)
			assert.Equal(t, 4, status)
			assert.Equal(t, "0x80094012", r.HResult)
			status, r = f.enroll(t, append(names, "-template", "Refused")...)
			assert.Equal(t, 4, status)
			assert.Contains(t, r.Error, `"Denied by Policy Module"`)
			status, r = f.enroll(t, append(names, "-ca", "Another CA")...)
			assert.Equal(t, 4, status)
			assert.Equal(t, "0x80070057", r.HResult)
			status, r = f.enroll(t, append(names, "-template", "Fault")...)
			assert.Equal(t, 6, status, "the CA has seen the request: %s", r.Error)
		})
	}
	t.Run("not registered", func(t *testing.T) {
		t.Parallel()
		status, r := startForeign(t, "--towers", "none").enroll(t, "-subject", "CN=device")
		assert.Equal(t, 1, status)
		assert.Contains(t, r.Error, "ept_s_not_registered")
	})
}

// TestForeignServerLogon spells the account in every way, and has servers that say in different ways that they do not
// take it.
func TestForeignServerLogon(t *testing.T) {
	t.Run("accounts", func(t *testing.T) {
		t.Parallel()
		f := startForeign(t)
		for i, user := range []string{"enroller", "enroller@corp.test", `corp.test\ENROLLER`} {
			status, r := f.enroll(t, "-user", user, "-subject", "CN=device", "-out", fmt.Sprintf("%d.p12", i))
			assert.Zero(t, status, "%s: %s", user, r.Error)
		}
	})
	for _, how := range []string{"fault", "package", "nak"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			f := startForeign(t, "--refuse", how)
			wrong := filepath.Join(f.dir, "wrong")
			require.NoError(t, os.WriteFile(wrong, []byte("wrong\n"), 0o600))
			for _, auth := range []string{"ntlm", "negotiate"} {
				for _, args := range [][]string{{"-user", `CORP\nobody`}, {"-password-file", wrong}} {
					status, r := f.enroll(t, append(args, "-auth", auth, "-subject", "CN=device")...)
					assert.Equal(t, 7, status, "%s %v: %s", auth, args, r.Error)
				}
			}
		})
	}
}
