package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/wsproto"
)

// The levels at which keys of a connector can be attested.
const (
	// LevelVerified: both keys are in a TPM that its manufacturer, or a list of the tenant's, vouches for.
	LevelVerified = "tpm-verified"
	// LevelUnverified: both keys are in something that behaves like a TPM. Software can pretend to be one.
	LevelUnverified = "tpm-unverified"
	// LevelSoftware: nothing but its own word says where its keys are.
	LevelSoftware = "software"
)

// An AttestationVerifier looks at the evidence of connectors about their keys. A Verifier of the package tpm is one; it
// runs without a TPM.
//
// Challenge is called for evidence that is not known yet, with the identity and the decryption key of the hello
// (SubjectPublicKeyInfo). Nothing has been proved by then: whoever connects can send anything, up to [wsproto.MaxHello]
// bytes. It returns what the connector has to prove, a JSON text of at most [wsproto.MaxAttestation] bytes (nil if
// nothing has to be), and verify, which takes the connector's answer and returns LevelVerified, LevelUnverified
// or LevelSoftware, and a detail for people. verify is called once at most, and not at all if the connection ends before.
//
// An error that has, or wraps one that has, the method
//
//	Refusal() string
//
// says that the evidence is a lie, whatever the policy: the connector is refused, and it and people are told that text,
// which must hold no secrets. Any other error is a failure of the verifier: it goes to Config.OnError, the connector is
// told to try again later, and nothing is accepted meanwhile.
//
// Both functions are called on a goroutine of their own, at most 16 at a time in a gateway, and neither [Gateway.Close] nor
// anybody else waits for one longer than Timing.Attestation; a panic counts like a failure. evidence and activation
// share memory with the message, and must not be changed.
type AttestationVerifier interface {
	Challenge(ctx context.Context, tenant string, evidence json.RawMessage, identityKey, decryptionKey []byte) (
		credentials json.RawMessage, verify func(activation json.RawMessage) (level, detail string, err error), err error)
}

// AttestationPolicy says which level the connectors of a tenant must have.
type AttestationPolicy string

// The policies. The empty one is AttestationAny; one that is not known here demands LevelVerified.
const (
	AttestationAny      AttestationPolicy = "any"
	AttestationTPM      AttestationPolicy = "tpm" // LevelUnverified or LevelVerified
	AttestationVerified AttestationPolicy = "tpm-verified"
)

// Ranks of levels.
const (
	rankSoftware = iota
	rankUnverified
	rankVerified
)

// least is the rank that a policy demands.
func (p AttestationPolicy) least() int {
	switch p {
	case "", AttestationAny:
		return rankSoftware
	case AttestationTPM:
		return rankUnverified
	}
	return rankVerified
}

// rank orders levels. What is not known proves nothing.
func rank(level string) int {
	switch level {
	case LevelVerified:
		return rankVerified
	case LevelUnverified:
		return rankUnverified
	}
	return rankSoftware
}

// least is the rank that the connectors of a tenant must have now.
func (g *Gateway) least(tenant string) int {
	if g.cfg.Attestation == nil {
		return rankSoftware
	}
	return g.cfg.Attestation(tenant).least()
}

// maxVerifications bounds the calls of the verifier that have not returned.
const maxVerifications = 16

// failedVerifier says that the verifier failed, not the evidence.
func failedVerifier(err error) error {
	return fmt.Errorf("gateway: the attestation verifier failed: %w", err)
}

// verification is what a call of the verifier returned.
type verification struct {
	credentials   json.RawMessage
	verify        func(json.RawMessage) (string, string, error)
	level, detail string
	wrong         string // with the evidence; empty: nothing
	err           error  // the verifier's own failure
}

// consult calls the verifier on a goroutine that nobody waits for longer than Timing.Attestation: it is code of the
// embedder, and what it looks at comes from anybody.
func (g *Gateway) consult(ctx context.Context, f func(context.Context) verification) verification {
	ctx, cancel := context.WithTimeout(ctx, g.timing.Attestation)
	defer cancel()
	select {
	case g.verifying <- struct{}{}:
	case <-ctx.Done():
		return verification{err: fmt.Errorf("%d calls have not returned", maxVerifications)}
	}
	done := make(chan verification, 1)
	go func() {
		defer func() {
			<-g.verifying
			if p := recover(); p != nil {
				done <- verification{err: fmt.Errorf("panic: %v", p)}
			}
		}()
		done <- f(ctx)
	}()
	select {
	case v := <-done:
		if refusal, ok := errors.AsType[interface {
			error
			Refusal() string
		}](v.err); ok {
			v.err, v.wrong = nil, refusal.Refusal()
		}
		return v
	case <-ctx.Done():
		return verification{err: fmt.Errorf("no answer in time: %w", ctx.Err())}
	}
}

// attestation is what a connection has shown of the keys of its hello.
type attestation struct {
	evidence []byte // SHA-256 of it; empty: there was none, or nobody here can read it
	verify   func(json.RawMessage) (string, string, error)
	wrong    string // what is wrong with the evidence; the connector is told after its proof
	level    string // proved on this connection; empty: nothing was
	detail   string
}

