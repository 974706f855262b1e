package adcstest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// listener is one TCP port and the interfaces behind it.
type listener struct {
	ln     net.Listener
	port   uint16
	ifaces []*rpcInterface
}

// rpcInterface is an RPC interface that the server has.
type rpcInterface struct {
	// name is what tests call it; "" for one whose calls take no faults.
	name   string
	syntax rpc.Syntax
	// ofCA interfaces are the CA's own: their calls take the faults that tests have queued.
	ofCA bool
	// object interfaces are those of objects: their calls begin with ORPCTHIS, and their answers with ORPCTHAT.
	object bool
	// noNDR64 leaves NDR 2.0 as the only transfer syntax, as DCOM wants it (MS-DCOM section 3.1.2.5.2).
	noNDR64 bool
	// minLevel is the lowest authentication level that is served; levelNone serves everybody.
	minLevel authLevel
	// denied is the status of a fault for calls below it; 0 for RPC's own.
	denied rpc.Status
	// off says that the interface is not registered at the moment.
	off func() bool
	// methods are the operations by their number. A nil one is out of range.
	methods []method
}

// method runs one call: it decodes its parameters from r, checks the verification trailer with c.checkTrailer, and
// returns the encoded results. An error that is an [rpc.Status] is the fault; errStub is RPC_X_BAD_STUB_DATA.
type method func(c *callContext, r *ndr.Reader) ([]byte, error)

// method returns the method of an operation, nil if there is none.
func (i *rpcInterface) method(opnum uint16) method {
	if int(opnum) < len(i.methods) {
		return i.methods[opnum]
	}
	return nil
}

func (s *Server) caInterface() *rpcInterface {
	return &rpcInterface{
		name: "ICertPassage", syntax: rpc.ICertPassage(), ofCA: true, minLevel: authLevel(s.opts.MinAuthLevel),
		off:     s.interfaceOff.Load,
		methods: []method{s.handleCertServerRequest},
	}
}

func (s *Server) mapperInterface() *rpcInterface {
	return &rpcInterface{
		name: mapperName, syntax: rpc.EndpointMapper(), minLevel: levelNone, off: func() bool { return false },
		methods: []method{eptLookup: s.handleLookup, eptMap: s.handleMap, eptHandleFree: s.handleFree},
	}
}

// mapperName is the name of the endpoint mapper's interface.
const mapperName = "epm"

// mapperInterfaces are all interfaces at the endpoint mapper's port.
func (s *Server) mapperInterfaces() []*rpcInterface {
	return append([]*rpcInterface{s.mapperInterface(), s.resolverInterface()}, s.activationInterfaces()...)
}

// newListener is a port that is listened to elsewhere.
func newListener(port uint16, ifaces ...*rpcInterface) *listener {
	return &listener{port: port, ifaces: append(ifaces, mgmtInterface(ifaces))}
}

// listen opens a port and serves it until the group is closed.
func (s *Server) listen(port int, ifaces ...*rpcInterface) (*listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(s.opts.Wire.Address, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	l := newListener(uint16(ln.Addr().(*net.TCPAddr).Port), ifaces...)
	l.ln = ln
	s.group.run(func() { s.acceptLoop(l) })
	return l, nil
}

// acceptLoop takes connections until the listener is closed.
func (s *Server) acceptLoop(l *listener) {
	for {
		nc, err := l.ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// Out of file descriptors, most likely: try again when some may be free.
			if !s.group.pause(10 * time.Millisecond) {
				return
			}
		default:
			s.group.serve(nc, func(ctx context.Context) { s.newConn(ctx, nc, l).serve() })
		}
	}
}

// connGroup owns the goroutines and the connections of a server.
type connGroup struct {
	ctx    context.Context
	cancel context.CancelFunc
	max    int
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

func newConnGroup(max int) *connGroup {
	g := &connGroup{max: max, conns: map[net.Conn]struct{}{}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// run starts a goroutine that close waits for. After close it does nothing.
func (g *connGroup) run(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.wg.Go(f)
	}
}

// serve runs f for a connection, which it closes afterwards. A connection over the limit is closed at once.
func (g *connGroup) serve(nc net.Conn, f func(context.Context)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.conns) >= g.max {
		_ = nc.Close() // refused; nobody to tell
		return
	}
	g.conns[nc] = struct{}{}
	g.wg.Go(func() {
		defer g.forget(nc)
		f(g.ctx)
	})
}

func (g *connGroup) forget(nc net.Conn) {
	_ = nc.Close() // it may be closed already
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, nc)
}

// pause waits for d; it is false when the group has been closed meanwhile.
func (g *connGroup) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-g.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// close ends every connection and waits for every goroutine.
func (g *connGroup) close() {
	g.cancel()
	g.mu.Lock()
	g.closed = true
	for nc := range g.conns {
		_ = nc.Close() // its goroutine sees the error
	}
	g.mu.Unlock()
	g.wg.Wait()
}
