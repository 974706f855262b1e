package adcs_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"io"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

// hugeKey is an RSA key of 20902 bits that needs no search: its primes are Mersenne's.
type hugeKey struct{ p, q, d *big.Int }

func newHugeKey() *hugeKey {
	one := big.NewInt(1)
	mersenne := func(n uint) *big.Int { return new(big.Int).Sub(new(big.Int).Lsh(one, n), one) }
	k := &hugeKey{p: mersenne(11213), q: mersenne(9689)}
	phi := new(big.Int).Mul(new(big.Int).Sub(k.p, one), new(big.Int).Sub(k.q, one))
	k.d = new(big.Int).ModInverse(big.NewInt(65537), phi)
	return k
}

func (k *hugeKey) Public() crypto.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).Mul(k.p, k.q), E: 65537}
}

// Sign makes a PKCS #1 v1.5 signature with SHA-256 (RFC 8017, section 8.2.1), modulo each prime.
func (k *hugeKey) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	oid := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	info, err := asn1.Marshal(struct {
		Algorithm struct {
			OID  asn1.ObjectIdentifier
			Null asn1.RawValue
		}
		Digest []byte
	}{struct {
		OID  asn1.ObjectIdentifier
		Null asn1.RawValue
	}{oid, asn1.NullRawValue}, digest})
	if err != nil {
		return nil, err
	}
	em := make([]byte, k.Public().(*rsa.PublicKey).Size())
	for i := 2; i < len(em)-len(info)-1; i++ {
		em[i] = 0xff
	}
	em[1] = 1
	copy(em[len(em)-len(info):], info)
	m := new(big.Int).SetBytes(em)
	power := func(prime *big.Int) *big.Int {
		d := new(big.Int).Mod(k.d, new(big.Int).Sub(prime, big.NewInt(1)))
		return new(big.Int).Exp(new(big.Int).Mod(m, prime), d, prime)
	}
	s1, s2 := power(k.p), power(k.q)
	h := new(big.Int).Mul(new(big.Int).Sub(s1, s2), new(big.Int).ModInverse(k.q, k.p))
	s := h.Mod(h, k.p).Mul(h, k.q).Add(h, s2)
	return s.FillBytes(em), nil
}

// TestHugeKeysAreNotUsed has a chain and a request that are right, and whose keys are so large that a hostile CA or
// caller could keep a processor busy with them: at half a million bits, one signature takes a quarter of a minute.
func TestHugeKeysAreNotUsed(t *testing.T) {
	t.Parallel()
	huge := newHugeKey()
	p := newPKI(t)
	middle := p.sign(t, caTemplate("Huge CA"), p.root, huge.Public(), p.rootKey)
	leaf := p.sign(t, leafTemplate(t), middle, p.requestKey.Public(), huge)
	require.NoError(t, leaf.CheckSignatureFrom(middle), "the test itself")
	e := p.testExpect(t)
	e.Intermediates = []*x509.Certificate{middle}
	_, err := adcs.Verify(leaf, e)
	require.ErrorIs(t, err, adcs.MismatchChain)

	csr, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{Subject: testSubject}, huge)
	require.NoError(t, err)
	client := newClient(t, newServer(t, nil), nil)
	_, err = client.Submit(t.Context(), adcs.Request{CSR: csr})
	require.ErrorIs(t, err, adcs.ErrInvalidRequest)
	assert.ErrorContains(t, err, "20902 bits")
}
