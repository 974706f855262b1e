package tpm_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// trusting is a verifier that trusts a manufacturer.
func trusting(m *tpmtest.Manufacturer) *tpm.Verifier {
	return tpm.NewVerifier(tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()})
}

// attest goes the whole way.
func (s *softwareTPM) attest(v *tpm.Verifier) (level, detail string, err error) {
	credentials, verify, err := v.Challenge(context.Background(), "acme", s.evidence(), s.identityKey(), s.decryptionKey())
	if err != nil {
		return "", "", err
	}
	return verify(s.activate(credentials))
}

func TestVerifierBelievesATPM(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	for name, ek := range map[string]tpmtest.EK{"ECC": tpmtest.ECC, "RSA": tpmtest.RSA} {
		t.Run(name, func(t *testing.T) {
			level, detail, err := newSoftwareTPM(t, ek, m).attest(trusting(m))
			require.NoError(t, err)
			assert.Equal(t, tpm.LevelVerified, level)
			assert.Contains(t, detail, "certified by IBM")
		})
	}
}

func TestVerifierRefusesLies(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	v := trusting(m)
	other := newSoftwareTPM(t, tpmtest.ECC, m)
	for name, c := range map[string]struct {
		change func(s *softwareTPM)
		want   tpm.EvidenceReason
	}{
		"no format": {func(s *softwareTPM) { s.said.Format = "" }, tpm.EvidenceMalformed},
		"endorsement key that signs": {func(s *softwareTPM) {
			s.ek.ObjectAttributes.SignEncrypt = true
			s.said.EK.Public = tpm2.Marshal(s.ek)
		}, tpm.EvidenceEKPublic},
		"endorsement key that is not restricted": {func(s *softwareTPM) {
			s.ek.ObjectAttributes.Restricted = false
			s.said.EK.Public = tpm2.Marshal(s.ek)
		}, tpm.EvidenceEKPublic},
		"endorsement key with another policy": {func(s *softwareTPM) {
			s.ek.AuthPolicy.Buffer = bytes.Repeat([]byte{1}, 32)
			s.said.EK.Public = tpm2.Marshal(s.ek)
		}, tpm.EvidenceEKPublic},
		"endorsement key off its curve": {func(s *softwareTPM) { flipLast(s.said.EK.Public) }, tpm.EvidenceEKPublic},
		"endorsement key, longer":       {func(s *softwareTPM) { s.said.EK.Public = append(s.said.EK.Public, 0) }, tpm.EvidenceMalformed},
		"endorsement key, truncated":    {func(s *softwareTPM) { cut(&s.said.EK.Public) }, tpm.EvidenceMalformed},
		"endorsement key, missing":      {func(s *softwareTPM) { s.said.EK.Public = nil }, tpm.EvidenceMalformed},
		"another TPM's endorsement key": {func(s *softwareTPM) { s.said.EK.Public = other.said.EK.Public }, tpm.EvidenceEKMismatch},
		"another TPM's certificate":     {func(s *softwareTPM) { s.said.EK.Certificate = other.said.EK.Certificate }, tpm.EvidenceEKMismatch},
		"certificate, truncated":        {func(s *softwareTPM) { cut(&s.said.EK.Certificate) }, tpm.EvidenceMalformed},
		"certificate, longer": {func(s *softwareTPM) {
			s.said.EK.Certificate = append(s.said.EK.Certificate, 0)
		}, tpm.EvidenceMalformed},
		"certificate, oversized": {func(s *softwareTPM) {
			s.said.EK.Certificate = append([]byte{0x30, 0x82, 0x10, 0x00}, make([]byte, 0x1000)...)
		}, tpm.EvidenceMalformed},
		"an intermediate, truncated": {func(s *softwareTPM) {
			s.said.EK.Intermediates = [][]byte{m.Intermediate().Raw[:100]}
		}, tpm.EvidenceMalformed},
		"too many intermediates":     {func(s *softwareTPM) { s.said.EK.Intermediates = make([][]byte, 9) }, tpm.EvidenceMalformed},
		"another TPM's keys":         {func(s *softwareTPM) { s.said.Keys = other.said.Keys }, tpm.EvidenceKeyMismatch},
		"another identity key":       {func(s *softwareTPM) { s.said.Keys.Identity = other.said.Keys.Identity }, tpm.EvidenceKeyMismatch},
		"another decryption key":     {func(s *softwareTPM) { s.said.Keys.Decryption = other.said.Keys.Decryption }, tpm.EvidenceKeyMismatch},
		"one key for both":           {func(s *softwareTPM) { s.said.Keys.Decryption = s.said.Keys.Identity }, tpm.EvidenceKeyMismatch},
		"keys in each other's place": {swapKeys, tpm.EvidenceKeysSwapped},
		"identity key, truncated":    {func(s *softwareTPM) { cut(&s.said.Keys.Identity) }, tpm.EvidenceMalformed},
		"decryption key, longer":     {func(s *softwareTPM) { s.said.Keys.Decryption = append(s.said.Keys.Decryption, 0) }, tpm.EvidenceMalformed},
		"decryption key, oversized":  {func(s *softwareTPM) { s.said.Keys.Decryption = make([]byte, 2000) }, tpm.EvidenceMalformed},
		"no decryption key":          {func(s *softwareTPM) { s.said.Keys.Decryption = nil }, tpm.EvidenceMalformed},
		"key that is not fixed":      {attribute(func(a *tpm2.TPMAObject) { a.FixedTPM = false }), tpm.EvidenceKeyAttributes},
		"key that can be duplicated": {attribute(func(a *tpm2.TPMAObject) { a.FixedParent = false }), tpm.EvidenceKeyAttributes},
		"key made elsewhere":         {attribute(func(a *tpm2.TPMAObject) { a.SensitiveDataOrigin = false }), tpm.EvidenceKeyAttributes},
		"key with more uses":         {attribute(func(a *tpm2.TPMAObject) { a.Decrypt = true }), tpm.EvidenceKeyAttributes},
		"key that is restricted":     {attribute(func(a *tpm2.TPMAObject) { a.Restricted = true }), tpm.EvidenceKeyAttributes},
		"key that counts failures":   {attribute(func(a *tpm2.TPMAObject) { a.NoDA = false }), tpm.EvidenceKeyAttributes},
		"key for administrators":     {attribute(func(a *tpm2.TPMAObject) { a.AdminWithPolicy = true }), tpm.EvidenceKeyAttributes},
		"key without its own value":  {attribute(func(a *tpm2.TPMAObject) { a.UserWithAuth = false }), tpm.EvidenceKeyAttributes},
		"key of a clear start":       {attribute(func(a *tpm2.TPMAObject) { a.STClear = true }), tpm.EvidenceKeyAttributes},
		"key with a policy":          {area(func(p *tpm2.TPMTPublic) { p.AuthPolicy.Buffer = make([]byte, 32) }), tpm.EvidenceKeyPolicy},
		"key with another name":      {area(func(p *tpm2.TPMTPublic) { p.NameAlg = tpm2.TPMAlgSHA1 }), tpm.EvidenceKeyAlgorithm},
		"key with another scheme":    {area(forECDH), tpm.EvidenceKeyAlgorithm},
		"key with another hash": {area(func(p *tpm2.TPMTPublic) { p.Parameters = ecdsaParameters(tpm2.TPMAlgSHA1) }),
			tpm.EvidenceKeyAlgorithm},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSoftwareTPM(t, tpmtest.ECC, m)
			c.change(s)
			_, _, err := v.Challenge(t.Context(), "acme", s.evidence(), s.identityKey(), s.decryptionKey())
			require.ErrorIs(t, err, c.want)
			refused, ok := errors.AsType[*tpm.EvidenceError](err)
			require.True(t, ok)
			assert.Equal(t, c.want, refused.Reason)
			assert.NotErrorIs(t, err, tpm.EvidenceReason("another"))
		})
	}
}

