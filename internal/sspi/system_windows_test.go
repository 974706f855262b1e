package sspi

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/adcskit/adcskit/internal/rpc"
)

// acceptor is the server's side, which the library does not need.
type acceptor struct {
	s          *system
	proc       *windows.LazyProc
	credential credential
	context    context
}

func newAcceptor(t *testing.T, p Package) *acceptor {
	dll := windows.NewLazySystemDLL("secur32.dll")
	a := &acceptor{s: System().(*system), proc: dll.NewProc("AcceptSecurityContext")}
	name, err := windows.UTF16PtrFromString(string(p))
	require.NoError(t, err)
	var expiry int64
	const inbound = 1
	status := call(a.s.acquire, 0, uintptr(unsafe.Pointer(name)), inbound, 0, 0, 0, 0,
		uintptr(unsafe.Pointer(&a.credential.handle)), uintptr(unsafe.Pointer(&expiry)))
	if status != statusOK {
		t.Skipf("no credential for a server here: %v", status)
	}
	a.credential.s, a.context.s = a.s, a.s
	t.Cleanup(a.credential.Free)
	t.Cleanup(a.context.Free)
	return a
}

// accept is AcceptSecurityContext.
func (a *acceptor) accept(t *testing.T, token []byte) (out []byte, done bool) {
	var have *secHandle
	if a.context.begun {
		have = &a.context.handle
	}
	buffer := make([]byte, outBuffer)
	outDesc := descriptor([]Part{{PartToken, buffer}})
	var attributes uint32
	var expiry int64
	in := descriptor([]Part{{PartToken, token}})
	status := call(a.proc, uintptr(unsafe.Pointer(&a.credential.handle)), uintptr(unsafe.Pointer(have)),
		uintptr(unsafe.Pointer(in)), uintptr(flagConfidentiality|flagIntegrity|flagSequenceDetect|flagReplayDetect), nativeDRep,
		uintptr(unsafe.Pointer(&a.context.handle)), uintptr(unsafe.Pointer(outDesc)), uintptr(unsafe.Pointer(&attributes)),
		uintptr(unsafe.Pointer(&expiry)))
	if status != statusOK && status != statusContinueNeeded {
		t.Skipf("the system does not accept its own logon: %v", status)
	}
	a.context.begun = true
	return buffer[:outDesc.buffers.size], status == statusOK
}

// TestSystem logs on to itself with NTLM and protects messages both ways.
func TestSystem(t *testing.T) {
	i := NewInitiator(System(), Config{Package: NTLM, Target: "host/localhost", AllowNTLM: true})
	a := newAcceptor(t, NTLM)
	token, done, err := i.Step(nil)
	if err != nil {
		t.Skipf("no credential of this account: %v", err)
	}
	require.False(t, done)
	require.True(t, bytes.HasPrefix(token, []byte("NTLMSSP\x00")), "%q", token)
	challenge, _ := a.accept(t, token)
	last, done, err := i.Step(challenge)
	if err != nil {
		t.Skipf("no password of this account: %v", err)
	}
	require.True(t, done)
	_, done = a.accept(t, last)
	require.True(t, done)

	p := i.Protector()
	server := &protector{&Initiator{handles: &handles{context: &a.context}, chosen: NTLM, done: true, sizes: i.sizes}}
	assert.Equal(t, 16, p.SignatureSize(true))
	for n := range 3 {
		body := []byte("a request of sixteen bytes, or more ............")
		m := rpc.Message{
			Header: []byte("header.........."), Body: bytes.Clone(body), Trailer: []byte("trailer."), SignHeader: true, Seal: true,
		}
		signature, err := p.Wrap(&m)
		require.NoError(t, err)
		assert.NotEqual(t, body, m.Body)
		assert.Equal(t, []byte("header.........."), m.Header)
		if n == 2 {
			m.Header[0] ^= 1
			assert.Error(t, server.Unwrap(&m, signature), "the header is signed")
			continue
		}
		require.NoError(t, server.Unwrap(&m, signature))
		assert.Equal(t, body, m.Body)
	}
}

// TestSystemErrors: what is not there is an error of its own.
func TestSystemErrors(t *testing.T) {
	_, err := System().Acquire("NoSuchPackage", false)
	require.Error(t, err)
	missing := windows.NewLazySystemDLL("secur32.dll").NewProc("NoSuchFunction")
	assert.Equal(t, Status(statusUnsupported), call(missing))
}
