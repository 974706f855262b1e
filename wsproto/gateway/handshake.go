package gateway

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/adcskit/adcskit/wsproto"
)

// handshake is how far a connection has come.
type handshake struct {
	greeted chan struct{} // closed when the challenge is on its way
	proved  chan struct{} // closed when the connector has proved its key

	mu       sync.Mutex
	step     step
	hello    wsproto.Hello
	binding  wsproto.Binding
	identity *ecdsa.PublicKey
	// attestation is written before greeted is closed, and belongs to the goroutine of the proof then.
	attestation attestation
	counted     bool // it does not count as a handshake any more
}

type step int

const (
	awaitHello step = iota
	awaitProof
	proving // the proof is being looked at; there is no second try on a connection
	proved
)

func randomName() string {
	var b [16]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// clean makes text of a connector fit to be stored and shown: bounded, without control characters.
func clean(s string) string {
	if len(s) > wsproto.MaxText {
		s = s[:wsproto.MaxText]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// advance moves from one step to the next.
func (h *handshake) advance(from, to step) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.step != from {
		return false
	}
	h.step = to
	return true
}

// isProved reports whether the connector has proved its key.
func (h *handshake) isProved() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.step == proved
}

// finish takes the connection out of the count of handshakes.
func (h *handshake) finish(g *Gateway, tenant string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.counted {
		return
	}
	h.counted = true
	g.handshaken(tenant)
}

// handshaken takes a connection out of the count of handshakes, which admit put it into.
func (g *Gateway) handshaken(tenant string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tenants[tenant].handshakes--
}

// failure answers and closes.
func failure(code wsproto.ErrorCode, closing wsproto.CloseCode, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wsproto.CloseAfter(wsproto.Errorf(code, "%s", text), closing, text)
}

// hello answers session.hello with a challenge.
func (s *session) hello(ctx context.Context, r *wsproto.Request) (any, error) {
	h := &s.handshake
	if !h.advance(awaitHello, awaitProof) {
		return nil, failure(wsproto.CodeInvalidRequest, wsproto.CloseMalformed, "a second hello")
	}
	if len(r.Params) > wsproto.MaxHello {
		return nil, failure(wsproto.CodeLimit, wsproto.CloseTooBig, "a hello has at most %d bytes", wsproto.MaxHello)
	}
	r.Params = bytes.Clone(r.Params) // they stay, the message around them does not
	var hello wsproto.Hello
	if err := r.Decode(&hello); err != nil {
		return nil, wsproto.CloseAfter(err, wsproto.CloseMalformed, "malformed hello")
	}
	if !slices.Contains(hello.Versions, wsproto.Version) {
		return nil, failure(wsproto.CodeVersion, wsproto.CloseVersion, "this gateway speaks version %d only", wsproto.Version)
	}
	identity, err := wsproto.ParsePublicKey(hello.IdentityKey)
	if err != nil {
		return nil, failure(wsproto.CodeInvalidParams, wsproto.CloseMalformed, "the identity key is not a P-256 key")
	}
	credentials, err := s.askProof(ctx, &hello)
	if err != nil {
		s.g.report(fmt.Errorf("gateway: looking at the evidence of a connector: %w", err))
		return nil, failure(wsproto.CodeUnavailable, wsproto.CloseUnavailable, "the evidence cannot be looked at now")
	}
	signed, binding, err := s.challenge(ctx, r.Params, credentials, false)
	if err != nil {
		s.g.report(err)
		return nil, failure(wsproto.CodeUnavailable, wsproto.CloseUnavailable, "no challenge can be made now")
	}
	h.mu.Lock()
	h.hello, h.binding, h.identity = hello, *binding, identity
	h.mu.Unlock()
	close(h.greeted)
	return signed, nil
}

// challenge makes the tenant's half of the handshake for the exact bytes of a hello.
func (s *session) challenge(ctx context.Context, hello []byte, credentials json.RawMessage, again bool) (
	*wsproto.SignedChallenge, *wsproto.Binding, error) {
	key, err := s.g.tenantKey(ctx, s.tenant)
	if err != nil {
		return nil, nil, err
	}
	public, err := wsproto.MarshalPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("gateway: the key of the tenant: %w", err)
	}
	nonce := make([]byte, 32)
	rand.Read(nonce) // never fails since Go 1.24
	text, err := wsproto.EncodeChallenge(wsproto.Challenge{
		Version: wsproto.Version, Session: s.name, Nonce: nonce, TenantKey: public,
		Limits: wsproto.Limits{
			MaxMessageBytes: s.g.limits.MessageBytes,
			HeartbeatMS:     s.g.timing.Heartbeat.Milliseconds(),
			RPCDeadlineMS:   s.g.timing.RPCDeadline.Milliseconds(),
		},
		Credentials: credentials,
	})
	if err != nil {
		return nil, nil, err
	}
	b := wsproto.Binding{Tenant: s.tenant, Authority: s.g.cfg.Authority, Hello: hello, Challenge: text, Again: again}
	signature, err := wsproto.SignChallenge(key, b)
	if err != nil {
		return nil, nil, err
	}
	return &wsproto.SignedChallenge{Challenge: text, Signature: signature}, &b, nil
}

