package adcs_test

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

const day = 24 * time.Hour

// another makes a further certificate of a CA: the same name, its own serial number and validity.
func (p *pki) another(
	t testing.TB, name string, serial int64, until time.Duration, parent *x509.Certificate, key crypto.PublicKey,
	parentKey crypto.Signer,
) *x509.Certificate {
	template := caTemplate(name)
	template.SerialNumber, template.NotAfter = big.NewInt(serial), testTime.Add(until)
	return p.sign(t, template, parent, key, parentKey)
}

func poolOf(certs ...*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}

// orders calls f with the certificates in either order: where they are in an answer says nothing.
func orders(f func([]*x509.Certificate), certs ...*x509.Certificate) {
	f(certs)
	reversed := slices.Clone(certs)
	slices.Reverse(reversed)
	f(reversed)
}

// TestVerifyCARenewedWithItsKey: both certificates of the CA fit the signature. The one that outlives the issued
// certificate is chosen; an expired one does no harm.
func TestVerifyCARenewedWithItsKey(t *testing.T) {
	p := newPKI(t)
	leaf := p.issue(t, leafTemplate(t)) // valid for a day
	for name, until := range map[string]time.Duration{"it ends earlier": 12 * time.Hour, "it has ended": -time.Minute} {
		t.Run(name, func(t *testing.T) {
			old := p.another(t, "Test CA", 1, until, p.root, p.key.Public(), p.rootKey)
			renewed := p.another(t, "Test CA", 2, 40*time.Hour, p.root, p.key.Public(), p.rootKey)
			orders(func(intermediates []*x509.Certificate) {
				expect := p.testExpect(t)
				expect.Intermediates = intermediates
				chain, err := adcs.Verify(leaf, expect)
				require.NoError(t, err)
				require.Len(t, chain, 3)
				assert.True(t, renewed.Equal(chain[1]))
			}, old, renewed)
		})
	}
}

// TestVerifyCARenewedWithAnotherKey: the name is the same, and only one of the keys has signed.
func TestVerifyCARenewedWithAnotherKey(t *testing.T) {
	p := newPKI(t)
	nextKey := newKey(t)
	next := p.another(t, "Test CA", 2, 40*time.Hour, p.root, nextKey.Public(), p.rootKey)
	byOld := p.issue(t, leafTemplate(t))
	byNew := p.sign(t, leafTemplate(t), next, p.requestKey.Public(), nextKey)
	for leaf, ca := range map[*x509.Certificate]*x509.Certificate{byOld: p.ca, byNew: next} {
		orders(func(intermediates []*x509.Certificate) {
			expect := p.testExpect(t)
			expect.Intermediates = intermediates
			chain, err := adcs.Verify(leaf, expect)
			require.NoError(t, err)
			require.Len(t, chain, 3)
			assert.True(t, ca.Equal(chain[1]))
		}, p.ca, next)
	}
	expect := p.testExpect(t)
	_, err := adcs.Verify(byNew, expect) // with the old certificate alone
	require.ErrorIs(t, err, adcs.MismatchChain)
	assert.ErrorContains(t, err, "none has the key that signed it")
}