func flipLast(b []byte) { b[len(b)-1] ^= 1 }
func cut(b *[]byte)     { *b = (*b)[:len(*b)-1] }

func swapKeys(s *softwareTPM) {
	s.said.Keys.Identity, s.said.Keys.Decryption = s.said.Keys.Decryption, s.said.Keys.Identity
}

// area changes the identity key's public area.
func area(change func(p *tpm2.TPMTPublic)) func(s *softwareTPM) {
	return func(s *softwareTPM) {
		p := keyArea(s.tb, &s.identity.PublicKey, true)
		change(&p)
		s.said.Keys.Identity = tpm2.Marshal(p)
	}
}

func attribute(change func(a *tpm2.TPMAObject)) func(s *softwareTPM) {
	return area(func(p *tpm2.TPMTPublic) { change(&p.ObjectAttributes) })
}

func ecdsaParameters(hash tpm2.TPMAlgID) tpm2.TPMUPublicParms {
	return tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
		Scheme: tpm2.TPMTECCScheme{
			Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: hash}),
		},
		CurveID: tpm2.TPMECCNistP256, KDF: tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
	})
}

func forECDH(p *tpm2.TPMTPublic) {
	p.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
		Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull},
		Scheme: tpm2.TPMTECCScheme{
			Scheme:  tpm2.TPMAlgECDH,
			Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDH, &tpm2.TPMSKeySchemeECDH{HashAlg: tpm2.TPMAlgSHA256}),
		},
		CurveID: tpm2.TPMECCNistP256, KDF: tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
	})
}

