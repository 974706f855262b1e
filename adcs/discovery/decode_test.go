package discovery

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

func TestSID(t *testing.T) {
	for want, text := range map[SID]string{
		"S-1-5-32-544": "01 02 000000000005 20000000 20020000",
		"S-1-1-0":      "01 01 000000000001 00000000",
		"S-1-5-21-397955417-626881126-188441444-512": "01 05 000000000005 15000000 5951b817 66725d25 64633b0b 00020000",
		"S-1-0x010000000000-1":                       "01 01 010000000000 01000000",
	} {
		b := fromHex(t, text)
		got, err := wholeSID(b)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, b, got.encode())
	}
	for _, bad := range []string{
		"", "01", "01 02 000000000005 20000000", "02 01 000000000001 00000000", "01 10 000000000005",
		"01 01 000000000001 00000000 00",
	} {
		_, err := wholeSID(fromHex(t, bad))
		require.ErrorIs(t, err, ErrMalformed, bad)
	}
	for _, bad := range []SID{
		"", "S-1", "S-2-5-18", "S-1-x", "S-1-5-4294967296", "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16",
	} {
		assert.Nil(t, bad.encode(), bad)
	}
	assert.Equal(t, "Domain Admins", SID("S-1-5-21-1-2-3-512").wellKnown())
	assert.Equal(t, "Authenticated Users", SIDAuthenticatedUsers.wellKnown())
	assert.Empty(t, SID("S-1-5-21-1-2-512").wellKnown())
	assert.True(t, SID("S-1-5-21-1-2-3-519").administrative())
	assert.False(t, SID("S-1-5-21-1-2-3-513").administrative())
}

func TestPeriod(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want time.Duration
	}{
		"a year, as AD CS writes it":    {"004039872ee1feff", 365 * 24 * time.Hour},
		"six weeks, as AD CS writes it": {"0080a60affdeffff", 42 * 24 * time.Hour},
		"nothing":                       {"0000000000000000", 0},
		"as long as there is":           {"0000000000000080", math.MaxInt64},
		"one more than fits":            {"0100000000000080", math.MaxInt64},
	} {
		got, err := decodePeriod(fromHex(t, c.text))
		require.NoError(t, err, name)
		assert.Equal(t, c.want, got, name)
	}
	for _, bad := range []string{"", "00", "0100000000000000", "ffffffffffffff7f", "000000000000000000"} {
		_, err := decodePeriod(fromHex(t, bad))
		require.ErrorIs(t, err, ErrMalformed, bad)
	}
}

func TestTriplets(t *testing.T) {
	// The example of MS-CRTD 2.23.2.
	got, err := decodeTriplets("msPKI-Asymmetric-Algorithm`PZPWSTR`RSA`msPKI-Hash-Algorithm`PZPWSTR`SHA1`msPKI-" +
		"Key-Usage`DWORD`2`msPKI-RA-Application-Policies`PZPWSTR`1.3.6.1.4.1.311.10.3.8`")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"msPKI-Asymmetric-Algorithm": "RSA", "msPKI-Hash-Algorithm": "SHA1", "msPKI-Key-Usage": "2",
		"msPKI-RA-Application-Policies": "1.3.6.1.4.1.311.10.3.8",
	}, got)
	for _, bad := range []string{"a", "a`PZPWSTR", "a`DWORD`x`", "a`DWORD`4294967296`", "a`OTHER`1`", "a`PZPWSTR`b`c`"} {
		_, err := decodeTriplets(bad)
		require.ErrorIs(t, err, ErrMalformed, bad)
	}
	got, err = decodeTriplets("a`PZPWSTR`first`a`PZPWSTR`second`")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a": "first"}, got)
}

// TestRAPolicies reads the attribute in the form of each version (MS-CRTD 2.23).
func TestRAPolicies(t *testing.T) {
	const oids = "1.2.3"
	const triplets = "msPKI-RA-Application-Policies`PZPWSTR`1.2.3,1.2.4`msPKI-Asymmetric-Algorithm`PZPWSTR`ECDSA_P256`"
	for name, c := range map[string]struct {
		version, flags, value string
		want                  []string
		algorithm             string
	}{
		"1":           {"1", "0", oids, []string{"1.2.3"}, ""},
		"2":           {"2", "0", oids, []string{"1.2.3"}, ""},
		"3":           {"3", "0", triplets, []string{"1.2.3", "1.2.4"}, "ECDSA_P256"},
		"4":           {"4", "0", triplets, []string{"1.2.3", "1.2.4"}, "ECDSA_P256"},
		"4 as before": {"4", "256", oids, []string{"1.2.3"}, ""},
	} {
		tmpl := newTemplate(textObject(map[string][]string{
			"msPKI-Template-Schema-Version": {c.version}, "msPKI-Private-Key-Flag": {c.flags},
			"msPKI-RA-Application-Policies": {c.value},
		}))
		assert.Equal(t, c.want, tmpl.SignatureApplication, name)
		assert.Equal(t, c.algorithm, tmpl.KeyAlgorithm, name)
	}
}

