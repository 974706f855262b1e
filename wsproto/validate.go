package wsproto

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adcskit/adcskit/internal/envelope"
	"github.com/adcskit/adcskit/internal/sealedbundle"
)

// ErrBounds says that a member of a message is missing, or outside the bounds of PROTOCOL.md.
var ErrBounds = errors.New("wsproto: member out of bounds")

// check collects the first violation of a message.
type check struct{ err error }

func (c *check) that(ok bool, member string) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrBounds, member)
	}
}

func (c *check) text(s string, least, most int, member string) {
	c.that(len(s) >= least && len(s) <= most, member)
}

func (c *check) bytes(b []byte, least, most int, member string) {
	c.that(len(b) >= least && len(b) <= most, member)
}

func (c *check) number(n, least, most int64, member string) {
	c.that(n >= least && n <= most, member)
}

func (c *check) names(names []string, member string) {
	c.that(len(names) <= MaxNames, member)
	for _, name := range names {
		c.text(name, 1, maxSubject, member)
	}
}

func (c *check) ca(a CAAssignment, member string) {
	c.text(a.Host, 1, maxName, member+".host")
	c.text(a.Name, 1, maxName, member+".name")
}

// Validate checks the bounds of a hello, and that both keys are P-256 keys and not the same.
func (h *Hello) Validate() error {
	var c check
	c.that(len(h.Versions) > 0 && len(h.Versions) <= 16, "versions")
	c.text(h.Instance, 1, maxID, "instance")
	c.bytes(h.Nonce, nonceSize, nonceSize, "nonce")
	c.number(int64(h.Capacity), 1, maxCapacity, "capacity")
	c.text(h.Host, 0, maxName, "host")
	c.text(h.OS, 0, maxName, "os")
	c.text(h.Software, 0, maxName, "software")
	if c.err != nil {
		return c.err
	}
	if _, err := ParsePublicKey(h.IdentityKey); err != nil {
		return fmt.Errorf("%w: identityKey", ErrBounds)
	}
	if _, err := ParsePublicKey(h.DecryptionKey); err != nil {
		return fmt.Errorf("%w: decryptionKey", ErrBounds)
	}
	c.that(!slices.Equal(h.IdentityKey, h.DecryptionKey), "decryptionKey")
	if c.err != nil {
		return c.err
	}
	return h.checkRotation()
}

// Validate checks the bounds of an answer to a hello.
func (s *SignedChallenge) Validate() error {
	var c check
	c.bytes(s.Challenge, 2, maxChallenge, "challenge")
	c.bytes(s.Signature, 8, maxSignature, "signature")
	return c.err
}

// Validate checks the bounds of a challenge.
func (ch *Challenge) Validate() error {
	var c check
	c.text(ch.Session, 1, maxID, "session")
	c.bytes(ch.Nonce, nonceSize, nonceSize, "nonce")
	c.bytes(ch.TenantKey, 1, maxSPKI, "tenantKey")
	c.number(int64(ch.Limits.MaxMessageBytes), 64<<10, 64<<20, "limits.maxMessageBytes")
	c.number(ch.Limits.HeartbeatMS, 1000, 10*60*1000, "limits.heartbeatMs")
	c.number(ch.Limits.RPCDeadlineMS, 1000, 60*60*1000, "limits.rpcDeadlineMs")
	c.bytes(ch.Credentials, 0, MaxAttestation, "credentials")
	return c.err
}

// Validate checks the bounds of a proof.
func (a *Authenticate) Validate() error {
	var c check
	c.bytes(a.Signature, 8, maxSignature, "signature")
	if a.Enrollment != nil {
		c.text(a.Enrollment.ID, 1, maxID, "enrollment.id")
		c.bytes(a.Enrollment.MAC, hashSize, hashSize, "enrollment.mac")
	}
	c.bytes(a.Activation, 0, MaxAttestation, "activation")
	return c.err
}

// Validate checks the bounds of a registration's state.
func (s *State) Validate() error {
	var c check
	c.that(s.State == StatePending || s.State == StateActive || s.State == StateRevoked, "state")
	c.text(s.Connector, 0, maxID, "connector")
	c.text(s.RegistrationURL, 0, 2048, "registrationUrl")
	c.that(len(s.FormerKeys) <= MaxFormerKeys, "formerKeys")
	for _, k := range s.FormerKeys {
		c.bytes(k, hashSize, hashSize, "formerKeys")
	}
	return c.err
}

