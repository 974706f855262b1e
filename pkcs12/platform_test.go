package pkcs12_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
}

// longChain is leaf, CA, a CA that issued to its own name with another key, root.
// identified says by its key identifiers that it is not a root; otherwise only its signature does.
func longChain(t *testing.T, key crypto.Signer, identified bool) []*x509.Certificate {
	rootKey, oldKey, newKey := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	root := sign(t, caTemplate("root"), nil, rootKey.Public(), rootKey)
	old := sign(t, caTemplate("CA"), root, oldKey.Public(), rootKey)
	template := caTemplate("CA")
	if identified {
		template.AuthorityKeyId = old.SubjectKeyId
	}
	link := sign(t, template, old, newKey.Public(), oldKey)
	require.Equal(t, link.RawIssuer, link.RawSubject)
	require.Equal(t, identified, len(link.AuthorityKeyId) > 0)
	template = &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}}
	leaf := sign(t, template, link, key.Public(), newKey)
	return []*x509.Certificate{leaf, link, old, root}
}

func TestForPlatform(t *testing.T) {
	for _, tc := range []struct {
		platform string
		compat   []string
		modern   []string
		bad      []string
	}{
		{"macos", []string{"", "10.15.7", "14", "15.1", "26"}, nil, []string{"9", "2024"}},
		{"ios", []string{"", "12", "17.7.2"}, []string{"18", "18.0", "18.1", "26.0.1"}, []string{"0", "100"}},
		{"ipados", []string{"", "17.7"}, []string{"18"}, nil},
		{"tvos", []string{"", "17"}, []string{"18"}, nil},
		{"watchos", []string{"", "10.6"}, []string{"11"}, nil},
		{"visionos", []string{"", "1.3"}, []string{"2"}, nil},
		{"windows", []string{"", "10", "10.0", "6.1", "10.0.15063"}, []string{"10.0.16299", "10.0.19045.5011", "11"},
			[]string{"2016", "1709"}},
		{"windows-server", []string{"", "2012", "2016"}, []string{"2019", "2022", "2025"}, []string{"10", "10.0.17763"}},
		{"android", []string{"", "4.4", "13", "15"}, []string{"16", "17"}, nil},
		{"chromeos", []string{"", "130"}, nil, nil},
		{"java", []string{"", "1.8", "8", "11.0.11", "11"}, []string{"11.0.12", "12", "17", "26"}, []string{"0"}},
		{"linux-openssl", []string{"", "1.0.2", "1.1"}, []string{"1.1.1", "3.0.22", "3.5"}, nil},
		{"linux-nss", []string{"", "3.68"}, []string{"3.87", "3.101"}, []string{"2"}},
	} {
		for set, versions := range map[pkcs12.Profile][]string{pkcs12.Compat(): tc.compat, pkcs12.Modern(): tc.modern} {
			for _, version := range versions {
				p, err := pkcs12.ForPlatform(tc.platform, version)
				require.NoError(t, err, "%s %s", tc.platform, version)
				assert.Equal(t, set, p.Algorithms(), "%s %s", tc.platform, version)
				name, number := p.Platform()
				assert.Equal(t, []string{tc.platform, version}, []string{name, number})
				again, err := pkcs12.ParseProfile(p.String())
				require.NoError(t, err, p.String())
				assert.Equal(t, p, again)
				assert.NotEqual(t, pkcs12.AsGiven, p.Shape())
			}
		}
		never := []string{"-1", "x", "1.", ".1", "1..2", "01", "10.01", "1.2.3.4.5", "1e3", " 10", "10 ", "9999999", "+10"}
		for _, version := range append(never, tc.bad...) {
			_, err := pkcs12.ForPlatform(tc.platform, version)
			assert.ErrorIs(t, err, pkcs12.ErrUnsupported, "%s %q", tc.platform, version)
		}
		assert.Contains(t, pkcs12.Platforms(), tc.platform)
	}
	assert.Len(t, pkcs12.Platforms(), 13, "each has a row above")
	assert.True(t, slices.IsSorted(pkcs12.Platforms()))
}

func TestParseProfileRefuses(t *testing.T) {
	for _, bad := range []string{
		"Compat", "IOS", "ios-", "ios--1", "ios18", "ios-x", "linux", "windows-", "windows-10x", "as given", "\x00",
		strings.Repeat("ios", 99),
	} {
		_, err := pkcs12.ParseProfile(bad)
		require.ErrorIs(t, err, pkcs12.ErrUnsupported, bad)
		assert.Less(t, len(err.Error()), 400)
	}
	p, err := pkcs12.ParseProfile("windows-server-2019")
	require.NoError(t, err)
	assert.Equal(t, "windows-server-2019", p.String())
	assert.Equal(t, pkcs12.Modern(), p.Algorithms())
	assert.Equal(t, pkcs12.WithoutRoot, p.Shape())
	assert.Equal(t, "without root", p.Shape().String())
}
