package connector_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// before is what a connector was before it rotated its keys.
type before struct {
	identity *ecdsa.PrivateKey
	box      wsproto.Fingerprint
}

// rotated gives a script an identity that has rotated its keys, and returns what it was before.
func (s *script) rotated(dir string) (*connector.Identity, before) {
	id := openIn(s.t, dir, nil)
	registered(s.t, id)
	old := before{id.Signer().(*ecdsa.PrivateKey), fingerprint(s.t, id.Decryption().PublicKey())}
	require.NoError(s.t, id.Rotate(tenantName, nil))
	cfg := connector.Config{Options: &s.opts}
	s.opts.OnRegistered = nil
	id.Configure(&cfg)
	s.cfg.Identity, s.cfg.Decryption, s.cfg.Instance, s.opts = cfg.Identity, cfg.Decryption, cfg.Instance, *cfg.Options
	s.opts.OnRegistered = func(connector.Registration) error { return nil }
	return id, old
}

func (s *script) needs(keys ...wsproto.Fingerprint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.FormerKeys = nil
	for _, k := range keys {
		s.state.FormerKeys = append(s.state.FormerKeys, k[:])
	}
}

// formerOffer returns an offer with a checkpoint that the connector has made before the rotation.
func (s *script) formerOffer(n int, old before, change func(*wsproto.Checkpoint)) (wsproto.Offer, wsproto.CheckpointSecret) {
	o := s.job(n)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(s.t, err)
	secret := secretOf(s.t, key)
	c := wsproto.Checkpoint{
		State: wsproto.CheckpointPending, CA: caName(), Account: `CORP\svc-adcs`, RequestID: uint32(n), Time: time.Now(),
		Tenant: tenantName, Job: o.Job, Attempt: 1, Sequence: 2, OrderDigest: wsproto.OrderDigest(o.Order),
	}
	if change != nil {
		change(&c)
	}
	box, err := wsproto.ParseDecryptionKey(s.opts.Former[0].DecryptionKey)
	require.NoError(s.t, err)
	o.Checkpoint, err = wsproto.SealCheckpoint(c, secret, old.identity, box)
	require.NoError(s.t, err)
	o.Attempt = 2
	return o, secret
}

// TestFormerKeys: jobs from before a rotation go on, as long as the tenant says that there are any.
func TestFormerKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	var id *connector.Identity
	var old before
	prepare := func(s *script) {
		id, old = s.rotated(dir)
		s.needs(old.box)
	}
	scripted(t, prepare, func(s *script, l *line) {
		hello, _ := s.lastHello()
		require.NotNil(t, hello.Rotation)
		require.NoError(t, wsproto.VerifyRotation(tenantName, &hello))
		assert.Nil(t, id.Rotation(), "acknowledged")
		assert.Len(t, files(t, dir), 4, "the old identity key is deleted, its decryption key is not")

		s.ca.behave(behaviour{pend: true})
		l.held(s.job(7)) // so that the CA has a request
		o, secret := s.formerOffer(1, old, nil)
		s.ca.mu.Lock()
		s.ca.rows[0].request = secret.Request
		s.ca.rows[0].cert = s.ca.sign(t, 1, secret.Request, false)
		s.ca.mu.Unlock()
		l.accept(o)
		f := l.next(wsproto.MethodFinish)
		outcome := f.finish().Outcome
		assert.Equal(t, wsproto.Issued, outcome.Kind)
		openBundle(t, outcome.PKCS12)
		f.recorded()

		s.needs()
		l.peer.Close(wsproto.CloseGoingAway, "again")
		l = s.connection()
		hello, _ = s.lastHello()
		assert.Nil(t, hello.Rotation, "the tenant knows")
		assert.Len(t, files(t, dir), 3)
		assert.Empty(t, id.Former())
		o, _ = s.formerOffer(2, old, nil)
		assert.Equal(t, wsproto.ReasonCheckpointMaker, l.offer(o).Reason, "nothing of before the rotation counts any more")
	})
}

// TestRotationIsRepeated: until the tenant says active, on every connection.
func TestRotationIsRepeated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	var id *connector.Identity
	prepare := func(s *script) {
		id, _ = s.rotated(dir)
		s.state = wsproto.State{State: wsproto.StatePending}
	}
	scripted(t, prepare, func(s *script, _ *line) {
		for range 3 {
			l := s.connection()
			hello, _ := s.lastHello()
			require.NotNil(t, hello.Rotation)
			require.NotNil(t, id.Rotation())
			l.peer.Close(wsproto.CloseGoingAway, "again")
		}
		l := s.connection()
		require.NoError(t, l.peer.Notify(s.ctx, wsproto.MethodApproved, wsproto.State{State: wsproto.StateActive, Connector: "c"}))
		s.until("an acknowledgement", func() bool { return id.Rotation() == nil })
		assert.Len(t, id.Former(), 1, "an approval does not say which former keys are needed")
	})
}

// TestAcknowledgementFails: what cannot be noted is told, and nothing else follows.
func TestAcknowledgementFails(t *testing.T) {
	errDisk := errors.New("disk full")
	prepare := func(s *script) {
		s.rotated(filepath.Join(s.t.TempDir(), "identity"))
		s.opts.OnAcknowledged = func([]wsproto.Fingerprint) error { return errDisk }
	}
	scripted(t, prepare, func(s *script, l *line) {
		assert.Equal(t, connector.StateConnected, s.lastEvent().State)
		require.ErrorIs(t, s.lastEvent().Err, errDisk)
		assert.Equal(t, wsproto.Issued, l.finishOne(s.job(1)).Kind)
	})
}

