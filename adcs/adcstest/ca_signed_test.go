package adcstest_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/cms"
)

const agentUsage = "1.3.6.1.4.1.311.20.2.1"

// signedLab is a CA with an agent's certificate and one to be renewed.
type signedLab struct {
	*adcstest.Authority
	now     time.Time
	key     crypto.Signer
	agent   *x509.Certificate // of alice
	old     *x509.Certificate // from WebServer
	oldUser *x509.Certificate // from User, alice's
}

func newSignedLab(t testing.TB) *signedLab {
	lab := &signedLab{now: time.Now(), key: newKey(t)}
	list := append(templates(),
		adcstest.Template{Name: "Agent", ExtKeyUsage: []string{agentUsage}},
		adcstest.Template{Name: "TwoSignatures", OID: heldOID + ".3", Signatures: 2},
		adcstest.Template{Name: "OtherSignature", OID: heldOID + ".4", Signatures: 1, SignatureUsages: []string{"1.2.3"}},
		adcstest.Template{Name: "AgentSignature", OID: heldOID + ".5", Signatures: 1, SignatureUsages: []string{agentUsage}},
		adcstest.Template{Name: "Restricted", OnBehalfOf: []string{"Staff"}},
		adcstest.Template{Name: "OldWithOID", OID: heldOID + ".6", Major: 100},
	)
	var err error
	lab.Authority, err = adcstest.NewAuthority(adcstest.AuthorityConfig{
		Name: caName, Host: "ca.corp.test", Templates: list, Now: func() time.Time { return lab.now },
		Directory: append(directory(), adcstest.Entry{Account: `CORP\bob`, SID: "S-1-5-21-1-2-3-2000", UPN: "bob@corp.test"}),
	})
	require.NoError(t, err)
	get := func(template string) *x509.Certificate {
		c := submission(t, template)
		c.Raw = newRequest(t, lab.key)
		out := lab.Call(c)
		require.Equal(t, issued, out.Disposition, template)
		return parse(t, out.EncodedCert)
	}
	lab.agent, lab.old, lab.oldUser = get("Agent"), get("WebServer"), get("User")
	return lab
}

// send submits a request as alice.
func (lab *signedLab) send(t testing.TB, raw []byte, template string) adcstest.AuthorityAnswer {
	t.Helper()
	c := submission(t, template)
	c.Raw, c.Flags = raw, 0x300
	return lab.Call(c)
}

func (lab *signedLab) behalf(t testing.TB, account string) []byte {
	t.Helper()
	raw, err := adcs.OnBehalfOfRequest(newRequest(t, newKey(t)), account, lab.agent, lab.key)
	require.NoError(t, err)
	return raw
}

func (lab *signedLab) renewal(t testing.TB, old *x509.Certificate) []byte {
	t.Helper()
	key := newKey(t)
	raw, err := adcs.RenewalRequest(newRequest(t, key), key, old, lab.key)
	require.NoError(t, err)
	return raw
}

func TestOnBehalfOf(t *testing.T) {
	lab := newSignedLab(t)
	for _, flags := range []uint32{0, 0x300} {
		c := submission(t, "User")
		c.Raw, c.Flags = lab.behalf(t, `corp\BOB`), flags
		out := lab.Call(c)
		require.Equal(t, issued, out.Disposition)
		cert := parse(t, out.EncodedCert)
		verifyChain(t, lab.Authority, cert)
		assert.Equal(t, "bob", cert.Subject.CommonName, "the subject is that of the named account")
		sid, err := adcsasn1.SIDFromExtension(extension(cert, adcsasn1.OIDSIDExtension()))
		require.NoError(t, err)
		assert.Equal(t, "S-1-5-21-1-2-3-2000", sid)
		info := lab.Requests()[out.RequestID-1]
		assert.Equal(t, `CORP\bob`, info.Requester)
		assert.Equal(t, `CORP\alice`, info.Caller)
		for _, who := range [][2]string{alice(), {"CORP", "bob"}} {
			assert.Equal(t, issued, lab.Call(retrieve(who, out.RequestID)).Disposition)
		}
		assert.Equal(t, uint32(0x80094014), lab.Call(retrieve([2]string{"CORP", "bare"}, out.RequestID)).Return)
	}
	// The subject of the request, where the template takes it from there; the agent's signature counts.
	for _, template := range []string{"WebServer", "Signed", "AgentSignature"} {
		out := lab.send(t, lab.behalf(t, `CORP\bob`), template)
		require.Equal(t, issued, out.Disposition, template)
		assert.Equal(t, "device", parse(t, out.EncodedCert).Subject.CommonName)
	}
}

