package tpm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// conn is the TPM during one exclusive section. It is a transport of go-tpm's, so commands can be executed on it; [run]
// does so with less ado.
type conn struct {
	t       *TPM
	ctx     context.Context
	failed  error            // the way to the TPM is lost: nothing can be sent in this section any more
	answers int              // that have arrived in this section
	cleared bool             // everything that we don't know has been flushed in this section
	used    []tpm2.TPMHandle // keys that this section works with, which must not make room for others
	parents []parent         // storage keys found in this section
	owner   *session         // for the owner's hierarchy, if it has an authorization value
}

// Waiting for a TPM that is busy: 10, 20, 40 … milliseconds, three and a half seconds in all.
const (
	busyTries = 9
	busyPause = 10 * time.Millisecond
)

// Send sends one command. A TPM that is busy is asked again (part 2, 6.6.3: the command was not begun).
func (c *conn) Send(command []byte) ([]byte, error) {
	for try, pause := 0, busyPause; ; try, pause = try+1, min(2*pause, time.Second) {
		if err := c.allowed(command); err != nil {
			return nil, err
		}
		answer, err := c.t.wire.exchange(command)
		if err != nil {
			c.failed = err
			return nil, err
		}
		c.answers++
		if !busy(withoutLayer(returnCode(answer))) || try == busyTries || !c.pause(command, pause) {
			return answer, nil
		}
	}
}

// pause waits before a command is sent again. It is false when the call is cancelled or the TPM closed meanwhile; flushing
// has to be done all the same.
func (c *conn) pause(command []byte, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	cancelled, closed := c.ctx.Done(), c.t.closed
	if commandCode(command) == tpm2.TPMCCFlushContext {
		cancelled, closed = nil, c.t.wire.abort
	}
	select {
	case <-timer.C:
		return true
	case <-cancelled:
	case <-closed:
	}
	return false
}

// allowed says whether a command may still be sent. Flushing always may.
func (c *conn) allowed(command []byte) error {
	if c.failed != nil {
		return c.failed
	}
	if commandCode(command) == tpm2.TPMCCFlushContext {
		return nil
	}
	select {
	case <-c.t.closed:
		return net.ErrClosed
	default:
		return context.Cause(c.ctx)
	}
}

// busy is true for the codes by which a TPM says that it has not begun a command and may do so later.
func busy(code tpm2.TPMRC) bool {
	switch code {
	case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting, tpm2.TPMRCNVRate:
		return true
	}
	return false
}

// command is a command of go-tpm's with its response.
type command[R any] interface {
	Command() tpm2.TPMCC
	Execute(t transport.TPM, s ...tpm2.Session) (*R, error)
}

// run executes a command. If the TPM has no room, it makes some and tries again.
func run[R any](c *conn, cmd command[R], sessions ...tpm2.Session) (*R, error) {
	if makesHandle(cmd.Command()) && c.t.wire.loaded.objects() >= maxObjects {
		c.evict(cmd.Command())
	}
	for {
		response, err := execute(c, cmd, sessions...)
		if err == nil {
			return response, nil
		}
		err = refused(cmd, err)
		if !c.makeRoom(cmd.Command(), err) {
			if c.failed != nil { // while room was made
				err = refused(cmd, c.failed)
			}
			if aboutSession(err) {
				c.dropSession()
			}
			return nil, err
		}
	}
}

// execute executes a command. A panic while go-tpm parses the answer, by reflection, is taken for what causes it: an answer
// that is none. Fuzzing has found no such answer, but a device must not be able to end the program.
func execute[R any](c *conn, cmd command[R], sessions ...tpm2.Session) (response *R, err error) {
	defer func() {
		if recover() != nil {
			response, err = nil, c.malformed(errors.New("the answer cannot be parsed"))
		}
	}()
	before := c.answers
	response, err = cmd.Execute(c, sessions...)
	var code tpm2.TPMRC
	if err != nil && c.answers > before && c.failed == nil && !errors.As(err, &code) {
		return nil, c.malformed(err)
	}
	return response, err
}

// dropSession flushes the session, which may be out of step for good. A TPM has three, and others may be needed.
func (c *conn) dropSession() {
	if s := c.t.cache.session; s != nil {
		c.t.cache.session = nil
		_ = c.flush(s.handle) // else it goes when the section ends
	}
}

// aboutSession is true for a refusal because of a session, such as for a wrong HMAC.
func aboutSession(err error) bool {
	var code tpm2.TPMRC
	var details tpm2.TPMFmt1Error
	if !errors.As(err, &code) || !code.As(&details) {
		return false
	}
	is, _ := details.Session()
	return is
}

// malformed gives up a connection that brings answers which are none, or not by the TPM that we have a session with.
func (c *conn) malformed(cause error) error {
	c.t.wire.failed()
	c.failed = &transportError{cause: cause}
	return c.failed
}

// flush flushes something before the section ends, to make room.
func (c *conn) flush(h tpm2.TPMHandle) error {
	cmd := tpm2.FlushContext{FlushHandle: h}
	if _, err := execute(c, cmd); err != nil {
		return refused(cmd, err)
	}
	return nil
}

// sweep flushes what is loaded and not kept in the cache. What cannot be flushed now stays in the ledger.
func (c *conn) sweep() {
	c.t.wire.settle()
	for _, h := range c.t.wire.loaded.handles() {
		if c.t.cache.keeps(h) {
			continue
		}
		if err := c.flush(h); forgotten(err) && c.failed == nil {
			delete(c.t.wire.loaded, h) // the TPM has flushed it by itself
		}
	}
}

// forgotten is true for the errors after which everything has to be loaded anew: the TPM does not know a handle (any
// more), or the connection was lost, with which a software TPM is restarted.
func forgotten(err error) bool {
	var transport *transportError
	if errors.As(err, &transport) {
		return !transport.slow
	}
	var code tpm2.TPMRC
	if !errors.As(err, &code) {
		return false
	}
	return code.Is(tpm2.TPMRCHandle) || unloaded(code)
}

// unloaded is true for the codes by which a TPM says that an object or a session is not loaded (any more).
func unloaded(code tpm2.TPMRC) bool {
	return tpm2.TPMRCReferenceH0 <= code && code <= tpm2.TPMRCReferenceS6
}

// commandName names a command as its type is called: Sign, Load.
func commandName(cmd any) string {
	name := fmt.Sprintf("%T", cmd)
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return name
}
