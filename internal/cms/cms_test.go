package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/cms"
)

// signer makes a key and a certificate for it.
func signer(t testing.TB, key crypto.Signer) cms.Signer {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "agent"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), SubjectKeyId: []byte{1, 2, 3, 4},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cms.Signer{Certificate: cert, Key: key}
}

func ecKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return key
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

// message is the whole of what Sign makes, for an independent decoder.
type message struct {
	Type    asn1.ObjectIdentifier
	Content struct {
		Version int
		Digests []pkix.AlgorithmIdentifier `asn1:"set"`
		Encap   struct {
			Type    asn1.ObjectIdentifier
			Content []byte `asn1:"explicit,tag:0"`
		}
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
		Signers      []signerInfo  `asn1:"set"`
	} `asn1:"explicit,tag:0"`
}

type signerInfo struct {
	Version int
	Sid     struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	Digest    pkix.AlgorithmIdentifier
	Signed    asn1.RawValue `asn1:"optional,tag:0"`
	Algorithm pkix.AlgorithmIdentifier
	Signature []byte
	Unsigned  asn1.RawValue `asn1:"optional,tag:1"`
}

// TestSign reads what Sign makes with another decoder, and verifies the signature without this package.
func TestSign(t *testing.T) {
	pair, err := cms.NameValuePair("requestername", `CORP\bob`)
	require.NoError(t, err)
	for _, tc := range []struct {
		name              string
		key               crypto.Signer
		digest, signature asn1.ObjectIdentifier
		hash              crypto.Hash
	}{
		{"RSA", rsaKey(t, 2048), asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1},
			asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, crypto.SHA256},
		{"P-256", ecKey(t, elliptic.P256()), asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1},
			asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256},
		{"P-384", ecKey(t, elliptic.P384()), asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2},
			asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, crypto.SHA384},
		{"P-521", ecKey(t, elliptic.P521()), asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3},
			asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, crypto.SHA512},
	} {
		for _, attributes := range [][][]byte{nil, {pair}} {
			t.Run(tc.name, func(t *testing.T) {
				s := signer(t, tc.key)
				s.Attributes = attributes
				content := []byte("a request")
				der, err := cms.Sign(content, s)
				require.NoError(t, err)
				var m message
				rest, err := asn1.Unmarshal(der, &m)
				require.NoError(t, err)
				assert.Empty(t, rest)
				assert.True(t, m.Type.Equal(cms.OIDSignedData()))
				assert.Equal(t, 1, m.Content.Version, "id-data and issuer and serial number: RFC 5652, section 5.1")
				require.Len(t, m.Content.Digests, 1)
				assert.True(t, m.Content.Digests[0].Algorithm.Equal(tc.digest))
				assert.True(t, m.Content.Encap.Type.Equal(cms.OIDData()))
				assert.Equal(t, content, m.Content.Encap.Content)
				assert.Equal(t, s.Certificate.Raw, m.Content.Certificates.Bytes)
				require.Len(t, m.Content.Signers, 1)
				info := m.Content.Signers[0]
				assert.Equal(t, 1, info.Version)
				assert.Equal(t, s.Certificate.RawIssuer, info.Sid.Issuer.FullBytes)
				assert.Zero(t, info.Sid.Serial.Cmp(s.Certificate.SerialNumber))
				assert.True(t, info.Digest.Algorithm.Equal(tc.digest))
				assert.True(t, info.Algorithm.Algorithm.Equal(tc.signature), "%v", info.Algorithm.Algorithm)
				assert.Empty(t, info.Unsigned.FullBytes)
				checkSignature(t, info, s, content, tc.hash)
				again, err := cms.Parse(der)
				require.NoError(t, err)
				parsed, err := cms.ParseSigner(again.Signers[0])
				require.NoError(t, err)
				assert.NoError(t, parsed.Verify(again, s.Certificate))
			})
		}
	}
}

// checkSignature does what RFC 5652, section 5.4, says, with encoding/asn1 and the key alone.
func checkSignature(t *testing.T, info signerInfo, s cms.Signer, content []byte, hash crypto.Hash) {
	sum := func(b []byte) []byte {
		h := hash.New()
		h.Write(b)
		return h.Sum(nil)
	}
	signed := content
	if s.Attributes == nil {
		assert.Empty(t, info.Signed.FullBytes, "no empty attributes")
	} else {
		signed = bytes.Clone(info.Signed.FullBytes)
		signed[0] = 0x31
		var attributes []struct {
			Type   asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}
		_, err := asn1.UnmarshalWithParams(signed, &attributes, "set")
		require.NoError(t, err)
		require.Len(t, attributes, 3)
		var encoded [][]byte
		seen := map[string]asn1.RawValue{}
		for _, a := range attributes {
			require.Len(t, a.Values, 1)
			seen[a.Type.String()] = a.Values[0]
			der, err := asn1.Marshal(a)
			require.NoError(t, err)
			encoded = append(encoded, der)
		}
		assert.True(t, slices.IsSortedFunc(encoded, bytes.Compare), "DER of a SET OF")
		assert.Equal(t, append([]byte{4, byte(hash.Size())}, sum(content)...), seen["1.2.840.113549.1.9.4"].FullBytes)
		id, err := asn1.Marshal(cms.OIDData())
		require.NoError(t, err)
		assert.Equal(t, id, seen["1.2.840.113549.1.9.3"].FullBytes)
		assert.Contains(t, seen, "1.3.6.1.4.1.311.13.2.1")
	}
	switch public := s.Key.Public().(type) {
	case *rsa.PublicKey:
		assert.NoError(t, rsa.VerifyPKCS1v15(public, hash, sum(signed), info.Signature))
	case *ecdsa.PublicKey:
		assert.True(t, ecdsa.VerifyASN1(public, sum(signed), info.Signature))
	}
}