// Validate checks the bounds of a configuration.
func (m *Configure) Validate() error {
	var c check
	c.number(m.Revision, 0, maxMillis, "revision")
	c.that(len(m.CAs) <= MaxCAs, "cas")
	for _, a := range m.CAs {
		c.ca(a, "cas")
	}
	return c.err
}

// Validate checks the bounds of an offer, its checkpoint included. The order is checked by [DecodeOrder].
func (o *Offer) Validate() error {
	var c check
	c.text(o.Job, 1, maxID, "job")
	c.number(o.Attempt, 1, maxMillis, "attempt")
	c.number(o.TimeLeftMS, 0, maxMillis, "timeLeftMs")
	c.bytes(o.Order, 2, maxOrder, "order")
	c.text(o.Traceparent, 0, maxName, "traceparent")
	if c.err == nil && o.Checkpoint != nil {
		return o.Checkpoint.Validate()
	}
	return c.err
}

// Validate checks the bounds of an answer to an offer.
func (r *OfferResult) Validate() error {
	var c check
	c.that(r.Answer == OfferAccepted || r.Answer == OfferBusy || r.Answer == OfferRefused, "answer")
	c.that(r.Scope == "" || r.Scope == RefusedElsewhere || r.Scope == RefusedNever, "scope")
	c.that(r.Answer != OfferRefused || r.Scope != "", "scope")
	c.text(string(r.Reason), 0, maxKind, "reason")
	c.text(r.Message, 0, MaxText, "message")
	c.number(r.RetryAfterMS, 0, maxMillis, "retryAfterMs")
	return c.err
}

// Validate checks the bounds of an order, and that the key of a recipient can be encrypted to; not its sense.
func (o *Order) Validate() error {
	var c check
	c.ca(o.CA, "ca")
	c.text(o.Template, 1, maxName, "template")
	c.text(o.SubjectSource, 0, maxKind, "subjectSource")
	c.text(o.Subject, 0, maxSubject, "subject")
	for _, list := range []struct {
		names  []string
		member string
	}{{o.DNS, "dns"}, {o.Email, "email"}, {o.URI, "uri"}, {o.IP, "ip"}, {o.UPN, "upn"}, {o.Critical, "critical"}} {
		c.names(list.names, list.member)
	}
	c.text(o.SID, 0, maxName, "sid")
	c.text(o.SIDForm, 0, maxKind, "sidForm")
	c.text(o.Key, 1, maxKind, "key")
	c.text(o.Profile, 0, maxKind, "profile")
	c.text(o.Password, 0, maxName, "password")
	if r := o.Recipient; r != nil {
		c.text(r.ID, 1, maxName, "recipient.id")
		c.that(len(r.Signature) == 0 || len(r.Signature) >= 8 && len(r.Signature) <= maxSignature, "recipient.signature")
		if _, err := ParseRecipientKey(r.Key); err != nil && c.err == nil {
			c.err = fmt.Errorf("%w: recipient.key: %w", ErrBounds, err)
		}
	}
	return c.err
}

// Validate checks the bounds of a checkpoint, not its signature.
func (p *Checkpoint) Validate() error {
	var c check
	c.that(p.State == CheckpointSubmitting && p.RequestID == 0 || p.State == CheckpointPending && p.RequestID != 0,
		"checkpoint.state")
	c.ca(p.CA, "checkpoint.ca")
	c.text(p.Account, 1, maxName, "checkpoint.account")
	c.bytes(p.PublicKeyHash, hashSize, hashSize, "checkpoint.publicKeyHash")
	year := p.Time.UTC().Year()
	c.that(p.Time.Equal(p.Time.Truncate(time.Second)) && year >= 2000 && year <= 9999, "checkpoint.time")
	c.text(p.Tenant, 1, maxName, "checkpoint.tenant")
	c.text(p.Job, 1, maxID, "checkpoint.job")
	c.number(p.Attempt, 1, maxMillis, "checkpoint.attempt")
	c.number(p.Sequence, 1, maxMillis, "checkpoint.sequence")
	c.bytes(p.OrderDigest, hashSize, hashSize, "checkpoint.orderDigest")
	c.bytes(p.Maker, hashSize, hashSize, "checkpoint.maker")
	c.bytes(p.Signature, 8, maxSignature, "checkpoint.signature")
	c.that(len(p.Sealed) > 0 && len(p.Sealed) <= MaxSealedParts, "checkpoint.sealed")
	for _, part := range p.Sealed {
		c.bytes(part.Key, hashSize, hashSize, "checkpoint.sealed.key")
		c.bytes(part.Encapsulation, envelope.EncapsulationSize, envelope.EncapsulationSize, "checkpoint.sealed.enc")
		c.bytes(part.Ciphertext, envelope.Overhead, maxSealed, "checkpoint.sealed.ciphertext")
	}
	return c.err
}

