package tpm_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// softwareTPM does in software what a TPM does for attestation, so that a verifier can be tested without one, and can
// be told lies that no TPM would tell.
type softwareTPM struct {
	tb           testing.TB
	manufacturer *tpmtest.Manufacturer
	ek           tpm2.TPMTPublic
	ekKey        any // *rsa.PrivateKey or *ecdh.PrivateKey
	identity     *ecdsa.PrivateKey
	decryption   *ecdh.PrivateKey
	said         evidence
}

// The three objects, as PROTOCOL.md describes them.
type evidence struct {
	Format string `json:"format"`
	EK     struct {
		Public        []byte   `json:"public"`
		Certificate   []byte   `json:"certificate,omitempty"`
		Intermediates [][]byte `json:"intermediates,omitempty"`
	} `json:"ek"`
	Keys pair `json:"keys"`
}

type pair struct {
	Identity   []byte `json:"identity"`
	Decryption []byte `json:"decryption"`
}

type credentials struct {
	Identity   credential `json:"identity"`
	Decryption credential `json:"decryption"`
}

type credential struct {
	Credential []byte `json:"credential"`
	Secret     []byte `json:"secret"`
}

// newSoftwareTPM makes one with an endorsement key and a certificate of it.
func newSoftwareTPM(tb testing.TB, ek tpmtest.EK, m *tpmtest.Manufacturer) *softwareTPM {
	tb.Helper()
	s := &softwareTPM{tb: tb, manufacturer: m, ek: ek.Template()}
	var public crypto.PublicKey
	if ek == tpmtest.RSA {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(tb, err)
		s.ekKey, public = key, key.Public()
		s.ek.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: key.N.FillBytes(make([]byte, 256))})
	} else {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(tb, err)
		s.ekKey, err = key.ECDH()
		require.NoError(tb, err)
		public = key.Public()
		s.ek.Unique = point(tb, &key.PublicKey)
	}
	var err error
	s.identity, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	decryption, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	s.decryption, err = decryption.ECDH()
	require.NoError(tb, err)
	s.said.Format = "tpm2"
	s.said.EK.Public = tpm2.Marshal(s.ek)
	s.said.EK.Certificate = m.Issue(public, time.Now().Add(time.Hour))
	s.said.Keys.Identity = tpm2.Marshal(keyArea(tb, &s.identity.PublicKey, true))
	s.said.Keys.Decryption = tpm2.Marshal(keyArea(tb, &decryption.PublicKey, false))
	return s
}

func point(tb testing.TB, key *ecdsa.PublicKey) tpm2.TPMUPublicID {
	tb.Helper()
	raw, err := key.Bytes()
	require.NoError(tb, err)
	size := (len(raw) - 1) / 2
	return tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: raw[1 : 1+size]}, Y: tpm2.TPM2BECCParameter{Buffer: raw[1+size:]},
	})
}

// keyArea is the public area that a key of a connector has in a TPM.
func keyArea(tb testing.TB, key *ecdsa.PublicKey, signs bool) tpm2.TPMTPublic {
	tb.Helper()
	return tpm2.TPMTPublic{
		Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true,
			SignEncrypt: signs, Decrypt: !signs,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Symmetric: tpm2.TPMTSymDefObject{Algorithm: tpm2.TPMAlgNull}, Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgNull},
			CurveID: tpm2.TPMECCNistP256, KDF: tpm2.TPMTKDFScheme{Scheme: tpm2.TPMAlgNull},
		}),
		Unique: point(tb, key),
	}
}

// ekPublic is the endorsement key as crypto/x509 takes it.
func (s *softwareTPM) ekPublic() crypto.PublicKey {
	s.tb.Helper()
	key, err := tpm2.Pub(s.ek)
	require.NoError(s.tb, err)
	return key
}

func (s *softwareTPM) evidence() json.RawMessage {
	s.tb.Helper()
	text, err := json.Marshal(s.said)
	require.NoError(s.tb, err)
	return text
}

func (s *softwareTPM) identityKey() []byte   { return spki(s.tb, s.identity.Public()) }
func (s *softwareTPM) decryptionKey() []byte { return spki(s.tb, s.decryption.Public()) }

func spki(tb testing.TB, key crypto.PublicKey) []byte {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(tb, err)
	return der
}

// activate answers credentials.
func (s *softwareTPM) activate(text json.RawMessage) json.RawMessage {
	s.tb.Helper()
	var c credentials
	require.NoError(s.tb, json.Unmarshal(text, &c))
	answer, err := json.Marshal(pair{s.open(c.Identity, s.said.Keys.Identity), s.open(c.Decryption, s.said.Keys.Decryption)})
	require.NoError(s.tb, err)
	return answer
}

// open is TPM2_ActivateCredential (TPM 2.0 Library, part 1, 24).
func (s *softwareTPM) open(c credential, area []byte) []byte {
	s.tb.Helper()
	digest := sha256.Sum256(area)
	name := append([]byte{0x00, 0x0b}, digest[:]...)
	blob, err := tpm2.Unmarshal[tpm2.TPM2BIDObject](c.Credential)
	require.NoError(s.tb, err)
	secret, err := tpm2.Unmarshal[tpm2.TPM2BEncryptedSecret](c.Secret)
	require.NoError(s.tb, err)
	seed := s.seed(secret.Buffer)
	mac, err := tpm2.Unmarshal[tpm2.TPM2BDigest](blob.Buffer)
	require.NoError(s.tb, err)
	encrypted := blob.Buffer[2+len(mac.Buffer):]
	h := hmac.New(sha256.New, tpm2.KDFa(crypto.SHA256, seed, "INTEGRITY", nil, nil, 256))
	h.Write(encrypted)
	h.Write(name)
	assert.Equal(s.tb, h.Sum(nil), mac.Buffer, "the credential is for this endorsement key and this name")
	block, err := aes.NewCipher(tpm2.KDFa(crypto.SHA256, seed, "STORAGE", name, nil, 128))
	require.NoError(s.tb, err)
	plain := make([]byte, len(encrypted))
	fips140.WithoutEnforcement(func() {
		//lint:ignore SA1019 a TPM encrypts credentials in CFB mode
		cipher.NewCFBDecrypter(block, make([]byte, aes.BlockSize)).XORKeyStream(plain, encrypted)
	})
	value, err := tpm2.Unmarshal[tpm2.TPM2BDigest](plain)
	require.NoError(s.tb, err)
	return value.Buffer
}

func (s *softwareTPM) seed(secret []byte) []byte {
	s.tb.Helper()
	if key, ok := s.ekKey.(*rsa.PrivateKey); ok {
		seed, err := rsa.DecryptOAEP(sha256.New(), nil, key, secret, []byte("IDENTITY\x00"))
		require.NoError(s.tb, err)
		return seed
	}
	key := s.ekKey.(*ecdh.PrivateKey)
	p, err := tpm2.Unmarshal[tpm2.TPMSECCPoint](secret)
	require.NoError(s.tb, err)
	ephemeral, err := ecdh.P256().NewPublicKey(append(append([]byte{4}, p.X.Buffer...), p.Y.Buffer...))
	require.NoError(s.tb, err)
	z, err := key.ECDH(ephemeral)
	require.NoError(s.tb, err)
	return tpm2.KDFe(crypto.SHA256, z, "IDENTITY", p.X.Buffer, key.PublicKey().Bytes()[1:33], 256)
}