func TestRenewal(t *testing.T) {
	lab := newSignedLab(t)
	for _, old := range []*x509.Certificate{lab.old, lab.oldUser} {
		template := map[*x509.Certificate]string{lab.old: "WebServer", lab.oldUser: "User"}[old]
		key := newKey(t)
		raw, err := adcs.RenewalRequest(nil, key, old, lab.key)
		require.NoError(t, err)
		c := submission(t, template)
		c.Raw, c.Flags, c.Attributes = raw, 0x300, nil // the template is in the request
		out := lab.Call(c)
		require.Equal(t, issued, out.Disposition)
		cert := parse(t, out.EncodedCert)
		verifyChain(t, lab.Authority, cert)
		assert.Equal(t, old.RawSubject, cert.RawSubject)
		assert.Equal(t, old.DNSNames, cert.DNSNames)
		assert.True(t, key.PublicKey.Equal(cert.PublicKey))
		// What was renewed can be renewed.
		raw, err = adcs.RenewalRequest(nil, newKey(t), cert, key)
		require.NoError(t, err)
		assert.Equal(t, issued, lab.send(t, raw, template).Disposition)
	}
}

// TestSignedHeld: a request by an agent that is held is issued for the named account.
func TestSignedHeld(t *testing.T) {
	lab := newSignedLab(t)
	out := lab.send(t, lab.behalf(t, `CORP\bob`), "Held")
	require.Equal(t, pending, out.Disposition)
	require.NoError(t, lab.Approve(out.RequestID))
	assert.Equal(t, issued, lab.Call(retrieve(alice(), out.RequestID)).Disposition)
	assert.Equal(t, `CORP\bob`, lab.Requests()[out.RequestID-1].Requester)
}

// signedParts encodes a SignedData around a request by hand.
func signedParts(t testing.TB, content []byte, certs, signers [][]byte) []byte {
	t.Helper()
	raw := func(class, tag int, parts ...[]byte) []byte {
		der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: bytes.Join(parts, nil)})
		require.NoError(t, err)
		return der
	}
	marshal := func(v any) []byte {
		der, err := asn1.Marshal(v)
		require.NoError(t, err)
		return der
	}
	encap := raw(0, 16, marshal(cms.OIDData()), raw(2, 0, marshal(content)))
	body := raw(0, 16, marshal(3), raw(0, 17), encap, raw(2, 0, certs...), raw(0, 17, signers...))
	return raw(0, 16, marshal(cms.OIDSignedData()), raw(2, 0, body))
}

// lenientRequest is made as some clients make them: version 3, no content type among the signed attributes, strings
// with a NUL at the end.
func lenientRequest(t testing.TB, csr []byte, agent *x509.Certificate, key crypto.Signer) []byte {
	t.Helper()
	bmp := func(s string) asn1.RawValue {
		var b []byte
		for _, r := range s + "\x00" {
			b = append(b, byte(r>>8), byte(r))
		}
		return asn1.RawValue{Tag: asn1.TagBMPString, Bytes: b}
	}
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []any `asn1:"set"`
	}
	sum := sha256.Sum256(csr)
	attributes, err := asn1.MarshalWithParams([]attribute{
		{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}, []any{sum[:]}},
		{cms.OIDNameValuePair(), []any{[]asn1.RawValue{bmp("requestername"), bmp(`CORP\bob`)}}},
	}, "set")
	require.NoError(t, err)
	digest := sha256.Sum256(attributes)
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	require.NoError(t, err)
	type identifier struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	signer, err := asn1.Marshal(struct {
		Version   int
		Sid       identifier
		Digest    pkix.AlgorithmIdentifier
		Signed    asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature []byte
	}{
		1, identifier{asn1.RawValue{FullBytes: agent.RawIssuer}, agent.SerialNumber},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}},
		asn1.RawValue{FullBytes: append([]byte{0xa0}, attributes[1:]...)},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}, signature,
	})
	require.NoError(t, err)
	return signedParts(t, csr, [][]byte{agent.Raw}, [][]byte{signer})
}