// Validate checks the bounds of a checkpoint message, and that it names what its checkpoint names.
func (p *CheckpointParams) Validate() error {
	if err := p.Checkpoint.Validate(); err != nil {
		return err
	}
	var c check
	c.that(p.Job == p.Checkpoint.Job, "job")
	c.that(p.Attempt == p.Checkpoint.Attempt, "attempt")
	c.that(p.Sequence == p.Checkpoint.Sequence, "sequence")
	return c.err
}

// Validate checks the bounds of the answer to a checkpoint.
func (a *CheckpointAck) Validate() error {
	var c check
	c.number(a.LeaseMS, 0, 24*60*60*1000, "leaseMs")
	return c.err
}

// Validate checks the bounds of a finish.
func (p *FinishParams) Validate() error {
	var c check
	c.text(p.Job, 1, maxID, "job")
	c.number(p.Attempt, 1, maxMillis, "attempt")
	c.number(p.Sequence, 1, maxMillis, "sequence")
	if c.err != nil {
		return c.err
	}
	return p.Outcome.Validate()
}

// OutcomeKinds lists the outcomes, as PROTOCOL.md does.
func OutcomeKinds() []OutcomeKind {
	return []OutcomeKind{Issued, Pending, Denied, Failed, Rejected, Unknown, Cancelled, Expired, Lost}
}

// Validate checks the bounds of an outcome, and that it holds what its kind requires: an issued one a serial, a
// thumbprint and a bundle, a pending one a request id. It does not look into a sealed bundle.
func (o *Outcome) Validate() error {
	var c check
	c.that(slices.Contains(OutcomeKinds(), o.Kind), "outcome.kind")
	c.text(string(o.Reason), 0, maxKind, "outcome.reason")
	c.that(o.Retry == "" || o.Retry == RetryNever || o.Retry == RetryAfter || o.Retry == RetryOperator, "outcome.retry")
	c.number(o.RetryAfterMS, 0, maxMillis, "outcome.retryAfterMs")
	c.text(o.Message, 0, MaxText, "outcome.message")
	c.that(len(o.Serial) <= maxID && isHex(o.Serial), "outcome.serial")
	c.that(len(o.Thumbprint) == 0 || len(o.Thumbprint) == hashSize, "outcome.thumbprint")
	c.that(len(o.PublicKeyHash) == 0 || len(o.PublicKeyHash) == hashSize, "outcome.publicKeyHash")
	c.that(len(o.TimingsMS) <= maxTimings, "outcome.timingsMs")
	for name, ms := range o.TimingsMS {
		c.text(name, 1, maxKind, "outcome.timingsMs")
		c.number(ms, 0, maxMillis, "outcome.timingsMs")
	}
	c.text(o.Traceparent, 0, maxName, "outcome.traceparent")
	c.that(len(o.Sealed) == 0 || o.Sealed[0] == '{' && len(o.Sealed) <= sealedbundle.MaxText, "outcome.sealed")
	switch o.Kind {
	case Issued:
		c.that(o.Serial != "", "outcome.serial")
		c.that(len(o.Thumbprint) == hashSize, "outcome.thumbprint")
		c.that((len(o.PKCS12) > 0) != (len(o.Sealed) > 0), "outcome.pkcs12")
	case Pending:
		c.that(o.RequestID != 0, "outcome.requestId")
		fallthrough
	default:
		c.that(len(o.PKCS12) == 0 && len(o.Sealed) == 0, "outcome.pkcs12")
	}
	return c.err
}

func isHex(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

// Validate checks the bounds of a cancellation.
func (m *Cancel) Validate() error {
	var c check
	c.text(m.Job, 1, maxID, "job")
	c.number(m.Attempt, 1, maxMillis, "attempt")
	return c.err
}

// Validate checks the bounds of a status.
func (m *Status) Validate() error {
	var c check
	c.number(int64(m.InFlight), 0, maxCapacity, "inFlight")
	c.that(len(m.CAs) <= MaxCAs, "cas")
	for _, h := range m.CAs {
		c.ca(h.CA, "cas.ca")
		c.text(string(h.Reason), 0, maxKind, "cas.reason")
		c.text(h.Message, 0, MaxText, "cas.message")
	}
	return c.err
}

// Validate checks the bounds of a drain.
func (m *Drain) Validate() error {
	var c check
	c.text(m.Reason, 0, MaxText, "reason")
	c.number(m.DeadlineMS, 0, maxMillis, "deadlineMs")
	return c.err
}
