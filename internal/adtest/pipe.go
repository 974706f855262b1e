package adtest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// ServePipe makes a named pipe of the domain controller lead to a server of the test: the file server hands each client
// that has logged on and opened \pipe\name over a Unix socket of that name, and it is connected to what dial returns.
// The DCE/RPC on the pipe is not looked into, but for the lengths of its PDUs, each of which is a message of the pipe.
func (d *Domain) ServePipe(t testing.TB, name string, dial func() (net.Conn, error)) {
	t.Helper()
	folder := filepath.Join(d.folder, "ncalrpc", "np")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	s := &pipeServer{dial: dial, open: map[net.Conn]bool{}}
	s.work.Go(func() { s.accept(l) })
	t.Cleanup(func() {
		l.Close()
		s.close()
	})
}

// pipeServer is the server's end of a pipe.
type pipeServer struct {
	dial func() (net.Conn, error)
	work sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

func (s *pipeServer) close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// keep notes a connection that has to be closed at the end; it reports whether there is still time.
func (s *pipeServer) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = true
	return !s.closed
}

func (s *pipeServer) drop(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *pipeServer) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.work.Go(func() {
			defer s.drop(c)
			if s.keep(c) {
				s.serve(c)
			}
		})
	}
}

// serve connects a client with the server behind the pipe.
func (s *pipeServer) serve(c net.Conn) {
	if err := admit(c); err != nil {
		return
	}
	server, err := s.dial()
	if err != nil {
		return
	}
	defer s.drop(server)
	if !s.keep(server) {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer server.Close()
		_ = fromPipe(server, c)
	}()
	_ = toPipe(c, server)
	c.Close()
	server.Close()
	<-done
}

const (
	npaMagic   = "NPAM"
	npaMax     = 1 << 20 // bytes of a request: the token of who logged on
	npaMessage = 2       // FILE_TYPE_MESSAGE_MODE_PIPE
)

// admit answers the file server's message about who opened the pipe (Samba's named_pipe_auth.idl): at any level the
// answer says that the pipe has messages.
func admit(c net.Conn) error {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 8 || size > npaMax {
		return fmt.Errorf("request of %d bytes", size)
	}
	request := make([]byte, size)
	if _, err := io.ReadFull(c, request); err != nil {
		return err
	}
	if string(request[:4]) != npaMagic {
		return errors.New("not a request to open a pipe")
	}
	level := request[4:8]
	answer := make([]byte, 36)
	binary.BigEndian.PutUint32(answer, uint32(len(answer)-4))
	copy(answer[4:], npaMagic)
	copy(answer[8:], level)
	copy(answer[12:], level)
	binary.LittleEndian.PutUint16(answer[16:], npaMessage)
	binary.LittleEndian.PutUint16(answer[18:], 0x5ff)  // message mode, as many instances as wanted
	binary.LittleEndian.PutUint64(answer[24:], 0x1000) // allocation size
	_, err := c.Write(answer)
	return err
}

// fromPipe passes on the messages of a client. Each comes behind its length.
func fromPipe(server io.Writer, c io.Reader) error {
	r := bufio.NewReader(c)
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		if _, err := io.CopyN(server, r, int64(binary.LittleEndian.Uint16(head[:]))); err != nil {
			return err
		}
	}
}

// pduHead is how much of a PDU says how long it is (C706 section 12.6.3.1).
const pduHead = 10

// toPipe passes on the PDUs of a server as messages.
func toPipe(c io.Writer, server io.Reader) error {
	r := bufio.NewReader(server)
	for {
		head, err := r.Peek(pduHead)
		if err != nil {
			return err
		}
		size := binary.LittleEndian.Uint16(head[8:])
		if size < pduHead {
			return errors.New("not a PDU")
		}
		message := make([]byte, 2+int(size))
		binary.LittleEndian.PutUint16(message, size)
		if _, err := io.ReadFull(r, message[2:]); err != nil {
			return err
		}
		if _, err := c.Write(message); err != nil {
			return err
		}
	}
}