func TestVerifierTakesAKeyForECDSAWithSHA256(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	s := newSoftwareTPM(t, tpmtest.ECC, m)
	area(func(p *tpm2.TPMTPublic) { p.Parameters = ecdsaParameters(tpm2.TPMAlgSHA256) })(s)
	level, _, err := s.attest(trusting(m))
	require.NoError(t, err)
	assert.Equal(t, tpm.LevelVerified, level)
}

func TestVerifierRefusesWrongActivations(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	v := trusting(m)
	s := newSoftwareTPM(t, tpmtest.ECC, m)
	old, _, err := v.Challenge(t.Context(), "acme", s.evidence(), s.identityKey(), s.decryptionKey())
	require.NoError(t, err)
	replayed := s.activate(old)
	foreign, _, err := trusting(m).Challenge(t.Context(), "acme", s.evidence(), s.identityKey(), s.decryptionKey())
	require.NoError(t, err)
	elsewhere := s.activate(foreign)
	for name, c := range map[string]struct {
		answer func(right pair) any
		want   tpm.EvidenceReason
	}{
		"replayed":        {func(pair) any { return replayed }, tpm.EvidenceReplayed},
		"of another one":  {func(pair) any { return elsewhere }, tpm.EvidenceActivation},
		"swapped":         {func(p pair) any { return pair{p.Decryption, p.Identity} }, tpm.EvidenceKeysSwapped},
		"identity only":   {func(p pair) any { return pair{p.Identity, p.Identity} }, tpm.EvidenceReplayed},
		"one wrong":       {func(p pair) any { return pair{p.Identity, make([]byte, 32)} }, tpm.EvidenceActivation},
		"other one wrong": {func(p pair) any { return pair{make([]byte, 32), p.Decryption} }, tpm.EvidenceActivation},
		"empty secrets":   {func(pair) any { return pair{} }, tpm.EvidenceMalformed},
		"truncated":       {func(p pair) any { return pair{p.Identity[:31], p.Decryption} }, tpm.EvidenceMalformed},
		"longer":          {func(p pair) any { return pair{append(p.Identity, 0), p.Decryption} }, tpm.EvidenceMalformed},
		"nothing":         {func(pair) any { return json.RawMessage(nil) }, tpm.EvidenceMalformed},
		"null":            {func(pair) any { return json.RawMessage("null") }, tpm.EvidenceMalformed},
		"a list":          {func(pair) any { return json.RawMessage("[]") }, tpm.EvidenceMalformed},
		"oversized": {func(pair) any { return json.RawMessage(`{"x":"` + strings.Repeat("x", 5000) + `"}`) },
			tpm.EvidenceMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			credentials, verify, err := v.Challenge(t.Context(), "acme", s.evidence(), s.identityKey(), s.decryptionKey())
			require.NoError(t, err)
			var right pair
			require.NoError(t, json.Unmarshal(s.activate(credentials), &right))
			answer, isText := c.answer(right).(json.RawMessage)
			if !isText {
				answer, err = json.Marshal(c.answer(right))
				require.NoError(t, err)
			}
			level, _, err := verify(answer)
			require.ErrorIs(t, err, c.want)
			assert.Empty(t, level)
			_, _, err = verify(s.activate(credentials))
			assert.ErrorIs(t, err, tpm.EvidenceReplayed, "a challenge is answered once")
		})
	}
}