// stranger is a certificate of nobody's CA.
func stranger(t testing.TB, key crypto.Signer, like *x509.Certificate) *x509.Certificate {
	template := *like
	template.ExtraExtensions = nil
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	require.NoError(t, err)
	return parse(t, der)
}

// requestOfStranger is signed by an agent of nobody's CA: a renewal on behalf of somebody.
func requestOfStranger(t testing.TB) []byte {
	t.Helper()
	key := newKey(t)
	agent := stranger(t, key, &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 311, 20, 2, 1}},
	})
	csr, err := cms.WithAttribute(newRequest(t, key), key, cms.OIDRenewalCertificate(), agent.Raw)
	require.NoError(t, err)
	raw, err := adcs.OnBehalfOfRequest(csr, `CORP\alice`, agent, key)
	require.NoError(t, err)
	return raw
}

func signersOf(t testing.TB, raw []byte) [][]byte {
	sd, err := cms.Parse(raw)
	require.NoError(t, err)
	return sd.Signers
}

func TestSignedRefused(t *testing.T) {
	lab := newSignedLab(t)
	good := lab.behalf(t, `CORP\bob`)
	plain := newRequest(t, newKey(t))
	sign := func(content []byte, by *x509.Certificate, attributes ...[]byte) []byte {
		raw, err := cms.Sign(content, cms.Signer{Certificate: by, Key: lab.key, Attributes: attributes})
		require.NoError(t, err)
		return raw
	}
	bob, err := cms.NameValuePair("requestername", `CORP\bob`)
	require.NoError(t, err)
	withOld := func(value []byte) []byte {
		key := newKey(t)
		csr, err := cms.WithAttribute(newRequest(t, key), key, cms.OIDRenewalCertificate(), value)
		require.NoError(t, err)
		return csr
	}
	signChain := func(content []byte) []byte {
		raw, err := cms.Sign(content, cms.Signer{Certificate: lab.oldUser, Key: lab.key, Chain: []*x509.Certificate{lab.old}})
		require.NoError(t, err)
		return raw
	}
	foreign := stranger(t, lab.key, lab.agent)
	for _, tc := range []struct {
		name     string
		raw      []byte
		template string
		status   uint32
		stage    string
	}{
		{"an account that is changed", bytes.Replace(bytes.Clone(good), []byte("\x00b\x00o\x00b"), []byte("\x00e\x00v\x00e"), 1),
			"User", 0x80090006, "Error Verifying Request Signature or Signing Certificate"},
		{"a request that is changed", bytes.Replace(bytes.Clone(good), []byte("device"), []byte("foobar"), 1),
			"User", 0x80090006, "Error Verifying"},
		{"an account that does not exist", lab.behalf(t, `CORP\nobody`), "User", 0x80070534, "Denied by Policy Module"},
		{"an account of another domain", lab.behalf(t, `OTHER\bob`), "User", 0x80070534, "Denied"},
		{"an account that agents may not enroll for", lab.behalf(t, `CORP\bob`), "Restricted", 0x80094009, "Denied"},
		{"no agent", sign(plain, lab.old, bob), "User", 0x800B0110, "Error Verifying"},
		{"an agent of another CA", sign(plain, foreign, bob), "User", 0x800B0109, "Error Verifying"},
		{"one signature of two", good, "TwoSignatures", 0x8009480A, "Denied"},
		{"a signature of the wrong kind", good, "OtherSignature", 0x8009480B, "Denied"},
		{"no signature", plain, "Signed", 0x80094809, "Denied"},
		{"nobody signed", signedParts(t, plain, [][]byte{lab.agent.Raw}, nil), "User", 0x8009200E, "Error Parsing"},
		{"the signer's certificate is not there", signedParts(t, plain, nil, signersOf(t, good)), "User", 0x8009100E, "Error Verifying"},
		{"no request inside", sign([]byte("nonsense"), lab.agent, bob), "User", 0x8007000D, "Error Parsing"},
		{"CMS inside", sign(good, lab.agent, bob), "User", 0x8007000D, "Error Parsing"},
		{"a renewal that names no certificate", sign(withOld([]byte{4, 0}), lab.old), "WebServer", 0x8009400E, "Error Verifying"},
		{"a renewal signed by another certificate", sign(withOld(lab.old.Raw), lab.oldUser), "WebServer", 0x8009400E,
			"Error Verifying"},
		{"a renewal that another certificate signed", signChain(withOld(lab.old.Raw)), "WebServer", 0x80090006, "Error Verifying"},
		{"a renewal of a certificate of another CA", lab.renewal(t, foreign), "Agent", 0x800B0109, "Error Verifying"},
		{"a renewal from another template", lab.renewal(t, lab.old), "Agent", 0x80094802, "Denied"},
		{"a renewal from another template with an OID", lab.renewal(t, lab.old), "OldWithOID", 0x80094802, "Denied"},
		{"a renewal is no signature of an authority", lab.renewal(t, lab.old), "Signed", 0x80094802, "Denied"},
		{"truncated", good[:len(good)-1], "User", 0x80093102, "Error Parsing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := submission(t, tc.template)
			c.Raw, c.Flags = tc.raw, 0
			out := lab.Call(c)
			assert.Equal(t, tc.status, out.Disposition, "%#x", out.Disposition)
			assert.Zero(t, out.Return)
			assert.Nil(t, out.EncodedCert)
			assert.Contains(t, text(t, out.Message), tc.stage)
			assert.NotContains(t, text(t, out.Message), "()", "every code has a name")
			assert.Equal(t, tc.status, lab.Requests()[out.RequestID-1].Status)
		})
	}
	t.Run("declared as something else", func(t *testing.T) {
		for flags, raw := range map[uint32][]byte{0x100: good, 0x300: plain, 0x400: good} {
			c := submission(t, "User")
			c.Raw, c.Flags = raw, flags
			assert.Equal(t, uint32(0x80091004), lab.Call(c).Disposition, "%#x", flags)
		}
	})
	t.Run("another account's certificate", func(t *testing.T) {
		c := submission(t, "User")
		c.Account, c.Flags, c.Raw = [2]string{"CORP", "bob"}, 0x300, lab.renewal(t, lab.oldUser)
		assert.Equal(t, uint32(0x80094806), lab.Call(c).Disposition)
	})
	t.Run("an expired certificate", func(t *testing.T) {
		raw := lab.renewal(t, lab.old)
		lab.now = lab.old.NotAfter.Add(time.Hour)
		assert.Equal(t, uint32(0x800B0101), lab.send(t, raw, "WebServer").Disposition)
	})
}

