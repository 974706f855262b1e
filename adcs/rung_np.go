package adcs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
	"github.com/adcskit/adcskit/internal/smbpipe"
)

// npRung reaches ICertPassage over the named pipe \pipe\cert, which is SMB on port 445 (MS-ICPR section 2.1). It needs
// no endpoint mapper and no other port. The credential is presented twice: to SMB, as to the service cifs, and inside
// of the pipe to RPC, which seals every call whether SMB encrypts or not.
type npRung struct{ *Client }

const (
	portSMB = 445
	pipeCA  = "cert"

	// pipeFragment is the size of fragments on a pipe, in bytes: what Windows offers there. The server may read a pipe
	// message by message, and each fragment is one.
	pipeFragment = 4280
)

func (*npRung) transport() Transport { return TransportNamedPipe }

func (r *npRung) open(ctx context.Context) (session, error) {
	conn, err := r.associatePipe(ctx, pipeCA, rpc.ICertPassage())
	if err != nil {
		return nil, err
	}
	return r.passage(conn), nil
}

// associatePipe opens a named pipe of the CA's host, binds it to an interface and authenticates.
func (c *Client) associatePipe(ctx context.Context, name string, iface rpc.Syntax) (*assoc.Conn, error) {
	pipe, err := c.openPipe(ctx, name)
	if err != nil {
		return nil, err
	}
	initiator, err := c.initiator(ctx, serviceRPC)
	if err != nil {
		pipe.Close()
		return nil, mapError(PhaseBind, err)
	}
	fragment := c.opts.MaxFragment
	if fragment == 0 {
		fragment = pipeFragment
	}
	conn, err := assoc.Open(ctx, pipe, assoc.Config{
		Interface: iface, Transfer: c.opts.transfer, MaxFragment: fragment, Initiator: initiator,
	})
	if err != nil {
		c.refusedTicket(serviceRPC)
		return nil, c.withoutKerberos(mapError(PhaseBind, pipeStatus(err)))
	}
	return conn, nil
}

// openPipe logs on to SMB and opens a pipe.
func (c *Client) openPipe(ctx context.Context, name string) (*smbpipe.Conn, error) {
	nc, err := c.dialPort(ctx, portSMB)
	if err != nil {
		return nil, mapError(PhasePipe, err)
	}
	initiator, err := c.smbInitiator(ctx)
	if err != nil {
		nc.Close()
		return nil, mapError(PhasePipe, err)
	}
	logon := &pipeLogon{Initiator: initiator}
	pipe, err := smbpipe.Open(ctx, nc, smbpipe.Config{Host: c.host, Pipe: name, Auth: logon})
	if err == nil {
		return pipe, nil
	}
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("%w (%v)", assoc.Ended(ctx), err)
	case errors.Is(err, os.ErrDeadlineExceeded): // which the connection noticed before the context did
		err = fmt.Errorf("%w (%v)", context.DeadlineExceeded, err)
	}
	c.refusedTicket(serviceSMB)
	return nil, c.withoutKerberos(logon.mapError(err))
}

// pipeLogon is the logon of an SMB session.
type pipeLogon struct {
	assoc.Initiator
	legs int
}

// Step is the initiator's. A server's token must not be able to end the process.
func (l *pipeLogon) Step(token []byte) (out []byte, complete bool, err error) {
	l.legs++
	err = rpc.Guard(func() (e error) { out, complete, e = l.Initiator.Step(token); return e })
	return out, complete, err
}

// mapError makes an error of this package of one of smbpipe. The server has seen a password once the second leg was
// sent. Who logs on with a ticket has a password that is right, and nothing is locked when a server does not take the
// ticket.
func (l *pipeLogon) mapError(err error) error {
	var refused *smbpipe.StatusError
	switch {
	case errors.Is(err, smbpipe.ErrAnonymous): // the server does not know the account, and does not say so
		return fmt.Errorf("%w: %w", ErrLogon, mapError(PhasePipe, err))
	case !errors.As(err, &refused):
		return mapError(PhasePipe, err)
	}
	failure := &RPCError{Phase: PhasePipe, Err: NTStatus(refused.Status)}
	switch {
	case refused.Step != smbpipe.StepSession:
	case refused.Status == smbpipe.StatusTimeDifference:
		return mapError(PhasePipe, &krb5.Error{Reason: krb5.ReasonClock, Err: failure.Err})
	case !refused.Status.LogonRefused():
	case l.ByTicket():
		return mapError(PhasePipe, &krb5.Error{Reason: krb5.ReasonServiceTicket, Err: failure.Err})
	case l.legs > 1:
		return fmt.Errorf("%w: %w", ErrLogon, failure)
	}
	return failure
}

// pipeStatus gives the refusals of an open pipe the type that they have in this package.
func pipeStatus(err error) error {
	var refused *smbpipe.StatusError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w (%s)", NTStatus(refused.Status), refused.Step)
	}
	return err
}
