package smbpipe

import (
	"bytes"
	"context"
	"crypto/aes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func open(t *testing.T, s *testServer, a *testAuth) (*Conn, error) {
	t.Helper()
	s.key, s.legs, a.key = []byte("0123456789abcdef"), a.legs, []byte("0123456789abcdef")
	if s.cipher == aes256CCM || s.cipher == aes256GCM {
		s.key = append(s.key, "0123456789abcdef"...)
		a.key = s.key
	}
	return Open(t.Context(), pair(t, s), Config{Host: "ca.corp.test", Pipe: "cert", Auth: a})
}

// variants are the servers that there are.
func variants() map[string]*testServer {
	all := map[string]*testServer{}
	for _, d := range []dialect{smb202, smb210, smb300, smb302, smb311} {
		all[fmt.Sprintf("%04x", uint16(d))] = &testServer{dialect: d, cipher: aes128CCM}
	}
	for _, c := range []uint16{aes128CCM, aes128GCM, aes256CCM, aes256GCM} {
		all[fmt.Sprintf("session encrypted %d", c)] = &testServer{dialect: smb311, cipher: c, demand: true}
		all[fmt.Sprintf("share encrypted %d", c)] = &testServer{dialect: smb311, cipher: c, share: true}
	}
	all["3.0 encrypted"] = &testServer{dialect: smb300, cipher: aes128CCM, demand: true}
	all["no cipher"] = &testServer{dialect: smb311}
	all["interim"] = &testServer{dialect: smb311, interim: true}
	all["small reads"] = &testServer{dialect: smb302, cipher: aes128CCM, small: 100}
	return all
}

func TestRoundTrip(t *testing.T) {
	for name, s := range variants() {
		t.Run(name, func(t *testing.T) {
			c, err := open(t, s, &testAuth{legs: 2})
			require.NoError(t, err)
			for _, size := range []int{1, 4280, maxIO, maxIO + 1} {
				sent := bytes.Repeat([]byte{byte(size)}, size)
				n, err := c.Write(sent)
				require.NoError(t, err)
				require.Equal(t, size, n)
				got := make([]byte, size)
				_, err = io.ReadFull(c, got)
				require.NoError(t, err)
				require.Equal(t, sent, got)
			}
			assert.Equal(t, 2025, c.ServerTime().Year())
			require.NoError(t, c.Close())
			_, err = c.Read(make([]byte, 1))
			require.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

func TestLegs(t *testing.T) {
	for legs := 1; legs <= 3; legs++ {
		for _, last := range []bool{false, true} {
			a := &testAuth{legs: legs, last: last}
			_, err := open(t, &testServer{dialect: smb311}, a)
			require.NoError(t, err, "%d legs, last %v", legs, last)
			want := legs
			if !last {
				want++
				assert.Equal(t, "done", string(a.seen[legs]))
			}
			assert.Len(t, a.seen, want)
		}
	}
	_, err := open(t, &testServer{dialect: smb311}, &testAuth{legs: maxLegs + 1})
	require.ErrorContains(t, err, "does not come to an end")
}

// TestInterruptedRead ends a read at a deadline, before and in the middle of a message, and goes on.
func TestInterruptedRead(t *testing.T) {
	c, err := open(t, &testServer{dialect: smb311}, &testAuth{legs: 1})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	require.NoError(t, c.SetReadDeadline(time.Time{}))
	for range 3 { // the answer to the read comes while that to the write is awaited, or after it
		_, err = c.Write([]byte("hello"))
		require.NoError(t, err)
		got := make([]byte, 5)
		_, err = io.ReadFull(c, got)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(got))
	}
}

func TestFramesResume(t *testing.T) {
	whole := frame(bytes.Repeat([]byte("m"), 100))
	for cut := range whole {
		r, w := net.Pipe()
		f := frames{r: r}
		go func() {
			_, _ = w.Write(whole[:cut])
			_ = r.SetReadDeadline(time.Unix(1, 0))
		}()
		_, err := f.next()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, r.SetReadDeadline(time.Time{}))
		go func() { _, _ = w.Write(whole[cut:]) }()
		b, err := f.next()
		require.NoError(t, err)
		assert.Equal(t, whole[4:], b)
		r.Close()
	}
}

// flip changes one bit.
func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at%len(b)] ^= 1; return b }
}

