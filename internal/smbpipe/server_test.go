package smbpipe

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"net"
	"testing"
)

// testServer is the server's half of what this package speaks, with one pipe that gives back what is written to it.
type testServer struct {
	dialect dialect
	cipher  uint16
	demand  bool // encryption, by a flag of the session
	share   bool // encryption, by a flag of the share
	flags   uint16
	legs    int // of the logon
	small   int // bytes of a read, 0 for all
	// status, where it is set, is the answer to a command.
	status map[command]Status
	// change alters a response before it is signed, late after.
	change, late func(command, []byte) []byte
	plain        bool // answers are signed where they have to be encrypted
	interim      bool // every read is answered by an interim response first

	key     []byte
	preauth [sha512.Size]byte
	keys    *keys
	sealed  bool
	pipe    []byte
	waiting []uint64 // reads without an answer
}

const testSession, testTree = 0x1122334455667788, 7

// serve answers until the client is gone.
func (s *testServer) serve(nc net.Conn) {
	defer nc.Close()
	in := frames{r: nc}
	for {
		b, err := in.next()
		if err != nil {
			return
		}
		sealed := bytes.HasPrefix(b, []byte("\xfdSMB"))
		if sealed {
			if b, err = s.keys.decrypt(b, testSession); err != nil {
				return
			}
		} else if s.sealed || s.keys != nil && !s.keys.verify(b) {
			return // not protected
		}
		for _, out := range s.answer(message(b)) {
			if _, err := nc.Write(frame(out)); err != nil {
				return
			}
		}
	}
}

func (s *testServer) absorb(b []byte) {
	h := sha512.New()
	h.Write(s.preauth[:])
	h.Write(b)
	h.Sum(s.preauth[:0])
}

// answer makes the responses to a request.
func (s *testServer) answer(m message) (all [][]byte) {
	c, id := m.command(), m.messageID()
	switch c {
	case cmdNegotiate:
		s.absorb(m)
		return [][]byte{s.response(c, id, s.statusOf(c, statusSuccess), s.negotiateBody())}
	case cmdSessionSetup:
		s.absorb(m)
		s.legs--
		if s.legs > 0 {
			return [][]byte{s.response(c, id, s.statusOf(c, statusMoreProcessing), setupBody(0, []byte("go on")))}
		}
		k, err := newKeys(s.dialect, s.cipher, s.key, s.preauth[:])
		if err != nil {
			panic(err)
		}
		if k.seal != nil { // the other direction
			k.seal, k.open = k.open, k.seal
		}
		s.keys = k
		flags := s.flags
		if s.demand {
			flags |= sessionEncrypt
		}
		out := s.response(c, id, s.statusOf(c, statusSuccess), setupBody(flags, []byte("done")))
		s.sealed = s.demand
		return [][]byte{out}
	case cmdTreeConnect:
		b := make([]byte, 16)
		binary.LittleEndian.PutUint16(b, 16)
		b[2] = sharePipe
		if s.share {
			binary.LittleEndian.PutUint32(b[4:], shareEncrypt)
		}
		out := s.response(c, id, s.statusOf(c, statusSuccess), b)
		s.sealed = s.sealed || s.share
		return [][]byte{out}
	case cmdCreate:
		b := make([]byte, 88)
		binary.LittleEndian.PutUint16(b, 89)
		copy(b[64:], "the file's number")
		return [][]byte{s.response(c, id, s.statusOf(c, statusSuccess), b)}
	case cmdWrite:
		s.pipe = append(s.pipe, m[headerSize+48:]...)
		b := make([]byte, 16)
		binary.LittleEndian.PutUint16(b, 17)
		binary.LittleEndian.PutUint32(b[4:], uint32(len(m)-headerSize-48))
		all = append(all, s.response(c, id, s.statusOf(c, statusSuccess), b))
	case cmdRead:
		if s.interim || len(s.pipe) == 0 {
			pending := s.response(c, id, statusPending, errorBody())
			binary.LittleEndian.PutUint32(pending[atFlags:], flagResponse|flagAsync) // and no signature
			if !s.sealed {
				all = append(all, pending)
			}
		}
		s.waiting = append(s.waiting, id)
	}
	for len(s.waiting) > 0 && (len(s.pipe) > 0 || s.status[cmdRead] != 0) {
		all = append(all, s.read(s.waiting[0]))
		s.waiting = s.waiting[1:]
	}
	return all
}

