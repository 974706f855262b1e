package adcstest

import (
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/adcskit/adcskit/internal/rpc"
)

// handleBind answers a bind (C706 section 12.6.4.3) with a bind_ack or a bind_nak.
func (c *conn) handleBind(p *rpc.PDU) error {
	m, err := rpc.ParseBind(p)
	if err != nil || m.MaxXmit < rpc.MinFragment || m.MaxRecv < rpc.MinFragment {
		return c.nak(p.CallID, rpc.NakProtocolVersion)
	}
	group, ok := c.server.groups.join(m.AssocGroup, c.remote)
	if !ok {
		return c.nak(p.CallID, rpc.NakReasonNotSpecified)
	}
	c.group = group
	// One size for both directions, since some clients (impacket) read only one of the two fields.
	c.fragment = min(c.fragment, int(m.MaxXmit), int(m.MaxRecv))
	results, ok := c.negotiate(m.Contexts)
	if !ok {
		return c.nak(p.CallID, rpc.NakLocalLimitExceeded)
	}
	token, flags, refusal := c.authenticate(p)
	if refusal != nil {
		return c.nak(p.CallID, refusal.nak)
	}
	c.bound = true
	return c.acknowledge(p, rpc.TypeBindAck, flags, results, token)
}

// handleAlter answers an alter_context with an alter_context_resp or a fault.
func (c *conn) handleAlter(p *rpc.PDU) error {
	m, err := rpc.ParseBind(p)
	if err != nil {
		return c.protocolError(p.Header)
	}
	results, ok := c.negotiate(m.Contexts)
	if !ok {
		return c.nak(p.CallID, rpc.NakLocalLimitExceeded)
	}
	token, flags, refusal := c.authenticate(p)
	if refusal != nil {
		return c.hangUp(p.CallID, 0, refusal.status)
	}
	return c.acknowledge(p, rpc.TypeAlterResp, flags, results, token)
}

// handleAuth3 takes the last token of a logon with an odd number of legs. It is never answered: a failure shows on the
// first request (MS-RPCE section 3.3.1.5.2.1).
func (c *conn) handleAuth3(p *rpc.PDU) error {
	t, ok, err := p.Auth()
	if err != nil || !ok {
		return errCut
	}
	a := c.auths[t.ContextID]
	if a == nil || a.state != authPending || t.Type != a.security.Type || t.Level != a.asked {
		return errCut
	}
	reply, err := a.accept(t.Value)
	if err == nil && (a.state != authEstablished || len(reply) > 0 && t.Type == rpc.AuthNTLM) {
		a.state = authFailed // there was to be another leg, for which there is no PDU
	}
	return nil
}

// acknowledge sends a bind_ack or alter_context_resp, with the next token of a logon if there is one.
func (c *conn) acknowledge(p *rpc.PDU, t rpc.PacketType, flags rpc.Flags, results []rpc.Result, token *rpc.Auth) error {
	m := rpc.BindAck{
		MaxXmit: uint16(c.fragment), MaxRecv: uint16(c.fragment), AssocGroup: c.group, Results: results,
	}
	if t == rpc.TypeBindAck {
		m.SecondaryAddress = strconv.Itoa(int(c.port))
	}
	flags |= rpc.FlagFirst | rpc.FlagLast | p.Flags&rpc.FlagConcMpx
	b, err := rpc.Encode(rpc.Header{Type: t, Flags: flags, CallID: p.CallID}, m.Append(nil), token)
	if err != nil {
		return err
	}
	return c.write(b)
}

// negotiate answers a list of presentation contexts, one result for each (MS-RPCE sections 3.3.1.5.3 and 3.3.1.5.6).
// It is false if the connection would have too many of them.
func (c *conn) negotiate(list []rpc.Context) ([]rpc.Result, bool) {
	results := make([]rpc.Result, len(list))
	for i, e := range list {
		if f, ok := c.features(e); ok {
			results[i] = rpc.Result{Verdict: rpc.VerdictNegotiateAck, Reason: uint16(f)}
			continue
		}
		results[i] = rpc.Result{Verdict: rpc.VerdictReject, Reason: rpc.ReasonAbstractSyntax}
		iface := c.lookup(e.Abstract)
		if iface == nil || iface.off() {
			continue
		}
		results[i].Reason = rpc.ReasonTransferSyntax
		if t := c.preferred(list, e.Abstract, iface); slices.Contains(e.Transfer, t) {
			results[i] = rpc.Result{Verdict: rpc.VerdictAccept, Transfer: t}
			c.contexts[e.ID] = presentation{iface: iface, abstract: e.Abstract, transfer: t}
		}
	}
	return results, len(c.contexts) <= maxContexts
}

// lookup finds the interface that serves a client of this one.
func (c *conn) lookup(abstract rpc.Syntax) *rpcInterface {
	for _, i := range c.ifaces {
		if compatible(i.syntax, abstract) {
			return i
		}
	}
	return nil
}

// preferred is the transfer syntax that the server takes for an interface: NDR64 if the client offers it in any
// element of the list, and then no other, since at most one is accepted.
func (c *conn) preferred(list []rpc.Context, abstract rpc.Syntax, iface *rpcInterface) rpc.Syntax {
	narrow := c.server.opts.Wire.NoNDR64 || iface.noNDR64
	for _, e := range list {
		if !narrow && e.Abstract == abstract && slices.Contains(e.Transfer, rpc.NDR64()) {
			return rpc.NDR64()
		}
	}
	return rpc.NDR()
}

