package adcs

import (
	"context"
	"errors"
	"sync"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// tcpRung reaches ICertPassage over TCP, at the port that the endpoint mapper names.
type tcpRung struct {
	*Client
	endpoint endpoint
}

func (*tcpRung) transport() Transport { return TransportTCP }

// open opens a session: at the port that is known, or else at the one that the endpoint mapper names. A known port that
// leads nowhere, or to something else, is looked up anew once.
func (r *tcpRung) open(ctx context.Context) (session, error) {
	if port := r.endpoint.get(); port != 0 {
		s, err := r.openPort(ctx, port)
		if err == nil || ctx.Err() != nil || !moved(err) {
			return s, err
		}
		r.endpoint.forget(port)
	}
	port, err := r.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	s, err := r.openPort(ctx, port)
	if err != nil {
		return nil, err
	}
	r.endpoint.set(port)
	return s, nil
}

// openPort connects to a port of the CA's host, binds and authenticates.
func (r *tcpRung) openPort(ctx context.Context, port uint16) (session, error) {
	nc, err := r.dialPort(ctx, port)
	if err != nil {
		return nil, mapError(PhaseBind, err)
	}
	conn, err := r.associate(ctx, nc, rpc.ICertPassage(), serviceRPC)
	if err != nil {
		return nil, err
	}
	return r.passage(conn), nil
}

// moved reports whether an error may mean that the CA does not listen at a port any more. An error that involves the
// credential never does: it would be presented twice.
func moved(err error) bool {
	var network *dialError
	var rejected ContextRejection
	return errors.As(err, &network) || errors.As(err, &rejected)
}

// endpoint remembers where the CA listens. The port of ICertPassage changes when the CA's service is restarted, so a
// port that did not lead to the CA is forgotten.
type endpoint struct {
	mu   sync.Mutex
	port uint16
}

func (e *endpoint) get() uint16 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.port
}

func (e *endpoint) set(port uint16) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.port = port
}

// forget drops a port, unless another one has been learnt since.
func (e *endpoint) forget(port uint16) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.port == port {
		e.port = 0
	}
}

// maxMapResponse bounds the endpoint mapper's answer, in bytes.
const maxMapResponse = 64 << 10

// lookUp asks the endpoint mapper for the TCP port of ICertPassage. Only the port of its answer is used: the address in
// it may be one that is of no use here, and it came unauthenticated.
func (c *Client) lookUp(ctx context.Context) (uint16, error) {
	nc, err := c.dial(ctx, c.opts.EndpointMapper)
	if err != nil {
		return 0, mapError(PhaseMap, err)
	}
	conn, err := assoc.Open(ctx, nc, assoc.Config{Interface: rpc.EndpointMapper(), MaxResponse: maxMapResponse})
	if err != nil {
		return 0, mapError(PhaseMap, err)
	}
	defer conn.Close()
	stub, err := conn.Call(ctx, assoc.Request{Opnum: rpc.EptMapOpnum, Stub: rpc.EncodeMapRequest(rpc.ICertPassage())})
	if err != nil {
		return 0, mapError(PhaseMap, err)
	}
	towers, err := rpc.ParseMapResponse(stub)
	if err != nil {
		return 0, mapError(PhaseMap, err)
	}
	for _, t := range towers {
		if t.Interface.UUID == rpc.ICertPassage().UUID && t.Pipe == "" && t.Port != 0 {
			return t.Port, nil
		}
	}
	return 0, &RPCError{Phase: PhaseMap, Err: ErrNotRegistered}
}
