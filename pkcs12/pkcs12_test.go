package pkcs12_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

const password = "Tr0ub4dor&3 x"

// rsaKey reads a test key; making one takes too long for a matrix.
func rsaKey(t testing.TB, name string) crypto.Signer {
	t.Helper()
	text, err := os.ReadFile("../keygen/testdata/" + name + ".pem")
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key.(crypto.Signer)
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return key
}

// keys are the kinds of key that a file can hold.
func keys(t testing.TB) map[string]crypto.Signer {
	return map[string]crypto.Signer{
		"rsa2048": rsaKey(t, "rsa2048"), "rsa4096": rsaKey(t, "rsa4096"),
		"p256": ecKey(t, elliptic.P256()), "p384": ecKey(t, elliptic.P384()), "p521": ecKey(t, elliptic.P521()),
	}
}

func profiles() []pkcs12.Profile {
	return []pkcs12.Profile{pkcs12.Compat(), pkcs12.Modern(), pkcs12.PBMAC1()}
}

// newChain returns a leaf for the key and the CA that signed it.
func newChain(t testing.TB, key crypto.Signer) []*x509.Certificate {
	t.Helper()
	caKey := ecKey(t, elliptic.P256())
	ca := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, nil, caKey.Public(), caKey)
	leaf := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, ca, key.Public(), caKey)
	return []*x509.Certificate{leaf, ca}
}

