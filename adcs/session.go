package adcs

import (
	"context"

	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// session is an open, authenticated connection over which the CA serves requests, one at a time.
type session interface {
	// request asks the CA for one thing. Its errors are a *assoc.CallError, which says whether the CA can have executed
	// the request, and those of decoding the answer, in which case it has. After an error the session must be closed.
	request(ctx context.Context, r *certServerRequest) (*answer, error)
	// Proved reports whether the server has shown that it accepts the credential.
	Proved() bool
	// Alive reports whether a session that has rested is worth a request. It takes about a millisecond.
	Alive(ctx context.Context) bool
	// Close ends the session. It does not wait for the peer longer than a moment.
	Close() error
}

// passage is a session on ICertPassage (MS-ICPR), over whatever carries the association.
type passage struct {
	*assoc.Conn
	wide bool // NDR64
}

func (c *Client) passage(conn *assoc.Conn) session {
	return &passage{Conn: conn, wide: c.opts.transfer == rpc.NDR64()}
}

func (p *passage) request(ctx context.Context, r *certServerRequest) (*answer, error) {
	out, err := p.Call(ctx, assoc.Request{Opnum: opCertServerRequest, Stub: r.encode(p.wide)})
	if err != nil {
		return nil, err
	}
	return decodeAnswer(out, p.wide)
}
