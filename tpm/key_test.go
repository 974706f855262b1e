package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignaturesOfEveryKind(t *testing.T) {
	_, tpm := opened(t, nil)
	for _, algorithm := range []Algorithm{P256, RSA2048} {
		signer := signerIn(t, tpm, algorithm)
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			h := hash.New()
			h.Write([]byte("something"))
			digest := h.Sum(nil)
			kinds := []crypto.SignerOpts{hash}
			if algorithm == RSA2048 {
				kinds = append(kinds, &rsa.PSSOptions{Hash: hash, SaltLength: rsa.PSSSaltLengthAuto},
					&rsa.PSSOptions{Hash: hash, SaltLength: rsa.PSSSaltLengthEqualsHash}, &rsa.PSSOptions{Hash: hash, SaltLength: hash.Size()})
			}
			for _, opts := range kinds {
				_, err := signer.Sign(rand.Reader, digest, opts) // which verifies it
				require.NoError(t, err, "%v, %+v", hash, opts)
			}
		}
		for name, refused := range map[string]struct {
			digest []byte
			opts   crypto.SignerOpts
		}{
			"no hash":       {make([]byte, 32), crypto.Hash(0)},
			"a weak hash":   {make([]byte, 20), crypto.SHA1},
			"a long digest": {make([]byte, 33), crypto.SHA256},
			"no digest":     {nil, crypto.SHA256},
			"no options":    {make([]byte, 32), nil},
		} {
			_, err := signer.Sign(rand.Reader, refused.digest, refused.opts)
			require.ErrorContains(t, err, "tpm: sign", name)
			require.Less(t, len(err.Error()), 120, name)
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "a"}}, signer)
		require.NoError(t, err)
		request, err := x509.ParseCertificateRequest(der)
		require.NoError(t, err)
		require.NoError(t, request.CheckSignature())
	}
	_, err := signerIn(t, tpm, RSA2048).Sign(nil, make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 7})
	require.ErrorContains(t, err, "a salt of 7 octets")
	_, err = tpm.NewSigner(t.Context(), 9)
	require.Error(t, err)
}

// TestSecretsWithZeros agrees often enough for secrets that begin with zeros.
func TestSecretsWithZeros(t *testing.T) {
	_, tpm := opened(t, nil)
	exchanger := exchangerIn(t, tpm)
	zeros := 0
	for range 4000 {
		other, err := ecdh.P256().GenerateKey(rand.Reader)
		require.NoError(t, err)
		want, err := other.ECDH(exchanger.PublicKey())
		require.NoError(t, err)
		if want[0] != 0 {
			continue // one of 256 is of interest
		}
		zeros++
		secret, err := exchanger.ECDH(other.PublicKey())
		require.NoError(t, err)
		require.Equal(t, want, secret)
	}
	require.NotZero(t, zeros)
	other, err := ecdh.P384().GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, err = exchanger.ECDH(other.PublicKey())
	require.ErrorContains(t, err, "not on P-256")
	_, err = exchanger.ECDH(nil)
	require.Error(t, err)
}

func TestHPKE(t *testing.T) {
	_, tpm := opened(t, nil)
	exchanger := exchangerIn(t, tpm)
	public, err := hpke.NewDHKEMPublicKey(exchanger.PublicKey())
	require.NoError(t, err)
	private, err := hpke.NewDHKEMPrivateKey(exchanger)
	require.NoError(t, err)
	sealed, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("info"), []byte("content"))
	require.NoError(t, err)
	content, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("info"), sealed)
	require.NoError(t, err)
	require.Equal(t, []byte("content"), content)
	sealed[len(sealed)-1] ^= 1
	_, err = hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("info"), sealed)
	require.Error(t, err)
}

// TestAttributes looks at what the TPM has made, as a verifier will.
func TestAttributes(t *testing.T) {
	_, tpm := opened(t, nil)
	want := tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true}
	signing, agreeing := want, want
	signing.SignEncrypt, agreeing.Decrypt = true, true
	assert.Equal(t, signing, signerIn(t, tpm, P256).key.public.ObjectAttributes)
	assert.Equal(t, signing, signerIn(t, tpm, RSA2048).key.public.ObjectAttributes)
	assert.Equal(t, agreeing, exchangerIn(t, tpm).key.public.ObjectAttributes)
}

