package sspi

import (
	"net"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// asUser is the system with a password in the place of the account that runs the test, which has none that a test
// knows.
type asUser struct {
	*system
	user adcstest.User
}

func (a asUser) Acquire(p Package, _ bool) (Credential, error) {
	text := func(s string) (*uint16, uint32) {
		units, _ := windows.UTF16FromString(s)
		return &units[0], uint32(len(units) - 1)
	}
	var identity struct { // SEC_WINNT_AUTH_IDENTITY_W
		user           *uint16
		userLength     uint32
		domain         *uint16
		domainLength   uint32
		password       *uint16
		passwordLength uint32
		flags          uint32
	}
	identity.user, identity.userLength = text(a.user.Name)
	identity.domain, identity.domainLength = text(a.user.Domain)
	identity.password, identity.passwordLength = text(a.user.Password)
	identity.flags = authIdentityUnicode
	name, _ := text(string(p))
	c := &credential{s: a.system}
	var expiry int64
	status := call(a.acquire, 0, uintptr(unsafe.Pointer(name)), credentialOutbound, 0, uintptr(unsafe.Pointer(&identity)), 0, 0,
		uintptr(unsafe.Pointer(&c.handle)), uintptr(unsafe.Pointer(&expiry)))
	if status != statusOK {
		return nil, status
	}
	return c, nil
}

// TestWire logs on to an independent implementation of NTLM, and makes sealed calls.
func TestWire(t *testing.T) {
	s, err := adcstest.NewServer(nil)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	open := func(user adcstest.User) (*assoc.Conn, error) {
		nc, err := net.Dial("tcp", s.Addr())
		require.NoError(t, err)
		initiator := NewInitiator(asUser{System().(*system), user},
			Config{Package: NTLM, Target: "host/" + s.Host(), AllowNTLM: true, DCEStyle: true})
		id, err := rpc.ParseUUID("91ae6020-9e3c-11cf-8d7c-00aa00c091be")
		require.NoError(t, err)
		return assoc.Open(t.Context(), nc, assoc.Config{Interface: rpc.Syntax{UUID: id}, Initiator: initiator})
	}
	// A retrieval of request 7 by the CA's name "CA", which is wrong: the answer is E_INVALIDARG, sealed.
	stub := []byte("\x00\x00\x00\x00\x05\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00C\x00A\x00\x00\x00\x00\x00" +
		"\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	c, err := open(s.User())
	require.NoError(t, err)
	defer c.Close()
	for range 3 {
		out, err := c.Call(t.Context(), assoc.Request{Stub: stub})
		require.NoError(t, err)
		assert.Equal(t, []byte{0x57, 0, 7, 0x80}, out[len(out)-4:])
	}
	assert.True(t, c.Proved(), "the answer was signed")

	wrong := s.User()
	wrong.Password += "x"
	c, err = open(wrong)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Call(t.Context(), assoc.Request{Stub: stub})
	assert.ErrorIs(t, err, assoc.ErrLogon)
}
