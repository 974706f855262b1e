package adcstest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

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
	syntax rpc.Syntax
	mapper bool
	// quiet calls take no faults.
	quiet bool
	// minLevel is the lowest authentication level that is served; levelNone serves everybody.
	minLevel authLevel
	// off says that the interface is not registered at the moment.
	off func() bool
	// methods are the operations by their number. A nil one is out of range.
	methods []method
}

// method runs one call: it decodes its parameters from r, checks the verification trailer with c.checkTrailer, and
// returns the encoded results. An error that is an [rpc.Status] is the fault; errStub is RPC_X_BAD_STUB_DATA.
type method func(c *callContext, r *ndrReader) ([]byte, error)

// method returns the method of an operation, nil if there is none.
func (i *rpcInterface) method(opnum uint16) method {
	if int(opnum) < len(i.methods) {
		return i.methods[opnum]
	}
	return nil
}

func (s *Server) caInterface() *rpcInterface {
	return &rpcInterface{
		syntax: rpc.ICertPassage(), minLevel: authLevel(s.opts.MinAuthLevel), off: s.interfaceOff.Load,
		methods: []method{s.handleCertServerRequest},
	}
}

func (s *Server) mapperInterface() *rpcInterface {
	return &rpcInterface{
		syntax: rpc.EndpointMapper(), mapper: true, minLevel: levelNone, off: func() bool { return false },
		methods: []method{eptLookup: s.handleLookup, eptMap: s.handleMap, eptHandleFree: s.handleFree},
	}
}

// listen opens a port and serves it until the group is closed.
func (s *Server) listen(port int, iface *rpcInterface) (*listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(s.opts.Wire.Address, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	l := &listener{
		ln: ln, port: uint16(ln.Addr().(*net.TCPAddr).Port), ifaces: []*rpcInterface{iface, mgmtInterface(iface)},
	}
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