// TestVerifyRefuses changes what was signed.
func TestVerifyRefuses(t *testing.T) {
	s := signer(t, ecKey(t, elliptic.P256()))
	s.Attributes = [][]byte{}
	other := signer(t, ecKey(t, elliptic.P256()))
	der, err := cms.Sign([]byte("a request"), s)
	require.NoError(t, err)
	parse := func(t *testing.T, der []byte) (*cms.SignedData, *cms.SignerInfo) {
		sd, err := cms.Parse(der)
		require.NoError(t, err)
		info, err := cms.ParseSigner(sd.Signers[0])
		require.NoError(t, err)
		return sd, info
	}
	t.Run("the content", func(t *testing.T) {
		sd, info := parse(t, bytes.Replace(bytes.Clone(der), []byte("a request"), []byte("another 1"), 1))
		assert.ErrorIs(t, info.Verify(sd, s.Certificate), cms.ErrSignature)
	})
	t.Run("the key", func(t *testing.T) {
		sd, info := parse(t, der)
		assert.ErrorIs(t, info.Verify(sd, other.Certificate), cms.ErrSignature)
	})
	t.Run("the type of the content", func(t *testing.T) {
		sd, info := parse(t, der)
		sd.ContentType = cms.OIDPKIData()
		assert.ErrorIs(t, info.Verify(sd, s.Certificate), cms.ErrSignature)
		assert.ErrorIs(t, info.VerifyLenient(sd, s.Certificate), cms.ErrSignature)
	})
	t.Run("the content type is missing, or there twice", func(t *testing.T) {
		sd, info := parse(t, der)
		id := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
		all := info.Attributes
		info.Attributes = slices.DeleteFunc(slices.Clone(all), func(a cms.Attribute) bool { return a.Type.Equal(id) })
		assert.ErrorIs(t, info.Verify(sd, s.Certificate), cms.ErrSignature)
		assert.NoError(t, info.VerifyLenient(sd, s.Certificate))
		info.Attributes = append(slices.Clone(all), all...)
		assert.ErrorIs(t, info.VerifyLenient(sd, s.Certificate), cms.ErrSignature)
	})
	t.Run("an attribute", func(t *testing.T) {
		pair, err := cms.NameValuePair("requestername", `CORP\bob`)
		require.NoError(t, err)
		s := s
		s.Attributes = [][]byte{pair}
		der, err := cms.Sign([]byte("a request"), s)
		require.NoError(t, err)
		sd, info := parse(t, bytes.Replace(der, []byte("\x00b\x00o\x00b"), []byte("\x00e\x00v\x00e"), 1))
		pairs, err := info.Pairs()
		require.NoError(t, err)
		assert.Equal(t, []cms.Pair{{Name: "requestername", Value: `CORP\eve`}}, pairs)
		assert.ErrorIs(t, info.Verify(sd, s.Certificate), cms.ErrSignature)
	})
	t.Run("no attributes over another type", func(t *testing.T) {
		s := s
		s.Attributes = nil
		der, err := cms.Sign([]byte("a request"), s)
		require.NoError(t, err)
		sd, info := parse(t, der)
		require.NoError(t, info.Verify(sd, s.Certificate))
		sd.ContentType = cms.OIDPKIData()
		assert.ErrorIs(t, info.Verify(sd, s.Certificate), cms.ErrSignature)
	})
	t.Run("an RSA key over ECDSA", func(t *testing.T) {
		sd, info := parse(t, der)
		assert.ErrorIs(t, info.Verify(sd, signer(t, rsaKey(t, 1024)).Certificate), cms.ErrAlgorithm)
	})
}

// brokenKey signs something else than it is given, or nothing.
type brokenKey struct {
	crypto.Signer
	err error
}

func (k brokenKey) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.err != nil {
		return nil, k.err
	}
	return k.Signer.Sign(r, make([]byte, len(digest)), opts)
}

