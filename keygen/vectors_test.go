package keygen_test

import (
	"crypto/x509"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/keygen"
)

// realMessage reads a request that Windows made, from the folder of ADCSKIT_VECTORS.
func realMessage(t *testing.T, name string) *x509.CertificateRequest {
	t.Helper()
	dir := os.Getenv("ADCSKIT_VECTORS")
	if dir == "" {
		t.Skip("ADCSKIT_VECTORS names no folder with the messages of Microsoft's documents")
	}
	der, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return parseDER(t, der)
}

// TestRealTemplateAndUPN reads the request of MS-OTPCE section 4.1 and builds its subject, template and UPN again.
func TestRealTemplateAndUPN(t *testing.T) {
	windows := realMessage(t, "OTPCE-540.der")
	template, err := adcsasn1.TemplateFromExtension(extensionValue(t, windows, "1.3.6.1.4.1.311.21.7"))
	require.NoError(t, err)
	assert.Equal(t, uint32(100), template.Major)
	assert.Equal(t, uint32(5), template.Minor)
	san, err := adcsasn1.SANFromExtension(extensionValue(t, windows, "2.5.29.17"))
	require.NoError(t, err)
	require.Equal(t, adcsasn1.SAN{UPN: []string{"user1@domain1.corp.company.com"}}, san)

	ours := parseRequest(t, testKey(t, keygen.RSA2048), &keygen.Request{
		// Windows writes common names as UTF8String even where PrintableString would do.
		Subject:  "CN=#0c06557365722031,CN=#0c055573657273,DC=domain1,DC=corp,DC=company,DC=com",
		UPNs:     san.UPN,
		Template: &keygen.Template{OID: template.OID, Major: template.Major, Minor: template.Minor},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsages: oids("1.3.6.1.4.1.311.20.2.2"),
		ApplicationPolicies: oids("1.3.6.1.4.1.311.20.2.2"),
		OSVersion:           &keygen.OSVersion{Major: 6, Minor: 2, Build: 8311, Platform: 2},
		ClientInfo: &keygen.ClientInfo{
			ClientID: 5, Machine: "CLIENT2.domain1.corp.company.com", User: `DOMAIN1\CLIENT2$`, Process: "LogonUI.exe",
		},
	})
	for _, oid := range []string{"1.3.6.1.4.1.311.13.2.3", "1.3.6.1.4.1.311.21.20"} {
		value := attributesOf(t, ours.RawTBSCertificateRequest)[oid]
		require.NotEmpty(t, value)
		assert.Contains(t, string(windows.RawTBSCertificateRequest), string(value), oid)
	}
	assert.Equal(t, hex.EncodeToString(windows.RawSubject), hex.EncodeToString(ours.RawSubject))
	for _, oid := range []string{"1.3.6.1.4.1.311.21.7", "2.5.29.37", "2.5.29.15", "1.3.6.1.4.1.311.21.10", "2.5.29.17"} {
		assert.Equal(t, extension(t, windows, oid), extension(t, ours, oid), oid)
	}
}

// TestRealTemplateName reads the request of MS-WSTEP section 4 and builds its empty subject and template name again.
func TestRealTemplateName(t *testing.T) {
	windows := realMessage(t, "WSTEP-1064.der")
	name, err := adcsasn1.TemplateNameFromExtension(extensionValue(t, windows, "1.3.6.1.4.1.311.20.2"))
	require.NoError(t, err)
	assert.Equal(t, "User", name)
	ours := parseRequest(t, testKey(t, keygen.RSA2048), &keygen.Request{TemplateName: name})
	assert.Equal(t, windows.RawSubject, ours.RawSubject)
	assert.Equal(t, extension(t, windows, "1.3.6.1.4.1.311.20.2"), extension(t, ours, "1.3.6.1.4.1.311.20.2"))
}

func extensionValue(t *testing.T, csr *x509.CertificateRequest, oid string) []byte {
	t.Helper()
	for _, ext := range csr.Extensions {
		if ext.Id.String() == oid {
			return ext.Value
		}
	}
	require.Fail(t, "no extension "+oid)
	return nil
}
