package keygen_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/keygen"
)

// oids reads object identifiers from text.
func oids(texts ...string) []asn1.ObjectIdentifier {
	var list []asn1.ObjectIdentifier
	for _, text := range texts {
		id, err := x509.ParseOID(text)
		if err != nil {
			panic(err)
		}
		der, err := id.MarshalBinary()
		if err != nil {
			panic(err)
		}
		var plain asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(append([]byte{6, byte(len(der))}, der...), &plain); err != nil {
			panic(err)
		}
		list = append(list, plain)
	}
	return list
}

func TestRequestUsages(t *testing.T) {
	csr := parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{
		TemplateName: "User", DNSNames: []string{"a.test"}, SID: sampleSID,
		KeyUsage:            x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsages:        oids("1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2"),
		ApplicationPolicies: oids("1.3.6.1.4.1.311.20.2.2"),
	})
	for oid, want := range map[string]string{
		"2.5.29.15":             "300e0603551d0f0101ff0404030205a0",
		"2.5.29.37":             "301f0603551d250418301606082b06010505070302060a2b060104018237140202",
		"1.3.6.1.4.1.311.21.10": "301d06092b0601040182" + "37150a0410300e300c060a2b060104018237140202",
	} {
		assert.Equal(t, want, hex.EncodeToString(extension(t, csr, oid)), oid)
	}
	var order []string
	for _, ext := range csr.Extensions {
		order = append(order, ext.Id.String())
	}
	assert.Equal(t, []string{
		"1.3.6.1.4.1.311.20.2", "2.5.29.37", "2.5.29.15", "1.3.6.1.4.1.311.21.10", "2.5.29.17", "1.3.6.1.4.1.311.25.2",
	}, order)
}

// TestRequestKeyUsages reads every combination back by the standard library, from a certificate.
func TestRequestKeyUsages(t *testing.T) {
	key := testKey(t, keygen.ECDSAP256)
	for usage := x509.KeyUsage(1); usage < 1<<9; usage++ {
		csr := parseRequest(t, key, &keygen.Request{KeyUsage: usage})
		require.Len(t, csr.Extensions, 1)
		require.True(t, csr.Extensions[0].Critical)
		var text asn1.BitString
		rest, err := asn1.Unmarshal(csr.Extensions[0].Value, &text)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, 1, text.At(text.BitLength-1), "no zero bits at the end")
		var got x509.KeyUsage
		for i := range text.BitLength {
			got |= x509.KeyUsage(text.At(i)) << i
		}
		require.Equal(t, usage, got)
	}
}

func TestRequestAttributes(t *testing.T) {
	csr := parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{
		DNSNames:  []string{"a.test"},
		OSVersion: &keygen.OSVersion{Major: 6, Minor: 2, Build: 8311, Platform: 2},
		ClientInfo: &keygen.ClientInfo{
			ClientID: 5, Machine: "CLIENT2.domain1.corp.company.com", User: `DOMAIN1\CLIENT2$`, Process: "LogonUI.exe",
		},
	})
	list := attributesOf(t, csr.RawTBSCertificateRequest)
	// MS-OTPCE section 4.1 holds these very bytes.
	want := map[string]string{
		"1.3.6.1.4.1.311.13.2.3": "160a362e322e383331312e32",
		"1.3.6.1.4.1.311.21.20": "3044020105" + "0c20" + hex.EncodeToString([]byte("CLIENT2.domain1.corp.company.com")) +
			"0c10" + hex.EncodeToString([]byte(`DOMAIN1\CLIENT2$`)) + "0c0b" + hex.EncodeToString([]byte("LogonUI.exe")),
	}
	for oid, value := range want {
		assert.Equal(t, value, hex.EncodeToString(list[oid]), oid)
	}
	assert.Contains(t, list, "1.2.840.113549.1.9.14")
	assert.Len(t, list, 3)
	assert.Equal(t, []string{"a.test"}, csr.DNSNames)
}

// attributesOf returns the value of each attribute, and fails if they are not in the order of DER.
func attributesOf(t testing.TB, info []byte) map[string][]byte {
	t.Helper()
	var fields struct {
		Version         int
		Subject, Public asn1.RawValue
		Attributes      asn1.RawValue
	}
	rest, err := asn1.Unmarshal(info, &fields)
	require.NoError(t, err)
	require.Empty(t, rest)
	list, last := map[string][]byte{}, ""
	for rest := fields.Attributes.Bytes; len(rest) > 0; {
		var one struct {
			Raw    asn1.RawContent
			Type   asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}
		rest, err = asn1.Unmarshal(rest, &one)
		require.NoError(t, err)
		require.Len(t, one.Values, 1)
		require.Less(t, last, string(one.Raw))
		last = string(one.Raw)
		list[one.Type.String()] = one.Values[0].FullBytes
	}
	return list
}

