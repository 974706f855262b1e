package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// TestIdentifier: that of a configuration profile stays the same from one certificate to the next, also if the template
// has become a newer version, and differs for another template, name or subject.
func TestIdentifier(t *testing.T) {
	certificate := func(subject string, template int, minor uint32, names string) *x509.Certificate {
		version, err := adcsasn1.Template{
			OID: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, template}, Major: 100, Minor: minor,
		}.Extension()
		require.NoError(t, err)
		return &x509.Certificate{RawSubject: []byte(subject), Extensions: []pkix.Extension{
			version, {Id: adcsasn1.OIDSubjectAltName(), Value: []byte(names)}, {Id: adcsasn1.OIDTemplate(), Value: []byte("none")},
		}}
	}
	first := identifier(certificate("phone", 1, 1, "names"))
	assert.Regexp(t, `^adcskit\.enroll\.[0-9a-f]{32}$`, first)
	assert.Equal(t, first, identifier(certificate("phone", 1, 2, "names")), "the template's version")
	assert.NotEqual(t, first, identifier(certificate("phones", 1, 1, "names")))
	assert.NotEqual(t, first, identifier(certificate("phone", 2, 1, "names")))
	assert.NotEqual(t, first, identifier(certificate("phone", 1, 1, "name")))
}
