package adcsasn1_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

const sampleSID = "S-1-5-21-1-2-3-1105"

// vector returns bytes written in hexadecimal with spaces.
func vector(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// encoded returns the DER of a whole extension.
func encoded(t testing.TB, ext pkix.Extension) []byte {
	t.Helper()
	b, err := asn1.Marshal(ext)
	require.NoError(t, err)
	return b
}

func TestSIDExtensionVector(t *testing.T) {
	want := vector(t, `3034 06092b060104018237190204273025a023060a2b060104018237190201a0150413
		532d312d352d32312d312d322d332d31313035`)
	ext, err := adcsasn1.SIDExtension(sampleSID)
	require.NoError(t, err)
	assert.Equal(t, want, encoded(t, ext))
	sid, err := adcsasn1.SIDFromExtension(ext.Value)
	require.NoError(t, err)
	assert.Equal(t, sampleSID, sid)
}

func TestSANVector(t *testing.T) {
	want := append(vector(t, `3066 a01f060a2b060104018237140203a0110c0f616c69636540636f72702e74657374
		820d7777772e636f72702e74657374
		8634 7461673a6d6963726f736f66742e636f6d2c323032322d30392d31343a7369643a`), sampleSID...)
	san := adcsasn1.SAN{
		UPN: []string{"alice@corp.test"}, DNS: []string{"www.corp.test"}, URI: []string{adcsasn1.SIDURI(sampleSID)},
	}
	ext, err := san.Extension()
	require.NoError(t, err)
	assert.Equal(t, want, ext.Value)
	back, err := adcsasn1.SANFromExtension(ext.Value)
	require.NoError(t, err)
	assert.Equal(t, san, back)
}

func TestTemplateNameVector(t *testing.T) {
	want := vector(t, `3017 06092b0601040182371402 040a 1e080055007300650072`)
	ext, err := adcsasn1.TemplateNameExtension("User")
	require.NoError(t, err)
	assert.Equal(t, want, encoded(t, ext))
	name, err := adcsasn1.TemplateNameFromExtension(ext.Value)
	require.NoError(t, err)
	assert.Equal(t, "User", name)
	name, err = adcsasn1.TemplateNameFromExtension(vector(t, "3006 0c04 55736572"))
	require.NoError(t, err)
	assert.Equal(t, "User", name, "the form that the specification prints")
}

func TestTemplateVector(t *testing.T) {
	// The value in the request of MS-OTPCE section 4.1: major version 100, minor version 5.
	value := vector(t, `302c 06242b06010401823715088dc46bdfd5228699872e81ead82186d4e5794b87bbb61d83948871
		020164 020105`)
	tpl, err := adcsasn1.TemplateFromExtension(value)
	require.NoError(t, err)
	assert.Equal(t, uint32(100), tpl.Major)
	assert.Equal(t, uint32(5), tpl.Minor)
	assert.True(t, strings.HasPrefix(tpl.OID.String(), "1.3.6.1.4.1.311.21.8."), tpl.OID.String())
	ext, err := tpl.Extension()
	require.NoError(t, err)
	assert.Equal(t, value, ext.Value)
}

func TestSANKinds(t *testing.T) {
	san := adcsasn1.SAN{
		DNS: []string{"*.corp.test", "a.corp.test"}, Email: []string{"a.b+c@corp.test"},
		URI: []string{"https://h.corp.test/x?y#z", "urn:uuid:1"}, UPN: []string{"jürgen@bücher.test"},
		IP: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")},
	}
	ext, err := san.Extension()
	require.NoError(t, err)
	back, err := adcsasn1.SANFromExtension(ext.Value)
	require.NoError(t, err)
	assert.Equal(t, san, back)
}
