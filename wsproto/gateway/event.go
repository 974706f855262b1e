package gateway

import (
	"errors"

	"github.com/adcskit/adcskit/wsproto"
)

// ConnectorEvent tells that a connector came or went. It holds no secrets. Texts of the connector are bounded and without
// control characters.
type ConnectorEvent struct {
	Kind      ConnectorEventKind
	Tenant    string
	Connector string                 // id: the fingerprint of its identity key
	Host      string                 // what it calls itself
	Source    string                 // network address
	CAs       []wsproto.CAAssignment // assigned to it; none, and it gets no jobs
	Message   string                 // why it was refused, how the connection ended, whose keys it replaced; may be empty
	// Attestation and AttestationDetail are the level of its keys, as in ConnectorInfo; empty if it was refused.
	Attestation       string
	AttestationDetail string
}

// ConnectorEventKind says what happened.
type ConnectorEventKind string

// The events of a connector.
const (
	// ConnectorWaits: it is connected, and its registration waits for Approve or Reject.
	ConnectorWaits ConnectorEventKind = "waits"
	// ConnectorActive: it is connected and active. It comes after ConnectorWaits when it is approved meanwhile.
	ConnectorActive ConnectorEventKind = "active"
	// ConnectorRotated: its keys took the place of those of another connector, which is revoked. ConnectorActive follows.
	ConnectorRotated ConnectorEventKind = "rotated"
	// ConnectorRefused: it proved its key, and was refused: its enrollment code or its evidence is not valid, it is revoked,
	// or a copy, or its keys are of a lower level than the tenant asks for.
	ConnectorRefused ConnectorEventKind = "refused"
	// ConnectorGone: its connection has ended, and no newer one took over.
	ConnectorGone ConnectorEventKind = "gone"
)

// came tells that this session is its connector's now, or that the connector was approved.
func (s *session) came(c *Connector) {
	kind := ConnectorActive
	if c.State == wsproto.StatePending {
		kind = ConnectorWaits
	}
	s.g.tellConnector(ConnectorEvent{
		Kind: kind, Tenant: c.Tenant, Connector: c.ID, Host: c.Host, Source: s.source, CAs: c.CAs,
		Attestation: c.Attestation, AttestationDetail: c.AttestationDetail,
	})
}

// went tells that the connector has no connection any more.
func (s *session) went() {
	s.g.mu.Lock()
	e := ConnectorEvent{
		Kind: ConnectorGone, Tenant: s.tenant, Connector: s.id, Host: s.record.Host, Source: s.source, CAs: s.record.CAs,
		Attestation: s.record.Attestation, AttestationDetail: s.record.AttestationDetail,
	}
	s.g.mu.Unlock()
	if closed := new(wsproto.CloseError); errors.As(s.peer.Err(), &closed) {
		e.Message = clean(closed.Error())
	}
	s.g.tellConnector(e)
}

// health returns what the connector last said of its CAs, or what is given if it has said nothing in this session.
func (s *session) health(before []wsproto.CAHealth) []wsproto.CAHealth {
	s.g.mu.Lock()
	defer s.g.mu.Unlock()
	if s.status.CAs == nil {
		return before
	}
	return s.status.CAs
}
