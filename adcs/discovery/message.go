package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Limits of what a server sends.
const (
	maxMessage  = 8 << 20   // bytes of an LDAP message
	maxTotal    = 128 << 20 // bytes of a connection
	maxElements = 100_000   // of a message: each costs far more memory than the two bytes that it needs at least
	maxDepth    = 16        // of elements in elements
)

// guarded is a connection that passes whole LDAP messages only, of sizes and forms that decoders can be trusted with.
type guarded struct {
	net.Conn
	reading sync.Mutex // held during Read
	whole   []byte     // of a message that was read, what Read has not returned
	left    int        // bytes that may still come
	err     error      // why there is nothing more to read
}

// Read returns bytes of a message that is whole and well-formed.
func (g *guarded) Read(b []byte) (int, error) {
	g.reading.Lock()
	defer g.reading.Unlock()
	if len(g.whole) == 0 && g.err == nil {
		g.whole, g.err = readMessage(g.Conn)
		if g.left -= len(g.whole); g.left < 0 {
			g.err = fmt.Errorf("%w: the server does not come to an end", ErrTooLarge)
		}
	}
	if g.err != nil {
		return 0, g.err
	}
	n := copy(b, g.whole)
	g.whole = g.whole[n:]
	return n, nil
}

// cause waits until nobody reads any more, and adds to an error that follows from it why reading had ended. The
// connection must be closed: what reads in package ldap does not wait for itself to end.
func (g *guarded) cause(err error) error {
	g.reading.Lock()
	defer g.reading.Unlock()
	for _, why := range []error{ErrMalformed, ErrTooLarge, rpc.ErrIntegrity} {
		if err != nil && errors.Is(g.err, why) {
			return fmt.Errorf("%w (%v)", g.err, err)
		}
	}
	return err
}

// readMessage reads one LDAP message (RFC 4511 section 4.1.1), and nothing after it.
func readMessage(r io.Reader) ([]byte, error) {
	head := make([]byte, 2, 6)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	if n := int(head[1]); head[0] == 0x30 && n > 0x80 && n <= 0x84 {
		head = head[:2+n-0x80]
		if _, err := io.ReadFull(r, head[2:]); err != nil {
			return nil, unexpected(err)
		}
	}
	_, size, _, err := header(head)
	if err != nil || head[0] != 0x30 {
		return nil, fmt.Errorf("%w: what came is not LDAP", ErrMalformed)
	}
	if size > maxMessage {
		return nil, fmt.Errorf("%w: LDAP message of %d bytes", ErrTooLarge, size)
	}
	m := bytes.NewBuffer(head)
	if _, err := io.CopyN(m, r, int64(size)); err != nil { // it grows with what comes, whatever the length says
		return nil, unexpected(err)
	}
	elements := 0
	if err := wellFormed(m.Bytes(), 0, &elements); err != nil {
		return nil, err
	}
	return m.Bytes(), nil
}

// unexpected is an error in the middle of a message.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// header reads tag and length of an element, with the definite lengths that LDAP allows (RFC 4511 section 5.1), and
// returns what follows.
func header(b []byte) (tag byte, size int, rest []byte, err error) {
	malformed := fmt.Errorf("%w: BER", ErrMalformed)
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, 0, nil, malformed
	}
	n := int(b[1])
	rest = b[2:]
	if n < 0x80 {
		return b[0], n, rest, nil
	}
	n -= 0x80
	if n == 0 || n > 4 || len(rest) < n {
		return 0, 0, nil, malformed
	}
	for _, c := range rest[:n] {
		size = size<<8 | int(c)
	}
	if size < 0 || size > 1<<31-1 {
		return 0, 0, nil, malformed
	}
	return b[0], size, rest[n:], nil
}

// wellFormed checks that elements fill what holds them, all the way down.
func wellFormed(b []byte, depth int, elements *int) error {
	for len(b) > 0 {
		tag, size, rest, err := header(b)
		if err != nil {
			return err
		}
		if *elements++; *elements > maxElements || depth > maxDepth {
			return fmt.Errorf("%w: elements of an LDAP message", ErrTooLarge)
		}
		if size > len(rest) {
			return fmt.Errorf("%w: BER", ErrMalformed)
		}
		if tag&0x20 != 0 {
			if err := wellFormed(rest[:size], depth+1, elements); err != nil {
				return err
			}
		}
		b = rest[size:]
	}
	return nil
}
