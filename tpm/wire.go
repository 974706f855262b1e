package tpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// wire is the way to the TPM, with a bound on its patience and a memory of what is loaded. Only who is in the exclusive
// section uses it.
type wire struct {
	transport Transport
	reach     reach
	timeout   time.Duration
	abort     chan struct{} // closed when the TPM is closed and has waited long enough

	loaded ledger
	late   chan answer // of a command that was given up, until its answer is there
	lost   bool        // answers may have been lost, so that more may be loaded than we know of
}

type answer struct {
	command, octets []byte
	err             error
}

var (
	errSlow      = errors.New("no answer in time")
	errStillSlow = errors.New("no answer yet to an earlier command")
)

// exchange sends a command and returns its answer, whose header has been checked. Errors are [transportError].
func (w *wire) exchange(command []byte) ([]byte, error) {
	if !w.settle() {
		return nil, &transportError{cause: errStillSlow, slow: true}
	}
	ch := make(chan answer, 1)
	go func() {
		octets, err := w.transport.Send(command)
		ch <- answer{command, octets, err}
	}()
	timer := time.NewTimer(w.timeout + grace)
	defer timer.Stop()
	select {
	case a := <-ch:
		return w.arrived(a)
	case <-timer.C:
		w.late = ch
		return nil, &transportError{cause: fmt.Errorf("%w, within %v", errSlow, w.timeout), slow: true}
	case <-w.abort:
		w.late = ch
		return nil, &transportError{cause: net.ErrClosed, slow: true}
	}
}

// arrived checks an answer and notes what it has loaded.
func (w *wire) arrived(a answer) ([]byte, error) {
	if a.err == nil {
		a.err = checkAnswer(a.command, a.octets)
	}
	if a.err != nil {
		w.failed()
		var timeout interface{ Timeout() bool }
		return nil, &transportError{cause: a.err, slow: errors.As(a.err, &timeout) && timeout.Timeout()}
	}
	if returnCode(a.octets) == tpm2.TPMRCSuccess {
		w.loaded.passed(a.command, a.octets)
	}
	return a.octets, nil
}

// failed is called when nobody knows what has become of a command.
func (w *wire) failed() {
	w.lost = true
	w.hangUp()
}

// hangUp closes a link that can be opened again. A resource manager flushes what was loaded by it.
func (w *wire) hangUp() {
	if r, ok := w.transport.(*redialer); ok {
		r.hangUp()
	}
	if w.reach == private {
		clear(w.loaded)
	}
}

// settle takes in the answer to a command that was given up. It is false while there is none.
func (w *wire) settle() bool {
	if w.late == nil {
		return true
	}
	select {
	case a := <-w.late:
		w.late = nil
		_, _ = w.arrived(a) // what it loaded is in the ledger now
		return true
	default:
		return false
	}
}

// close closes a transport that can be closed.
func (w *wire) close() error {
	if c, ok := w.transport.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// answerSize reads and bounds the size in the header of an answer.
func answerSize(header []byte) (int, error) {
	size := binary.BigEndian.Uint32(header[2:])
	if size < headerSize || size > maxAnswer {
		return 0, fmt.Errorf("the header of the answer says %d octets, want %d to %d", size, headerSize, maxAnswer)
	}
	return int(size), nil
}

// checkAnswer checks the header of an answer: go-tpm relies on it.
func checkAnswer(command, answer []byte) error {
	if len(answer) < headerSize {
		return fmt.Errorf("an answer of %d octets has no header", len(answer))
	}
	if size, err := answerSize(answer); err != nil || size != len(answer) {
		return errors.Join(fmt.Errorf("an answer of %d octets with the wrong size in its header", len(answer)), err)
	}
	tag := tpm2.TPMST(binary.BigEndian.Uint16(answer))
	switch code := returnCode(answer); {
	case tag == tpm2.TPMSTRspCommand:
		return errors.New("it speaks TPM 1.2; a TPM 2.0 is needed")
	case code != tpm2.TPMRCSuccess && (tag != tpm2.TPMSTNoSessions || len(answer) != headerSize):
		return fmt.Errorf("a refusal with the tag %#x and %d octets", uint16(tag), len(answer))
	case code == tpm2.TPMRCSuccess && len(command) >= headerSize && tag != tpm2.TPMST(binary.BigEndian.Uint16(command)):
		return fmt.Errorf("an answer with the tag %#x to a command with another", uint16(tag))
	}
	return nil
}

func returnCode(answer []byte) tpm2.TPMRC { return tpm2.TPMRC(binary.BigEndian.Uint32(answer[6:])) }
