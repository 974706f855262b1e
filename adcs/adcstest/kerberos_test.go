package adcstest_test

import (
	"encoding/asn1"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/credentials"
	krbflags "github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// The forms in which a logon with Kerberos comes.
func TestKerberosForms(t *testing.T) {
	s := newServer(t, nil)
	for name, encryption := range encryptions() {
		for _, subkey := range []bool{true, false} {
			for style, f := range map[string]uint32{"dce": gssAll | gssDCE, "mutual": gssAll, "oneway": gssAll &^ gssMutual} {
				for _, frame := range []bool{true, false} {
					for _, authType := range []rpc.AuthType{rpc.AuthKerberos, rpc.AuthNegotiate} {
						t.Run(fmt.Sprintf("%s/subkey=%v/%s/frame=%v/%d", name, subkey, style, frame, authType), func(t *testing.T) {
							i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{Encryption: encryption}))
							i.flags, i.frame = f, frame
							if subkey {
								i.subkey = types.EncryptionKey{KeyType: i.key.KeyType, KeyValue: make([]byte, len(i.key.KeyValue))}
							}
							p := dialRaw(t, s.Addr())
							p.logOnKerberos(i, authType, frame)
							for range 2 {
								p.request(submitStub(s.Name(), newCSR(t, "forms")))
								assert.EqualValues(t, 3, disposition(t, p.answer()))
							}
							rows := s.Requests()
							assert.Equal(t, s.User().Account(), rows[len(rows)-1].Requester)
						})
					}
				}
			}
		}
	}
}

// refusedWith logs on with the first token only and returns the code of the KRB-ERROR that comes back. The connection
// is of no use then.
func (p *rawPeer) refusedWith(i *initiator) int32 {
	p.t.Helper()
	p.send(p.encode(rpc.TypeBind, whole|rpc.FlagSignHeader, bindBody(), trailer(rpc.AuthKerberos, i.apReq())))
	code := p.krbError(i.frame).ErrorCode
	p.send(p.encode(rpc.TypeRequest, whole, append((&rpc.Request{}).Append(nil), make([]byte, 16)...),
		trailer(rpc.AuthKerberos, make([]byte, 76))))
	status := rpc.StatusSecPkgError
	if code == 37 {
		status = rpc.StatusAccessDenied // it may still correct its clock
	}
	p.wantFault(status)
	p.wantClosed()
	return code
}

func (p *rawPeer) krbError(frame bool) messages.KRBError {
	p.t.Helper()
	pdu := p.recv()
	require.Equal(p.t, rpc.TypeBindAck, pdu.Type)
	a, ok, err := pdu.Auth()
	require.NoError(p.t, err)
	require.True(p.t, ok)
	if frame {
		a.Value = unframed(p.t, "\x03\x00", a.Value)
	}
	var m messages.KRBError
	require.NoError(p.t, m.Unmarshal(a.Value))
	require.Equal(p.t, "CORP.TEST", m.Realm)
	return m
}

