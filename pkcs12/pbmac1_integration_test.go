//go:build integration

package pkcs12_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

// reader is a program that opens f.p12 with the password in the file password, signs with the key, and verifies the
// signature with the certificate.
type reader struct {
	version string // of the OpenSSL in it
	run     func(t *testing.T, dir string) error
}

// readsPBMAC1 reports whether the OpenSSL is 3.4 or later.
func (r reader) readsPBMAC1() bool {
	number := regexp.MustCompile(`^OpenSSL (\d+)\.(\d+)`).FindStringSubmatch(r.version)
	if number == nil {
		return false
	}
	major, _ := strconv.Atoi(number[1])
	minor, _ := strconv.Atoi(number[2])
	return major > 3 || major == 3 && minor >= 4
}

const useOnce = `import sys
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
p = load_pkcs12(open("f.p12", "rb").read(), open("password", "rb").read())
how = [ec.ECDSA(hashes.SHA256())] if isinstance(p.key, ec.EllipticCurvePrivateKey) else [padding.PKCS1v15(), hashes.SHA256()]
p.cert.certificate.public_key().verify(p.key.sign(b"data", *how), b"data", *how)
assert len(p.additional_certs) == 1 and p.cert.friendly_name == b"a name"`

const sayVersion = `from cryptography.hazmat.backends.openssl import backend
print(backend.openssl_version_text())`

// readers returns every openssl, and every Python with cryptography, which brings an OpenSSL of its own, in the usual
// places.
func readers(t *testing.T) map[string]reader {
	found := map[string]reader{}
	dirs := append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/local/ssl/bin")
	for _, pattern := range []string{"/opt/*/bin", "/usr/local/*/bin"} {
		more, err := filepath.Glob(pattern)
		require.NoError(t, err)
		dirs = append(dirs, more...)
	}
	for _, dir := range dirs {
		program := filepath.Join(dir, "openssl")
		if out, err := exec.CommandContext(t.Context(), program, "version").Output(); err == nil {
			found[program] = reader{string(out), func(t *testing.T, dir string) error { return withOpenSSL(t, program, dir) }}
		}
		python := filepath.Join(dir, "python3")
		if out, err := exec.CommandContext(t.Context(), python, "-c", sayVersion).Output(); err == nil {
			found[python] = reader{string(out), func(t *testing.T, dir string) error {
				cmd := exec.CommandContext(t.Context(), python, "-c", useOnce)
				cmd.Dir = dir
				return said(cmd.CombinedOutput())
			}}
		}
	}
	return found
}

func withOpenSSL(t *testing.T, program, dir string) error {
	for _, args := range []string{
		"pkcs12 -nodes -nocerts -in f.p12 -passin file:password -out key.pem",
		"pkcs12 -nokeys -clcerts -in f.p12 -passin file:password -out leaf.pem",
		"x509 -in leaf.pem -noout -pubkey -out public.pem",
		"dgst -sha256 -sign key.pem -out signature password",
		"dgst -sha256 -verify public.pem -signature signature password",
	} {
		cmd := exec.CommandContext(t.Context(), program, strings.Fields(args)...)
		cmd.Dir = dir
		if err := said(cmd.CombinedOutput()); err != nil {
			return fmt.Errorf("%s: %w", args, err)
		}
	}
	return nil
}

func said(out []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// TestPBMAC1 opens files with every OpenSSL from 3.4 on that there is, and sees those before refuse them. Where there
// is none that reads them the test says so; it does not fail, since Debian 12 has none.
func TestPBMAC1(t *testing.T) {
	var read []string
	all := keys(t)
	for program, r := range readers(t) {
		for name, key := range all {
			dir := t.TempDir()
			file, err := pkcs12.Options{Profile: pkcs12.PBMAC1(), FriendlyName: "a name"}.Encode(key, newChain(t, key), password)
			require.NoError(t, err)
			write(t, dir, "f.p12", file)
			write(t, dir, "password", []byte(password))
			if !r.readsPBMAC1() {
				assert.Error(t, r.run(t, dir), "%s, %s", program, r.version)
				break
			}
			require.NoError(t, r.run(t, dir), "%s, %s: %s", program, r.version, name)
			write(t, dir, "password", []byte("wrong"))
			require.Error(t, r.run(t, dir), "%s, %s: %s", program, r.version, name)
			read = append(read, fmt.Sprintf("%s (%s): %s", program, strings.TrimSpace(r.version), name))
		}
	}
	slices.Sort(read)
	if len(read) == 0 {
		t.Log("NOT RUN: no OpenSSL from 3.4 on, as a program or in Python's cryptography, to read PBMAC1")
	}
	t.Logf("read by:\n%s", strings.Join(read, "\n"))
}

// TestRFC9579 has the files of RFC 9579, appendix A, which go-pkcs12 has among its test data.
func TestRFC9579(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "software.sslmate.com/src/go-pkcs12").Output()
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		mac  string
		want error
	}{
		"a1": {"PBMAC1 with PBKDF2 and HMAC-SHA256", nil},
		"a2": {"PBMAC1 with PBKDF2, HMAC-SHA512 and HMAC-SHA256", nil},
		"a3": {"PBMAC1 with PBKDF2 and HMAC-SHA512", nil},
		"a4": {"PBMAC1 with PBKDF2 and HMAC-SHA256", pkcs12.ErrIncorrectPassword}, // iterations
		"a5": {"PBMAC1 with PBKDF2 and HMAC-SHA256", pkcs12.ErrIncorrectPassword}, // salt
		"a6": {"PBMAC1 with PBKDF2 and HMAC-SHA256", pkcs12.ErrMalformed},         // no key length
	} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "testdata", "rfc9579-"+name+".txt"))
		require.NoError(t, err)
		file, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		require.NoError(t, err)
		info, err := pkcs12.Inspect(file, "")
		require.NoError(t, err)
		assert.Equal(t, tc.mac, info.MAC.Algorithm, name)
		info, err = pkcs12.Inspect(file, "1234")
		require.ErrorIs(t, err, tc.want, name)
		if err == nil {
			assert.Equal(t, "RSA-2048", info.KeyType)
			assert.NotEmpty(t, info.Chain)
		}
	}
}
