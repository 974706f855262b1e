package adcstest_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// replay is a connection whose peer has said everything already.
type replay struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (r *replay) Read(b []byte) (int, error)       { return r.in.Read(b) }
func (r *replay) Write(b []byte) (int, error)      { return r.out.Write(b) }
func (r *replay) Close() error                     { return nil }
func (r *replay) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (r *replay) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (r *replay) SetDeadline(time.Time) error      { return nil }
func (r *replay) SetReadDeadline(time.Time) error  { return nil }
func (r *replay) SetWriteDeadline(time.Time) error { return nil }

// FuzzServe sends any bytes to either port: the server ends, answers with PDUs that are whole and that a server may
// send, and lets nobody through to the CA.
func FuzzServe(f *testing.F) {
	s, err := adcstest.NewUnlistened(&adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
	require.NoError(f, err)
	p := &rawPeer{t: f}
	mapper := (&rpc.Bind{MaxXmit: 5840, MaxRecv: 5840, Contexts: []rpc.Context{
		{Abstract: rpc.EndpointMapper(), Transfer: []rpc.Syntax{rpc.NDR64()}},
		{ID: 1, Abstract: rpc.EndpointMapper(), Transfer: []rpc.Syntax{rpc.BindFeatures(3)}},
	}}).Append(nil)
	call := func(opnum uint16, stub []byte) []byte {
		return p.encode(rpc.TypeRequest, whole, append((&rpc.Request{Opnum: opnum}).Append(nil), stub...), nil)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	bind := p.encode(rpc.TypeBind, whole, bindBody(), nil)
	logOn := newLogOn(s.User(), "wrong", rpc.LevelConnect, 7)
	f.Add(false, bind)
	f.Add(false, join(bind, call(0, submitStub(s.Name(), []byte{0x30, 0}))))
	f.Add(false, join(bind, p.encode(rpc.TypeAlterContext, whole, bindBody(rpc.NDR64(), rpc.NDR()), nil)))
	f.Add(false, join(p.encode(rpc.TypeBind, whole, bindBody(), logOn.negotiate(f)),
		p.encode(rpc.TypeAuth3, whole, make([]byte, 4), logOn.auth(authenticateMessage())),
		call(0, submitStub(s.Name(), nil))))
	f.Add(false, join(bind, p.encode(rpc.TypeRequest, rpc.FlagFirst, make([]byte, 24), nil),
		p.encode(rpc.TypeOrphaned, whole, nil, nil), p.encode(rpc.TypeCancel, whole, nil, nil)))
	f.Add(true, join(p.encode(rpc.TypeBind, whole, mapper, nil), call(2, make([]byte, 80)), call(3, make([]byte, 64)),
		call(4, make([]byte, 20))))
	f.Fuzz(func(t *testing.T, mapper bool, b []byte) {
		nc := &replay{in: bytes.NewReader(b)}
		s.ServeConn(nc, mapper)
		for {
			pdu, err := rpc.ReadPDU(&nc.out, rpc.MaxFragment)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			switch pdu.Type {
			case rpc.TypeBindAck, rpc.TypeBindNak, rpc.TypeAlterResp, rpc.TypeFault, rpc.TypeResponse:
			default:
				t.Errorf("a server sent a PDU of type %d", pdu.Type)
			}
		}
		assert.Empty(t, s.Requests())
	})
}

// authenticateMessage is an AUTHENTICATE message of NTLM that is well formed, with a response that is wrong.
func authenticateMessage() []byte {
	le := binary.LittleEndian
	response := make([]byte, 60)
	fields := [][]byte{nil, response, utf16z("CORP")[:8], utf16z("enroller")[:16], nil, make([]byte, 16)}
	b := append([]byte("NTLMSSP\x00"), 3, 0, 0, 0)
	at := 88
	for _, v := range fields {
		b = le.AppendUint16(b, uint16(len(v)))
		b = le.AppendUint16(b, uint16(len(v)))
		b = le.AppendUint32(b, uint32(at))
		at += len(v)
	}
	b = le.AppendUint32(b, 0xe2888235)
	b = append(b, make([]byte, 24)...) // version and MIC
	return append(b, bytes.Join(fields, nil)...)
}

// FuzzAuthenticate decodes any bytes as an AUTHENTICATE message.
func FuzzAuthenticate(f *testing.F) {
	f.Add(authenticateMessage(), true)
	f.Add(authenticateMessage(), false)
	f.Add([]byte("NTLMSSP\x00\x03\x00\x00\x00"), true)
	f.Fuzz(func(t *testing.T, b []byte, unicode bool) {
		user, domain, err := adcstest.ParseAuthenticate(b, unicode)
		if err != nil {
			assert.Empty(t, user+domain)
		}
		assert.LessOrEqual(t, len(user)+len(domain), 4*len(b))
	})
}

// FuzzTokens logs on with any two tokens, in NTLM, Kerberos and SPNEGO: nobody gets in.
func FuzzTokens(f *testing.F) {
	s, err := adcstest.NewUnlistened(nil)
	require.NoError(f, err)
	negotiate := newLogOn(s.User(), "wrong", rpc.LevelPrivacy, 1).negotiate(f).Value
	init, err := (&rpc.NegTokenInit{MechTypes: spnegoMechs(), MechToken: negotiate}).Marshal()
	require.NoError(f, err)
	resp, err := (&rpc.NegTokenResp{ResponseToken: authenticateMessage(), MechListMIC: make([]byte, 16)}).Marshal()
	require.NoError(f, err)
	other, err := adcstest.NewUnlistened(nil)
	require.NoError(f, err)
	client := newInitiator(f, ticketFor(f, other, adcstest.TicketRequest{}))
	raw, third := client.apReq(), client.third(1)
	client.frame = true
	kerberos, err := (&rpc.NegTokenInit{MechTypes: spnegoMechs(rpc.OIDKerberos()), MechToken: client.apReq()}).Marshal()
	require.NoError(f, err)
	f.Add(uint8(10), negotiate, authenticateMessage())
	f.Add(uint8(9), negotiate, authenticateMessage())
	f.Add(uint8(9), init, resp)
	f.Add(uint8(9), kerberos, resp)
	f.Add(uint8(9), raw, third)
	f.Add(uint8(16), raw, third)
	f.Add(uint8(16), client.apReq(), third)
	f.Fuzz(func(t *testing.T, authType uint8, first, second []byte) {
		if authType != 9 && authType != 16 {
			authType = 10
		}
		account, replies := s.AcceptTokens(authType, first, second)
		assert.Empty(t, account)
		assert.LessOrEqual(t, len(replies), 2)
	})
}

// FuzzKerberosInside logs on with a ticket, an authenticator and a third leg of any contents, encrypted with the right
// keys, as somebody can who has a ticket or the service's key. Who gets in is who the ticket names.
func FuzzKerberosInside(f *testing.F) {
	keys := newKeytab(f, map[int32]uint8{17: 1})
	start := time.Now()
	s, err := adcstest.NewUnlistened(&adcstest.Options{
		Kerberos: adcstest.Kerberos{Keytab: keys}, Now: func() time.Time { return start },
	})
	require.NoError(f, err)
	kt := keytab.New()
	require.NoError(f, kt.Unmarshal(keys))
	service := kt.Entries[0].Key
	client := newInitiator(f, ticketFor(f, s, adcstest.TicketRequest{Encryption: adcstest.AES128}))
	client.apReq()
	ticket, err := crypto.DecryptEncPart(client.ticket.EncPart, service, keyusage.KDC_REP_TICKET)
	require.NoError(f, err)
	authenticator, err := client.auth.Marshal()
	require.NoError(f, err)
	f.Add(ticket, authenticator, []byte{0x7b, 0})
	f.Add(ticket, authenticator[:40], []byte{})
	f.Add(ticket[:60], authenticator, []byte{0x30})
	f.Fuzz(func(t *testing.T, ticket, authenticator, third []byte) {
		seal := func(plain []byte, key types.EncryptionKey, usage uint32) types.EncryptedData {
			v, err := crypto.GetEncryptedData(plain, key, usage, 1)
			require.NoError(t, err)
			return v
		}
		m := messages.APReq{
			PVNO: 5, MsgType: 14, APOptions: types.NewKrbFlags(), Ticket: client.ticket,
			EncryptedAuthenticator: seal(authenticator, client.key, keyusage.AP_REQ_AUTHENTICATOR),
		}
		m.Ticket.EncPart = seal(ticket, service, keyusage.KDC_REP_TICKET)
		first, err := m.Marshal()
		require.NoError(t, err)
		rep := messages.APRep{PVNO: 5, MsgType: 15, EncPart: seal(third, client.key, keyusage.AP_REP_ENCPART)}
		second, err := rep.Marshal()
		require.NoError(t, err)
		account, _ := s.AcceptTokens(16, first, second)
		if account != "" {
			var part messages.EncTicketPart
			require.NoError(t, part.Unmarshal(ticket))
			assert.Equal(t, `CORP\`+part.CName.PrincipalNameString(), account)
		}
	})
}

// FuzzCertServerRequest decodes any stub in both syntaxes: what is accepted is bounded by what came.
func FuzzCertServerRequest(f *testing.F) {
	f.Add(submitStub("CA", []byte{0x30, 0}), false)
	f.Add(submitStub("CA", []byte{0x30, 0}), true)
	f.Add(unhex(f, `00010000 00000000 0500000000000000 0300000000000000 0000000000000000 0300000000000000 430041000000 0000
		07000000 00000000 08000000 00000000 3d00000000000000 0800000000000000 41003a0042000000
		03000000 00000000 5d00000000000000 0300000000000000 300100`), true)
	f.Fuzz(func(t *testing.T, b []byte, wide bool) {
		in, n, err := adcstest.DecodeCertServerRequest(b, wide)
		if err != nil {
			assert.True(t, adcstest.IsBadStub(err))
			return
		}
		assert.LessOrEqual(t, n, len(b))
		assert.LessOrEqual(t, len(in.Attributes)+len(in.Request), len(b))
	})
}
