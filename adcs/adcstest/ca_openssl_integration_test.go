//go:build integration

package adcstest_test

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adcsasn1"
)

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
	require.NoError(t, err, "openssl %s: %s", strings.Join(args, " "), out)
	return string(out)
}

func writePEM(t *testing.T, path string, certs ...[]byte) {
	t.Helper()
	var b []byte
	for _, der := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

// TestOpenSSLReadsTheCA has OpenSSL verify what the CA issues and read both forms of the chain, with keys of both kinds.
func TestOpenSSLReadsTheCA(t *testing.T) {
	for name, profile := range map[string]adcstest.Profile{
		"P-256":           {CDP: []string{"http://pki.corp.test/ca.crl"}, AIA: []string{"http://pki.corp.test/ca.crt"}},
		"RSA, three tier": {RSA: true, Intermediates: 1},
	} {
		t.Run(name, func(t *testing.T) {
			ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
				Name: caName, Host: "ca.corp.test", Templates: templates(), Directory: directory(), Profile: profile,
			})
			require.NoError(t, err)
			dir := t.TempDir()
			file := func(name string) string { return filepath.Join(dir, name) }
			c := submission(t, "User")
			c.Flags |= 0x80000
			out := ca.Call(c)
			require.Equal(t, issued, out.Disposition, text(t, out.Message))

			chain := ca.Chain()
			writePEM(t, file("leaf.pem"), out.EncodedCert)
			writePEM(t, file("root.pem"), chain[len(chain)-1].Raw)
			var middle [][]byte
			for _, c := range chain[:len(chain)-1] {
				middle = append(middle, c.Raw)
			}
			writePEM(t, file("middle.pem"), middle...)
			assert.Contains(t, openssl(t, "verify", "-x509_strict", "-CAfile", file("root.pem"),
				"-untrusted", file("middle.pem"), file("leaf.pem")), "leaf.pem: OK")

			printed := openssl(t, "x509", "-in", file("leaf.pem"), "-noout", "-text")
			for _, want := range []string{
				"Subject: CN = Alice", "Issuer: DC = test, DC = corp, CN = Corp Issuing CA",
				"othername: UPN::alice@corp.test", "TLS Web Client Authentication", "Digital Signature",
				"1.3.6.1.4.1.311.20.2:", "1.3.6.1.4.1.311.25.2:", aliceSID,
			} {
				assert.Contains(t, printed, want)
			}

			require.NoError(t, os.WriteFile(file("chain.p7b"), out.Cert, 0o600))
			listed := openssl(t, "pkcs7", "-inform", "DER", "-in", file("chain.p7b"), "-print_certs", "-noout")
			assert.Equal(t, len(chain)+1, strings.Count(listed, "subject="))
			printed = openssl(t, "pkcs7", "-inform", "DER", "-in", file("chain.p7b"), "-print", "-noout")
			assert.Equal(t, len(chain), strings.Count(printed, "lastUpdate:"), "a CRL of every CA")

			c = submission(t, "WebServer")
			c.Flags |= 0x40000
			require.NoError(t, os.WriteFile(file("full.p7b"), ca.Call(c).Cert, 0o600))
			openssl(t, "cms", "-verify", "-inform", "DER", "-in", file("full.p7b"), "-CAfile", file("root.pem"),
				"-purpose", "any", "-binary", "-out", file("body.der"))
			assert.Contains(t, openssl(t, "asn1parse", "-inform", "DER", "-in", file("body.der")), ":Issued")
		})
	}
}

// TestOpenSSLRequests takes requests that OpenSSL made, with RSA keys too.
func TestOpenSSLRequests(t *testing.T) {
	ca := newAuthority(t)
	for _, alg := range [][]string{
		{"-newkey", "rsa:2048"}, {"-newkey", "rsa:2048", "-sha512"}, {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"},
		{"-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"},
	} {
		file := filepath.Join(t.TempDir(), "request.der")
		openssl(t, append([]string{"req", "-new", "-nodes", "-keyout", "/dev/null", "-subj", "/C=DE/O=Corp/CN=device",
			"-addext", "subjectAltName=DNS:device.corp.test", "-outform", "DER", "-out", file}, alg...)...)
		der, err := os.ReadFile(file)
		require.NoError(t, err)
		c := submission(t, "WebServer")
		c.Raw = der
		out := ca.Call(c)
		require.Equal(t, issued, out.Disposition, "%v: %s", alg, text(t, out.Message))
		cert := parse(t, out.EncodedCert)
		assert.Equal(t, []string{"device.corp.test"}, cert.DNSNames)
		assert.NotNil(t, extension(cert, adcsasn1.OIDTemplateName()))
	}
}
