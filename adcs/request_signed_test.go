package adcs_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/adcsasn1"
	innercms "github.com/adcskit/adcskit/internal/cms"
)

var oidAgent = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 1}

// holder is a key with a certificate of everything that a renewal carries over.
func holder(t testing.TB, key crypto.Signer, usages ...asn1.ObjectIdentifier) *x509.Certificate {
	t.Helper()
	template := leafTemplate(t)
	template.ExtKeyUsage, template.UnknownExtKeyUsage = nil, usages
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	caKey := newKey(t)
	ca := caTemplate("Test CA")
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func csrFor(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "new"}, DNSNames: []string{"new.corp.test"},
	}, key)
	require.NoError(t, err)
	return csr
}

// keys are of every kind that signs.
func keys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	list := map[string]crypto.Signer{}
	for name, curve := range map[string]elliptic.Curve{
		"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521(),
	} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		list[name] = key
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	list["RSA"] = key
	return list
}

func TestRenewalRequest(t *testing.T) {
	for name, oldKey := range keys(t) {
		t.Run(name, func(t *testing.T) {
			old, key := holder(t, oldKey, oidClientAuth), newKey(t)
			for _, csr := range [][]byte{nil, csrFor(t, key)} {
				der, err := adcs.RenewalRequest(csr, key, old, oldKey)
				require.NoError(t, err)
				flags, err := (&adcs.Request{CSR: der}).RequestFlags()
				require.NoError(t, err)
				assert.Equal(t, uint32(0x300), flags)
				expect, err := adcs.ExpectRequest(der)
				require.NoError(t, err)
				assert.True(t, key.PublicKey.Equal(expect.PublicKey))
				if csr == nil {
					assert.Equal(t, old.RawSubject, expect.Subject)
					assert.Equal(t, testSAN().UPN, expect.UPNs)
					assert.Equal(t, testSID, expect.SID)
				} else {
					assert.Equal(t, []string{"new.corp.test"}, expect.DNSNames)
				}
				sd, err := innercms.Parse(der)
				require.NoError(t, err)
				inner, err := x509.ParseCertificateRequest(sd.Content)
				require.NoError(t, err)
				values, err := innercms.Attributes(inner, innercms.OIDRenewalCertificate())
				require.NoError(t, err)
				assert.Equal(t, [][]byte{old.Raw}, values)
			}
			_, err := adcs.RenewalRequest(nil, oldKey, old, oldKey)
			assert.NoError(t, err, "the same key")
		})
	}
}

// TestLikeOldNamesTheTemplate: what is made from the old certificate alone has its template.
func TestLikeOldNamesTheTemplate(t *testing.T) {
	oldKey := newKey(t)
	der, err := adcs.RenewalRequest(nil, newKey(t), holder(t, oldKey, oidClientAuth), oldKey)
	require.NoError(t, err)
	sd, err := innercms.Parse(der)
	require.NoError(t, err)
	csr, err := x509.ParseCertificateRequest(sd.Content)
	require.NoError(t, err)
	found := map[string]bool{}
	for _, ext := range csr.Extensions {
		found[ext.Id.String()] = true
	}
	assert.Len(t, found, 4)
	assert.True(t, found[adcsasn1.OIDTemplate().String()])
	assert.True(t, found[adcsasn1.OIDTemplateName().String()])
}

func TestOnBehalfOfRequest(t *testing.T) {
	for name, agentKey := range keys(t) {
		t.Run(name, func(t *testing.T) {
			agent, csr := holder(t, agentKey, oidAgent), csrFor(t, newKey(t))
			der, err := adcs.OnBehalfOfRequest(csr, `CORP\bob`, agent, agentKey)
			require.NoError(t, err)
			flags, err := (&adcs.Request{CSR: der, FullResponse: true}).RequestFlags()
			require.NoError(t, err)
			assert.Equal(t, uint32(0x40300), flags)
			sd, err := innercms.Parse(der)
			require.NoError(t, err)
			assert.Equal(t, csr, sd.Content, "the request is as it was")
			info, err := innercms.ParseSigner(sd.Signers[0])
			require.NoError(t, err)
			require.NoError(t, info.Verify(sd, agent))
			assert.Len(t, info.Attributes, 3)
			pairs, err := info.Pairs()
			require.NoError(t, err)
			assert.Equal(t, []innercms.Pair{{Name: "requestername", Value: `CORP\bob`}}, pairs)
		})
	}
}

