// Package assoc is the client's end of one DCE/RPC association: a connection that was bound to an interface, to which
// others can be added, and calls on it, one after the other.
//
// An association is given a net.Conn and owns it from then on. Each step has its own deadline, that of its context; a
// context that ends in the middle of a step makes the association useless, and so does every error: it is then closed
// and another one has to be opened. It starts no goroutine that outlives a call.
package assoc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Config says what an association is for. Interface is required.
type Config struct {
	Interface rpc.Syntax
	Transfer  rpc.Syntax // zero means NDR 2.0
	// Initiator authenticates at level privacy. Nil means no authentication.
	Initiator Initiator
	// MaxFragment is the largest fragment to send and the largest to be asked for, in bytes. Zero means 5840, the size
	// that Windows offers.
	MaxFragment int
	// MaxResponse bounds the stub of an answer, in bytes. Zero means 4 MiB, Windows' limit (MS-RPCE section 3.3.3.5.4).
	MaxResponse int
}

const (
	defaultFragment = 5840
	defaultResponse = 4 << 20
	contextID       = 0 // of the presentation context of Config.Interface
	bindCallID      = 1 // of bind and everything that belongs to it
	authContextID   = 1
)

// Conn is an open association. It is not safe for concurrent use, except Close.
type Conn struct {
	nc       net.Conn
	r        *bufio.Reader
	cfg      Config
	sec      *rpc.Security // nil without authentication
	maxSend  int
	callID   uint32
	proved   bool           // the server has shown that it knows the session key
	contexts []presentation // by their ids
	err      error          // why it cannot be used any more
}

// presentation is a presentation context.
type presentation struct {
	iface    rpc.Syntax
	answered bool // a call in it was answered
}

// Open binds nc to an interface. On an error nc has been closed. The errors are *[NakError], *[RejectError],
// *[FaultError], [ErrLogon], that of the context, those of reading and writing, and those of package rpc about bytes
// that are not what the protocol allows.
func Open(ctx context.Context, nc net.Conn, cfg Config) (*Conn, error) {
	if cfg.Transfer == (rpc.Syntax{}) {
		cfg.Transfer = rpc.NDR()
	}
	if cfg.MaxFragment == 0 {
		cfg.MaxFragment = defaultFragment
	}
	if cfg.MaxResponse == 0 {
		cfg.MaxResponse = defaultResponse
	}
	cfg.MaxFragment = max(rpc.MinFragment, min(cfg.MaxFragment, rpc.MaxFragment))
	c := &Conn{nc: nc, r: bufio.NewReader(nc), cfg: cfg, callID: bindCallID}
	c.contexts = []presentation{{iface: cfg.Interface}}
	release := watch(ctx, nc)
	err := c.bind()
	release()
	if err != nil {
		c.Close()
		return nil, cause(ctx, err)
	}
	return c, nil
}

// Close closes the connection. A call that is under way fails.
func (c *Conn) Close() error { return c.nc.Close() }

// Proved reports whether the server has shown that it knows the session key, and so that it has accepted the
// credential.
func (c *Conn) Proved() bool { return c.proved }

// Alive reports whether an association that has been idle is worth a call: the server has neither closed it nor sent
// something that nobody asked for. It takes about a millisecond and finds no more than what has arrived here already.
func (c *Conn) Alive(ctx context.Context) bool {
	if c.err != nil || ctx.Err() != nil {
		return false
	}
	defer watch(ctx, c.nc)()
	if c.nc.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return false
	}
	_, err := c.r.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil
}

// watch makes reads and writes on nc end with ctx. The function that it returns ends that, and has to be called. When
// ctx ends, nc is closed: connections exist that know no deadlines, those inside of an SSH tunnel for instance.
func watch(ctx context.Context, nc net.Conn) (release func()) {
	deadline, _ := ctx.Deadline() // the zero time is no deadline
	_ = nc.SetDeadline(deadline)  // on a closed connection the next read or write fails anyway
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = nc.Close()
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// cause puts the end of a context, which shows as an error of the connection, in the place of that error.
func cause(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w (%v)", Ended(ctx), err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w (%v)", context.DeadlineExceeded, err)
	default:
		return err
	}
}

// Ended is why a context ended: its cause, and always its error too, which a cause of the caller's does not contain. A
// context that was cancelled because something was closed is closed, not cancelled.
func Ended(ctx context.Context) error {
	err, why := ctx.Err(), context.Cause(ctx)
	if errors.Is(why, err) || errors.Is(why, net.ErrClosed) {
		return why
	}
	return fmt.Errorf("%w: %w", err, why)
}

// read reads one PDU. Every fragment fits in what the 16-bit length can say, so no other bound is needed; servers exist
// that ignore what they were asked for in bind.
func (c *Conn) read() (*rpc.PDU, error) { return rpc.ReadPDU(c.r, 1<<16-1) }
