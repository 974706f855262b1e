//go:build integration

package pkcs12_test

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

// openssl runs a command in dir and returns what it says. A missing openssl is a failure.
func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "openssl %s: %s", strings.Join(args, " "), out)
	return string(out)
}

// TestOpenSSL opens each profile with each kind of key, signs with the key that comes out, and verifies with the
// certificate and its chain.
func TestOpenSSL(t *testing.T) {
	algorithms := map[string]string{
		"compat": "pbeWithSHA1And3-KeyTripleDES-CBC", "modern": "PBES2, PBKDF2, AES-256-CBC, Iteration 2048, PRF hmacWithSHA256",
	}
	macs := map[string]string{"compat": "MAC: sha1, Iteration 2048", "modern": "MAC: sha256, Iteration 2048"}
	for name, key := range keys(t) {
		chain := newChain(t, key)
		for _, profile := range []pkcs12.Profile{pkcs12.Compat(), pkcs12.Modern()} { // PBMAC1 takes OpenSSL 3.4
			t.Run(name+"/"+profile.String(), func(t *testing.T) {
				dir := t.TempDir()
				secret, err := pkcs12.NewPassword()
				require.NoError(t, err)
				file, err := pkcs12.Encode(profile, key, chain, secret)
				require.NoError(t, err)
				write(t, dir, "f.p12", file)
				write(t, dir, "password", []byte(secret))
				write(t, dir, "data", []byte("signed with the key of the file"))
				write(t, dir, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[1].Raw}))

				info := openssl(t, dir, "pkcs12", "-info", "-nodes", "-in", "f.p12", "-passin", "file:password", "-out", "all.pem")
				assert.Contains(t, info, macs[profile.String()])
				assert.Equal(t, 2, strings.Count(info, algorithms[profile.String()]), "certificates and key: %s", info)
				openssl(t, dir, "pkcs12", "-nodes", "-nocerts", "-in", "f.p12", "-passin", "file:password", "-out", "key.pem")
				openssl(t, dir, "pkcs12", "-nokeys", "-clcerts", "-in", "f.p12", "-passin", "file:password", "-out", "leaf.pem")
				openssl(t, dir, "dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "data")
				openssl(t, dir, "x509", "-in", "leaf.pem", "-noout", "-pubkey", "-out", "public.pem")
				verified := openssl(t, dir, "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data")
				assert.Contains(t, verified, "Verified OK")
				assert.Contains(t, openssl(t, dir, "verify", "-CAfile", "ca.pem", "leaf.pem"), "leaf.pem: OK")
			})
		}
	}
}

// TestOpenSSLFiles reads what OpenSSL writes, with its own parameters and with old ones.
func TestOpenSSLFiles(t *testing.T) {
	key := rsaKey(t, "rsa2048")
	chain := newChain(t, key)
	source, err := pkcs12.Encode(pkcs12.Modern(), key, chain, password)
	require.NoError(t, err)
	inspected := map[string][]string{
		"default": {"HMAC-SHA256", aes, aes}, "3DES": {"HMAC-SHA1", des3, des3}, "plain certs": {"HMAC-SHA256", "none", aes},
		"AES-128": {"HMAC-SHA512", "AES-128-CBC with PBKDF2 and HMAC-SHA256", "AES-192-CBC with PBKDF2 and HMAC-SHA256"},
		"RC2":     {"HMAC-SHA1", "RC2-40-CBC with SHA-1", des3},
		"RC2-128": {"HMAC-SHA1", "RC2-128-CBC with SHA-1", "RC2-128-CBC with SHA-1"},
	}
	for name, args := range map[string][]string{
		"default":     nil,
		"3DES":        {"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
		"AES-128":     {"-certpbe", "AES-128-CBC", "-keypbe", "AES-192-CBC", "-macalg", "sha512", "-iter", "10000"},
		"plain certs": {"-certpbe", "NONE"},
		"RC2":         {"-legacy"},
		"RC2-128":     {"-legacy", "-certpbe", "PBE-SHA1-RC2-128", "-keypbe", "PBE-SHA1-RC2-128", "-macalg", "sha1"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "f.p12", source)
			write(t, dir, "password", []byte(password+"\n"))
			openssl(t, dir, "pkcs12", "-nodes", "-in", "f.p12", "-passin", "file:password", "-out", "all.pem")
			openssl(t, dir, append([]string{"pkcs12", "-export", "-in", "all.pem", "-out", "new.p12",
				"-name", "a name", "-passout", "file:password"}, args...)...)
			file, err := os.ReadFile(filepath.Join(dir, "new.p12"))
			require.NoError(t, err)
			gotKey, gotChain, err := pkcs12.Decode(file, password)
			require.NoError(t, err)
			assert.Equal(t, key, gotKey)
			require.Len(t, gotChain, 2)
			assert.True(t, gotChain[0].Equal(chain[0]))
			info, err := pkcs12.Inspect(file, password)
			require.NoError(t, err)
			assert.Equal(t, "a name", info.KeyName)
			assert.Equal(t, inspected[name], []string{info.MAC.Algorithm, info.Certificates.Algorithm, info.Key.Algorithm})
			assert.Equal(t, "a name", info.Chain[0].FriendlyName)
		})
	}
}

// TestOpenSSLUnread has files with algorithms that Decode does not read: Inspect names them all the same.
func TestOpenSSLUnread(t *testing.T) {
	key := rsaKey(t, "rsa2048")
	dir := t.TempDir()
	source, err := pkcs12.Encode(pkcs12.Modern(), key, newChain(t, key), password)
	require.NoError(t, err)
	write(t, dir, "f.p12", source)
	write(t, dir, "password", []byte(password))
	openssl(t, dir, "pkcs12", "-nodes", "-in", "f.p12", "-passin", "file:password", "-out", "all.pem")
	for _, tc := range []struct{ mac, macName, pbe, pbeName string }{
		{"sha384", "HMAC-SHA384", "PBE-SHA1-RC4-128", "RC4-128 with SHA-1"},
		{"sha224", "HMAC-SHA224", "PBE-SHA1-RC4-40", "RC4-40 with SHA-1"},
		{"md5", "1.2.840.113549.2.5", "PBE-SHA1-2DES", "2-key 3DES-CBC with SHA-1"},
	} {
		openssl(t, dir, "pkcs12", "-export", "-in", "all.pem", "-out", "new.p12", "-passout", "file:password", "-legacy",
			"-macalg", tc.mac, "-certpbe", tc.pbe, "-keypbe", tc.pbe)
		file, err := os.ReadFile(filepath.Join(dir, "new.p12"))
		require.NoError(t, err)
		info, err := pkcs12.Inspect(file, "")
		require.NoError(t, err)
		assert.Equal(t, pkcs12.Protection{Algorithm: tc.macName, Iterations: 2048}, info.MAC)
		assert.Equal(t, pkcs12.Protection{Algorithm: tc.pbeName, Iterations: 2048}, info.Key)
		assert.Equal(t, info.Key, info.Certificates)
		_, err = pkcs12.Inspect(file, password)
		require.ErrorIs(t, err, pkcs12.ErrUnsupported)
	}
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
}
