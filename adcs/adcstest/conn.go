package adcstest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/adcskit/adcskit/internal/rpc"
)

// conn is one connection of a client. One goroutine reads a PDU, answers it, and reads the next; calls are served in
// the order in which they come, which the protocol leaves to the server.
type conn struct {
	server *Server
	ctx    context.Context // ends when the server is closed
	nc     net.Conn
	ifaces []*rpcInterface
	port   uint16
	local  netip.Addr // the address the client connected to
	remote netip.Addr

	bound       bool
	group       uint32 // association group, joined while bound
	fragment    int    // the largest fragment, both ways
	contexts    map[uint16]presentation
	auths       map[uint32]*authContext
	authSeen    bool // a bind or alter_context with authentication has come
	clientSigns bool // the client offered header signing in the first of them
	signHeader  bool // and the server agreed

	call   *partialCall // the call whose fragments are coming in
	callID uint32       // the highest call id of a request
}

// presentation is a row of the table of presentation contexts.
type presentation struct {
	iface    *rpcInterface
	abstract rpc.Syntax // as the client named it
	transfer rpc.Syntax
}

const (
	maxContexts    = 4000 // presentation contexts, MS-RPCE section 3.3.3.5.5
	maxAuths       = 64   // security contexts of a connection; MS-RPCE section 3.3.1.5.4 leaves the limit to the server
	maxStub        = 4 << 20
	oldCallsWindow = 150 // MS-RPCE section 3.3.3.5.6
)

// errHangUp ends a connection whose last word has been said.
var errHangUp = errors.New("connection closed by the server")

// errCut ends a connection without a word.
var errCut = errors.New("connection cut by the server")

// What the server reads of a peer that it has hung up on, so that its last word is not lost: a connection that is
// closed with unread data in it is reset, and the peer's system throws away what it had received.
const (
	lingerTime  = 2 * time.Second
	lingerBytes = 8 << 20
)

func (s *Server) newConn(ctx context.Context, nc net.Conn, l *listener) *conn {
	return &conn{
		server: s, ctx: ctx, nc: nc, ifaces: l.ifaces, port: l.port,
		local: addrOf(nc.LocalAddr()), remote: addrOf(nc.RemoteAddr()),
		fragment: s.opts.Wire.MaxFragment,
		contexts: map[uint16]presentation{}, auths: map[uint32]*authContext{},
	}
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// serve runs the connection until either side ends it.
func (c *conn) serve() {
	defer c.server.groups.leave(&c.group)
	for {
		p, err := c.read()
		if err == nil {
			err = c.handle(p)
		}
		if err != nil {
			if errors.Is(err, errHangUp) {
				c.linger()
			}
			return
		}
	}
}

// linger closes the server's half of the connection and reads on for a moment.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.nc.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.nc, lingerBytes) // whatever the reason, this is the end
}

// idle says that nothing is under way, so that the client may take its time.
func (c *conn) idle() bool {
	if !c.bound || c.call != nil {
		return false
	}
	for _, a := range c.auths {
		if a.state == authPending {
			return false
		}
	}
	return true
}

func (c *conn) setReadDeadline(idle bool) error {
	d := c.server.opts.Wire.IdleTimeout
	if !idle {
		d = min(d, busyTimeout)
	}
	return c.nc.SetReadDeadline(time.Now().Add(d))
}

// read reads the next PDU. What is not one at all is answered here, as far as it can be.
func (c *conn) read() (*rpc.PDU, error) {
	if err := c.setReadDeadline(c.idle()); err != nil {
		return nil, err
	}
	head := make([]byte, rpc.HeaderSize)
	if _, err := io.ReadFull(c.nc, head); err != nil {
		return nil, err
	}
	if err := c.setReadDeadline(false); err != nil {
		return nil, err
	}
	h, err := rpc.ParseHeader(head)
	if err == nil && c.tooLong(h) {
		err = rpc.ErrMalformed
	}
	if err != nil {
		return nil, c.protocolError(badHeader(head))
	}
	raw := make([]byte, h.FragLength)
	copy(raw, head)
	if _, err := io.ReadFull(c.nc, raw[rpc.HeaderSize:]); err != nil {
		return nil, err
	}
	return &rpc.PDU{Header: h, Raw: raw}, nil
}