// textObject is an object with text attributes, whose security descriptor lets nobody do anything.
func textObject(attributes map[string][]string) object {
	o := object{attrs: map[string][][]byte{}}
	for name, values := range attributes {
		for _, v := range values {
			o.attrs[strings.ToLower(name)] = append(o.attrs[strings.ToLower(name)], []byte(v))
		}
	}
	return o
}

// TestValues reads numbers, flags and texts, and notes what it cannot read.
func TestValues(t *testing.T) {
	tmpl := newTemplate(textObject(map[string][]string{
		"cn": {"User"}, "msPKI-Certificate-Name-Flag": {"-1509949440"}, "msPKI-Enrollment-Flag": {"41"},
		"msPKI-Minimal-Key-Size": {"2048"}, "pKIKeyUsage": {"\xa0\x00"},
	}))
	assert.Equal(t, "User", tmpl.Name)
	assert.Equal(t, NameFlags(0xa6000000), tmpl.NameFlags)
	assert.Equal(t, EnrollmentFlags(0x29), tmpl.EnrollmentFlags)
	assert.Equal(t, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment, tmpl.KeyUsage)
	assert.Equal(t, x509.KeyUsageDecipherOnly|x509.KeyUsageEncipherOnly, keyUsage([]byte{0x01, 0x80, 0xff}))
	assert.Equal(t, 1, tmpl.Schema, "a template of Windows 2000 says none")
	assert.Len(t, tmpl.Problems, 1, "no security descriptor")

	bad := newTemplate(textObject(map[string][]string{
		"cn": {"bad\x1b[2Jname"}, "displayName": {strings.Repeat("x", 2000)}, "flags": {"4294967296"},
		"msPKI-Minimal-Key-Size": {"-1"}, "msPKI-Template-Schema-Version": {"5"}, "pKIExpirationPeriod": {"short"},
		"pKIExtendedKeyUsage": {"1.2.3", "\xff"}, "nTSecurityDescriptor": {"?"}, "revision": {"x"},
	}))
	assert.Empty(t, bad.Name+bad.DisplayName)
	assert.Zero(t, bad.MinKeySize)
	assert.Equal(t, []string{"1.2.3"}, bad.EKUs)
	assert.Len(t, bad.Problems, 9)
	for _, p := range bad.Problems {
		assert.NotContains(t, p, "\x1b")
	}
}

// TestCurrentCertificate finds the current one of a CA that was renewed, in whatever order the directory has them.
func TestCurrentCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	var certs []string
	for year := range 3 {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(year)), NotBefore: time.Date(2020+year, 1, 1, 0, 0, 0, 0, time.UTC),
			NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		require.NoError(t, err)
		certs = append(certs, string(der))
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}} {
		ca := newCA(textObject(map[string][]string{"cACertificate": {certs[order[0]], certs[order[1]], certs[order[2]]}}))
		require.Len(t, ca.Certificates, 3)
		assert.Equal(t, 2022, ca.Certificates[0].NotBefore.Year(), "%v", order)
	}
}

// TestCertificates skips placeholders, and notes what is none.
func TestCertificates(t *testing.T) {
	ca := newCA(textObject(map[string][]string{
		"cn": {"CA"}, "cACertificate": {"\x00", "junk", strings.Repeat("x", 1<<17)},
	}))
	assert.Empty(t, ca.Certificates)
	assert.Equal(t, "CA", ca.DisplayName)
	assert.Len(t, ca.Problems, 3)
}

// TestToken takes an account whose groups are not shown for one that nothing is known of, not for one without rights.
func TestToken(t *testing.T) {
	var a Account
	require.ErrorIs(t, a.setToken(object{}), errNoGroups)
	group := fromHex(t, "01 02 000000000005 20000000 21020000")
	a.SID = domain + "1104"
	require.NoError(t, a.setToken(object{attrs: map[string][][]byte{"tokengroups": {group, group}}}))
	assert.Equal(t, []SID{domain + "1104", "S-1-5-32-545"}, a.Token)
	require.ErrorIs(t, a.setToken(object{attrs: map[string][][]byte{"tokengroups": {{1}}}}), ErrMalformed)
}