// authenticate checks the connector's proof and answers with the state of its registration.
func (s *session) authenticate(ctx context.Context, r *wsproto.Request) (any, error) {
	h := &s.handshake
	if !h.advance(awaitProof, proving) {
		return nil, failure(wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "no challenge awaits an answer")
	}
	select {
	case <-h.greeted:
	default: // sent without waiting for the challenge
		return nil, failure(wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "no challenge awaits an answer")
	}
	var proof wsproto.Authenticate
	if err := r.Decode(&proof); err != nil {
		return nil, wsproto.CloseAfter(err, wsproto.CloseMalformed, "malformed authentication")
	}
	if wsproto.VerifyAuthenticate(h.hello.IdentityKey, h.binding, proof.Signature) != nil {
		return nil, failure(wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "the signature does not verify")
	}
	if err := s.takeProof(ctx, proof.Activation); err != nil {
		return nil, s.refusal(err)
	}
	c, err := s.register(ctx, proof.Enrollment)
	if err != nil {
		return nil, s.refusal(err)
	}
	if err := s.attach(ctx, c); err != nil {
		return nil, s.refusal(err)
	}
	s.came(c)
	state := wsproto.State{State: c.State, Connector: c.ID, FormerKeys: c.formerKeys()}
	if c.State == wsproto.StatePending && s.g.cfg.RegistrationURL != nil {
		state.RegistrationURL = s.g.cfg.RegistrationURL(s.tenant, c.ID)
	}
	h.advance(proving, proved)
	h.finish(s.g, s.tenant)
	close(h.proved)
	return state, nil
}

// reauthenticate has the connector prove its key again in a long session, and ends the session if it does not.
func (s *session) reauthenticate(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.g.timing.Authenticate)
	defer cancel()
	signed, binding, err := s.challenge(ctx, s.handshake.binding.Hello, nil, true)
	if err != nil {
		s.g.report(err)
		return // the tenant's failure, not the connector's
	}
	var proof wsproto.Authenticate
	if err := s.call(ctx, wsproto.MethodReauthenticate, signed, &proof); err != nil {
		s.peer.Close(wsproto.CloseNotAuthenticated, "no new proof in time")
		return
	}
	if wsproto.VerifyAuthenticate(s.handshake.hello.IdentityKey, *binding, proof.Signature) != nil {
		s.peer.Close(wsproto.CloseNotAuthenticated, "the new proof does not verify")
	}
}

// refusal turns an error of register into an answer. Errors of the store are for the operator, not for the connector.
func (s *session) refusal(err error) error {
	var refused *refusedError
	if errors.As(err, &refused) {
		hello := &s.handshake.hello
		s.g.tellConnector(ConnectorEvent{
			Kind: ConnectorRefused, Tenant: s.tenant, Connector: wsproto.FingerprintSPKI(hello.IdentityKey).String(),
			Host: clean(hello.Host), Source: s.source, Message: refused.text,
		})
		return failure(refused.code, refused.closing, "%s", refused.text)
	}
	s.g.report(fmt.Errorf("gateway: registering a connector: %w", err))
	return failure(wsproto.CodeUnavailable, wsproto.CloseUnavailable, "the registration cannot be looked up now")
}

// refusedError is a refusal that the connector is told.
type refusedError struct {
	code    wsproto.ErrorCode
	closing wsproto.CloseCode
	text    string
}

func (e *refusedError) Error() string { return "gateway: refused: " + e.text }