// tooLong says that a PDU is longer than was agreed. Before that, and for authentication tokens, the length field is
// the only limit.
func (c *conn) tooLong(h rpc.Header) bool {
	return h.Type == rpc.TypeRequest && int(h.FragLength) > c.fragment
}

// badHeader is as much of a header that could not be parsed as an answer needs.
func badHeader(b []byte) rpc.Header {
	h := rpc.Header{Type: rpc.PacketType(b[2]), CallID: binary.LittleEndian.Uint32(b[12:])}
	if b[4]&0xf0 == 0 { // big-endian integers
		h.CallID = binary.BigEndian.Uint32(b[12:])
	}
	return h
}

// handle answers one PDU. An error ends the connection.
func (c *conn) handle(p *rpc.PDU) error {
	switch p.Type {
	case rpc.TypeBind, rpc.TypeAlterContext, rpc.TypeAuth3:
		const whole = rpc.FlagFirst | rpc.FlagLast
		if p.Flags&whole != whole || c.call != nil || c.bound == (p.Type == rpc.TypeBind) {
			return c.protocolError(p.Header)
		}
	}
	switch p.Type {
	case rpc.TypeBind:
		return c.handleBind(p)
	case rpc.TypeAlterContext:
		return c.handleAlter(p)
	case rpc.TypeAuth3:
		return c.handleAuth3(p)
	case rpc.TypeRequest:
		if !c.bound {
			return c.protocolError(p.Header)
		}
		return c.handleRequest(p)
	case rpc.TypeOrphaned:
		if c.call != nil && c.call.id == p.CallID {
			c.call = nil // the client gave up; what is left of the call will not come
		}
		return nil
	case rpc.TypeCancel:
		return nil // every complete call has been answered already
	}
	return c.protocolError(p.Header)
}

// protocolError answers what the protocol does not allow: a bind with a bind_nak, an AUTH3 with nothing (MS-RPCE
// section 3.3.1.5.2.1), everything else with a fault (section 3.3.3.5.7). The connection ends.
func (c *conn) protocolError(h rpc.Header) error {
	switch h.Type {
	case rpc.TypeAuth3:
		return errCut
	case rpc.TypeBind:
		return c.nak(h.CallID, rpc.NakProtocolVersion)
	}
	return c.hangUp(h.CallID, 0, rpc.StatusProtocol)
}

// nak refuses a bind. The connection ends.
func (c *conn) nak(callID uint32, reason uint16) error {
	if err := c.write(rpc.EncodeBindNak(callID, reason)); err != nil {
		return err
	}
	return errHangUp
}

// hangUp sends a fault after which the connection ends.
func (c *conn) hangUp(callID uint32, contextID uint16, status rpc.Status) error {
	if err := c.fault(callID, contextID, status, rpc.FlagDidNotExecute); err != nil {
		return err
	}
	return errHangUp
}

// fault sends a fault. It is not signed, as from other servers: a client must not believe more in it than in a broken
// connection.
func (c *conn) fault(callID uint32, contextID uint16, status rpc.Status, flags rpc.Flags) error {
	h, body := faultPDU(callID, contextID, status, flags)
	b, err := rpc.Encode(h, body, nil)
	if err != nil {
		return err
	}
	return c.write(b)
}

// faultPDU is the header and the body of a fault.
func faultPDU(callID uint32, contextID uint16, status rpc.Status, flags rpc.Flags) (rpc.Header, []byte) {
	f := rpc.Fault{Response: rpc.Response{AllocHint: 32, ContextID: contextID}, Status: status}
	return rpc.Header{Type: rpc.TypeFault, Flags: rpc.FlagFirst | rpc.FlagLast | flags, CallID: callID}, f.Append(nil)
}

// write sends whole PDUs. A client that does not read them is given up after a while.
func (c *conn) write(b []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(busyTimeout)); err != nil {
		return err
	}
	_, err := c.nc.Write(b)
	return err
}
