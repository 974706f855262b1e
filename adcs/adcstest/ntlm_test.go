package adcstest_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// talk is a logon with go-msrpc's NTLM in which somebody may change each message on its way.
type talk struct {
	negotiate, challenge, authenticate func([]byte) []byte
}

// run returns the account that logged on, "" if none did.
func (k talk) run(t *testing.T, s *adcstest.Server, l *logOn) string {
	t.Helper()
	through := func(f func([]byte) []byte, b []byte) []byte {
		if f == nil {
			return b
		}
		return f(append([]byte(nil), b...))
	}
	p := dialRaw(t, s.Addr())
	p.send(p.encode(rpc.TypeBind, whole, bindBody(), l.auth(through(k.negotiate, l.negotiate(t).Value))))
	pdu := p.recv()
	if pdu.Type != rpc.TypeBindAck {
		return ""
	}
	a, _, err := pdu.Auth()
	require.NoError(t, err)
	ctx := gssapi.NewSecurityContext(context.Background())
	token, err := l.ntlm.Authenticate(ctx, through(k.challenge, a.Value))
	require.NoError(t, err)
	p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), l.auth(through(k.authenticate, token))))
	p.sec = l.security()
	before := len(s.Requests())
	p.request(submitStub(s.Name(), newCSR(t, "talk")))
	if pdu := p.recv(); pdu.Type != rpc.TypeResponse {
		require.Len(t, s.Requests(), before)
		return ""
	}
	rows := s.Requests()
	require.Len(t, rows, before+1)
	return rows[before].Requester
}

// flip changes one bit of a message.
func flip(at int, bit byte) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= bit; return b }
}

// The names of the domain under which its users log on.
func TestNTLMDomains(t *testing.T) {
	s := newServer(t, nil)
	u := s.User()
	assert.Equal(t, u.Account(), talk{}.run(t, s, newLogOn(u, u.Password, rpc.LevelPrivacy, 7)))
	for _, name := range []string{"CORP", "corp", "corp.test", "CA", "ca.corp.test", "."} {
		as := u
		as.Domain = name
		assert.Equal(t, u.Account(), talk{}.run(t, s, newLogOn(as, u.Password, rpc.LevelPrivacy, 7)), name)
	}
}

// What is refused: each change on the way breaks the MIC, the response or the session key.
func TestNTLMRefused(t *testing.T) {
	alice := adcstest.User{Name: "alice", Domain: "CORP", Password: "right"}
	s := newServer(t, &adcstest.Options{Users: []adcstest.User{
		alice, {Name: "gone", Password: "right", Disabled: true}, {Name: "eve", Domain: "OTHER", Password: "right"},
	}})
	good := func() *logOn { return newLogOn(alice, "right", rpc.LevelPrivacy, 7) }
	require.Equal(t, `CORP\alice`, talk{}.run(t, s, good()))
	as := func(name, domain, password string) *logOn {
		return newLogOn(adcstest.User{Name: name, Domain: domain}, password, rpc.LevelPrivacy, 7)
	}
	require.Equal(t, `OTHER\eve`, talk{}.run(t, s, as("eve", "OTHER", "right")))
	for name, l := range map[string]*logOn{
		"wrong password": as("alice", "CORP", "wrong"), "empty password": as("alice", "CORP", ""),
		"unknown user": as("bob", "CORP", "right"), "other domain": as("alice", "OTHER", "right"),
		"disabled": as("gone", "CORP", "right"), "domain missing": as("eve", "", "right"),
		"the server's domain":          as("eve", "CORP", "right"),
		"unknown user, empty password": as("bob", "CORP", ""), "no user": as("", "", ""),
	} {
		assert.Empty(t, talk{}.run(t, s, l), name)
	}
	for name, k := range map[string]talk{
		"flags of the NEGOTIATE":   {negotiate: flip(15, 0x02)},
		"neither Unicode nor OEM":  {negotiate: func(b []byte) []byte { b[12] &^= 3; return b }},
		"target in the CHALLENGE":  {challenge: func(b []byte) []byte { b[len(b)-30] ^= 1; return b }},
		"nonce in the CHALLENGE":   {challenge: flip(24, 1)},
		"MIC":                      {authenticate: flip(72, 1)},
		"flags of AUTHENTICATE":    {authenticate: flip(63, 0x02)},
		"version of AUTHENTICATE":  {authenticate: flip(64, 1)},
		"response":                 {authenticate: changeField(20, 0)},
		"time stamp in response":   {authenticate: changeField(20, 16+8)},
		"end of the response":      {authenticate: changeField(20, -5)},
		"user":                     {authenticate: changeField(36, 0)},
		"session key":              {authenticate: changeField(52, 0)},
		"response of NTLMv1":       {authenticate: func(b []byte) []byte { b[20], b[21] = 24, 0; return b }},
		"no response":              {authenticate: func(b []byte) []byte { b[20], b[21] = 0, 0; return b }},
		"no user":                  {authenticate: func(b []byte) []byte { b[36], b[37] = 0, 0; return b }},
		"no session key":           {authenticate: func(b []byte) []byte { b[52], b[53] = 0, 0; return b }},
		"field before the payload": {authenticate: func(b []byte) []byte { b[32] = 12; return b }},
		"field past the end":       {authenticate: func(b []byte) []byte { b[26] = 1; return b }},
		"type of AUTHENTICATE":     {authenticate: flip(8, 1)},
		"cut off":                  {authenticate: func(b []byte) []byte { return b[:63] }},
		"CHALLENGE sent back":      {authenticate: func(b []byte) []byte { return append([]byte("NTLMSSP\x00\x02"), b[9:]...) }},
	} {
		t.Run(name, func(t *testing.T) { assert.Empty(t, k.run(t, s, good())) })
	}
}

// changeField flips a bit of the payload whose descriptor lies at an offset of an AUTHENTICATE message.
func changeField(descriptor, at int) func([]byte) []byte {
	return func(b []byte) []byte {
		size, off := int(binary.LittleEndian.Uint16(b[descriptor:])), int(binary.LittleEndian.Uint32(b[descriptor+4:]))
		if at < 0 {
			at += size
		}
		b[off+at] ^= 1
		return b
	}
}