// TestVerifyRootRenewed: the root itself was renewed.
func TestVerifyRootRenewed(t *testing.T) {
	p := newPKI(t)
	leaf := p.issue(t, leafTemplate(t))
	verify := func(t *testing.T, roots *x509.CertPool, sent ...*x509.Certificate) ([]*x509.Certificate, error) {
		t.Helper()
		var first []*x509.Certificate
		var firstErr error
		orders(func(intermediates []*x509.Certificate) {
			expect := p.testExpect(t)
			expect.Roots, expect.Intermediates = roots, intermediates
			chain, err := adcs.Verify(leaf, expect)
			if first == nil {
				first, firstErr = chain, err
			}
			assert.Equal(t, firstErr == nil, err == nil, "the order changes nothing")
			assert.Equal(t, len(first), len(chain))
		}, sent...)
		return first, firstErr
	}
	sameKey := p.another(t, "Test Root", 2, 100*day, nil, p.rootKey.Public(), p.rootKey)
	t.Run("with its key, and the old one is trusted", func(t *testing.T) {
		chain, err := verify(t, p.roots, p.ca, sameKey)
		require.NoError(t, err)
		assert.True(t, p.root.Equal(chain[2]))
	})
	t.Run("with its key, and both are trusted", func(t *testing.T) {
		for _, roots := range []*x509.CertPool{poolOf(p.root, sameKey), poolOf(sameKey, p.root)} {
			chain, err := verify(t, roots, p.ca)
			require.NoError(t, err)
			assert.True(t, sameKey.Equal(chain[2]), "the one that is valid longer")
		}
	})
	t.Run("with its key, and the old one has ended", func(t *testing.T) {
		ended := p.another(t, "Test Root", 3, -time.Minute, nil, p.rootKey.Public(), p.rootKey)
		_, err := verify(t, poolOf(ended), p.ca, sameKey)
		require.ErrorIs(t, err, adcs.MismatchChain)
		assert.ErrorContains(t, err, `the certificate of CA "CN=Test Root" (serial number 3) is valid from `)
		assert.ErrorContains(t, err, "if the CA was renewed")
		chain, err := verify(t, poolOf(ended, sameKey), p.ca)
		require.NoError(t, err)
		assert.True(t, sameKey.Equal(chain[2]))
	})
	nextKey := newKey(t)
	next := p.another(t, "Test Root", 4, 100*day, nil, nextKey.Public(), nextKey)
	nextCA := p.another(t, "Test CA", 5, 50*day, next, p.key.Public(), nextKey)
	cross := p.another(t, "Test Root", 6, 30*day, p.root, nextKey.Public(), p.rootKey) // the new key, by the old one
	t.Run("with another key, and the new one is trusted", func(t *testing.T) {
		chain, err := verify(t, poolOf(next), nextCA, p.ca, cross)
		require.NoError(t, err)
		require.Len(t, chain, 3)
		assert.True(t, next.Equal(chain[2]))
	})
	t.Run("with another key, and the old one is trusted, by a cross certificate", func(t *testing.T) {
		chain, err := verify(t, p.roots, nextCA, next, cross)
		require.NoError(t, err)
		require.Len(t, chain, 4)
		assert.True(t, cross.Equal(chain[2]))
		assert.True(t, p.root.Equal(chain[3]))
	})
	t.Run("with another key, and no cross certificate", func(t *testing.T) {
		_, err := verify(t, p.roots, nextCA, next)
		require.ErrorIs(t, err, adcs.MismatchChain)
		assert.ErrorContains(t, err, `its chain leads to CA "CN=Test Root" (serial number 4), SHA-256`)
	})
	t.Run("the shorter chain, where both last", func(t *testing.T) {
		chain, err := verify(t, poolOf(p.root, next), nextCA, cross)
		require.NoError(t, err)
		assert.Len(t, chain, 3)
	})
	t.Run("the longer chain, where the shorter does not last", func(t *testing.T) {
		brief := p.another(t, "Test Root", 7, time.Hour, nil, nextKey.Public(), nextKey)
		chain, err := verify(t, poolOf(p.root, brief), nextCA, cross)
		require.NoError(t, err)
		require.Len(t, chain, 4)
		assert.True(t, cross.Equal(chain[2]))
	})
}