func on(want command, f func([]byte) []byte) func(command, []byte) []byte {
	return func(c command, b []byte) []byte {
		if c == want {
			return f(b)
		}
		return b
	}
}

// roundTrip opens the pipe, writes and reads.
func roundTrip(t *testing.T, s *testServer) error {
	c, err := open(t, s, &testAuth{legs: 1})
	if err != nil {
		return err
	}
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	if _, err = c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 5))
	return err
}

func TestHostile(t *testing.T) {
	unsigned := func(b []byte) []byte { b[atFlags] &^= flagSigned; return b }
	for _, c := range []struct {
		name   string
		server testServer
		want   error
	}{
		{"end of the logon not signed", testServer{late: on(cmdSessionSetup, unsigned)}, ErrIntegrity},
		{"end of the logon changed", testServer{late: on(cmdSessionSetup, flip(headerSize+9))}, ErrIntegrity},
		{"tree not signed", testServer{late: on(cmdTreeConnect, unsigned)}, ErrIntegrity},
		{"create changed", testServer{late: on(cmdCreate, flip(100))}, ErrIntegrity},
		{"write changed", testServer{late: on(cmdWrite, flip(70))}, ErrIntegrity},
		{"read changed", testServer{late: on(cmdRead, flip(headerSize+16))}, ErrIntegrity},
		{"status changed", testServer{late: on(cmdRead, flip(atStatus))}, ErrIntegrity},
		{"negotiation changed", testServer{late: on(cmdNegotiate, flip(headerSize+8))}, ErrIntegrity},
		{"encrypted and changed", testServer{demand: true, cipher: aes128GCM, late: on(cmdRead, flip(60))}, ErrIntegrity},
		{"no hash", testServer{change: on(cmdNegotiate, func(b []byte) []byte { b[headerSize+6] = 0; return b })}, ErrMalformed},
		{"contexts cut off", testServer{change: on(cmdNegotiate, flip(headerSize+6))}, ErrMalformed},
		{"contexts elsewhere", testServer{change: on(cmdNegotiate, flip(headerSize+62))}, ErrMalformed},
		{"cipher that was not offered", testServer{change: on(cmdNegotiate, func(b []byte) []byte {
			b[len(b)-2] = 9
			return b
		})}, ErrMalformed},
		{"not encrypted", testServer{demand: true, cipher: aes128GCM, plain: true}, ErrIntegrity},
		{"share not encrypted", testServer{share: true, cipher: aes128CCM, plain: true}, ErrIntegrity},
		{"guest", testServer{flags: sessionGuest}, ErrAnonymous},
		{"nobody", testServer{flags: sessionNull}, ErrAnonymous},
		{"encryption without a cipher", testServer{demand: true}, ErrMalformed},
		{"dialect", testServer{change: on(cmdNegotiate, flip(headerSize+4))}, ErrMalformed},
		{"no signature size", testServer{change: on(cmdNegotiate, flip(headerSize))}, ErrMalformed},
		{"other message", testServer{change: on(cmdTreeConnect, flip(atMessageID))}, ErrMalformed},
		{"other command", testServer{change: on(cmdCreate, flip(atCommand))}, ErrMalformed},
		{"other session", testServer{change: on(cmdTreeConnect, flip(atSession))}, ErrIntegrity},
		{"a request", testServer{change: on(cmdTreeConnect, flip(atFlags))}, ErrMalformed},
		{"compound", testServer{change: on(cmdTreeConnect, flip(atNext))}, ErrMalformed},
		{"disk", testServer{change: on(cmdTreeConnect, flip(headerSize+2))}, ErrMalformed},
		{"short create", testServer{change: on(cmdCreate, func(b []byte) []byte { return b[:100] })}, ErrMalformed},
		{"read past the end", testServer{change: on(cmdRead, flip(headerSize+5))}, ErrMalformed},
		{"read before the beginning", testServer{change: on(cmdRead, func(b []byte) []byte {
			b[headerSize+2] = 1
			return b
		})}, ErrMalformed},
		{"read of nothing", testServer{change: on(cmdRead, func(b []byte) []byte {
			b[headerSize+4] = 0
			return b
		})}, ErrMalformed},
		{"half a write", testServer{change: on(cmdWrite, func(b []byte) []byte { b[headerSize+4] = 3; return b })}, ErrMalformed},
		{"no credits", testServer{change: func(_ command, b []byte) []byte {
			b[atCredits], b[atCredits+1] = 0, 0
			return b
		}}, ErrMalformed},
		{"a head only", testServer{late: on(cmdNegotiate, func([]byte) []byte { return []byte("\xfeSMB") })}, ErrMalformed},
		{"something else", testServer{late: on(cmdNegotiate, func(b []byte) []byte { b[0] = 'x'; return b })}, ErrMalformed},
		{"encrypted too early", testServer{late: on(cmdNegotiate, func(b []byte) []byte { b[0] = 0xfd; return b })},
			ErrMalformed},
		{"longer than allowed", testServer{late: on(cmdRead, func(b []byte) []byte {
			return append(b, make([]byte, maxMessage)...)
		})}, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.server.dialect = smb311
			require.ErrorIs(t, roundTrip(t, &c.server), c.want)
		})
	}
}

