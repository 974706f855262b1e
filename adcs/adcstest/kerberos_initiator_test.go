package adcstest_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/credentials"
	krbflags "github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
)

// initiator is a client of Kerberos, step by step, so that each of them can be wrong.
type initiator struct {
	t     testing.TB
	flags uint32 // of the checksum
	frame bool   // around the AP-REQ
	// subkey is the client's own key; the zero value sends none.
	subkey types.EncryptionKey
	clock  time.Time
	// change is called before the authenticator is encrypted, sent before the AP-REQ goes out.
	change func(*types.Authenticator)
	sent   func(*messages.APReq)

	ticket messages.Ticket
	key    types.EncryptionKey
	auth   types.Authenticator
	rep    messages.EncAPRepPart
}

const (
	gssMutual = 0x02
	gssConf   = 0x10
	gssAll    = 0x3e // mutual, replay, sequence, confidentiality, integrity
	gssDCE    = 0x1000
)

// newInitiator takes the first ticket of a cache.
func newInitiator(t testing.TB, cache []byte) *initiator {
	t.Helper()
	c := new(credentials.CCache)
	require.NoError(t, c.Unmarshal(cache))
	require.NotEmpty(t, c.Credentials)
	// A clock of its own: what the server sends back is the client's time.
	i := &initiator{t: t, flags: gssAll | gssDCE, clock: time.Now().UTC().Add(time.Minute), key: c.Credentials[0].Key}
	require.NoError(t, i.ticket.Unmarshal(c.Credentials[0].Ticket))
	i.auth = types.Authenticator{
		AVNO: 5, CRealm: c.DefaultPrincipal.Realm, CName: c.DefaultPrincipal.PrincipalName, SeqNumber: 0x7ffffff0,
	}
	return i
}

// ticketFor makes a ticket.
func ticketFor(t testing.TB, s *adcstest.Server, r adcstest.TicketRequest) []byte {
	t.Helper()
	b, err := s.Ticket(r)
	require.NoError(t, err)
	return b
}

// apReq is the first token.
func (i *initiator) apReq() []byte {
	i.t.Helper()
	i.auth.CTime, i.auth.Cusec = i.clock.Truncate(time.Second), i.clock.Nanosecond()/1000
	i.auth.SubKey = i.subkey
	sum := binary.LittleEndian.AppendUint32(nil, 16)
	sum = binary.LittleEndian.AppendUint32(append(sum, make([]byte, 16)...), i.flags)
	i.auth.Cksum = types.Checksum{CksumType: 0x8003, Checksum: sum}
	if i.change != nil {
		i.change(&i.auth)
	}
	req, err := messages.NewAPReq(i.ticket, i.key, i.auth)
	require.NoError(i.t, err)
	if i.flags&gssMutual != 0 {
		types.SetFlag(&req.APOptions, krbflags.APOptionMutualRequired)
	}
	if i.sent != nil {
		i.sent(&req)
	}
	b, err := req.Marshal()
	require.NoError(i.t, err)
	if i.frame {
		return framed("\x01\x00", b)
	}
	return b
}

// framed puts GSS-API's frame around a message of Kerberos. Its lengths take three bytes.
func framed(id string, b []byte) []byte {
	inner := append([]byte("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"+id), b...)
	return append([]byte{0x60, 0x82, byte(len(inner) >> 8), byte(len(inner))}, inner...)
}

// unframed takes it away.
func unframed(t testing.TB, id string, b []byte) []byte {
	t.Helper()
	at := bytes.Index(b[:min(len(b), 24)], []byte("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"+id))
	require.Positive(t, at, "no frame with the token id %x", id)
	return b[at+13:]
}

// apRep takes the server's answer.
func (i *initiator) apRep(token []byte) {
	i.t.Helper()
	if i.flags&gssDCE == 0 {
		token = unframed(i.t, "\x02\x00", token)
	}
	var m messages.APRep
	require.NoError(i.t, m.Unmarshal(token))
	require.NoError(i.t, m.DecryptEncPart(i.key))
	i.rep = m.DecryptedEncPart
	require.Equal(i.t, i.auth.CTime, i.rep.CTime, "the server proves itself with the client's time")
	require.Equal(i.t, i.auth.Cusec, i.rep.Cusec)
}

// third is the third leg of the DCE style.
func (i *initiator) third(seq int64) []byte {
	i.t.Helper()
	m, err := messages.NewAPRep(i.key, messages.NewEncAPRepPart(seq))
	require.NoError(i.t, err)
	b, err := m.Marshal()
	require.NoError(i.t, err)
	return b
}

// session is the protection of messages.
func (i *initiator) session() *krb5.Session {
	i.t.Helper()
	c := krb5.SessionConfig{Key: i.key, Send: uint32(i.auth.SeqNumber), Receive: uint32(i.auth.SeqNumber)}
	if len(i.subkey.KeyValue) > 0 {
		c.Key = i.subkey
	}
	if i.flags&gssMutual != 0 {
		c.Receive = uint32(i.rep.SequenceNumber)
		if len(i.rep.Subkey.KeyValue) > 0 {
			c.AcceptorSubkey = !bytes.Equal(c.Key.KeyValue, i.rep.Subkey.KeyValue)
			c.Key = i.rep.Subkey
		}
	}
	s, err := krb5.NewSession(c)
	require.NoError(i.t, err)
	return s
}

// trailer is the trailer of a leg.
func trailer(t rpc.AuthType, token []byte) *rpc.Auth {
	return &rpc.Auth{Type: t, Level: rpc.LevelPrivacy, ContextID: 7, Value: token}
}

// logOnKerberos goes through the legs without SPNEGO; auth3 says how the third one travels.
func (p *rawPeer) logOnKerberos(i *initiator, t rpc.AuthType, auth3 bool) {
	p.t.Helper()
	p.send(p.encode(rpc.TypeBind, whole|rpc.FlagSignHeader, bindBody(), trailer(t, i.apReq())))
	a, ok, err := p.recv().Auth()
	require.NoError(p.t, err)
	require.Equal(p.t, i.flags&gssMutual != 0, ok)
	if ok {
		i.apRep(a.Value)
	}
	p.sec = &rpc.Security{
		Type: t, Level: rpc.LevelPrivacy, ContextID: 7, SignHeader: true, Protector: i.session(),
	}
	if i.flags&gssDCE == 0 {
		return
	}
	token := trailer(t, i.third(i.rep.SequenceNumber))
	if auth3 {
		p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), token))
		return
	}
	p.send(p.encode(rpc.TypeAlterContext, whole|rpc.FlagSignHeader, bindBody(), token))
	require.Equal(p.t, rpc.TypeAlterResp, p.recv().Type)
}