// TestVerifyChainErrors: every reason is named, with the certificate that it is about.
func TestVerifyChainErrors(t *testing.T) {
	p := newPKI(t)
	ca := func(change func(*x509.Certificate)) *x509.Certificate {
		template := caTemplate("Test CA")
		change(template)
		return p.sign(t, template, p.root, p.key.Public(), p.rootKey)
	}
	constraint := func(permitted []byte) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{
				Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true, Value: der(0x30, der(0xa0, der(0x30, permitted))),
			}}
		}
	}
	for name, tc := range map[string]struct {
		sent []*x509.Certificate
		want string
	}{
		"an expired intermediate": {[]*x509.Certificate{ca(func(c *x509.Certificate) { c.NotAfter = testTime.Add(-time.Minute) })},
			`the certificate of CA "CN=Test CA" (serial number 54657374204341) is valid from `},
		"names that are not permitted": {[]*x509.Certificate{ca(constraint(der(0x82, []byte("other.test"))))},
			"a CA of its chain is constrained to other names: "},
		"a kind of names that nobody judges": {
			[]*x509.Certificate{ca(constraint(der(0xa0, []byte{6, 3, 0x2a, 3, 4}, der(0xa0, []byte{0x0c, 1, 'x'}))))},
			`the certificate of CA "CN=Test CA" (serial number 54657374204341) has the critical extension 2.5.29.30 (name constraints`},
		"a leaf in the place of the CA": {
			[]*x509.Certificate{ca(func(c *x509.Certificate) { c.Version, c.IsCA, c.KeyUsage = 1, false, 0 })}, ""},
		"nothing": {nil, `the certificate of the issuer "CN=Test CA" is neither among the roots nor in the answer of the CA`},
	} {
		t.Run(name, func(t *testing.T) {
			expect := p.testExpect(t)
			expect.Intermediates = tc.sent
			_, err := adcs.Verify(p.issue(t, leafTemplate(t)), expect)
			require.Error(t, err)
			assert.ErrorContains(t, err, tc.want)
			assert.Less(t, len(err.Error()), 520)
			_, ok := errors.AsType[*adcs.VerifyError](err)
			assert.True(t, ok)
		})
	}
	t.Run("a root below which no CA may be", func(t *testing.T) {
		template := caTemplate("Test Root")
		template.MaxPathLenZero = true
		root := p.sign(t, template, nil, p.rootKey.Public(), p.rootKey)
		expect := p.testExpect(t)
		expect.Roots = poolOf(root)
		_, err := adcs.Verify(p.issue(t, leafTemplate(t)), expect)
		assert.ErrorContains(t, err, `the path length constraint of CA "CN=Test Root"`)
	})
	t.Run("a certificate that is trusted itself", func(t *testing.T) {
		leaf, expect := p.issue(t, leafTemplate(t)), p.testExpect(t)
		expect.Roots = poolOf(leaf)
		chain, err := adcs.Verify(leaf, expect)
		require.NoError(t, err)
		assert.Len(t, chain, 1)
	})
}

// TestVerifyAfterRenewCA is all of it over the wire: a CA that is renewed between two requests.
func TestVerifyAfterRenewCA(t *testing.T) {
	for name, newKey := range map[string]bool{"with its key": false, "with another key": true} {
		for _, selfSigned := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := newServer(t, &adcstest.Options{Profile: adcstest.Profile{SelfSigned: selfSigned}})
				client := newClient(t, s, nil)
				_, before := newCSR(t, "pc1.corp.test")
				oldRoots := poolOf(s.Chain()[len(s.Chain())-1])
				first, err := client.Submit(t.Context(), adcs.Request{CSR: before, Template: "Device"})
				require.NoError(t, err)
				require.NoError(t, s.RenewCA(newKey))
				_, after := newCSR(t, "pc2.corp.test")
				second, err := client.Submit(t.Context(), adcs.Request{CSR: after, Template: "Device"})
				require.NoError(t, err)
				verify := func(r *adcs.Result, csr []byte, roots *x509.CertPool) error {
					expect, err := adcs.ExpectRequest(csr)
					require.NoError(t, err)
					expect.Roots, expect.Intermediates = roots, slices.Concat(first.Chain, second.Chain)
					_, err = adcs.Verify(r.Certificate, expect)
					return err
				}
				all := poolOf(append(s.CACertificates(), s.Chain()...)...)
				assert.NoError(t, verify(first, before, all))
				assert.NoError(t, verify(second, after, all))
				assert.NoError(t, verify(first, before, oldRoots))
				if err := verify(second, after, oldRoots); newKey && selfSigned {
					assert.ErrorContains(t, err, "which is not among the roots that are trusted; if the CA was renewed")
				} else {
					assert.NoError(t, err)
				}
			})
		}
	}
}