func TestSignRefuses(t *testing.T) {
	good := signer(t, ecKey(t, elliptic.P256()))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	gone := errors.New("the token is gone")
	many := slices.Repeat([]cms.Signer{good}, cms.MaxSigners+1)
	chained := good
	chained.Chain = slices.Repeat([]*x509.Certificate{good.Certificate}, cms.MaxCertificates)
	for name, tc := range map[string]struct {
		signers []cms.Signer
		is      error
	}{
		"nobody":         {nil, nil},
		"too many":       {many, nil},
		"no certificate": {[]cms.Signer{{Key: good.Key}}, nil},
		"no key":         {[]cms.Signer{{Certificate: good.Certificate}}, nil},
		"another key":    {[]cms.Signer{{Certificate: good.Certificate, Key: ecKey(t, elliptic.P256())}}, nil},
		"Ed25519":        {[]cms.Signer{signer(t, edKey)}, cms.ErrAlgorithm},
		"a long chain":   {[]cms.Signer{chained}, nil},
		"a broken key":   {[]cms.Signer{{Certificate: good.Certificate, Key: brokenKey{Signer: good.Key}}}, cms.ErrSigning},
		"a key that is gone": {[]cms.Signer{{Certificate: good.Certificate, Key: brokenKey{good.Key, gone}}},
			gone},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cms.Sign([]byte("a request"), tc.signers...)
			require.Error(t, err)
			if tc.is != nil {
				assert.ErrorIs(t, err, tc.is)
			}
		})
	}
}

func TestWithAttribute(t *testing.T) {
	key := ecKey(t, elliptic.P384())
	value := []byte{4, 2, 7, 7}
	oid := cms.OIDRenewalCertificate()
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"a.test"}}
	for name, template := range map[string]*x509.CertificateRequest{
		"beside others": template, "alone": {Subject: pkix.Name{CommonName: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := x509.CreateCertificateRequest(rand.Reader, template, key)
			require.NoError(t, err)
			with, err := cms.WithAttribute(before, key, oid, []byte{4, 1, 1})
			require.NoError(t, err)
			with, err = cms.WithAttribute(with, key, oid, value)
			require.NoError(t, err)
			csr, err := x509.ParseCertificateRequest(with)
			require.NoError(t, err)
			require.NoError(t, csr.CheckSignature())
			assert.Equal(t, template.DNSNames, csr.DNSNames)
			assert.Equal(t, "x", csr.Subject.CommonName)
			values, err := cms.Attributes(csr, oid)
			require.NoError(t, err)
			assert.Equal(t, [][]byte{value}, values, "it takes the place of the other one")
			_, err = cms.WithAttribute(before, ecKey(t, elliptic.P384()), oid, value)
			assert.Error(t, err, "another key")
		})
	}
	_, err := cms.WithAttribute([]byte{0x30, 0}, key, oid, value)
	assert.Error(t, err)
}

func TestNameValuePair(t *testing.T) {
	for _, bad := range []string{"\xff", "smile \U0001F600"} {
		_, err := cms.NameValuePair("requestername", bad)
		assert.Error(t, err)
	}
	attribute, err := cms.NameValuePair("requestername", `CORP\bob`)
	require.NoError(t, err)
	want := "303e060a2b0601040182370d0201" + "3130" + "302e" +
		"1e1a0072006500710075006500730074006500720"
	assert.Equal(t, want[:len(want)-1], hexOf(attribute)[:len(want)-1])
}

// TestPairForms: one pair, a list of pairs, C strings with their NUL.
func TestPairForms(t *testing.T) {
	pair := []byte{0x30, 8, 0x1e, 2, 0, 'a', 0x1e, 2, 0, 'b'}
	nul := []byte{0x30, 12, 0x1e, 4, 0, 'a', 0, 0, 0x1e, 4, 0, 'b', 0, 0}
	list := append([]byte{0x30, 20}, append(bytes.Clone(pair), pair...)...)
	ab := cms.Pair{Name: "a", Value: "b"}
	for name, tc := range map[string]struct {
		values []byte
		want   []cms.Pair
	}{
		"a pair":         {pair, []cms.Pair{ab}},
		"a list":         {list, []cms.Pair{ab, ab}},
		"NULs":           {nul, []cms.Pair{ab}},
		"an odd length":  {[]byte{0x30, 7, 0x1e, 1, 'a', 0x1e, 2, 0, 'b'}, nil},
		"one string":     {[]byte{0x30, 4, 0x1e, 2, 0, 'a'}, nil},
		"another string": {[]byte{0x30, 6, 0x0c, 1, 'a', 0x0c, 1, 'b'}, nil},
		"nothing":        {[]byte{0x30, 0}, nil},
		"too many":       {bytes.Repeat(pair, 65), nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := &cms.SignerInfo{Attributes: []cms.Attribute{{Type: cms.OIDNameValuePair(), Values: tc.values}}}
			pairs, err := s.Pairs()
			if tc.want == nil {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, pairs)
		})
	}
}