// askProof returns the credentials to put into the challenge: none, if the evidence of the hello is known already, or
// cannot be read. An error says that nothing can be found out now.
func (s *session) askProof(ctx context.Context, hello *wsproto.Hello) (json.RawMessage, error) {
	verifier, a := s.g.cfg.AttestationVerifier, &s.handshake.attestation
	if verifier == nil || len(hello.Attestation) == 0 {
		return nil, nil
	}
	sum := sha256.Sum256(hello.Attestation)
	a.evidence = sum[:]
	c, err := s.g.cfg.Store.Connector(ctx, s.tenant, wsproto.FingerprintSPKI(hello.IdentityKey).String())
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return nil, err
	case err == nil && c.State == wsproto.StateRevoked:
		return nil, nil
	case err == nil && s.proved(c, hello) && rank(c.Attestation) >= s.g.least(s.tenant):
		return nil, nil
	case !s.mayTry():
		a.wrong = "too much of it was wrong; wait a minute"
		return nil, nil
	}
	v := s.g.consult(ctx, func(ctx context.Context) (v verification) {
		v.credentials, v.verify, v.err = verifier.Challenge(
			ctx, s.tenant, hello.Attestation, hello.IdentityKey, hello.DecryptionKey)
		return v
	})
	switch {
	case v.err != nil:
		return nil, failedVerifier(v.err)
	case v.wrong != "":
		a.wrong = v.wrong // the proof comes first: anybody can send a hello with somebody else's key
		return nil, nil
	case v.verify == nil, len(v.credentials) > wsproto.MaxAttestation, v.credentials != nil && !json.Valid(v.credentials):
		return nil, failedVerifier(errors.New("it returned no function, or credentials that are too long or no JSON"))
	}
	a.verify = v.verify
	return v.credentials, nil
}

// proved reports whether the record holds what these keys and this evidence have proved.
func (s *session) proved(c *Connector, hello *wsproto.Hello) bool {
	a := &s.handshake.attestation
	same := bytes.Equal(c.DecryptionKey, hello.DecryptionKey)
	return same && len(c.Evidence) > 0 && (len(a.evidence) == 0 || bytes.Equal(a.evidence, c.Evidence))
}

// takeProof has the verifier look at what the connector answered to the credentials.
func (s *session) takeProof(ctx context.Context, activation json.RawMessage) error {
	a := &s.handshake.attestation
	if a.wrong == "" && a.verify != nil {
		verify := a.verify
		v := s.g.consult(ctx, func(context.Context) (v verification) {
			v.level, v.detail, v.err = verify(activation)
			return v
		})
		switch {
		case v.err != nil:
			return failedVerifier(v.err)
		case v.wrong == "" && v.level != LevelSoftware && rank(v.level) == rankSoftware:
			return failedVerifier(fmt.Errorf("it returned the level %q, which there is not", clean(v.level)))
		}
		a.wrong, a.level, a.detail = v.wrong, v.level, clean(v.detail)
	}
	if a.wrong == "" {
		return nil
	}
	text := "the evidence about the keys is refused: " + clean(a.wrong)
	if s.mayTry() {
		s.failed()
		s.alarmAttestation(s.fingerprint(), text)
	}
	return attestationRefused(text)
}

// fingerprint is the id of the connector that the hello names.
func (s *session) fingerprint() string {
	return wsproto.FingerprintSPKI(s.handshake.hello.IdentityKey).String()
}

func attestationRefused(text string) error {
	return &refusedError{wsproto.CodeAttestation, wsproto.CloseAttestation, text}
}

func (s *session) alarmAttestation(connector, text string) {
	s.g.alarm(Alarm{Tenant: s.tenant, Connector: connector, Kind: AlarmAttestation, Source: s.source, Message: text})
}

// rate writes into the record what is proved of the keys of the hello, and refuses what is less than it must be. It
// returns the alarms to raise when the record is written.
func (s *session) rate(c *Connector) ([]Alarm, error) {
	hello, a := &s.handshake.hello, &s.handshake.attestation
	before, known := rank(c.Attestation), c.Version != 0
	switch {
	case a.level != "":
		c.Attestation, c.AttestationDetail, c.Evidence = a.level, a.detail, a.evidence
	case known && s.proved(c, hello):
	case len(a.evidence) > 0:
		// When the hello came, the record said that nothing had to be proved.
		return nil, &refusedError{
			wsproto.CodeUnavailable, wsproto.CloseUnavailable, "the registration was changed; connect again",
		}
	default:
		c.Attestation, c.AttestationDetail, c.Evidence = LevelSoftware, "", nil
		if len(hello.Attestation) > 0 {
			c.AttestationDetail = "this gateway cannot read the evidence"
		}
	}
	now, least := rank(c.Attestation), s.g.least(s.tenant)
	var alarms []Alarm
	if known && now < before {
		if !bytes.Equal(c.DecryptionKey, hello.DecryptionKey) {
			text := "another decryption key under an attested identity key, and no proof that it is in the same hardware"
			s.alarmAttestation(c.ID, text)
			return nil, attestationRefused(text)
		}
		alarms = append(alarms, Alarm{
			Tenant: s.tenant, Connector: c.ID, Kind: AlarmAttestation, Source: s.source,
			Message: "its keys are now attested as " + c.Attestation + ": " + c.AttestationDetail,
		})
	}
	if now < least {
		text := s.g.tooLow(c)
		if known {
			s.alarmAttestation(c.ID, text)
		}
		return nil, attestationRefused(text)
	}
	return alarms, nil
}

// tooLow says that a connector has not the level that its tenant asks for.
func (g *Gateway) tooLow(c *Connector) string {
	text := fmt.Sprintf("this tenant asks for keys of the level %q; those of this connector are %q",
		g.cfg.Attestation(c.Tenant), c.Attestation)
	if c.AttestationDetail != "" {
		text += ": " + c.AttestationDetail
	}
	return clean(text)
}
