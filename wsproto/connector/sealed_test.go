package connector_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/sealed"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// sealedOrder is an order for a recipient with a new key.
func sealedOrder(t testing.TB, curve ecdh.Curve) (wsproto.Order, *ecdh.PrivateKey) {
	t.Helper()
	key, err := curve.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := wsproto.MarshalRecipientKey(key.PublicKey())
	require.NoError(t, err)
	o := anOrder()
	o.Password, o.Recipient = "", &wsproto.Recipient{ID: "laptop-17", Key: der}
	return o, key
}

// opened checks that an outcome holds nothing but a sealed bundle, and returns what is in it.
func (s *script) opened(o wsproto.Outcome, key ecdh.KeyExchanger, job string) *sealed.Bundle {
	s.t.Helper()
	require.Equal(s.t, wsproto.Issued, o.Kind, "%v", o)
	require.Empty(s.t, o.PKCS12)
	b, err := sealed.Open(o.Sealed, key, sealed.Expect{
		Signers: [][32]byte{fingerprint(s.t, s.signer.Public())}, Tenant: tenantName, Job: job, Recipient: "laptop-17",
		Thumbprint: [32]byte(o.Thumbprint),
	})
	require.NoError(s.t, err)
	return b
}

func TestSealedDelivery(t *testing.T) {
	for _, curve := range []ecdh.Curve{ecdh.P256(), ecdh.X25519()} {
		scripted(t, nil, func(s *script, l *line) {
			order, key := sealedOrder(t, curve)
			offer := s.jobOf(1, order)
			o := l.finishOne(offer)
			b := s.opened(o, key, offer.Job)
			openBundle(t, b.PKCS12)
			assert.Equal(t, bundlePassword, b.Password)
			assert.NotContains(t, string(o.Sealed), "PRIVATE")
			r := s.lastReport()
			assert.Equal(t, wsproto.Issued, r.Outcome.Kind)
			assert.Empty(t, r.Outcome.Sealed)
		})
	}
}

// TestSealedDeliveryWhateverTheIssuerDoes: without a sealed bundle nothing is delivered, and the bundle is sealed for
// whom local policy has seen.
func TestSealedDeliveryWhateverTheIssuerDoes(t *testing.T) {
	thief, _ := sealedOrder(t, ecdh.P256())
	for name, c := range map[string]struct {
		finish    func(o *connector.Order, b *connector.Bundle)
		delivered bool
	}{
		"no password":       {func(_ *connector.Order, b *connector.Bundle) { b.Password = "" }, false},
		"a short password":  {func(_ *connector.Order, b *connector.Bundle) { b.Password = b.Password[:19] }, false},
		"a long password":   {func(_ *connector.Order, b *connector.Bundle) { b.Password = strings.Repeat("x", 256) }, false},
		"no bundle":         {func(_ *connector.Order, b *connector.Bundle) { b.PKCS12 = nil }, false},
		"a huge bundle":     {func(_ *connector.Order, b *connector.Bundle) { b.PKCS12 = make([]byte, sealed.MaxPKCS12+1) }, false},
		"an order without":  {func(o *connector.Order, _ *connector.Bundle) { o.Recipient, o.Password = nil, "correct horse" }, true},
		"another recipient": {func(o *connector.Order, _ *connector.Bundle) { *o.Recipient = *thief.Recipient }, true},
		"another job":       {func(o *connector.Order, _ *connector.Bundle) { o.Job, o.Tenant = "job-2", "umbrella" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			scripted(t, func(s *script) { s.issuer.finish = c.finish }, func(s *script, l *line) {
				order, key := sealedOrder(t, ecdh.P256())
				offer := s.jobOf(1, order)
				o := l.finishOne(offer)
				assert.Empty(t, o.PKCS12)
				if c.delivered {
					s.opened(o, key, offer.Job)
					return
				}
				assert.Equal(t, wsproto.Rejected, o.Kind)
				assert.Equal(t, wsproto.ReasonBundle, o.Reason)
				assert.NotEmpty(t, o.Serial, "somebody has to revoke it")
				assert.Empty(t, o.Sealed)
				assert.Error(t, s.lastReport().Err, "the operator is told why")
			})
		})
	}
}

