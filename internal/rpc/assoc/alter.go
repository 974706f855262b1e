package assoc

import (
	"context"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/rpc"
)

// maxPresentations bounds the interfaces of one association.
const maxPresentations = 8

// Alter adds an interface to the association, in the same transfer syntax, and returns the number by which calls name
// it: see [Request]. It is done under the logon that there is, without a new one, as Windows does it (C706 section
// 12.6.4.1, MS-RPCE section 3.3.1.5.3): an alter_context carries no signature, but the verification trailer of the
// first call does, and names the interface.
//
// After a *[RejectError] the association is as good as before; after other errors, which are *[CallError] with Sent
// false, it is closed.
func (c *Conn) Alter(ctx context.Context, iface rpc.Syntax) (uint16, error) {
	switch {
	case c.err != nil:
		return 0, &CallError{Err: c.err}
	case ctx.Err() != nil:
		return 0, &CallError{Err: Ended(ctx)}
	case len(c.contexts) == maxPresentations:
		return 0, &CallError{Err: fmt.Errorf("%d interfaces on one association", maxPresentations)}
	}
	release := watch(ctx, c.nc)
	err := c.alter(iface)
	release()
	if rejected, ok := errors.AsType[*RejectError](err); ok {
		return 0, rejected
	}
	if err != nil {
		c.err = errors.New("association was closed after an error")
		c.nc.Close()
		return 0, &CallError{Err: cause(ctx, err)}
	}
	c.contexts = append(c.contexts, presentation{iface: iface})
	return uint16(len(c.contexts) - 1), nil
}

// alter sends an alter_context for one more interface and reads the answer.
func (c *Conn) alter(iface rpc.Syntax) error {
	if c.r.Buffered() > 0 {
		return ErrOutOfStep
	}
	c.callID++
	raw, err := rpc.Encode(rpc.Header{
		Type: rpc.TypeAlterContext, Flags: rpc.FlagFirst | rpc.FlagLast, CallID: c.callID,
	}, c.offer(uint16(len(c.contexts)), iface).Append(nil), nil)
	if err != nil {
		return err
	}
	if _, err := c.nc.Write(raw); err != nil {
		return err
	}
	p, err := c.read()
	if err != nil {
		return fmt.Errorf("waiting for the answer to alter_context: %w", err)
	}
	ack, err := c.acknowledged(p, rpc.TypeAlterContext)
	if err != nil {
		return err
	}
	if len(ack.Results) == 0 {
		return fmt.Errorf("%w: no result for a presentation context", rpc.ErrMalformed)
	}
	return c.agreed(ack, rpc.TypeAlterContext)
}