// TestFormerCheckpointRefused: former keys open what is this connector's own, and nothing else.
func TestFormerCheckpointRefused(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		change func(*wsproto.Checkpoint) // before it is signed
		spoil  func(s *script, old before, o *wsproto.Offer)
		want   wsproto.Reason
	}{
		"of another job":    {func(c *wsproto.Checkpoint) { c.Job = "other" }, nil, wsproto.ReasonCheckpointJob},
		"of another tenant": {func(c *wsproto.Checkpoint) { c.Tenant = "other" }, nil, wsproto.ReasonCheckpointJob},
		"of another order":  {func(c *wsproto.Checkpoint) { c.OrderDigest = make([]byte, 32) }, nil, wsproto.ReasonCheckpointOrder},
		"with another account": {
			func(c *wsproto.Checkpoint) { c.Account = "other" }, nil, wsproto.ReasonCheckpointAccount,
		},
		"changed": {nil, func(_ *script, _ before, o *wsproto.Offer) { o.Checkpoint.RequestID++ }, wsproto.ReasonCheckpointSignature},
		"of a stranger, for the former key": {nil, func(s *script, _ before, o *wsproto.Offer) {
			*o, _ = s.formerOffer(1, before{identity: stranger}, nil)
		}, wsproto.ReasonCheckpointMaker},
		"for a key that nobody has": {nil, func(s *script, old before, o *wsproto.Offer) {
			o.Checkpoint = s.reseal(*o.Checkpoint, old.identity, newBox(t).PublicKey())
		}, wsproto.ReasonCheckpointSealed},
		"the former part under another name": {nil, func(_ *script, _ before, o *wsproto.Offer) {
			o.Checkpoint.Sealed[0].Key = make([]byte, 32)
		}, wsproto.ReasonCheckpointSignature},
	} {
		t.Run(name, func(t *testing.T) {
			var old before
			prepare := func(s *script) {
				_, old = s.rotated(filepath.Join(t.TempDir(), "identity"))
				s.needs(old.box)
			}
			scripted(t, prepare, func(s *script, l *line) {
				o, _ := s.formerOffer(1, old, test.change)
				if test.spoil != nil {
					test.spoil(s, old, &o)
				}
				r := l.offer(o)
				assert.Equal(t, wsproto.OfferRefused, r.Answer)
				assert.Equal(t, wsproto.RefusedElsewhere, r.Scope)
				assert.Equal(t, test.want, r.Reason)
			})
		})
	}
}

// TestSiblingKnowsTheFormerKey: a sibling that pins the old decryption key still makes checkpoints that are opened.
func TestSiblingKnowsTheFormerKey(t *testing.T) {
	sibling, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	box := newBox(t)
	var old before
	prepare := func(s *script) {
		_, old = s.rotated(filepath.Join(t.TempDir(), "identity"))
		s.needs(old.box)
		s.opts.Siblings = []connector.Sibling{{
			Name: "b", IdentityKey: spkiOf(t, sibling.Public()), DecryptionKey: spkiOf(t, box.PublicKey()),
		}}
	}
	scripted(t, prepare, func(s *script, l *line) {
		o, _ := s.formerOffer(1, before{identity: sibling}, nil)
		l.accept(o)
		f := l.next(wsproto.MethodFinish)
		assert.NotEmpty(t, f.finish().Outcome.Kind)
		f.recorded()
	})
}

// TestFormerRequestIsNotSubmittedAgain: whoever has got hold of the former identity key does not choose what is submitted.
func TestFormerRequestIsNotSubmittedAgain(t *testing.T) {
	order := anOrder()
	order.Resubmit = true
	var old before
	prepare := func(s *script) {
		_, old = s.rotated(filepath.Join(t.TempDir(), "identity"))
		s.needs(old.box)
	}
	scripted(t, prepare, func(s *script, l *line) {
		raw := s.jobOf(1, order).Order
		o, secret := s.formerOffer(1, old, func(c *wsproto.Checkpoint) {
			c.State, c.RequestID, c.OrderDigest = wsproto.CheckpointSubmitting, 0, wsproto.OrderDigest(raw)
		})
		o.Order = raw
		l.accept(o)
		c := l.next(wsproto.MethodCheckpoint)
		p := c.checkpoint()
		assert.NotEqual(t, o.Checkpoint.PublicKeyHash, p.Checkpoint.PublicKeyHash, "another key")
		assert.WithinDuration(t, time.Now(), p.Checkpoint.Time, time.Minute)
		c.lease(time.Minute)
		f := l.next(wsproto.MethodFinish)
		assert.Equal(t, wsproto.Issued, f.finish().Outcome.Kind)
		f.recorded()
		assert.NotEqual(t, secret.Request, s.ca.rows[0].request)
	})
}

func TestConfigOfRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	for want, spoil := range map[string]func(s *script){
		"rotation: wsproto": func(s *script) { s.cfg.Tenant = "other" },
		"former decryption": func(s *script) { s.opts.Former[0].Decryption = newBox(t) },
		"former identity":   func(s *script) { s.opts.Former[0].IdentityKey = []byte("x") },
		"more than 16":      func(s *script) { s.opts.Former = make([]connector.FormerKeys, 17) },
	} {
		s := newScript(t)
		s.rotated(filepath.Join(dir, want))
		s.cfg.Options = &s.opts
		_, err := connector.New(s.cfg)
		require.NoError(t, err)
		spoil(s)
		_, err = connector.New(s.cfg)
		require.ErrorContains(t, err, want)
	}
}