// What is wrong with a ticket or an authenticator, and what the server says to it.
func TestKerberosErrors(t *testing.T) {
	s, other := newServer(t, nil), newServer(t, nil)
	fresh := func(r adcstest.TicketRequest) *initiator { return newInitiator(t, ticketFor(t, s, r)) }
	now := time.Now()
	for name, c := range map[string]struct {
		code int32
		i    *initiator
		edit func(*initiator)
	}{
		"key of another server": {code: 41, i: newInitiator(t, ticketFor(t, other, adcstest.TicketRequest{}))},
		"ticket changed": {code: 41, edit: func(i *initiator) {
			i.ticket.EncPart.Cipher[20] ^= 1
		}},
		"ticket cut":                  {code: 41, edit: func(i *initiator) { i.ticket.EncPart.Cipher = i.ticket.EncPart.Cipher[:5] }},
		"encryption type without key": {code: 45, edit: func(i *initiator) { i.ticket.EncPart.EType = 3 }},
		"user to user": {code: 45, edit: func(i *initiator) {
			i.sent = func(r *messages.APReq) { types.SetFlag(&r.APOptions, krbflags.APOptionUseSessionKey) }
		}},
		"expired":       {code: 32, i: fresh(adcstest.TicketRequest{Start: now.Add(-11 * time.Hour)})},
		"not yet valid": {code: 33, i: fresh(adcstest.TicketRequest{Start: now.Add(10 * time.Minute)})},
		"slow clock":    {code: 37, edit: func(i *initiator) { i.clock = now.Add(-6 * time.Minute) }},
		"fast clock":    {code: 37, edit: func(i *initiator) { i.clock = now.Add(6 * time.Minute) }},
		"another's name": {code: 36, edit: func(i *initiator) {
			i.change = func(a *types.Authenticator) { a.CName.NameString = []string{"root"} }
		}},
		"another's realm": {code: 36, edit: func(i *initiator) {
			i.change = func(a *types.Authenticator) { a.CRealm = "OTHER.TEST" }
		}},
		"checksum of another type": {code: 50, edit: func(i *initiator) {
			i.change = func(a *types.Authenticator) { a.Cksum.CksumType = 7 }
		}},
		"short checksum": {code: 50, edit: func(i *initiator) {
			i.change = func(a *types.Authenticator) { a.Cksum.Checksum = a.Cksum.Checksum[:23] }
		}},
		"no checksum": {code: 50, edit: func(i *initiator) {
			i.change = func(a *types.Authenticator) { a.Cksum = types.Checksum{} }
		}},
		"microseconds": {code: 31, edit: func(i *initiator) {
			i.change = func(a *types.Authenticator) { a.Cusec = 1_000_000 }
		}},
		"session key": {code: 31, edit: func(i *initiator) { i.key.KeyValue[0] ^= 1 }},
		"authenticator cut": {code: 31, edit: func(i *initiator) {
			i.sent = func(r *messages.APReq) { r.EncryptedAuthenticator.Cipher = []byte{1} }
		}},
		"version": {code: 39, edit: func(i *initiator) { i.sent = func(r *messages.APReq) { r.PVNO = 4 } }},
	} {
		for _, frame := range []bool{false, true} {
			i := c.i
			if i == nil {
				i = fresh(adcstest.TicketRequest{})
			}
			if i.frame = frame; c.edit != nil {
				c.edit(i)
			}
			t.Run(fmt.Sprintf("%s/frame=%v", name, frame), func(t *testing.T) {
				i.t = t
				assert.Equal(t, c.code, dialRaw(t, s.Addr()).refusedWith(i))
			})
		}
	}
	assert.Empty(t, s.Requests())
}

// An AP-REQ that somebody has heard and sends again, on another connection.
func TestKerberosReplay(t *testing.T) {
	s := newServer(t, nil)
	i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{}))
	token := i.apReq()
	first := dialRaw(t, s.Addr())
	first.send(first.encode(rpc.TypeBind, whole, bindBody(), trailer(rpc.AuthKerberos, token)))
	require.Equal(t, rpc.TypeBindAck, first.recv().Type)
	p := dialRaw(t, s.Addr())
	p.send(p.encode(rpc.TypeBind, whole, bindBody(), trailer(rpc.AuthKerberos, token)))
	assert.EqualValues(t, 34, p.krbError(false).ErrorCode)
	dialRaw(t, s.Addr()).logOnKerberos(i, rpc.AuthKerberos, false) // with a new authenticator it goes on
}

// An authenticator of a fast clock outlives what the server remembers at first.
func TestKerberosReplayLater(t *testing.T) {
	clock := newClock()
	s := newServer(t, &adcstest.Options{Now: clock.now})
	ticket := ticketFor(t, s, adcstest.TicketRequest{})
	bind := func(token []byte) *rawPeer {
		p := dialRaw(t, s.Addr())
		p.send(p.encode(rpc.TypeBind, whole, bindBody(), trailer(rpc.AuthKerberos, token)))
		return p
	}
	ahead := func(d time.Duration) []byte {
		i := newInitiator(t, ticket)
		i.clock = clock.now().Add(d)
		return i.apReq()
	}
	require.Equal(t, rpc.TypeBindAck, bind(ahead(0)).recv().Type)
	clock.advance(9 * time.Minute)
	token := ahead(4 * time.Minute)
	require.Equal(t, rpc.TypeBindAck, bind(token).recv().Type)
	clock.advance(2 * time.Minute)
	require.Equal(t, rpc.TypeBindAck, bind(ahead(0)).recv().Type)
	clock.advance(time.Minute)
	assert.EqualValues(t, 34, bind(token).krbError(false).ErrorCode)
	clock.advance(10 * time.Minute)
	assert.EqualValues(t, 37, bind(token).krbError(false).ErrorCode, "its time has passed")
}