func TestVerifierRefusesWhatIsNoEvidence(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	s := newSoftwareTPM(t, tpmtest.ECC, m)
	good := string(s.evidence())
	for name, text := range map[string]string{
		"nothing":        "",
		"a list":         "[]",
		"cut":            good[:len(good)-1],
		"more":           good + "{}",
		"a member twice": strings.Replace(good, `"format":"tpm2"`, `"format":"tpm2","format":"tpm2"`, 1),
		"no base64":      strings.Replace(good, `"public":"`, `"public":"!`, 1),
		"oversized":      strings.Replace(good, `"format"`, `"x":"`+strings.Repeat("x", 33000)+`","format"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := trusting(m).Challenge(t.Context(), "acme", json.RawMessage(text), s.identityKey(), s.decryptionKey())
			assert.ErrorIs(t, err, tpm.EvidenceMalformed)
		})
	}
	_, _, err := trusting(m).Challenge(t.Context(), "acme", json.RawMessage(`{"Format":"tpm2"}`), nil, nil)
	assert.ErrorIs(t, err, tpm.EvidenceMalformed, "names match exactly")
	_, _, err = trusting(m).Challenge(t.Context(), "acme", json.RawMessage(strings.Replace(good, `{"f`, `{"new":[1],"f`, 1)),
		s.identityKey(), s.decryptionKey())
	assert.NoError(t, err, "what is not known is ignored")
}

// Evidence that others may understand is no lie, and proves nothing here.
func TestVerifierIgnoresOtherFormats(t *testing.T) {
	for _, evidence := range []string{
		`{"format":"tpm3"}`, `{"format":"enclave","ek":[1],"keys":"x","big":"` + strings.Repeat("x", 40000) + `"}`,
	} {
		v := tpm.NewVerifier(tpm.VerifierOptions{})
		credentials, verify, err := v.Challenge(t.Context(), "acme", json.RawMessage(evidence), nil, nil)
		require.NoError(t, err)
		assert.Nil(t, credentials)
		level, detail, err := verify(nil)
		require.NoError(t, err)
		assert.Equal(t, tpm.LevelSoftware, level)
		assert.Contains(t, detail, "format")
		strict := tpm.NewVerifier(tpm.VerifierOptions{RequireVerified: true})
		_, _, err = strict.Challenge(t.Context(), "acme", json.RawMessage(evidence), nil, nil)
		assert.ErrorIs(t, err, tpm.EvidenceFormat)
	}
}

func TestVerifierChecksTheChain(t *testing.T) {
	m, stranger := tpmtest.NewManufacturer(t), tpmtest.NewManufacturer(t)
	hour := time.Now().Add(time.Hour)
	issue := func(s *softwareTPM, change func(c *x509.Certificate)) {
		key := s.ekPublic()
		template := m.Template(key, hour)
		change(template)
		s.said.EK.Certificate = m.IssueFrom(template, key)
	}
	for name, c := range map[string]struct {
		options tpm.VerifierOptions
		change  func(s *softwareTPM)
		want    tpm.EvidenceReason // "": verified
	}{
		"root and intermediate given": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, nil, ""},
		"intermediate in the evidence": {tpm.VerifierOptions{Roots: m.Roots()}, func(s *softwareTPM) {
			s.said.EK.Intermediates = [][]byte{stranger.Intermediate().Raw, m.Intermediate().Raw}
		}, ""},
		"no intermediate": {tpm.VerifierOptions{Roots: m.Roots()}, nil, tpm.EvidenceEKUntrusted},
		"root in the evidence": {tpm.VerifierOptions{Roots: stranger.Roots()}, func(s *softwareTPM) {
			s.said.EK.Intermediates = [][]byte{m.Intermediate().Raw, m.Root().Raw}
		}, tpm.EvidenceEKUntrusted},
		"another manufacturer": {tpm.VerifierOptions{Roots: stranger.Roots(), Intermediates: m.Intermediates()}, nil, tpm.EvidenceEKUntrusted},
		"no roots":             {tpm.VerifierOptions{Intermediates: m.Intermediates()}, nil, tpm.EvidenceEKUntrusted},
		"expired": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, func(s *softwareTPM) {
			s.said.EK.Certificate = m.Issue(s.ekPublic(), time.Now().Add(-time.Minute))
		}, tpm.EvidenceEKExpired},
		"expired by the clock that is given": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates(),
			Time: func() time.Time { return hour.AddDate(20, 0, 0) }}, nil, tpm.EvidenceEKExpired},
		"not valid yet": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates(),
			Time: func() time.Time { return hour.AddDate(-1, 0, 0) }}, nil, tpm.EvidenceEKExpired},
		"expired and untrusted": {tpm.VerifierOptions{Roots: stranger.Roots()}, func(s *softwareTPM) {
			s.said.EK.Certificate = m.Issue(s.ekPublic(), time.Now().Add(-time.Minute))
		}, tpm.EvidenceEKUntrusted},
		"no certificate": {tpm.VerifierOptions{Roots: m.Roots()}, func(s *softwareTPM) { s.said.EK.Certificate = nil }, tpm.EvidenceEKMissing},
		"no X.509": {tpm.VerifierOptions{Roots: m.Roots()}, func(s *softwareTPM) {
			s.said.EK.Certificate = []byte{0x30, 0x03, 0x02, 0x01, 0x05}
		}, tpm.EvidenceEKCertificate},
		"other extended key usage": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, func(s *softwareTPM) {
			issue(s, func(c *x509.Certificate) {
				c.UnknownExtKeyUsage, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			})
		}, tpm.EvidenceEKCertificate},
		"no extended key usage": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, func(s *softwareTPM) {
			issue(s, func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil })
		}, tpm.EvidenceEKCertificate},
		"a CA": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, func(s *softwareTPM) {
			issue(s, func(c *x509.Certificate) { c.IsCA = true })
		}, tpm.EvidenceEKCertificate},
		"a signing key": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, func(s *softwareTPM) {
			issue(s, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
		}, tpm.EvidenceEKCertificate},
		"another critical extension": {tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, func(s *softwareTPM) {
			issue(s, func(c *x509.Certificate) {
				c.ExtraExtensions = append(c.ExtraExtensions, unknownExtension())
			})
		}, tpm.EvidenceEKUntrusted},
		"an alternative name that says nothing of a TPM": {
			tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, func(s *softwareTPM) {
				issue(s, func(c *x509.Certificate) { c.ExtraExtensions[0].Value = []byte{0x30, 0x00} })
			}, tpm.EvidenceEKUntrusted},
		"an alternative name of somebody else": {
			tpm.VerifierOptions{Roots: m.Roots(), Intermediates: m.Intermediates()}, func(s *softwareTPM) {
				issue(s, func(c *x509.Certificate) {
					value := c.ExtraExtensions[0].Value
					c.ExtraExtensions[0].Value = bytes.Replace(value, []byte("id:4942"), []byte("ix:4942"), 1)
				})
			}, tpm.EvidenceEKUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSoftwareTPM(t, tpmtest.ECC, m)
			if c.change != nil {
				c.change(s)
			}
			level, detail, err := s.attest(tpm.NewVerifier(c.options))
			require.NoError(t, err)
			hash := sha256.Sum256(spki(t, s.ekPublic()))
			assert.Contains(t, detail, hex.EncodeToString(hash[:]))
			strict := c.options
			strict.RequireVerified = true
			again, _, err := s.attest(tpm.NewVerifier(strict))
			if c.want == "" {
				require.NoError(t, err)
				assert.Equal(t, tpm.LevelVerified, level)
				assert.Equal(t, tpm.LevelVerified, again)
				return
			}
			assert.Equal(t, tpm.LevelUnverified, level, detail)
			assert.ErrorIs(t, err, c.want)
			listed := c.options
			listed.EKHashes = [][32]byte{{1}, hash}
			level, _, err = s.attest(tpm.NewVerifier(listed))
			require.NoError(t, err)
			assert.Equal(t, tpm.LevelVerified, level, "a key on the list needs no certificate")
		})
	}
}

func TestVerifierAsksWhoKeepsTheList(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	s := newSoftwareTPM(t, tpmtest.ECC, m)
	want, err := tpm.EvidenceEKHash(s.evidence())
	require.NoError(t, err)
	assert.Equal(t, sha256.Sum256(spki(t, s.ekPublic())), want)
	allow, failure := true, error(nil)
	v := tpm.NewVerifier(tpm.VerifierOptions{AllowEK: func(_ context.Context, tenant string, hash [32]byte) (bool, error) {
		assert.Equal(t, "acme", tenant)
		assert.Equal(t, want, hash)
		return allow, failure
	}})
	level, _, err := s.attest(v)
	require.NoError(t, err)
	assert.Equal(t, tpm.LevelVerified, level)
	allow = false
	level, _, err = s.attest(v)
	require.NoError(t, err)
	assert.Equal(t, tpm.LevelUnverified, level)
	failure = errors.New("no database")
	_, _, err = s.attest(v)
	assert.ErrorIs(t, err, failure)
	_, known := errors.AsType[*tpm.EvidenceError](err)
	assert.False(t, known, "that is nobody's lie")
}

func TestVerifierIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := tpm.NewVerifier(tpm.VerifierOptions{}).Challenge(ctx, "acme", nil, nil, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

// Older certificates name the algorithm of the key RSAES-OAEP.
func TestVerifierReadsCertificatesForOAEP(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	s, other := newSoftwareTPM(t, tpmtest.RSA, m), newSoftwareTPM(t, tpmtest.RSA, m)
	roots := x509.NewCertPool()
	s.said.EK.Certificate = oaepCertificate(t, m.Template(s.ekPublic(), time.Now().Add(time.Hour)), s.ekPublic(), roots)
	v := tpm.NewVerifier(tpm.VerifierOptions{Roots: roots})
	level, detail, err := s.attest(v)
	require.NoError(t, err)
	assert.Equal(t, tpm.LevelVerified, level, detail)
	other.said.EK.Certificate = s.said.EK.Certificate
	_, _, err = other.attest(v)
	assert.ErrorIs(t, err, tpm.EvidenceEKMismatch)
}

// authority is a root of its own.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, change func(c *x509.Certificate)) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Another TPM Root"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{key, cert}
}

func (a *authority) issue(t *testing.T, template *x509.Certificate, key any) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	require.NoError(t, err)
	return der
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// A CA for something else does not become one for endorsement keys by being trusted.
func TestVerifierLooksAtTheUsageOfCAs(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	ek := asn1.ObjectIdentifier{2, 23, 133, 8, 1}
	for name, c := range map[string]struct {
		usage   []x509.ExtKeyUsage
		unknown []asn1.ObjectIdentifier
		level   string
	}{
		"any":              {[]x509.ExtKeyUsage{x509.ExtKeyUsageAny}, nil, tpm.LevelVerified},
		"endorsement keys": {nil, []asn1.ObjectIdentifier{ek}, tpm.LevelVerified},
		"servers":          {[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, nil, tpm.LevelUnverified},
		"something":        {nil, []asn1.ObjectIdentifier{{1, 2, 3}}, tpm.LevelUnverified},
		"nothing":          {nil, nil, tpm.LevelVerified},
	} {
		t.Run(name, func(t *testing.T) {
			ca := newAuthority(t, func(a *x509.Certificate) { a.ExtKeyUsage, a.UnknownExtKeyUsage = c.usage, c.unknown })
			s := newSoftwareTPM(t, tpmtest.ECC, m)
			s.said.EK.Certificate = ca.issue(t, m.Template(s.ekPublic(), time.Now().Add(time.Minute)), s.ekPublic())
			level, detail, err := s.attest(tpm.NewVerifier(tpm.VerifierOptions{Roots: ca.roots()}))
			require.NoError(t, err)
			assert.Equal(t, c.level, level, detail)
		})
	}
}

// The roots of the operating system are for other things. crypto/x509 reads them once in a process, so this is
// another one.
func TestVerifierUsesNoOtherRoots(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // elsewhere no environment variable says what they are
	}
	v, _ := readVector(t)
	if os.Getenv("SSL_CERT_FILE") != os.Getenv("ROOTS_OF_THIS_TEST") || os.Getenv("ROOTS_OF_THIS_TEST") == "" {
		file := filepath.Join(t.TempDir(), "roots.pem")
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.Roots[0]}), 0o600))
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVerifierUsesNoOtherRoots$", "-test.v")
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+file, "SSL_CERT_DIR="+t.TempDir(), "ROOTS_OF_THIS_TEST="+file)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "--- PASS: TestVerifierUsesNoOtherRoots")
		return
	}
	var said evidence
	require.NoError(t, json.Unmarshal(v.Evidence, &said))
	ca, err := x509.ParseCertificate(said.EK.Intermediates[0])
	require.NoError(t, err)
	_, err = ca.Verify(x509.VerifyOptions{CurrentTime: v.Time})
	require.NoError(t, err, "crypto/x509 trusts them by itself")
	verifier := tpm.NewVerifier(tpm.VerifierOptions{RequireVerified: true, Time: func() time.Time { return v.Time }})
	_, _, err = verifier.Challenge(t.Context(), "acme", v.Evidence, v.IdentityKey, v.DecryptionKey)
	assert.ErrorIs(t, err, tpm.EvidenceEKUntrusted)
}

// oaepCertificate issues a certificate by a root of its own, whose public key's algorithm is id-RSAES-OAEP.
func oaepCertificate(t *testing.T, template *x509.Certificate, key any, roots *x509.CertPool) []byte {
	t.Helper()
	ca := newAuthority(t, func(*x509.Certificate) {})
	roots.AddCert(ca.cert)
	der := ca.issue(t, template, key)
	var cert struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	_, err := asn1.Unmarshal(der, &cert)
	require.NoError(t, err)
	pkcs1 := []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01")
	require.Equal(t, 1, bytes.Count(cert.TBS.FullBytes, append(pkcs1, 1)))
	tbs := bytes.Replace(cert.TBS.FullBytes, append(pkcs1, 1), append(pkcs1, 7), 1)
	digest := sha256.Sum256(tbs)
	signature, err := ecdsa.SignASN1(rand.Reader, ca.key, digest[:])
	require.NoError(t, err)
	cert.TBS, cert.Signature = asn1.RawValue{FullBytes: tbs}, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err = asn1.Marshal(cert)
	require.NoError(t, err)
	return der
}

func unknownExtension() pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
}

func TestEvidenceReasonsAreTold(t *testing.T) {
	seen := map[tpm.EvidenceReason]bool{}
	for _, r := range tpm.EvidenceReasons() {
		assert.False(t, seen[r], r)
		seen[r] = true
		err := &tpm.EvidenceError{Reason: r, Text: "text"}
		assert.ErrorIs(t, err, r)
		assert.Equal(t, "tpm: evidence: text ("+string(r)+")", err.Error())
		assert.Equal(t, "tpm: evidence: "+string(r), r.Error())
	}
	assert.Len(t, seen, 15)
}