// TestWrongUse gives each function the other one's key, and files of no use.
func TestWrongUse(t *testing.T) {
	_, tpm := opened(t, nil)
	signing, err := tpm.NewSigner(t.Context(), P256)
	require.NoError(t, err)
	agreeing, err := tpm.NewKeyExchanger(t.Context())
	require.NoError(t, err)
	_, err = tpm.Signer(t.Context(), agreeing)
	require.ErrorContains(t, err, "not one for signatures")
	_, err = tpm.KeyExchanger(t.Context(), signing)
	require.ErrorContains(t, err, "not one for decryption")
	_, err = tpm.Signer(t.Context(), nil)
	require.ErrorIs(t, err, ErrKeyFile)
	_, err = tpm.Signer(t.Context(), bytes.Repeat([]byte("x"), 1<<20))
	require.ErrorIs(t, err, ErrKeyFile)

	restricted := exchangerTemplate()
	restricted.ObjectAttributes.Restricted = true
	byPolicy := exchangerTemplate()
	byPolicy.ObjectAttributes.UserWithAuth = false
	other := fuzzKey(exchangerTemplate())
	other.parent = tpm2.TPMRHEndorsement
	for _, k := range []*key{fuzzKey(restricted), fuzzKey(byPolicy), other} {
		_, err = tpm.KeyExchanger(t.Context(), k.file())
		require.ErrorIs(t, err, ErrKeyFile)
	}
}

func TestAuthorizationValues(t *testing.T) {
	device, tpm := opened(t, &Options{KeyAuth: []byte("a\x00value\x00with\x00zeros\x00\x00")})
	file, err := tpm.NewSigner(t.Context(), P256)
	require.NoError(t, err)
	require.NoError(t, tpm.Close())
	for auth, good := range map[string]bool{
		"a\x00value\x00with\x00zeros": true, "a\x00value\x00with\x00zeros\x00": true, "a\x00value\x00with": false, "a": false, "": false,
	} {
		tpm, err := Open(device.Path(), &Options{KeyAuth: []byte(auth)})
		require.NoError(t, err)
		signer, err := tpm.Signer(t.Context(), file)
		require.NoError(t, err, "loading needs no authorization")
		for range 3 { // nothing is locked
			if err := sign(signer); good {
				require.NoError(t, err, "%q", auth)
			} else {
				require.ErrorIs(t, err, tpm2.TPMRCBadAuth, "%q", auth)
				require.NotContains(t, err.Error(), "zeros")
			}
		}
		require.NoError(t, tpm.Close())
	}
	for _, bad := range []*Options{
		{KeyAuth: make([]byte, 10), OwnerAuth: bytes.Repeat([]byte{1}, 65)}, {KeyAuth: bytes.Repeat([]byte{1}, 33)}, {Parent: 0x80000000}, {Timeout: -1},
		{ParentName: make([]byte, 67)},
	} {
		_, err := New(sender(nil), bad)
		require.ErrorContains(t, err, "tpm: options")
	}
	_, err = New(sender(nil), &Options{KeyAuth: append(bytes.Repeat([]byte{1}, 32), 0, 0)}) // zeros at the end don't count
	require.NoError(t, err)
}

// TestPublicKeys refuses what no key of use has.
func TestPublicKeys(t *testing.T) {
	offCurve := fuzzKey(exchangerTemplate()).public
	point, err := offCurve.Unique.ECC()
	require.NoError(t, err)
	point.Y.Buffer[5] ^= 1
	otherCurve := fuzzKey(exchangerTemplate()).public
	otherCurve.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP521})
	symmetric := &tpm2.TPMTPublic{Type: tpm2.TPMAlgSymCipher}
	template, err := signerTemplate(RSA2048)
	require.NoError(t, err)
	short := template
	short.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{Buffer: bytes.Repeat([]byte{0xff}, 128)})
	mixed := template
	mixed.Unique = offCurve.Unique
	for name, public := range map[string]*tpm2.TPMTPublic{
		"off the curve": offCurve, "P-521": otherCurve, "symmetric": symmetric, "RSA-1024": &short, "mixed": &mixed, "empty": {},
	} {
		_, err := publicKey(public)
		assert.Error(t, err, name)
		_, err = exchangeKey(public)
		assert.Error(t, err, name)
	}
}