// A context that cannot encrypt is none for the level of privacy.
func TestKerberosWithoutConfidentiality(t *testing.T) {
	s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
	for level, good := range map[rpc.AuthLevel]bool{
		rpc.LevelConnect: true, rpc.LevelIntegrity: true, rpc.LevelPrivacy: false,
	} {
		i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{}))
		i.flags &^= gssConf
		p := dialRaw(t, s.Addr())
		token := func(b []byte) *rpc.Auth {
			return &rpc.Auth{Type: rpc.AuthKerberos, Level: level, ContextID: 7, Value: b}
		}
		p.send(p.encode(rpc.TypeBind, whole, bindBody(), token(i.apReq())))
		a, _, err := p.recv().Auth()
		require.NoError(t, err)
		i.apRep(a.Value)
		p.send(p.encode(rpc.TypeAlterContext, whole, bindBody(), token(i.third(i.rep.SequenceNumber))))
		if good {
			require.Equal(t, rpc.TypeAlterResp, p.recv().Type)
			continue
		}
		p.wantFault(rpc.StatusSecPkgError)
	}
}

// A client that is told the server's time may try once more with it, and no oftener.
func TestKerberosSkewRecovery(t *testing.T) {
	const skew = -3 * time.Hour
	s := newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{ClockSkew: skew}})
	for _, corrected := range []bool{true, false} {
		i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{Start: time.Now().Add(-5 * time.Hour)}))
		p := dialRaw(t, s.Addr())
		i.frame = true
		p.send(p.encode(rpc.TypeBind, whole|rpc.FlagSignHeader, bindBody(), trailer(rpc.AuthKerberos, i.apReq())))
		m := p.krbError(true)
		i.frame = false
		assert.EqualValues(t, 37, m.ErrorCode)
		assert.Equal(t, []byte{0x30, 5, 0xa1, 3, 2, 1, 2}, m.EData)
		assert.WithinDuration(t, time.Now().Add(skew), m.STime, time.Minute)
		if corrected {
			i.clock = m.STime
		}
		p.send(p.encode(rpc.TypeAlterContext, whole|rpc.FlagSignHeader, bindBody(), trailer(rpc.AuthKerberos, i.apReq())))
		pdu := p.recv()
		a, ok, err := pdu.Auth()
		require.NoError(t, err)
		require.True(t, ok)
		if !corrected {
			require.NoError(t, m.Unmarshal(a.Value))
			assert.EqualValues(t, 37, m.ErrorCode)
			p.send(p.encode(rpc.TypeAlterContext, whole, bindBody(), trailer(rpc.AuthKerberos, i.apReq())))
			p.wantFault(rpc.StatusProtocol)
			continue
		}
		i.apRep(a.Value)
		p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), trailer(rpc.AuthKerberos, i.third(i.rep.SequenceNumber))))
		p.sec = &rpc.Security{
			Type: rpc.AuthKerberos, Level: rpc.LevelPrivacy, ContextID: 7, SignHeader: true, Protector: i.session(),
		}
		p.request(submitStub(s.Name(), newCSR(t, "skew")))
		assert.EqualValues(t, 3, disposition(t, p.answer()))
	}
}

