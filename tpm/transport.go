package tpm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Transport carries one command at a time to a TPM 2.0 and brings its answer, both with their headers (TPM 2.0 Library,
// part 1, 18). A [TPM] never calls it from two goroutines at once, except that it may close it, if it is an io.Closer,
// while a command is under way. An error means that nobody knows what has become of the command.
type Transport interface {
	Send(command []byte) (response []byte, err error)
}

// Bounds of what travels.
const (
	maxAnswer      = 4096 // octets; no TPM answers with more (TPM_PT_MAX_RESPONSE_SIZE of the PC client profile)
	headerSize     = 10   // tag, size, code
	dialTimeout    = 5 * time.Second
	grace          = time.Second     // for a transport with a deadline of its own to say what it waited for
	defaultTimeout = 2 * time.Minute // making an RSA key takes tens of seconds in a slow TPM
)

// ErrTransport is matched by errors about the way to the TPM: it could not be reached, did not answer in time, hung up
// or sent what no TPM sends. What became of the command is not known.
var ErrTransport = errors.New("tpm: no good answer from the TPM")

// transportError is an error that matches [ErrTransport].
type transportError struct {
	cause   error
	slow    bool   // there was no answer in time: asking again at once would only double the wait
	command string // its name, if it is known
}

func (e *transportError) Error() string {
	if e.command == "" {
		return fmt.Sprintf("%v: %v", ErrTransport, e.cause)
	}
	return fmt.Sprintf("tpm: %s: %s: %v", e.command, strings.TrimPrefix(ErrTransport.Error(), "tpm: "), e.cause)
}

func (e *transportError) Unwrap() error        { return e.cause }
func (e *transportError) Is(target error) bool { return target == ErrTransport }

// reach says what is left of our handles in the TPM when the way to it is lost and found again.
type reach int

const (
	shared    reach = iota // a transport of the caller's: others may use the TPM too, so only what is known as ours is flushed
	exclusive              // a raw TPM that serves one client at a time: everything that is loaded is ours
	private                // a resource manager: it flushes everything when the way is closed
)

// link is one way to a TPM: a connection, an open device, a context of the operating system.
type link interface {
	Transport
	io.Closer
}

// redialer is a transport that opens its link when it is needed, and anew after a failure.
type redialer struct {
	open func() (link, error)

	mu     sync.Mutex // guards what follows, never held during a command
	link   link
	closed bool
}

func (r *redialer) Send(command []byte) ([]byte, error) {
	l, err := r.dial()
	if err != nil {
		return nil, err
	}
	answer, err := l.Send(command)
	if err != nil {
		r.drop(l)
	}
	return answer, err
}

func (r *redialer) dial() (link, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, net.ErrClosed
	}
	if r.link == nil {
		l, err := r.open()
		if err != nil {
			return nil, err
		}
		r.link = l
	}
	return r.link, nil
}

// drop closes a link, so that the next command opens another one.
func (r *redialer) drop(l link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link == l && l != nil {
		r.link = nil
		_ = l.Close()
	}
}

// hangUp closes the link, if there is one; the next command opens it again.
func (r *redialer) hangUp() {
	r.mu.Lock()
	l := r.link
	r.mu.Unlock()
	r.drop(l)
}

// Close closes the link for good.
func (r *redialer) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.hangUp()
	return nil
}

// socket is a connection to the data socket of swtpm: commands and answers follow one another without more framing.
type socket struct {
	net.Conn
	timeout time.Duration
}

func dialSocket(network, address string, timeout time.Duration) (link, error) {
	conn, err := net.DialTimeout(network, address, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("the software TPM cannot be reached, look whether swtpm runs there: %w", err)
	}
	return &socket{Conn: conn, timeout: timeout}, nil
}

func (s *socket) Send(command []byte) ([]byte, error) {
	if err := s.SetDeadline(time.Now().Add(s.timeout)); err != nil {
		return nil, err
	}
	if _, err := s.Write(command); err != nil {
		return nil, err
	}
	answer := make([]byte, headerSize, 512)
	if _, err := io.ReadFull(s, answer); err != nil {
		return nil, fmt.Errorf("reading the header of the answer: %w", err)
	}
	size, err := answerSize(answer)
	if err != nil {
		return nil, err
	}
	answer = append(answer, make([]byte, size-headerSize)...)
	if _, err := io.ReadFull(s, answer[headerSize:]); err != nil {
		return nil, fmt.Errorf("reading an answer of %d octets: %w", size, err)
	}
	return answer, nil
}

// device is an open device of the operating system: one write is a command, one read its answer.
type device struct{ *os.File }

func (d device) Send(command []byte) ([]byte, error) {
	if _, err := d.Write(command); err != nil {
		return nil, err
	}
	answer := make([]byte, maxAnswer+1)
	n, err := d.Read(answer)
	if err != nil {
		return nil, err
	}
	return answer[:n], nil
}
