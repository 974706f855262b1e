package gateway_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// unknownJob returns a job that was concluded as unknown, and the connector that may have submitted.
func unknownJob(t *testing.T, w *world) (id string, f *fake, o wsproto.Offer, hash []byte) {
	a := newIdentity(t)
	f = w.enroll(a)
	id = w.order()
	o = <-f.offers
	p := a.sealed(t, o, secret(t), 1, 0)
	_, err := f.checkpoint(p)
	require.NoError(t, err)
	f.pipe.Cut()
	out, err := w.g.Wait(t.Context(), "acme", id)
	require.NoError(t, err)
	require.Equal(t, wsproto.Unknown, out.Kind)
	return id, w.again(a), o, p.Checkpoint.PublicKeyHash
}

// A connector that had a lease and did not use it in time says so, however late.
func TestExpiredReplacesUnknown(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		id, f, o, hash := unknownJob(t, w)
		require.NoError(t, f.finish(o, 2, wsproto.Outcome{Kind: wsproto.Expired, PublicKeyHash: hash}))
		require.Equal(t, wsproto.Expired, w.job(id).Outcome.Kind)
	})
}

// One attempt retrieved the certificate and rejected it; the one that had submitted delivers it.
func TestRejectedCertificateIsDelivered(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		a, b := newIdentity(t), newIdentity(t)
		fa := w.enroll(a)
		id := w.order()
		o := <-fa.offers
		p := a.sealed(t, o, secret(t), 1, 0, b.dec.PublicKey())
		_, err := fa.checkpoint(p)
		require.NoError(t, err)
		fa.pipe.Cut()
		<-fa.ended
		fb := w.enroll(b)
		o2 := <-fb.offers
		certificate := issued(1, p.Checkpoint.PublicKeyHash)
		rejected := certificate
		rejected.Kind, rejected.PKCS12 = wsproto.Rejected, nil
		require.NoError(t, fb.finish(o2, 1, rejected))
		require.Equal(t, wsproto.Rejected, w.job(id).Outcome.Kind)
		fa = w.again(a)
		require.NoError(t, fa.finish(o, 2, certificate))
		require.Equal(t, certificate, *w.job(id).Outcome)
		require.Empty(t, w.job(id).Extra)
		require.NoError(t, fa.finish(o, 2, certificate), "repeated")
		synctest.Wait()
		events := w.takeEvents()
		require.Len(t, events, 2)
		require.False(t, events[1].Extra)
	})
}