// The third leg proves that the client has read the second.
func TestKerberosThirdLeg(t *testing.T) {
	s := newServer(t, nil)
	for name, leg := range map[string]func(i *initiator) []byte{
		"another sequence number": func(i *initiator) []byte { return i.third(i.rep.SequenceNumber ^ 1) },
		"another key": func(i *initiator) []byte {
			i.key.KeyValue[0] ^= 1
			return i.third(i.rep.SequenceNumber)
		},
		"garbage":             func(*initiator) []byte { return []byte("garbage") },
		"an AP-REP of nobody": func(*initiator) []byte { return []byte{0x6f, 2, 0x30, 0} },
		"more behind it":      func(i *initiator) []byte { return append(i.third(i.rep.SequenceNumber), 0) },
		"an AP-REQ":           func(i *initiator) []byte { return i.apReq() },
	} {
		t.Run(name, func(t *testing.T) {
			i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{}))
			p := dialRaw(t, s.Addr())
			p.send(p.encode(rpc.TypeBind, whole, bindBody(), trailer(rpc.AuthKerberos, i.apReq())))
			a, _, err := p.recv().Auth()
			require.NoError(t, err)
			i.apRep(a.Value)
			p.send(p.encode(rpc.TypeAlterContext, whole, bindBody(), trailer(rpc.AuthKerberos, leg(i))))
			p.wantFault(rpc.StatusSecPkgError)
			p.wantClosed()
		})
	}
}

// spnegoKerberos negotiates Kerberos, which may not be the first of the list.
func (p *rawPeer) spnegoKerberos(i *initiator, init rpc.NegTokenInit, mic bool) {
	p.t.Helper()
	respond := func(kind rpc.PacketType, token []byte) *rpc.NegTokenResp {
		p.send(p.encode(kind, whole|rpc.FlagSignHeader, bindBody(), trailer(rpc.AuthNegotiate, token)))
		a, ok, err := p.recv().Auth()
		require.NoError(p.t, err)
		require.True(p.t, ok)
		r, err := rpc.ParseNegTokenResp(a.Value)
		require.NoError(p.t, err)
		return r
	}
	marshal := func(r rpc.NegTokenResp) []byte {
		b, err := r.Marshal()
		require.NoError(p.t, err)
		return b
	}
	first := init.MechTypes[0].Equal(rpc.OIDKerberos()) || init.MechTypes[0].Equal(rpc.OIDMSKerberos())
	if first {
		init.MechToken = i.apReq()
	}
	token, err := init.Marshal()
	require.NoError(p.t, err)
	r := respond(rpc.TypeBind, token)
	if !first {
		require.Equal(p.t, rpc.NegRequestMIC, *r.State)
		require.Equal(p.t, rpc.OIDMSKerberos(), r.SupportedMech)
		r = respond(rpc.TypeAlterContext, marshal(rpc.NegTokenResp{ResponseToken: i.apReq()}))
	} else {
		require.Equal(p.t, init.MechTypes[0], r.SupportedMech, "the name that the client used")
	}
	i.apRep(r.ResponseToken)
	session := i.session()
	list, err := rpc.MechTypeList(init.MechTypes)
	require.NoError(p.t, err)
	var out rpc.NegTokenResp
	if i.flags&gssDCE != 0 {
		out.ResponseToken = i.third(i.rep.SequenceNumber)
		require.Equal(p.t, rpc.NegAcceptIncomplete, *r.State)
	}
	if r.MechListMIC != nil {
		require.NoError(p.t, session.VerifyMIC(list, r.MechListMIC))
	}
	if mic {
		out.MechListMIC, err = session.GetMIC(list)
		require.NoError(p.t, err)
	}
	if out.ResponseToken != nil || out.MechListMIC != nil {
		seen := r.MechListMIC != nil
		r = respond(rpc.TypeAlterContext, marshal(out))
		require.Equal(p.t, mic && !seen, r.MechListMIC != nil)
		if r.MechListMIC != nil {
			require.NoError(p.t, session.VerifyMIC(list, r.MechListMIC))
		}
	}
	require.Equal(p.t, rpc.NegAcceptCompleted, *r.State)
	p.sec = &rpc.Security{
		Type: rpc.AuthNegotiate, Level: rpc.LevelPrivacy, ContextID: 7, SignHeader: true, Protector: session,
	}
}