func TestSignedRequestsRefused(t *testing.T) {
	key, oldKey := newKey(t), newKey(t)
	old, agent, csr := holder(t, oldKey, oidClientAuth), holder(t, oldKey, oidAgent), csrFor(t, key)
	renew := func(csr []byte, key crypto.Signer, old *x509.Certificate, oldKey crypto.Signer) func() ([]byte, error) {
		return func() ([]byte, error) { return adcs.RenewalRequest(csr, key, old, oldKey) }
	}
	behalf := func(csr []byte, account string, agent *x509.Certificate, key crypto.Signer) func() ([]byte, error) {
		return func() ([]byte, error) { return adcs.OnBehalfOfRequest(csr, account, agent, key) }
	}
	signed, err := adcs.OnBehalfOfRequest(csr, `CORP\bob`, agent, oldKey)
	require.NoError(t, err)
	for name, make := range map[string]func() ([]byte, error){
		"renewal of nothing":               renew(csr, key, nil, oldKey),
		"renewal without the old key":      renew(csr, key, old, nil),
		"renewal without a key":            renew(csr, nil, old, oldKey),
		"renewal with another old key":     renew(csr, key, old, key),
		"renewal with another key":         renew(csr, oldKey, old, oldKey),
		"renewal of a request of nonsense": renew([]byte{0x30, 0}, key, old, oldKey),
		"renewal of a huge request":        renew(make([]byte, 2<<20), key, old, oldKey),
		"renewal of CMS":                   renew(signed, key, old, oldKey),
		"for nobody":                       behalf(csr, "", agent, oldKey),
		"for a name alone":                 behalf(csr, "bob", agent, oldKey),
		"for a principal name":             behalf(csr, "bob@corp.test", agent, oldKey),
		"for two backslashes":              behalf(csr, `CORP\bob\eve`, agent, oldKey),
		"for a line break":                 behalf(csr, "CORP\\bob\nx", agent, oldKey),
		"for what no BMPString holds":      behalf(csr, "CORP\\\U0001F600", agent, oldKey),
		"without an agent":                 behalf(csr, `CORP\bob`, nil, oldKey),
		"without the agent's key":          behalf(csr, `CORP\bob`, agent, nil),
		"with another agent's key":         behalf(csr, `CORP\bob`, agent, key),
		"by a certificate that is none":    behalf(csr, `CORP\bob`, old, oldKey),
		"with a request of nonsense":       behalf([]byte{0x30, 0}, `CORP\bob`, agent, oldKey),
		"with CMS":                         behalf(signed, `CORP\bob`, agent, oldKey),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := make()
			assert.ErrorIs(t, err, adcs.ErrInvalidRequest)
		})
	}
}

// goneKey is a key in hardware that was pulled out.
type goneKey struct{ crypto.Signer }

var errGone = errors.New("the token is gone")

func (goneKey) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return nil, errGone
}

func TestSignedRequestKeysFail(t *testing.T) {
	oldKey := newKey(t)
	_, err := adcs.OnBehalfOfRequest(csrFor(t, newKey(t)), `CORP\bob`, holder(t, oldKey, oidAgent), goneKey{oldKey})
	assert.ErrorIs(t, err, errGone)
	assert.NotErrorIs(t, err, adcs.ErrInvalidRequest, "the request is right, the key is not there")
}

// TestSubmitChecksSigned: what a CA would refuse after it has made a row is not sent.
func TestSubmitChecksSigned(t *testing.T) {
	oldKey := newKey(t)
	agent, csr := holder(t, oldKey, oidAgent), csrFor(t, newKey(t))
	good, err := adcs.OnBehalfOfRequest(csr, `CORP\bob`, agent, oldKey)
	require.NoError(t, err)
	sign := func(content []byte) []byte {
		der, err := innercms.Sign(content, innercms.Signer{Certificate: agent, Key: oldKey})
		require.NoError(t, err)
		return der
	}
	for name, der := range map[string][]byte{
		"another account":     bytes.Replace(bytes.Clone(good), []byte("\x00b\x00o\x00b"), []byte("\x00e\x00v\x00e"), 1),
		"another content":     bytes.Replace(bytes.Clone(good), []byte("new.corp.test"), []byte("old.corp.test"), 1),
		"bytes behind it":     append(bytes.Clone(good), 0),
		"a chain of a CA":     cms(t, oidData, nil, 0, agent.Raw),
		"nobody signed":       cms(t, oidData, csr, 0, agent.Raw),
		"an empty signer":     cms(t, oidData, csr, 1, agent.Raw),
		"a full response":     cms(t, oidPKIResponse, cmcBody(t, 0, nil), 0, agent.Raw),
		"CMS inside of CMS":   sign(good),
		"nonsense inside":     sign([]byte("nonsense")),
		"no such certificate": withoutCertificates(t, good),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := (&adcs.Request{CSR: der}).RequestFlags()
			assert.ErrorIs(t, err, adcs.ErrInvalidRequest)
		})
	}
}

