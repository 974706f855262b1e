package connector_test

import (
	"context"
	"crypto/ecdsa"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// lookingIssuer remembers the memory of what passes through it.
type lookingIssuer struct {
	*modelIssuer
	keys    [][]big.Word
	bundles [][]byte
	late    bool // Prepare returns when nobody wants the key any more
}

func (i *lookingIssuer) Prepare(ctx context.Context, o *connector.Order) (*connector.Prepared, error) {
	p, err := i.modelIssuer.Prepare(ctx, o)
	if err == nil {
		//lint:ignore SA1019 the words of the number itself are overwritten
		i.keys = append(i.keys, p.Key.(*ecdsa.PrivateKey).D.Bits())
	}
	if i.late {
		<-ctx.Done()
	}
	return p, err
}

func (i *lookingIssuer) Finish(
	ctx context.Context, o *connector.Order, p *connector.Prepared, r *connector.CAResult,
) (*connector.Bundle, error) {
	b, err := i.modelIssuer.Finish(ctx, o, p, r)
	if err == nil {
		i.bundles = append(i.bundles, b.PKCS12)
	}
	return b, err
}

// TestDeviceKeysAreWiped: nothing of a key or a bundle that this module owns stays in memory after a job, however it ends.
func TestDeviceKeysAreWiped(t *testing.T) {
	var i *lookingIssuer
	prepare := func(s *script) {
		i = &lookingIssuer{modelIssuer: s.issuer}
		s.cfg.Issuer = i
	}
	check := func(t *testing.T, s *script, keys, bundles int) {
		s.until("an end", func() bool { return s.running[0].Jobs() == 0 })
		require.Len(t, i.keys, keys)
		for _, words := range i.keys {
			assert.Equal(t, make([]big.Word, len(words)), words)
		}
		require.Len(t, i.bundles, bundles)
		for _, b := range i.bundles {
			require.NotEmpty(t, b)
			assert.Equal(t, make([]byte, len(b)), b)
		}
	}
	t.Run("issued", func(t *testing.T) {
		scripted(t, prepare, func(s *script, l *line) {
			l.accept(s.job(1))
			l.next(wsproto.MethodCheckpoint).lease(time.Minute)
			f := l.next(wsproto.MethodFinish)
			assert.NotZero(t, i.bundles[0][0], "not before the tenant has it")
			f.recorded()
			check(t, s, 1, 1)
		})
	})
	t.Run("too large for the tenant", func(t *testing.T) {
		scripted(t, prepare, func(s *script, l *line) {
			l.accept(s.job(1))
			l.next(wsproto.MethodCheckpoint).lease(time.Minute)
			l.next(wsproto.MethodFinish).fail(wsproto.CodeLimit)
			f := l.next(wsproto.MethodFinish)
			assert.Equal(t, wsproto.Rejected, f.finish().Outcome.Kind)
			assert.Contains(t, f.finish().Outcome.Message, "larger")
			f.recorded()
			check(t, s, 1, 1)
		})
	})
	t.Run("held and retrieved", func(t *testing.T) {
		scripted(t, prepare, func(s *script, l *line) {
			s.ca.behave(behaviour{pend: true})
			o := l.held(s.job(1))
			check(t, s, 1, 0)
			s.ca.approve(t)
			l.accept(o)
			l.next(wsproto.MethodFinish).recorded()
			check(t, s, 1, 1)
		})
	})
	t.Run("dropped", func(t *testing.T) {
		scripted(t, prepare, func(s *script, l *line) {
			l.accept(s.job(1))
			l.next(wsproto.MethodCheckpoint).fail(wsproto.CodeSuperseded)
			check(t, s, 1, 0)
		})
	})
	t.Run("cancelled while it was prepared", func(t *testing.T) {
		scripted(t, prepare, func(s *script, l *line) {
			i.late = true
			o := s.job(1)
			l.accept(o)
			var r wsproto.CancelResult
			require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodCancel, wsproto.Cancel{Job: o.Job, Attempt: 1}, &r))
			l.next(wsproto.MethodFinish).recorded()
			check(t, s, 1, 0)
		})
	})
}

// TestEncodedKeysAreWiped: neither the encoding that went into a checkpoint nor the one that came out of it stays.
func TestEncodedKeysAreWiped(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		s.ca.behave(behaviour{pend: true})
		held := l.held(s.job(1))
		for name, offer := range map[string]wsproto.Offer{"made here": s.job(2), "from a checkpoint": held} {
			j := connector.NewJob(s.ctx, s.running[0].Connector, &offer)
			require.Nil(t, j.Admit(s.ctx, &offer), name)
			if offer.Checkpoint == nil {
				require.NoError(t, j.Prepare())
				require.NoError(t, j.Seal())
			}
			//lint:ignore SA1019 the words of the number itself are overwritten
			encoded, words := j.PrivateKey(), j.Key().(*ecdsa.PrivateKey).D.Bits()
			require.NotEqual(t, make([]byte, len(encoded)), encoded)
			j.Forget()
			assert.Equal(t, make([]byte, len(encoded)), encoded, name)
			assert.Equal(t, make([]big.Word, len(words)), words, name)
			j.Stop()
		}
	})
}