// features answers an element that negotiates features instead of a syntax.
func (c *conn) features(e rpc.Context) (rpc.Features, bool) {
	if c.server.opts.Wire.NoFeatureNegotiation || len(e.Transfer) != 1 {
		return 0, false
	}
	f, ok := e.Transfer[0].Features()
	if !ok {
		return 0, false
	}
	f &= rpc.FeatureSecurityMultiplexing | rpc.FeatureKeepOnOrphan
	return f, true
}

// bindRefusal is why a logon in a bind or alter_context is not accepted: the reason of a bind_nak, the status of a
// fault.
type bindRefusal struct {
	nak    uint16
	status rpc.Status
}

// Statuses of MS-ERREF section 2.2 that only a server sends.
const (
	statusUnknownAuthnLevel   rpc.Status = 0x6d4 // RPC_S_UNKNOWN_AUTHN_LEVEL
	statusUnknownAuthnService rpc.Status = 0x6d3 // RPC_S_UNKNOWN_AUTHN_SERVICE
	statusProtocolError       rpc.Status = 0x6c0 // RPC_S_PROTOCOL_ERROR
)

// authenticate takes the token of a bind or alter_context. It returns the trailer of the answer, which is nil when
// there is nothing to say, and the flags that the answer has beside the usual ones.
func (c *conn) authenticate(p *rpc.PDU) (*rpc.Auth, rpc.Flags, *bindRefusal) {
	t, ok, err := p.Auth()
	if err != nil {
		return nil, 0, &bindRefusal{rpc.NakProtocolVersion, rpc.StatusProtocol}
	}
	if !ok {
		return nil, c.headerSigning(), nil
	}
	a, no := c.authContext(t)
	if no != nil {
		return nil, 0, no
	}
	if a.state == authEstablished {
		// Samba repeats its last token when it adds an interface to a connection. Nothing comes of the token: the
		// identity stays what it is.
		return nil, c.headerSigning(), nil
	}
	if !c.authSeen {
		c.authSeen = true
		c.clientSigns = p.Flags&rpc.FlagSignHeader != 0
		c.signHeader = c.clientSigns && !c.server.opts.Wire.NoHeaderSigning
	}
	a.security.SignHeader = c.signHeader
	reply, err := a.accept(t.Value)
	if err != nil && len(reply) == 0 {
		return nil, 0, &bindRefusal{rpc.NakInvalidChecksum, rpc.StatusSecPkgError}
	}
	// A token that tells the client why it is refused goes out as any other, and so it does on Windows, whose Kerberos
	// asks for another leg then. The context has failed all the same.
	if len(reply) == 0 {
		return nil, c.headerSigning(), nil
	}
	return &rpc.Auth{Type: t.Type, Level: t.Level, ContextID: t.ContextID, Value: reply}, c.headerSigning(), nil
}

func (c *conn) headerSigning() rpc.Flags {
	if c.signHeader {
		return rpc.FlagSignHeader
	}
	return 0
}

// authContext finds the security context that a token belongs to, or makes a new one.
func (c *conn) authContext(t rpc.Auth) (*authContext, *bindRefusal) {
	if a := c.auths[t.ContextID]; a != nil {
		if a.state == authFailed || a.security.Type != t.Type || a.asked != t.Level {
			return nil, &bindRefusal{rpc.NakProtocolVersion, rpc.StatusProtocol}
		}
		return a, nil
	}
	// Several contexts are taken whether or not the client has negotiated them: impacket logs on anew for every interface
	// of an object, and Windows lets it.
	if len(c.auths) >= maxAuths {
		return nil, &bindRefusal{rpc.NakLocalLimitExceeded, statusProtocolError}
	}
	acc := c.server.newAcceptor(t.Type)
	if acc == nil {
		return nil, &bindRefusal{rpc.NakAuthTypeNotRecognized, statusUnknownAuthnService}
	}
	if _, ok := effectiveLevel(t.Level); !ok {
		return nil, &bindRefusal{rpc.NakReasonNotSpecified, statusUnknownAuthnLevel}
	}
	a := &authContext{
		security: rpc.Security{Type: t.Type, Level: t.Level, ContextID: t.ContextID},
		asked:    t.Level, acceptor: acc,
	}
	c.auths[t.ContextID] = a
	return a, nil
}

// groupTable is the table of association groups (MS-RPCE section 3.3.1.1.5).
type groupTable struct {
	mu     sync.Mutex
	last   uint32
	groups map[uint32]*assocGroup
}

type assocGroup struct {
	peer  netip.Addr
	conns int
}

// join puts a connection into the group with this id, or with 0 into a new one. A group belongs to one machine
// (MS-RPCE section 3.3.1.5.7). An id that is not known any more starts a new group of that id.
func (t *groupTable) join(id uint32, peer netip.Addr) (uint32, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.groups == nil {
		t.groups = map[uint32]*assocGroup{}
		t.last = 0x1063 // not to be mistaken for a small number of something else
	}
	for id == 0 {
		t.last++
		if t.groups[t.last] == nil {
			id = t.last // 0 after an overflow, and then the next one
		}
	}
	g := t.groups[id]
	if g == nil {
		g = &assocGroup{peer: peer}
		t.groups[id] = g
	}
	if g.peer != peer {
		return 0, false
	}
	g.conns++
	return id, true
}

// leave takes a connection out of its group, if it is in one.
func (t *groupTable) leave(id *uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.groups[*id]; g != nil {
		if g.conns--; g.conns == 0 {
			delete(t.groups, *id)
		}
	}
}