// withoutCertificates takes the certificates out of a SignedData.
func withoutCertificates(t testing.TB, message []byte) []byte {
	parts := children(t, at(t, message, []int{1, 0}))
	require.Len(t, parts, 5)
	body := der(0x30, parts[0].FullBytes, parts[1].FullBytes, parts[2].FullBytes, parts[4].FullBytes)
	return der(0x30, at(t, message, []int{0}).FullBytes, der(0xa0, body))
}

// TestRenewalLikeWindows compares a renewal with the one in [MS-WSTEP], section 4, field by field. What differs is the
// hash, which was SHA-1, and its parameters, which RFC 5754 wants absent and Windows sent as NULL.
func TestRenewalLikeWindows(t *testing.T) {
	theirs := vector(t, "WSTEP-1417.der")
	oldKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ours, err := adcs.RenewalRequest(nil, newKey(t), holder(t, oldKey, oidClientAuth), oldKey)
	require.NoError(t, err)
	type field struct {
		name string
		path []int
		same bool // the value is the same, not only its tag
	}
	for _, f := range []field{
		{"ContentInfo", nil, false},
		{"contentType", []int{0}, true},
		{"content", []int{1}, false},
		{"SignedData", []int{1, 0}, false},
		{"version", []int{1, 0, 0}, true},
		{"digestAlgorithms", []int{1, 0, 1}, false},
		{"encapContentInfo", []int{1, 0, 2}, false},
		{"eContentType", []int{1, 0, 2, 0}, true},
		{"eContent", []int{1, 0, 2, 1}, false},
		{"eContent's OCTET STRING", []int{1, 0, 2, 1, 0}, false},
		{"certificates", []int{1, 0, 3}, false},
		{"signerInfos", []int{1, 0, 4}, false},
		{"SignerInfo", []int{1, 0, 4, 0}, false},
		{"SignerInfo's version", []int{1, 0, 4, 0, 0}, true},
		{"issuerAndSerialNumber", []int{1, 0, 4, 0, 1}, false},
		{"signatureAlgorithm", []int{1, 0, 4, 0, 3}, true},
		{"signature", []int{1, 0, 4, 0, 4}, false},
	} {
		want, got := at(t, theirs, f.path), at(t, ours, f.path)
		assert.Equal(t, want.Class, got.Class, f.name)
		assert.Equal(t, want.Tag, got.Tag, f.name)
		assert.Equal(t, want.IsCompound, got.IsCompound, f.name)
		if want.IsCompound {
			assert.Len(t, children(t, got), len(children(t, want)), f.name)
		}
		if f.same {
			assert.Equal(t, want.FullBytes, got.FullBytes, f.name)
		}
	}
	for _, message := range [][]byte{theirs, ours} {
		certificate := at(t, message, []int{1, 0, 3, 0})
		old, err := x509.ParseCertificate(certificate.FullBytes)
		require.NoError(t, err)
		assert.Equal(t, old.RawIssuer, at(t, message, []int{1, 0, 4, 0, 1, 0}).FullBytes)
		var serial *big.Int
		_, err = asn1.Unmarshal(at(t, message, []int{1, 0, 4, 0, 1, 1}).FullBytes, &serial)
		require.NoError(t, err)
		assert.Equal(t, old.SerialNumber, serial)
		request := at(t, message, []int{1, 0, 2, 1, 0}).Bytes
		assert.Equal(t, []byte{2, 1, 0}, at(t, request, []int{0, 0}).FullBytes, "PKCS#10 version")
		found := 0
		for _, attribute := range children(t, at(t, request, []int{0, 3})) {
			if bytes.Equal(children(t, attribute)[0].Bytes, []byte{0x2b, 6, 1, 4, 1, 0x82, 0x37, 13, 1}) {
				found++
				assert.Equal(t, old.Raw, children(t, children(t, attribute)[1])[0].FullBytes)
			}
		}
		assert.Equal(t, 1, found, "szOID_RENEWAL_CERTIFICATE")
	}
}

// children are the elements of a constructed value.
func children(t testing.TB, v asn1.RawValue) (list []asn1.RawValue) {
	for rest := v.Bytes; len(rest) > 0; {
		var child asn1.RawValue
		var err error
		rest, err = asn1.Unmarshal(rest, &child)
		require.NoError(t, err)
		list = append(list, child)
	}
	return list
}

// at goes down into DER.
func at(t testing.TB, der []byte, path []int) (v asn1.RawValue) {
	_, err := asn1.Unmarshal(der, &v)
	require.NoError(t, err)
	for _, i := range path {
		list := children(t, v)
		require.Less(t, i, len(list))
		v = list[i]
	}
	return v
}