// TestNoSealedBundleForAPassword: what an issuer adds to a bundle under the order's password goes nowhere.
func TestNoSealedBundleForAPassword(t *testing.T) {
	finish := func(_ *connector.Order, b *connector.Bundle) { b.Password = bundlePassword }
	scripted(t, func(s *script) { s.issuer.finish = finish }, func(s *script, l *line) {
		l.accept(s.job(1))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		f := l.next(wsproto.MethodFinish)
		assert.NotEmpty(t, f.finish().Outcome.PKCS12)
		assert.NotContains(t, string(f.params), bundlePassword)
		f.recorded()
	})
}

// TestSealedDeliveryRefused: a tenant that does not take sealed bundles is told of the certificate all the same, and both
// sides are told why it was not delivered.
func TestSealedDeliveryRefused(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		order, _ := sealedOrder(t, ecdh.P256())
		l.accept(s.jobOf(1, order))
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		l.next(wsproto.MethodFinish).fail(wsproto.CodeInvalidParams)
		f := l.next(wsproto.MethodFinish)
		o := f.finish().Outcome
		assert.Equal(t, wsproto.Rejected, o.Kind)
		assert.Contains(t, o.Message, "called it invalid")
		assert.NotEmpty(t, o.Serial, "somebody has to revoke it")
		assert.Empty(t, o.Sealed)
		f.recorded()
		time.Sleep(time.Millisecond)
		r := s.lastReport()
		assert.Equal(t, wsproto.Rejected, r.Outcome.Kind)
		assert.ErrorIs(t, r.Err, wsproto.CodeInvalidParams)
	})
}

// TestSealedDeliveryTooLarge: a bundle that the tenant cannot take is not delivered in another way.
func TestSealedDeliveryTooLarge(t *testing.T) {
	scripted(t, func(s *script) { s.limits.MaxMessageBytes, s.issuer.padding = 64<<10, 64<<10 }, func(s *script, l *line) {
		order, _ := sealedOrder(t, ecdh.P256())
		o := l.finishOne(s.jobOf(1, order))
		assert.Equal(t, wsproto.Rejected, o.Kind)
		assert.Equal(t, wsproto.ReasonBundle, o.Reason)
	})
}

// TestSealedDeliveryWaitsForTheKey: the certificate is there, so that an identity key that fails is waited for.
func TestSealedDeliveryWaitsForTheKey(t *testing.T) {
	c := newChip("a")
	prepare := func(s *script) {
		onChip(c)(s)
		s.issuer.finish = func(*connector.Order, *connector.Bundle) { c.fail(errChip) }
	}
	scripted(t, prepare, func(s *script, l *line) {
		order, key := sealedOrder(t, ecdh.X25519())
		offer := s.jobOf(1, order)
		l.accept(offer)
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		l.silent(10 * time.Minute)
		c.fail(nil)
		f := l.next(wsproto.MethodFinish)
		s.opened(f.finish().Outcome, key, offer.Job)
		f.recorded()
	})
	// It is waited for also if the tenant gives the attempt up meanwhile, however often it offers the job again: called
	// rejected, a certificate would be lost that can still be delivered.
	c.fail(nil)
	scripted(t, prepare, func(s *script, l *line) {
		order, key := sealedOrder(t, ecdh.X25519())
		offer := s.jobOf(1, order)
		l.accept(offer)
		l.next(wsproto.MethodCheckpoint).lease(time.Minute)
		for range 3 {
			l.silent(time.Minute)
			offer.Attempt++
			assert.Equal(t, wsproto.OfferBusy, l.offer(offer).Answer)
		}
		c.fail(nil)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, int64(1), f.finish().Attempt)
		s.opened(f.finish().Outcome, key, offer.Job)
		f.recorded()
	})
}