// Kerberos in SPNEGO, by either of its names, as the first choice or not, with MICs and without.
func TestSPNEGOKerberos(t *testing.T) {
	s := newServer(t, nil)
	lists := map[string]rpc.NegTokenInit{
		"alone":         {MechTypes: []asn1.ObjectIdentifier{rpc.OIDKerberos()}},
		"Windows":       {MechTypes: spnegoMechs(rpc.OIDMSKerberos(), rpc.OIDKerberos())},
		"not the first": {MechTypes: []asn1.ObjectIdentifier{rpc.OIDSPNEGO(), rpc.OIDMSKerberos()}},
	}
	for name, init := range lists {
		for _, f := range []uint32{gssAll | gssDCE, gssAll} {
			for _, mic := range []bool{true, false} {
				if name == "not the first" && !mic || name != "not the first" && f&gssDCE == 0 && mic {
					continue // it is required, or the negotiation is complete before the client has a turn
				}
				t.Run(fmt.Sprintf("%s/%#x/mic=%v", name, f, mic), func(t *testing.T) {
					i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{}))
					i.flags, i.frame = f, f&gssDCE == 0
					p := dialRaw(t, s.Addr())
					p.spnegoKerberos(i, init, mic)
					for range 2 {
						p.request(submitStub(s.Name(), newCSR(t, "spnego")))
						assert.EqualValues(t, 3, disposition(t, p.answer()))
					}
				})
			}
		}
	}
}

// A list of mechanisms that somebody has changed, and a MIC that is missing where it is required.
func TestSPNEGOKerberosDowngrade(t *testing.T) {
	s := newServer(t, nil)
	for _, missing := range []bool{true, false} {
		i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{}))
		p := dialRaw(t, s.Addr())
		respond := func(kind rpc.PacketType, token []byte, err error) {
			require.NoError(t, err)
			p.send(p.encode(kind, whole, bindBody(), trailer(rpc.AuthNegotiate, token)))
		}
		init := rpc.NegTokenInit{MechTypes: []asn1.ObjectIdentifier{rpc.OIDSPNEGO(), rpc.OIDKerberos()}}
		b, err := init.Marshal()
		respond(rpc.TypeBind, b, err)
		p.recv()
		b, err = (&rpc.NegTokenResp{ResponseToken: i.apReq()}).Marshal()
		respond(rpc.TypeAlterContext, b, err)
		a, _, err := p.recv().Auth()
		require.NoError(t, err)
		r, err := rpc.ParseNegTokenResp(a.Value)
		require.NoError(t, err)
		i.apRep(r.ResponseToken)
		out := rpc.NegTokenResp{ResponseToken: i.third(i.rep.SequenceNumber)}
		if !missing {
			out.MechListMIC, err = i.session().GetMIC([]byte("another list"))
			require.NoError(t, err)
		}
		b, err = out.Marshal()
		respond(rpc.TypeAlterContext, b, err)
		p.wantFault(rpc.StatusSecPkgError)
		p.wantClosed()
	}
}

// A token of Kerberos after its last one, where a MIC alone is due.
func TestSPNEGOKerberosTokenTooMany(t *testing.T) {
	s := newServer(t, nil)
	i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{}))
	i.flags, i.frame = gssAll, true
	p := dialRaw(t, s.Addr())
	list := []asn1.ObjectIdentifier{rpc.OIDSPNEGO(), rpc.OIDKerberos()}
	init, err := (&rpc.NegTokenInit{MechTypes: list}).Marshal()
	require.NoError(t, err)
	p.send(p.encode(rpc.TypeBind, whole, bindBody(), trailer(rpc.AuthNegotiate, init)))
	p.recv()
	first, err := (&rpc.NegTokenResp{ResponseToken: i.apReq()}).Marshal()
	require.NoError(t, err)
	p.send(p.encode(rpc.TypeAlterContext, whole, bindBody(), trailer(rpc.AuthNegotiate, first)))
	a, _, err := p.recv().Auth()
	require.NoError(t, err)
	r, err := rpc.ParseNegTokenResp(a.Value)
	require.NoError(t, err)
	i.apRep(r.ResponseToken)
	out := rpc.NegTokenResp{ResponseToken: []byte("more")}
	der, err := rpc.MechTypeList(list)
	require.NoError(t, err)
	out.MechListMIC, err = i.session().GetMIC(der)
	require.NoError(t, err)
	b, err := out.Marshal()
	require.NoError(t, err)
	p.send(p.encode(rpc.TypeAlterContext, whole, bindBody(), trailer(rpc.AuthNegotiate, b)))
	p.wantFault(rpc.StatusSecPkgError)
}