func TestRequestRefusesUsages(t *testing.T) {
	info := func(machine string) *keygen.Request {
		return &keygen.Request{ClientInfo: &keygen.ClientInfo{Machine: machine}}
	}
	var many []asn1.ObjectIdentifier
	for i := range 101 {
		many = append(many, asn1.ObjectIdentifier{1, 2, 3, i})
	}
	eku := func(ids ...asn1.ObjectIdentifier) *keygen.Request { return &keygen.Request{ExtKeyUsages: ids} }
	for label, r := range map[string]*keygen.Request{
		"key usage bit":      {KeyUsage: 1 << 9},
		"key usage negative": {KeyUsage: -1},
		"no OID":             eku(nil),
		"one arc":            eku(asn1.ObjectIdentifier{1}),
		"first arc":          eku(asn1.ObjectIdentifier{3, 1, 2}),
		"second arc":         eku(asn1.ObjectIdentifier{1, 40, 2}),
		"negative arc":       eku(asn1.ObjectIdentifier{1, 2, -3}),
		"huge arc":           eku(asn1.ObjectIdentifier{1, 2, 1 << 40}),
		"arc that overflows": eku(asn1.ObjectIdentifier{2, math.MaxInt, 5}),
		"many arcs":          eku(append(asn1.ObjectIdentifier{1, 2}, make([]int, 63)...)),
		"twice":              eku(oids("1.2.3", "1.2.4", "1.2.3")...),
		"many":               eku(many...),
		"policy":             {ApplicationPolicies: []asn1.ObjectIdentifier{{}}},
		"policy twice":       {ApplicationPolicies: oids("1.2.3", "1.2.3")},
		"machine NUL":        info("a\x00b"),
		"machine newline":    info("a\nb"),
		"machine bidi":       info("a\u202eb"),
		"machine UTF-8":      info("\xff"),
		"machine long":       info(strings.Repeat("a", 1025)),
		"machine very long":  info(strings.Repeat("a", 1<<20)),
		"user":               {ClientInfo: &keygen.ClientInfo{User: "\u200f"}},
		"process":            {ClientInfo: &keygen.ClientInfo{Process: "\x7f"}},
	} {
		t.Run(label, func(t *testing.T) {
			der, err := keygen.CreateRequest(testKey(t, keygen.ECDSAP256), r)
			require.ErrorIs(t, err, keygen.ErrName)
			assert.Nil(t, der)
			assert.Less(t, len(err.Error()), 400)
		})
	}
	csr := parseRequest(t, testKey(t, keygen.ECDSAP256), eku(many[:100]...))
	assert.Len(t, csr.Extensions, 1, "100 are possible")
	parseRequest(t, testKey(t, keygen.ECDSAP256), info(strings.Repeat("ü", 1024)))
	parseRequest(t, testKey(t, keygen.ECDSAP256), &keygen.Request{ClientInfo: &keygen.ClientInfo{}})
}

// asked notes what a signer is asked for, and makes a signature of the same kind, or with another salt.
type asked struct {
	crypto.Signer
	opts *crypto.SignerOpts
	salt int
}

func (a asked) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	*a.opts = opts
	if a.salt != 0 {
		opts = &rsa.PSSOptions{SaltLength: a.salt, Hash: opts.HashFunc()}
	}
	return a.Signer.Sign(random, digest, opts)
}

func TestRequestPSS(t *testing.T) {
	for _, alg := range []keygen.Algorithm{keygen.RSA2048, keygen.RSA4096} {
		key := testKey(t, alg)
		var opts crypto.SignerOpts
		for _, signer := range []crypto.Signer{key, opaque{key}, asked{Signer: key, opts: &opts}} {
			csr := parseRequest(t, signer, &keygen.Request{Subject: "CN=a", PSS: true})
			assert.Equal(t, x509.SHA256WithRSAPSS, csr.SignatureAlgorithm)
		}
		assert.Equal(t, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}, opts)

		_, err := keygen.CreateRequest(asked{key, &opts, 20}, &keygen.Request{PSS: true})
		assert.ErrorContains(t, err, "invalid", "another salt than the request says")
	}
	for _, alg := range []keygen.Algorithm{keygen.ECDSAP256, keygen.ECDSAP384, keygen.ECDSAP521} {
		_, err := keygen.CreateRequest(testKey(t, alg), &keygen.Request{PSS: true})
		assert.ErrorIs(t, err, keygen.ErrAlgorithm)
	}
}

// pkixName is a subject of one common name.
func pkixName(cn string) pkix.RDNSequence {
	return pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: cn}}}
}

// FuzzRequest asks for hostile names and texts. What is not refused comes back exactly.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][5]string{
		{"Alice", "a.corp.test", "alice@corp.test", "urn:a:b", `CORP\alice`},
		{"a\"b,c", "a\x00b", "a@b@c", "http://a/\n", "\u202e"},
		{"Bob", "b.corp.test", "bob@corp.test", "URN:a:B", ""},
		{"\xff", "", "", "tag:microsoft.com,2022-09-14:sid:S-1-1-0", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	key := testKey(f, keygen.ECDSAP256)
	f.Fuzz(func(t *testing.T, cn, dns, upn, uri, user string) {
		der, err := keygen.CreateRequest(key, &keygen.Request{
			RDNs:     pkixName(cn),
			DNSNames: []string{dns}, UPNs: []string{upn}, URIs: []string{uri}, ClientInfo: &keygen.ClientInfo{User: user},
		})
		if err != nil {
			require.Nil(t, der)
			require.Less(t, len(err.Error()), 1000)
			return
		}
		csr := parseDER(t, der)
		require.NoError(t, csr.CheckSignature())
		require.Equal(t, cn, csr.Subject.CommonName)
		// The standard library's url.URL writes a scheme in lower case.
		san, err := adcsasn1.SANFromExtension(extensionValue(t, csr, "2.5.29.17"))
		require.NoError(t, err)
		require.Equal(t, adcsasn1.SAN{DNS: []string{dns}, UPN: []string{upn}, URI: []string{uri}}, san)
		require.Contains(t, string(attributesOf(t, csr.RawTBSCertificateRequest)["1.3.6.1.4.1.311.21.20"]), user)
	})
}
