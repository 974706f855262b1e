//go:build integration

package keygen_test

import (
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// TestOpenSSL has OpenSSL verify and print a request with every kind of name, for each algorithm. A missing openssl is
// a failure.
func TestOpenSSL(t *testing.T) {
	for _, alg := range keygen.Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			der, err := keygen.CreateRequest(testKey(t, alg), &keygen.Request{
				Subject:        `CN=Lučić\, Ana+UID=x,OU=Staff,C=HR,DC=corp,DC=test`,
				DNSNames:       []string{"a.corp.test", "*.b.corp.test"},
				EmailAddresses: []string{"ana@corp.test"},
				URIs:           []string{"https://corp.test/x"},
				IPAddresses:    []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
				UPNs:           []string{"ana.lučić@corp.test"},
				SID:            sampleSID, SIDForm: keygen.SIDBoth,
				TemplateName: "User",
				Template:     &keygen.Template{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, 1}, Major: 100},
				KeyUsage:     x509.KeyUsageDigitalSignature, ExtKeyUsages: oids("1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2"),
				ApplicationPolicies: oids("1.3.6.1.5.5.7.3.2"), OSVersion: &keygen.OSVersion{Major: 10},
				ClientInfo: &keygen.ClientInfo{ClientID: 4711, Machine: "a", User: `CORP\ana`, Process: "b"},
				PSS:        strings.HasPrefix(string(alg), "rsa"),
			})
			require.NoError(t, err)
			text := openssl(t, der)
			assert.Contains(t, text, "verify OK")
			assert.Contains(t, text, "Subject: DC=test, DC=corp, C=HR, OU=Staff, UID=x + CN=Lučić\\, Ana")
			for _, want := range []string{
				"DNS:a.corp.test", "DNS:*.b.corp.test", "email:ana@corp.test", "URI:https://corp.test/x", "URI:" + sidURI,
				"IP Address:192.0.2.1", "IP Address:2001:DB8:0:0:0:0:0:1", "othername: UPN::ana.lučić@corp.test",
				"1.3.6.1.4.1.311.25.2:", sampleSID, "1.3.6.1.4.1.311.20.2:", "1.3.6.1.4.1.311.21.7:",
				"X509v3 Key Usage: critical\n                    Digital Signature\n", "1.3.6.1.4.1.311.21.10:",
				"TLS Web Client Authentication, Microsoft Smartcard Login", "1.3.6.1.4.1.311.13.2.3", "1.3.6.1.4.1.311.21.20",
			} {
				assert.Contains(t, text, want)
			}
			if strings.HasPrefix(string(alg), "rsa") {
				assert.Contains(t, text, "Signature Algorithm: rsassaPss")
				assert.Contains(t, text, "Salt Length: 0x20")
			}
		})
	}
}

func openssl(t *testing.T, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "request.der")
	require.NoError(t, os.WriteFile(file, der, 0o600))
	cmd := exec.CommandContext(t.Context(), "openssl", "req", "-inform", "DER", "-in", file, "-verify", "-noout", "-text",
		"-nameopt", "sep_comma_plus_space,utf8,esc_2253", "-utf8")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