// SPNEGO carries what Kerberos has to say about its refusal.
func TestSPNEGOKerberosRefusal(t *testing.T) {
	s := newServer(t, nil)
	i := newInitiator(t, ticketFor(t, s, adcstest.TicketRequest{Start: time.Now().Add(-11 * time.Hour)}))
	i.frame = true
	init, err := (&rpc.NegTokenInit{MechTypes: spnegoMechs(rpc.OIDKerberos()), MechToken: i.apReq()}).Marshal()
	require.NoError(t, err)
	p := dialRaw(t, s.Addr())
	p.send(p.encode(rpc.TypeBind, whole, bindBody(), trailer(rpc.AuthNegotiate, init)))
	a, ok, err := p.recv().Auth()
	require.NoError(t, err)
	require.True(t, ok)
	r, err := rpc.ParseNegTokenResp(a.Value)
	require.NoError(t, err)
	var m messages.KRBError
	require.NoError(t, m.Unmarshal(unframed(t, "\x03\x00", r.ResponseToken)))
	assert.EqualValues(t, 32, m.ErrorCode)
	p.send(p.encode(rpc.TypeAlterContext, whole, bindBody(), trailer(rpc.AuthNegotiate, init)))
	p.wantFault(rpc.StatusProtocol)
}

// requester logs on with a ticket and returns who the CA thinks it was; "" if the logon was refused.
func requester(t *testing.T, s *adcstest.Server, cache []byte) string {
	t.Helper()
	i := newInitiator(t, cache)
	p := dialRaw(t, s.Addr())
	p.send(p.encode(rpc.TypeBind, whole|rpc.FlagSignHeader, bindBody(), trailer(rpc.AuthKerberos, i.apReq())))
	pdu := p.recv()
	if pdu.Type == rpc.TypeBindNak {
		return ""
	}
	a, _, err := pdu.Auth()
	require.NoError(t, err)
	i.apRep(a.Value)
	p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), trailer(rpc.AuthKerberos, i.third(i.rep.SequenceNumber))))
	p.sec = &rpc.Security{
		Type: rpc.AuthKerberos, Level: rpc.LevelPrivacy, ContextID: 7, SignHeader: true, Protector: i.session(),
	}
	p.request(submitStub(s.Name(), newCSR(t, "who")))
	p.answer() // whatever it is: a computer has no use for this template
	rows := s.Requests()
	return rows[len(rows)-1].Requester
}

// Who the user of a ticket is.
func TestKerberosAccounts(t *testing.T) {
	users := []adcstest.User{
		{Name: "Alice", Password: "p"}, {Name: "gone", Password: "p", Disabled: true}, {Name: "eve", Domain: "OTHER", Password: "p"},
	}
	domains := map[string]string{"other.test": "OTHER"}
	open := newServer(t, &adcstest.Options{Users: users, Kerberos: adcstest.Kerberos{Domains: domains}})
	closed := newServer(t, &adcstest.Options{Users: users, Kerberos: adcstest.Kerberos{Domains: domains, ListedOnly: true}})
	for account, want := range map[string][2]string{
		"": {`CORP\Alice`, `CORP\Alice`}, `corp\alice`: {`CORP\Alice`, `CORP\Alice`}, "ALICE": {`CORP\Alice`, `CORP\Alice`},
		`CORP\gone`: {}, `CORP\CLIENT$`: {`CORP\CLIENT$`}, `OTHER\eve`: {`OTHER\eve`, `OTHER\eve`}, `CORP\eve`: {`CORP\eve`},
		`OTHER\bob`: {`OTHER\bob`},
	} {
		assert.Equal(t, want[0], requester(t, open, ticketFor(t, open, adcstest.TicketRequest{User: account})), account)
		assert.Equal(t, want[1], requester(t, closed, ticketFor(t, closed, adcstest.TicketRequest{User: account})), account)
	}
	// A realm that this server does not trust.
	own := newKeytab(t, map[int32]uint8{18: 1})
	trusting := newServer(t, &adcstest.Options{Users: users, Kerberos: adcstest.Kerberos{Domains: domains, Keytab: own}})
	strict := newServer(t, &adcstest.Options{Users: users, Kerberos: adcstest.Kerberos{Keytab: own}})
	ticket := ticketFor(t, trusting, adcstest.TicketRequest{User: `OTHER\eve`})
	assert.Equal(t, `OTHER\eve`, requester(t, trusting, ticket))
	assert.Empty(t, requester(t, strict, ticket))
}