// read gives out what the pipe holds.
func (s *testServer) read(id uint64) []byte {
	n, status := len(s.pipe), statusSuccess
	limit := maxIO // what the client asked for
	if s.small > 0 {
		limit = s.small
	}
	if n > limit {
		n, status = limit, statusBufferOverflow
	}
	b := make([]byte, 16)
	binary.LittleEndian.PutUint16(b, 17)
	b[2] = headerSize + 16
	binary.LittleEndian.PutUint32(b[4:], uint32(n))
	b = append(b, s.pipe[:n]...)
	s.pipe = s.pipe[n:]
	return s.response(cmdRead, id, s.statusOf(cmdRead, status), b)
}

func (s *testServer) statusOf(c command, usual Status) Status {
	if v, ok := s.status[c]; ok {
		return v
	}
	return usual
}

// response makes a response, protected as the session is.
func (s *testServer) response(c command, id uint64, status Status, body []byte) []byte {
	le := binary.LittleEndian
	if status != statusSuccess && status != statusMoreProcessing && status != statusBufferOverflow {
		body = errorBody()
	}
	b := append(appendHeader(nil, c, 0, id, testTree, testSession), body...)
	le.PutUint32(b[atStatus:], uint32(status))
	le.PutUint32(b[atFlags:], flagResponse)
	if s.change != nil {
		b = s.change(c, b)
	}
	switch {
	case s.sealed && !s.plain:
		b = s.keys.encrypt(b, testSession)
	case s.keys != nil:
		s.keys.signMessage(b)
	default:
		s.absorb(b)
	}
	if s.late != nil {
		b = s.late(c, b)
	}
	return b
}

func errorBody() []byte { return []byte{9, 0, 0, 0, 0, 0, 0, 0, 0} }

func setupBody(flags uint16, token []byte) []byte {
	b := []byte{9, 0, byte(flags), 0, headerSize + 8, 0, byte(len(token)), 0}
	return append(b, token...)
}

func (s *testServer) negotiateBody() []byte {
	le := binary.LittleEndian
	b := make([]byte, 64)
	le.PutUint16(b, 65)
	le.PutUint16(b[4:], uint16(s.dialect))
	le.PutUint32(b[24:], capLargeMTU|capEncryption)
	for _, at := range []int{28, 32, 36} {
		le.PutUint32(b[at:], 8<<20)
	}
	le.PutUint64(b[40:], 134_000_000_000_000_000)
	if s.dialect != smb311 {
		return b
	}
	le.PutUint16(b[6:], 2)
	le.PutUint32(b[60:], headerSize+64)
	b = appendContext(b, contextPreauth, append([]byte{1, 0, 32, 0, hashSHA512, 0}, make([]byte, 32)...))
	b = append(b, 0, 0)
	return appendContext(b, contextEncryption, []byte{1, 0, byte(s.cipher), 0})
}

// testAuth is a logon of some legs.
type testAuth struct {
	legs int
	last bool // the last token is the client's
	key  []byte
	seen [][]byte
}

func (a *testAuth) Step(token []byte) ([]byte, bool, error) {
	a.seen = append(a.seen, append([]byte(nil), token...))
	a.legs--
	if a.legs < 0 {
		return nil, true, nil
	}
	return []byte("token"), a.last && a.legs == 0, nil
}

func (a *testAuth) SessionKey() []byte { return a.key }

// pair connects a client to a server.
func pair(t *testing.T, s *testServer) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		l.Close()
		if err == nil {
			s.serve(nc)
		}
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		<-done
	})
	return nc
}
