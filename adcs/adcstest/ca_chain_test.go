package adcstest_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// The structures of RFC 5652 and RFC 2797, read by the standard library and not by the code that writes them.
type (
	contentInfoASN1 struct {
		Type    asn1.ObjectIdentifier
		Content signedDataASN1 `asn1:"explicit,tag:0"`
	}
	signedDataASN1 struct {
		Version int
		Digests []algorithmASN1 `asn1:"set"`
		Content struct {
			Type    asn1.ObjectIdentifier
			Content []byte `asn1:"explicit,optional,tag:0"`
		}
		Certs   []asn1.RawValue  `asn1:"set,optional,tag:0"`
		CRLs    []asn1.RawValue  `asn1:"set,optional,tag:1"`
		Signers []signerInfoASN1 `asn1:"set"`
	}
	algorithmASN1 struct {
		OID        asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	signerInfoASN1 struct {
		Version int
		SID     struct {
			Issuer asn1.RawValue
			Serial asn1.RawValue
		}
		Digest     algorithmASN1
		Attributes asn1.RawValue `asn1:"tag:0"`
		Algorithm  algorithmASN1
		Signature  []byte
	}
	attributeASN1 struct {
		Type   asn1.ObjectIdentifier
		Values asn1.RawValue
	}
	controlASN1 struct {
		BodyPart int
		Type     asn1.ObjectIdentifier
		Values   []asn1.RawValue `asn1:"set"`
	}
	responseBodyASN1 struct {
		Controls []controlASN1
		CMS      []asn1.RawValue
		Other    []asn1.RawValue
	}
	statusInfoASN1 struct {
		Status   int
		BodyList []int
		Text     string `asn1:"utf8"`
		Pending  struct {
			Token []byte
			Time  time.Time `asn1:"generalized"`
		} `asn1:"optional"`
	}
	addAttributesASN1 struct {
		DataReference int
		BodyList      []int
		Attributes    []struct {
			Type   asn1.ObjectIdentifier
			Values [][]byte `asn1:"set"`
		} `asn1:"set"`
	}
)

func unmarshal[T any](t *testing.T, der []byte) T {
	t.Helper()
	var v T
	rest, err := asn1.Unmarshal(der, &v)
	require.NoError(t, err)
	require.Empty(t, rest)
	return v
}

func rawCerts(values []asn1.RawValue) []string {
	var out []string
	for _, v := range values {
		out = append(out, string(v.FullBytes))
	}
	return out
}

func caCerts(ca *adcstest.Authority, leaf []byte) []string {
	out := []string{}
	if leaf != nil {
		out = append(out, string(leaf))
	}
	for _, c := range ca.Chain() {
		out = append(out, string(c.Raw))
	}
	return out
}

func TestChainBlob(t *testing.T) {
	for name, p := range map[string]adcstest.Profile{
		"two tiers":   {},
		"self-signed": {SelfSigned: true},
		"long":        {Intermediates: 40},
	} {
		t.Run(name, func(t *testing.T) {
			ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{Name: caName, Host: "ca.corp.test", Profile: p})
			require.NoError(t, err)
			out := ca.Call(submission(t, "Device"))
			require.Equal(t, issued, out.Disposition)
			verifyChain(t, ca, parse(t, out.EncodedCert))
			info := unmarshal[contentInfoASN1](t, out.Cert)
			assert.Equal(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, info.Type)
			d := info.Content
			assert.Equal(t, 1, d.Version)
			assert.Empty(t, d.Digests)
			assert.Empty(t, d.Signers)
			assert.Empty(t, d.CRLs)
			assert.Equal(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, d.Content.Type)
			assert.Nil(t, d.Content.Content)
			assert.ElementsMatch(t, caCerts(ca, out.EncodedCert), rawCerts(d.Certs))
			assert.IsIncreasing(t, rawCerts(d.Certs), "DER: SET OF is sorted")
			if p.Intermediates == 40 {
				assert.Greater(t, len(out.Cert), 20<<10)
			}
		})
	}
}

func TestChainBlobWithCRLs(t *testing.T) {
	ca := newAuthority(t)
	c := submission(t, "WebServer")
	c.Flags |= 0x80000
	out := ca.Call(c)
	d := unmarshal[contentInfoASN1](t, out.Cert).Content
	require.Len(t, d.CRLs, 2)
	for _, der := range d.CRLs {
		crl, err := x509.ParseRevocationList(der.FullBytes)
		require.NoError(t, err)
		ok := 0
		for _, c := range ca.Chain() {
			if crl.CheckSignatureFrom(c) == nil {
				ok++
			}
		}
		assert.Equal(t, 1, ok)
		assert.Empty(t, crl.RevokedCertificateEntries)
	}
}