// newKeytab makes a keytab with one key of each type, of this version.
func newKeytab(t testing.TB, kvno map[int32]uint8) []byte {
	t.Helper()
	kt := keytab.New()
	for etype, v := range kvno {
		secret := fmt.Sprintf("secret %d %d", etype, v)
		require.NoError(t, kt.AddEntry("host/ca.corp.test", "CORP.TEST", secret, time.Now(), v, etype))
	}
	b, err := kt.Marshal()
	require.NoError(t, err)
	return b
}

// join puts keytabs together.
func join(keytabs ...[]byte) []byte {
	b := keytabs[0]
	for _, k := range keytabs[1:] {
		b = append(b[:len(b):len(b)], k[2:]...)
	}
	return b
}

// The keys of a keytab: old ones are good, the newest is the one that tickets are made with.
func TestKerberosKeytab(t *testing.T) {
	old, current := newKeytab(t, map[int32]uint8{18: 1}), newKeytab(t, map[int32]uint8{17: 2, 18: 2, 23: 2})
	with := func(b []byte) *adcstest.Server {
		return newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{Keytab: b}})
	}
	before, after, both := with(old), with(current), with(join(old, current))
	for _, encryption := range encryptions() {
		r := adcstest.TicketRequest{User: "bob", Encryption: encryption, SPNs: []string{"RPCSS/ca.corp.test"}}
		assert.Equal(t, `CORP\bob`, requester(t, both, ticketFor(t, both, r)))
		assert.Equal(t, `CORP\bob`, requester(t, after, ticketFor(t, both, r)), "made with the newest key")
		if encryption != adcstest.AES256 {
			_, err := before.Ticket(r)
			assert.ErrorContains(t, err, "no key of encryption type")
		}
	}
	ticket := ticketFor(t, before, adcstest.TicketRequest{})
	assert.NotEmpty(t, requester(t, both, ticket), "the key before the last change of the password")
	assert.EqualValues(t, 41, dialRaw(t, after.Addr()).refusedWith(newInitiator(t, ticket)))

	des := newKeytab(t, map[int32]uint8{16: 1})
	for want, b := range map[string][]byte{"no key": des, "cannot be decoded": []byte("x"), "be decoded": {5, 2}} {
		_, err := adcstest.NewServer(&adcstest.Options{Kerberos: adcstest.Kerberos{Keytab: b}})
		assert.ErrorContains(t, err, want)
	}
	cut := current[:len(current)-7]
	_, err := adcstest.NewServer(&adcstest.Options{Kerberos: adcstest.Kerberos{Keytab: cut}})
	require.ErrorContains(t, err, "cannot be decoded")
	assert.Less(t, len(err.Error()), 100, "the bytes of a keytab are not for logs")
}