func sign(t testing.TB, template, parent *x509.Certificate, pub crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func TestEncodeDecode(t *testing.T) {
	for name, key := range keys(t) {
		chain := newChain(t, key)
		for _, profile := range profiles() {
			t.Run(name+"/"+profile.String(), func(t *testing.T) {
				file, err := pkcs12.Encode(profile, key, chain, password)
				require.NoError(t, err)
				gotKey, gotChain, err := pkcs12.Decode(file, password)
				require.NoError(t, err)
				assert.Equal(t, key, gotKey)
				require.Len(t, gotChain, 2)
				assert.True(t, chain[0].Equal(gotChain[0]))
				assert.True(t, chain[1].Equal(gotChain[1]))
				_, _, err = pkcs12.Decode(file, password+"!")
				assert.ErrorIs(t, err, pkcs12.ErrIncorrectPassword)
			})
		}
	}
}

// TestVerify gives the self-check of Encode files that hold something else.
func TestVerify(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	file, err := pkcs12.Encode(pkcs12.Modern(), key, chain, password)
	require.NoError(t, err)
	require.NoError(t, pkcs12.Verify(file, key, chain, password))
	otherCA := newChain(t, key)[1]
	assert.Error(t, pkcs12.Verify(file, ecKey(t, elliptic.P256()), chain, password), "another key")
	assert.Error(t, pkcs12.Verify(file, key, chain[:1], password), "fewer certificates")
	assert.Error(t, pkcs12.Verify(file, key, append(chain[:2:2], otherCA), password), "more certificates")
	assert.Error(t, pkcs12.Verify(file, key, []*x509.Certificate{chain[0], otherCA}, password), "another CA")
	assert.Error(t, pkcs12.Verify(file, key, []*x509.Certificate{chain[1], chain[0]}, password), "another order")
	assert.ErrorIs(t, pkcs12.Verify(file, key, chain, "another password"), pkcs12.ErrIncorrectPassword)
}

// TestEncodeOpensItsFile has certificates that pass for others until somebody reads them.
func TestEncodeOpensItsFile(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for name, bad := range map[string][]*x509.Certificate{
		"no certificate": {{Raw: []byte{5, 0}, PublicKey: key.Public()}, chain[1]},
		"another key":    {{Raw: chain[1].Raw, PublicKey: key.Public()}},
		"no CA":          {chain[0], {Raw: []byte{5, 0}}},
	} {
		for _, profile := range profiles() {
			file, err := pkcs12.Encode(profile, key, bad, password)
			require.ErrorContains(t, err, "the new file does not", name)
			assert.Nil(t, file)
		}
	}
}

func TestEncodeRefusesPasswords(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for name, bad := range map[string]string{
		"empty": "", "short": "abc12", "long": strings.Repeat("x", 129), "umlaut": "passwört1", "emoji": "password😀",
		"NUL": "pass\x00word", "control": "pass\tword", "DEL": "pass\x7fword", "not UTF-8": "password\xff",
		"leading space": " Secret-1", "trailing space": "Secret-1 ", "newline": "Secret-1\n",
	} {
		t.Run(name, func(t *testing.T) {
			file, err := pkcs12.Encode(pkcs12.Compat(), key, chain, bad)
			assert.ErrorIs(t, err, pkcs12.ErrPassword)
			assert.Nil(t, file)
			if bad != "" {
				assert.NotContains(t, err.Error(), strings.TrimSpace(bad), "the password is not in the text")
			}
		})
	}
}

func TestEncodeRefusesKeysAndChains(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p224 := ecKey(t, elliptic.P224())
	for name, tc := range map[string]struct {
		key   crypto.PrivateKey
		chain []*x509.Certificate
		want  error
	}{
		"no key":          {nil, chain, pkcs12.ErrUnsupported},
		"nil RSA":         {(*ecdsa.PrivateKey)(nil), chain, pkcs12.ErrUnsupported},
		"Ed25519":         {edKey, newChain(t, edKey), pkcs12.ErrUnsupported},
		"P-224":           {p224, newChain(t, p224), pkcs12.ErrUnsupported},
		"other key":       {ecKey(t, elliptic.P256()), chain, pkcs12.ErrKeyMismatch},
		"other kind":      {rsaKey(t, "rsa2048"), chain, pkcs12.ErrKeyMismatch},
		"CA first":        {key, []*x509.Certificate{chain[1], chain[0]}, pkcs12.ErrKeyMismatch},
		"empty chain":     {key, nil, pkcs12.ErrChain},
		"nil in chain":    {key, []*x509.Certificate{chain[0], nil}, pkcs12.ErrChain},
		"unparsed":        {key, []*x509.Certificate{chain[0], {}}, pkcs12.ErrChain},
		"twice the same":  {key, []*x509.Certificate{chain[0], chain[1], chain[1]}, pkcs12.ErrChain},
		"too many in all": {key, make([]*x509.Certificate, 33), pkcs12.ErrChain},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pkcs12.Encode(pkcs12.Compat(), tc.key, tc.chain, password)
			assert.ErrorIs(t, err, tc.want)
		})
	}
}

func TestParseProfile(t *testing.T) {
	for _, p := range profiles() {
		got, err := pkcs12.ParseProfile(p.String())
		require.NoError(t, err)
		assert.Equal(t, p, got)
	}
	got, err := pkcs12.ParseProfile("")
	require.NoError(t, err)
	assert.Equal(t, pkcs12.Compat(), got)
	_, err = pkcs12.ParseProfile("Compat")
	assert.ErrorIs(t, err, pkcs12.ErrUnsupported)
}

func TestNewPassword(t *testing.T) {
	const n = 4000
	count := map[rune]int{}
	seen := map[string]bool{}
	for range n {
		p, err := pkcs12.NewPassword()
		require.NoError(t, err)
		require.Len(t, p, 24)
		require.NoError(t, pkcs12.CheckPassword(p))
		require.False(t, seen[p])
		seen[p] = true
		for _, r := range p {
			count[r]++
		}
	}
	assert.Len(t, count, 55, "138 bits need 55 different characters")
	for _, lookAlike := range "0OoIl1i" {
		assert.Zero(t, count[lookAlike])
	}
	// Each of 55 characters is expected 1745 times with a standard deviation of 41. A bias of 256 mod 55 would give
	// the first 36 characters a fifth more.
	for r, c := range count {
		assert.InDelta(t, n*24/55, c, 6.5*41, "%c", r)
	}
}