func TestFullResponse(t *testing.T) {
	const fullResponse = 0x40000
	for name, profile := range map[string]adcstest.Profile{"P-256": {}, "RSA-2048": {RSA: true, SelfSigned: true}} {
		t.Run(name, func(t *testing.T) {
			ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
				Name: caName, Host: "ca.corp.test", Templates: templates(), Profile: profile,
			})
			require.NoError(t, err)
			ask := func(template string) (adcstest.AuthorityAnswer, responseBodyASN1) {
				c := submission(t, template)
				c.Flags |= fullResponse
				out := ca.Call(c)
				return out, checkFullResponse(t, ca, out)
			}

			out, body := ask("WebServer")
			status := unmarshal[statusInfoASN1](t, body.Controls[0].Values[0].FullBytes)
			assert.Equal(t, statusInfoASN1{Status: 0, BodyList: []int{1}, Text: "Issued"}, status)
			added := unmarshal[addAttributesASN1](t, body.Controls[1].Values[0].FullBytes)
			require.Len(t, added.Attributes, 1)
			assert.Equal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 17}, added.Attributes[0].Type)
			hash := sha1.Sum(out.EncodedCert)
			assert.Equal(t, [][]byte{hash[:]}, added.Attributes[0].Values)

			out, body = ask("Held")
			status = unmarshal[statusInfoASN1](t, body.Controls[0].Values[0].FullBytes)
			assert.Equal(t, 3, status.Status)
			assert.Equal(t, "Taken Under Submission", status.Text)
			assert.Equal(t, out.RequestID, binary.LittleEndian.Uint32(status.Pending.Token))
			assert.WithinDuration(t, time.Now(), status.Pending.Time, time.Minute)

			_, body = ask("Denied")
			status = unmarshal[statusInfoASN1](t, body.Controls[0].Values[0].FullBytes)
			assert.Equal(t, 2, status.Status)
			assert.Contains(t, status.Text, "Denied by Policy Module")
			assert.Empty(t, unmarshal[addAttributesASN1](t, body.Controls[1].Values[0].FullBytes).Attributes)
		})
	}
}

// checkFullResponse verifies the signature of a full response and what every one has, and returns its content.
func checkFullResponse(t *testing.T, ca *adcstest.Authority, out adcstest.AuthorityAnswer) responseBodyASN1 {
	t.Helper()
	d := unmarshal[contentInfoASN1](t, out.Cert).Content
	assert.Equal(t, 3, d.Version)
	assert.Equal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 12, 3}, d.Content.Type)
	assert.ElementsMatch(t, caCerts(ca, out.EncodedCert), rawCerts(d.Certs))
	require.Len(t, d.Signers, 1)
	signer := d.Signers[0]
	assert.Equal(t, 1, signer.Version)
	assert.Equal(t, ca.Certificate().RawIssuer, signer.SID.Issuer.FullBytes)
	assert.Equal(t, ca.Certificate().SerialNumber.Bytes(), signer.SID.Serial.Bytes)
	digest := sha256.Sum256(d.Content.Content)
	var values [][]byte
	for rest := signer.Attributes.Bytes; len(rest) > 0; {
		var a attributeASN1
		var err error
		rest, err = asn1.Unmarshal(rest, &a)
		require.NoError(t, err)
		values = append(values, a.Values.Bytes)
	}
	require.Len(t, values, 2)
	assert.Equal(t, append([]byte{4, 32}, digest[:]...), values[1])
	set := append([]byte{0x31}, signer.Attributes.FullBytes[1:]...)
	algorithm := x509.ECDSAWithSHA256
	if ca.Certificate().PublicKeyAlgorithm == x509.RSA {
		algorithm = x509.SHA256WithRSA
	}
	require.NoError(t, ca.Certificate().CheckSignature(algorithm, set, signer.Signature))

	body := unmarshal[responseBodyASN1](t, d.Content.Content)
	require.Len(t, body.Controls, 2)
	assert.Empty(t, body.CMS)
	assert.Empty(t, body.Other)
	assert.Equal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 7, 1}, body.Controls[0].Type)
	assert.Equal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 10, 1}, body.Controls[1].Type)
	return body
}

func TestFullResponseSwitchedOff(t *testing.T) {
	ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
		Name: caName, Profile: adcstest.Profile{NoFullResponse: true},
	})
	require.NoError(t, err)
	c := submission(t, "Device")
	c.Flags |= 0x40000
	assert.Equal(t, 1, unmarshal[contentInfoASN1](t, ca.Call(c).Cert).Content.Version)
}

// TestFullResponseLikeWindows compares our full response with one of a Windows CA, tag by tag and OID by OID, except
// for what lies inside certificates and names, and for the algorithms.
func TestFullResponseLikeWindows(t *testing.T) {
	dir := os.Getenv("ADCSKIT_VECTORS")
	if dir == "" {
		t.Skip("ADCSKIT_VECTORS does not name the folder with the messages from the Microsoft specifications")
	}
	real, err := os.ReadFile(filepath.Join(dir, "WSTEP-1123.der"))
	require.NoError(t, err)
	ca := newAuthority(t)
	c := submission(t, "WebServer")
	c.Flags |= 0x40000
	ours := unmarshal[contentInfoASN1](t, ca.Call(c).Cert).Content
	theirs := unmarshal[contentInfoASN1](t, real).Content

	assert.Equal(t, theirs.Version, ours.Version)
	assert.Equal(t, theirs.Content.Type, ours.Content.Type)
	assert.Equal(t, shape(t, theirs.Content.Content), shape(t, ours.Content.Content))
	assert.Equal(t, len(theirs.Certs), len(ours.Certs), "leaf, issuing CA, root")
	require.Len(t, theirs.Signers, 1)
	require.Len(t, ours.Signers, 1)
	assert.Equal(t, theirs.Signers[0].Version, ours.Signers[0].Version)
	attributes := func(s signerInfoASN1) string {
		set := append([]byte{0x31}, s.Attributes.FullBytes[1:]...)
		return shape(t, set)
	}
	assert.Equal(t, attributes(theirs.Signers[0]), attributes(ours.Signers[0]))
}

// shape writes the tags of DER in the order in which they stand, OIDs and small integers with their value.
func shape(t *testing.T, der []byte) string {
	t.Helper()
	out := ""
	for len(der) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		require.NoError(t, err)
		der = rest
		out += string(rune('a' + v.Tag))
		switch {
		case v.IsCompound:
			out += "(" + shape(t, v.Bytes) + ")"
		case v.Tag == asn1.TagOID:
			out += unmarshal[asn1.ObjectIdentifier](t, v.FullBytes).String()
		case v.Tag == asn1.TagInteger:
			out += string('0' + rune(v.Bytes[0]))
		}
		out += " "
	}
	return out
}
