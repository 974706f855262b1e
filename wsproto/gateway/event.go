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
	Message   string                 // why it was refused, or how the connection ended; may be empty
}

// ConnectorEventKind says what happened.
type ConnectorEventKind string

// The events of a connector.
const (
	// ConnectorWaits: it is connected, and its registration waits for Approve or Reject.
	ConnectorWaits ConnectorEventKind = "waits"
	// ConnectorActive: it is connected and active. It comes after ConnectorWaits when it is approved meanwhile.
	ConnectorActive ConnectorEventKind = "active"
	// ConnectorRefused: it proved its key, and was refused: its enrollment code is not valid, it is revoked, or a copy.
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
	})
}

// went tells that the connector has no connection any more.
func (s *session) went() {
	s.g.mu.Lock()
	e := ConnectorEvent{
		Kind: ConnectorGone, Tenant: s.tenant, Connector: s.id, Host: s.record.Host, Source: s.source, CAs: s.record.CAs,
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