// TestSignedLenient: what clients send that leave out the content type and end strings with a NUL.
func TestSignedLenient(t *testing.T) {
	lab := newSignedLab(t)
	raw := lenientRequest(t, newRequest(t, newKey(t)), lab.agent, lab.key)
	out := lab.send(t, raw, "User")
	require.Equal(t, issued, out.Disposition, "%#x", out.Disposition)
	assert.Equal(t, "bob", parse(t, out.EncodedCert).Subject.CommonName)
}

// TestSignedRevoked: the certificate of an agent is of no use any more once it was revoked.
func TestSignedRevoked(t *testing.T) {
	lab := newSignedLab(t)
	good := lab.behalf(t, `CORP\bob`)
	require.Zero(t, lab.Revoke(hex.EncodeToString(lab.agent.SerialNumber.Bytes()), 1, lab.now))
	assert.Equal(t, uint32(0x80092010), lab.send(t, good, "User").Disposition)
}

// TestRenewalAfterRenewal: a certificate that an older key of the CA has signed can be renewed.
func TestRenewalAfterRenewal(t *testing.T) {
	for _, newKey := range []bool{false, true} {
		lab := newSignedLab(t)
		require.NoError(t, lab.Renew(newKey))
		assert.Equal(t, issued, lab.send(t, lab.renewal(t, lab.old), "WebServer").Disposition)
	}
}
