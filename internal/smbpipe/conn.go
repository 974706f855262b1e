package smbpipe

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// Conn is an open pipe. Read and Write must not be called at the same time; Close and the deadlines may be at any time.
//
// What is written by one Write is one message of the pipe, unless it is longer than the server takes at once. A Write
// waits until the server has taken the message, and so depends on the deadline for reading too. A Read that ends at a
// deadline leaves a request with the server; what it brings is for the next Read. Every other error ends the pipe.
type Conn struct {
	link
	file       [16]byte
	serverTime time.Time
	rest       []byte // what was read and not yet given out
	err        error
}

var _ net.Conn = (*Conn)(nil)

// ServerTime is the clock of the server, as it said before the logon, which nobody has signed. Zero means it said
// nothing.
func (c *Conn) ServerTime() time.Time { return c.serverTime }

// Read reads what the server has written. It returns io.EOF when the other end of the pipe was closed.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, c.err
	}
	if len(c.rest) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		err := c.fill()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.fail()
		}
		if err == io.EOF {
			return 0, err
		}
		if err != nil {
			return 0, at(StepRead, err)
		}
	}
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil // a connection at rest keeps no buffer
	}
	return n, nil
}

// fill reads a message, or a part of it.
func (c *Conn) fill() error {
	if !c.isReading {
		id, _, err := c.request(cmdRead, c.readRequest())
		if err != nil {
			c.fail() // what was cut off cannot be taken up
			return err
		}
		c.reading, c.isReading = id, true
	}
	m := c.early
	if m == nil {
		var err error
		if m, err = c.await(c.reading, cmdRead); err != nil {
			return err
		}
	}
	c.early, c.isReading = nil, false
	return c.took(m)
}

// readRequest asks for as much as is allowed (MS-SMB2 section 2.2.19). On a pipe in message mode, the answer holds one
// message.
func (c *Conn) readRequest() []byte {
	le := binary.LittleEndian
	b := make([]byte, 49)
	le.PutUint16(b, 49)
	b[2] = headerSize + 16
	le.PutUint32(b[4:], uint32(c.maxIO))
	copy(b[16:], c.file[:])
	return b
}

// took takes the answer to a read (MS-SMB2 section 2.2.20).
func (c *Conn) took(m message) error {
	switch s := m.status(); {
	case s.isEnd():
		return io.EOF
	case s != statusSuccess && s != statusBufferOverflow:
		return c.refused(StepRead, m)
	}
	b, err := m.fixed(17)
	if err != nil {
		return err
	}
	length := binary.LittleEndian.Uint32(b[4:])
	if length == 0 || length > uint32(c.maxIO) {
		return malformed("read of %d bytes", length)
	}
	c.rest, err = m.buffer(uint32(b[2]), length)
	return err
}

// Write writes a message. With an error it returns zero if it is certain that the server has not taken the last part
// of p.
func (c *Conn) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	for done := 0; ; {
		part := p[done:min(len(p), done+c.maxIO)]
		taken, err := c.write(part)
		if err != nil {
			c.fail()
			if !taken || done+len(part) < len(p) {
				return 0, at(StepWrite, err)
			}
			return len(p), at(StepWrite, err)
		}
		if done += len(part); done >= len(p) {
			return done, nil
		}
	}
}

// write writes what fits in one request (MS-SMB2 section 2.2.21). Taken says whether the server may have taken it: a
// refusal under its signature says that it has not.
func (c *Conn) write(p []byte) (taken bool, err error) {
	le := binary.LittleEndian
	b := make([]byte, 48, 48+len(p))
	le.PutUint16(b, 49)
	le.PutUint16(b[2:], headerSize+48)
	le.PutUint32(b[4:], uint32(len(p)))
	copy(b[16:], c.file[:])
	id, sent, err := c.request(cmdWrite, append(b, p...))
	if err != nil {
		return sent, err
	}
	m, err := c.await(id, cmdWrite)
	if err != nil {
		return true, err
	}
	if m.status() != statusSuccess {
		return false, c.refused(StepWrite, m)
	}
	if b, err = m.fixed(17); err != nil {
		return true, err
	}
	if n := le.Uint32(b[4:]); n != uint32(len(p)) {
		return true, malformed("server took %d of %d bytes", n, len(p))
	}
	return true, nil
}

// fail ends the pipe.
func (c *Conn) fail() {
	c.err = errClosed
	c.nc.Close()
}

// Close closes the connection, by which the server closes the pipe and ends the session (MS-SMB2 section 3.3.7.1).
func (c *Conn) Close() error { return c.nc.Close() }

// LocalAddr is that of the connection.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr is that of the connection.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error { return c.nc.SetDeadline(t) }

// SetReadDeadline sets the deadline for waiting for the server.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.nc.SetReadDeadline(t) }

// SetWriteDeadline sets the deadline for sending to the server.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.nc.SetWriteDeadline(t) }
