package connector

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

const (
	// handshakeTimeout bounds hello and authentication together.
	handshakeTimeout = 30 * time.Second
	// closeWait is how long the close code is waited for that follows a refusing answer.
	closeWait = 2 * time.Second
	// maxRPCDeadline bounds what a tenant can grant.
	maxRPCDeadline = time.Hour
	nonceSize      = 32
)

var errRegister = errors.New("connector: the registration could not be stored")

// describe fills in what every hello says.
func (c *Connector) describe() (wsproto.Hello, error) {
	identity, err := wsproto.MarshalPublicKey(c.cfg.Identity.Public())
	if err != nil {
		return wsproto.Hello{}, err
	}
	decryption, err := wsproto.MarshalPublicKey(c.cfg.Decryption.PublicKey())
	if err != nil {
		return wsproto.Hello{}, err
	}
	hello := wsproto.Hello{
		Versions: []int{wsproto.Version}, Instance: c.cfg.Instance, IdentityKey: identity, DecryptionKey: decryption,
		Capacity: c.opts.Capacity, OS: runtime.GOOS + "/" + runtime.GOARCH, Software: software(), Rotation: c.opts.Rotation,
	}
	if c.opts.Rotation != nil {
		err = wsproto.VerifyRotation(c.cfg.Tenant, &hello)
	}
	if err != nil {
		return wsproto.Hello{}, fmt.Errorf("connector: configuration: rotation: %w", err)
	}
	return hello, nil
}

// software names this module and its version, as the build knows it.
func software() string {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == "github.com/adcskit/adcskit" && m.Version != "" {
				version = m.Version
			}
		}
	}
	return "adcskit/" + version
}

// open connects and proves both sides to each other. The session runs when open returns without an error.
func (c *Connector) open(ctx, life context.Context) (*session, error) {
	evidence, err := c.evidence(ctx)
	if err != nil {
		return nil, err
	}
	t, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := newSession(c, life)
	s.peer = wsproto.NewPeer(t, s.handle, nil)
	go func() {
		defer close(s.done)
		s.end = s.peer.Run(ctx)
		c.link.detach(s)
	}()
	if err := s.handshake(ctx, evidence); err != nil {
		s.refuse(err)
		return nil, s.why(err)
	}
	return s, nil
}

// handshake is hello, challenge, authenticate.
func (s *session) handshake(ctx context.Context, evidence json.RawMessage) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	hello := s.c.hello
	hello.Nonce = make([]byte, nonceSize)
	rand.Read(hello.Nonce) // never fails, see crypto/rand
	hello.Host, _ = os.Hostname()
	hello.Attestation = evidence
	if s.c.registered.Load() {
		hello.Rotation = nil // acknowledged
	}
	raw, err := wsproto.EncodeHello(hello)
	if err != nil {
		return err
	}
	s.binding = wsproto.Binding{Tenant: s.c.cfg.Tenant, Authority: s.c.opts.Authority, Hello: raw}
	var signed wsproto.SignedChallenge
	if err := s.peer.Call(ctx, wsproto.MethodHello, raw, &signed); err != nil {
		return err
	}
	auth, err := s.prove(ctx, &signed, false)
	if err != nil {
		return err
	}
	var state wsproto.State
	if err := s.peer.Call(ctx, wsproto.MethodAuthenticate, auth, &state); err != nil {
		return err
	}
	return s.enter(&state)
}

// prove checks the tenant's proof and answers with this connector's. No key is used before the tenant has proved itself.
func (s *session) prove(ctx context.Context, signed *wsproto.SignedChallenge, again bool) (*wsproto.Authenticate, error) {
	b := s.binding
	b.Challenge, b.Again = signed.Challenge, again
	challenge, err := wsproto.VerifyChallenge(s.c.cfg.TenantKey, b, signed.Signature)
	if err != nil {
		return nil, err
	}
	if again {
		if challenge.Session != s.id {
			return nil, wsproto.ErrSignature // a proof for another session
		}
	} else {
		s.id, s.limits = challenge.Session, challenge.Limits
		s.peer.Apply(challenge.Limits)
	}
	auth := new(wsproto.Authenticate)
	if auth.Activation, err = s.c.activation(ctx, challenge.Credentials); err != nil {
		return nil, err
	}
	if auth.Signature, err = wsproto.SignAuthenticate(s.c.cfg.Identity, b); err != nil {
		return nil, err
	}
	if code := s.c.cfg.Enrollment; !again && !code.IsZero() && !s.c.registered.Load() {
		mac := code.MAC(b)
		auth.Enrollment = &mac
	}
	return auth, nil
}

// enter takes over the state of the registration.
func (s *session) enter(state *wsproto.State) error {
	switch state.State {
	case wsproto.StateActive:
		return s.activate(state, fingerprints(state.FormerKeys))
	case wsproto.StatePending:
		if err := s.c.opts.OnRegistered(Registration{TenantKey: s.c.cfg.TenantKey.String()}); err != nil {
			return fmt.Errorf("%w: %w", errRegister, err)
		}
		s.url = state.RegistrationURL
		close(s.ready)
		return nil
	}
	return wsproto.CodeRevoked
}

// activate stores the registration and opens the way for jobs. needed are the former decryption keys that are kept.
func (s *session) activate(state *wsproto.State, needed []wsproto.Fingerprint) error {
	r := Registration{TenantKey: s.c.cfg.TenantKey.String(), Connector: state.Connector}
	if err := s.c.opts.OnRegistered(r); err != nil {
		return fmt.Errorf("%w: %w", errRegister, err)
	}
	s.c.registered.Store(true)
	noted := s.c.acknowledged(needed)
	s.activeOnce.Do(func() {
		s.connector, s.since, s.noted = state.Connector, time.Now(), noted
		select {
		case <-s.ready:
		default:
			close(s.ready)
		}
		s.c.link.attach(s)
		close(s.active)
	})
	return nil
}

// refuse ends a session whose handshake failed.
func (s *session) refuse(err error) {
	if _, ok := errors.AsType[*wsproto.Error](err); ok {
		// The tenant refused; the close code that follows says what to do about it.
		timer := time.NewTimer(closeWait)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
		}
	}
	if isKeyFailure(err) {
		s.peer.Close(wsproto.CloseInternal, "the connector's key cannot be used now")
	} else {
		s.peer.Close(wsproto.CloseNotAuthenticated, "the handshake failed")
	}
	<-s.done
}

// why joins the reason of a failed handshake with the close code of the tenant, if it sent one.
func (s *session) why(err error) error {
	if end, ok := errors.AsType[*wsproto.CloseError](s.end); ok && end.Remote && !errors.Is(err, wsproto.ErrConnectionLost) {
		return errors.Join(err, end)
	}
	return err
}