// TestSessionChanges: a logon belongs to one session.
func TestSessionChanges(t *testing.T) {
	n := 0
	_, err := open(t, &testServer{dialect: smb311, change: on(cmdSessionSetup, func(b []byte) []byte {
		if n++; n == 2 {
			b[atSession] ^= 1
		}
		return b
	})}, &testAuth{legs: 3})
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorContains(t, err, "changes its number")
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		at     command
		step   Step
		signed bool
	}{
		{cmdNegotiate, StepNegotiate, false},
		{cmdSessionSetup, StepSession, false},
		{cmdTreeConnect, StepTree, true},
		{cmdCreate, StepOpen, true},
		{cmdWrite, StepWrite, true},
		{cmdRead, StepRead, true},
	} {
		t.Run(string(c.step), func(t *testing.T) {
			err := roundTrip(t, &testServer{dialect: smb311, status: map[command]Status{c.at: StatusAccessDenied}})
			var refused *StatusError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, StatusError{Step: c.step, Status: StatusAccessDenied, Signed: c.signed}, *refused)
			assert.ErrorIs(t, err, StatusAccessDenied)
		})
	}
	err := roundTrip(t, &testServer{dialect: smb311, status: map[command]Status{cmdRead: statusPipeBroken}})
	require.ErrorIs(t, err, io.EOF)
}

// TestTaken tells a write that the server may have taken from one that it cannot have.
func TestTaken(t *testing.T) {
	for _, c := range []struct {
		name   string
		server testServer
		want   int
	}{
		{"refused", testServer{status: map[command]Status{cmdWrite: StatusAccessDenied}}, 0},
		{"answer lost", testServer{late: on(cmdWrite, func([]byte) []byte { return nil })}, 5},
		{"answer forged", testServer{status: map[command]Status{cmdWrite: StatusAccessDenied}, late: on(cmdWrite, flip(70))}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.server.dialect = smb311
			conn, err := open(t, &c.server, &testAuth{legs: 1})
			require.NoError(t, err)
			n, err := conn.Write([]byte("hello"))
			require.Error(t, err)
			assert.Equal(t, c.want, n)
			n, err = conn.Write([]byte("hello"))
			require.ErrorIs(t, err, errClosed)
			assert.Zero(t, n)
		})
	}
}

func TestOpenEnds(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		_, _ = io.ReadFull(b, make([]byte, 4))
		cancel(errors.New("enough"))
	}()
	_, err := Open(ctx, a, Config{Host: "h", Pipe: "p", Auth: &testAuth{legs: 1}})
	require.Error(t, err)
	_, err = a.Write([]byte{1})
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

// TestCMAC compares with the examples of RFC 4493. The other ciphers and the keys are compared by talking to Samba.
func TestCMAC(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	block, err := aes.NewCipher(unhex("2b7e151628aed2a6abf7158809cf4f3c"))
	require.NoError(t, err)
	text := unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef" +
		"f69f2445df4f9b17ad2b417be66c3710")
	for size, want := range map[int]string{
		0: "bb1d6929e95937287fa37d129b756746", 16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827", 64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		sum := cmac(block, text[:size])
		assert.Equal(t, want, hex.EncodeToString(sum[:]), "%d bytes", size)
	}
}