// TestSealedDeliveryOfASibling: who ends the job signs, with its own key, whoever began it.
func TestSealedDeliveryOfASibling(t *testing.T) {
	maker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	decrypt, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	prepare := func(s *script) {
		identity, err := wsproto.MarshalPublicKey(maker.Public())
		require.NoError(t, err)
		decryption, err := wsproto.MarshalPublicKey(decrypt.PublicKey())
		require.NoError(t, err)
		s.opts.Siblings = []connector.Sibling{{Name: "b", IdentityKey: identity, DecryptionKey: decryption}}
	}
	scripted(t, prepare, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		order, key := sealedOrder(t, ecdh.P256())
		o := l.held(s.jobOf(1, order))
		device, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		secret := secretOf(t, device)
		o.Checkpoint, err = wsproto.SealCheckpoint(*o.Checkpoint, secret, maker, decrypt.PublicKey(), s.decrypt.PublicKey())
		require.NoError(t, err)
		s.ca.mu.Lock()
		s.ca.rows[0].request = secret.Request // as if the sibling had submitted it
		s.ca.rows[0].cert = s.ca.sign(t, 1, secret.Request, false)
		s.ca.mu.Unlock()
		l.accept(o)
		f := l.next(wsproto.MethodFinish)
		outcome := f.finish().Outcome
		b := s.opened(outcome, key, o.Job) // expects this connector's signature
		assert.True(t, device.PublicKey.Equal(openBundle(t, b.PKCS12).PublicKey))
		_, err = sealed.Open(outcome.Sealed, key, sealed.Expect{Signers: [][32]byte{fingerprint(t, maker.Public())}})
		assert.ErrorIs(t, err, sealed.ErrSigner, "the maker of the checkpoint has not signed it")
		f.recorded()
	})
}

// TestSealedDeliveryUnderPolicy: with its own policy the connector refuses recipients that it does not know before it
// makes anything.
func TestSealedDeliveryUnderPolicy(t *testing.T) {
	order, key := sealedOrder(t, ecdh.X25519())
	another, _ := sealedOrder(t, ecdh.X25519())
	ordering, orderingDER := orderingKey(t)
	policy := somePolicy()
	policy.Subjects = []string{"CN=*.corp.test"}
	policy.Recipients = []connector.PinnedRecipient{{ID: "laptop-17", Key: order.Recipient.Key}}
	policy.OrderingKeys = [][]byte{orderingDER}
	rules, err := policy.Compile()
	require.NoError(t, err)
	scripted(t, func(s *script) { s.cfg.Policy = rules.Allow }, func(s *script, l *line) {
		r := l.offer(s.jobOf(1, another))
		assert.Equal(t, wsproto.OfferRefused, r.Answer)
		assert.Equal(t, wsproto.RefusedElsewhere, r.Scope)
		assert.Equal(t, wsproto.ReasonPolicyRecipient, r.Reason)
		another.Recipient.ID = "laptop-18"
		assert.Equal(t, wsproto.ReasonPolicyRecipient, l.offer(s.jobOf(2, another)).Reason)

		offer := s.jobOf(3, order)
		s.opened(l.finishOne(offer), key, offer.Job)
		// The tenant of the signature is the connector's own.
		another.Recipient.Signature, err = wsproto.SignRecipient(ordering, "umbrella", &another)
		require.NoError(t, err)
		assert.Equal(t, wsproto.ReasonPolicyRecipient, l.offer(s.jobOf(4, another)).Reason)
		another.Recipient.Signature, err = wsproto.SignRecipient(ordering, tenantName, &another)
		require.NoError(t, err)
		assert.NotEmpty(t, l.finishOne(s.jobOf(5, another)).Sealed)
	})
}

// TestWhatIsWiped: the .p12 that the issuer made is overwritten once it is sealed.
func TestWhatIsWiped(t *testing.T) {
	var made []byte
	finish := func(_ *connector.Order, b *connector.Bundle) { made = b.PKCS12 }
	scripted(t, func(s *script) { s.issuer.finish = finish }, func(s *script, l *line) {
		order, key := sealedOrder(t, ecdh.P256())
		offer := s.jobOf(1, order)
		b := s.opened(l.finishOne(offer), key, offer.Job)
		block, _ := pem.Decode(b.PKCS12)
		_, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		require.NoError(t, err)
		assert.Len(t, made, len(b.PKCS12))
		for _, c := range made {
			require.Zero(t, c)
		}
	})
}