func TestKerberosRedactsItself(t *testing.T) {
	keys := newKeytab(t, map[int32]uint8{18: 1})
	o := adcstest.Options{Kerberos: adcstest.Kerberos{Keytab: keys, Realm: "CORP.TEST"}}
	raw := fmt.Sprint(keys[len(keys)-20:])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb, o) + fmt.Sprintf(verb, o.Kerberos) + o.Kerberos.LogValue().String()
		assert.NotContains(t, text, strings.Trim(raw, "[]"), verb)
		assert.NotContains(t, text, fmt.Sprintf("%x", keys[len(keys)-20:]), verb)
		assert.Contains(t, text, "CORP.TEST", verb)
	}
}

// The credential cache, read by others.
func TestKerberosTicketCache(t *testing.T) {
	s := newServer(t, nil)
	b := ticketFor(t, s, adcstest.TicketRequest{User: "bob", SPNs: []string{"host/a.test", "cifs/b.test"}, Lifetime: time.Hour})
	cache := new(credentials.CCache)
	require.NoError(t, cache.Unmarshal(b))
	assert.Equal(t, "CORP.TEST", cache.DefaultPrincipal.Realm)
	assert.Equal(t, "bob", cache.DefaultPrincipal.PrincipalName.PrincipalNameString())
	require.Len(t, cache.Credentials, 2)
	for i, spn := range []string{"host/a.test", "cifs/b.test"} {
		c := cache.Credentials[i]
		assert.Equal(t, spn, c.Server.PrincipalName.PrincipalNameString())
		assert.Equal(t, "CORP.TEST", c.Server.Realm)
		assert.Len(t, c.Key.KeyValue, 32)
		assert.WithinDuration(t, time.Now(), c.StartTime, time.Minute)
		assert.Equal(t, time.Hour, c.EndTime.Sub(c.StartTime))
		assert.NotEmpty(t, c.Ticket)
	}
	for _, r := range []adcstest.TicketRequest{
		{User: `NOWHERE\bob`}, {User: `CORP\`}, {SPNs: []string{"ca.corp.test"}}, {SPNs: []string{"host/"}}, {Encryption: 3},
		{SPNs: []string{"host/a@CORP.TEST"}},
	} {
		_, err := s.Ticket(r)
		assert.ErrorContains(t, err, "adcstest: ticket", r)
	}
	assert.Contains(t, s.KRB5Config(), "default_realm = CORP.TEST\n")
	assert.True(t, strings.HasSuffix(s.KRB5Config(), "ca.corp.test = CORP.TEST\n"))
}

// What a server without a mechanism says, and one that has it and refuses everybody.
func TestMechanismsOff(t *testing.T) {
	absent := newServer(t, &adcstest.Options{NTLM: adcstest.NTLMAbsent, Kerberos: adcstest.Kerberos{Off: true}})
	u := absent.User()
	for _, authType := range []rpc.AuthType{rpc.AuthNTLM, rpc.AuthKerberos} {
		p := dialRaw(t, absent.Addr())
		p.send(p.encode(rpc.TypeBind, whole, bindBody(), trailer(authType, []byte("x"))))
		p.wantNak(rpc.NakAuthTypeNotRecognized)
	}
	n := newNegotiator(t, absent, spnegoMechs(rpc.OIDKerberos())...)
	init, err := (&rpc.NegTokenInit{MechTypes: n.mechs}).Marshal()
	require.NoError(t, err)
	n.send(rpc.TypeBind, init)
	n.p.wantNak(rpc.NakInvalidChecksum)

	blocked := newServer(t, &adcstest.Options{NTLM: adcstest.NTLMBlocked, Users: []adcstest.User{u}})
	assert.Empty(t, talk{}.run(t, blocked, newLogOn(u, u.Password, rpc.LevelPrivacy, 7)))
	assert.Equal(t, u.Account(), requester(t, blocked, ticketFor(t, blocked, adcstest.TicketRequest{})))

	_, err = adcstest.NewServer(&adcstest.Options{NTLM: 3})
	require.ErrorContains(t, err, "NTLM policy")
	_, err = adcstest.NewServer(&adcstest.Options{Kerberos: adcstest.Kerberos{Domains: map[string]string{"X": ""}}})
	require.ErrorContains(t, err, "kerberos")
}

// testClock is a clock that the test moves.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *testClock { return &testClock{t: time.Now()} }

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
