package krb5_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/krb5/kdctest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// getTicket is a ticket of alice for the service, with a session key of a type, and the service's keytab.
func getTicket(t testing.TB, etype string) (*krb5.Ticket, []byte) {
	k := newKDC()
	keytab := k.AddService(spn)
	ticket, err := newClient(k, func(c *krb5.ClientConfig) { c.Conf = "[libdefaults]\npermitted_enctypes = " + etype + "\n" }).
		Ticket(t.Context(), spn)
	require.NoError(t, err)
	return ticket, keytab
}

const gssFrame = "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"

// framed puts a frame around a token.
func framed(id string, b []byte) []byte {
	var f cryptobyte.Builder
	f.AddASN1(0x60, func(f *cryptobyte.Builder) { f.AddBytes(append([]byte(gssFrame+id), b...)) })
	return f.BytesOrPanic()
}

// TestContexts makes whole security contexts, and has both sides talk.
func TestContexts(t *testing.T) {
	for _, etype := range []string{"aes256-cts", "aes128-cts", "rc4"} {
		ticket, keytab := getTicket(t, etype)
		for _, dce := range []bool{true, false} {
			for _, subkey := range []int32{0, etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.RC4_HMAC} {
				t.Run(fmt.Sprintf("%s, DCE %v, subkey %d", etype, dce, subkey), func(t *testing.T) {
					a := &kdctest.Acceptor{Keytab: keytab}
					if subkey != 0 {
						var err error
						a.Subkey, err = kdctest.NewKey(subkey)
						require.NoError(t, err)
					}
					i := krb5.NewInitiator(ticket, dce, time.Now)
					establish(t, i, a, dce)
					assert.Equal(t, a.Key.KeyValue, i.SessionKey())
					assert.Equal(t, "alice@CORP.TEST", a.Client)
					talk(t, i.Protector(), a.Session)
				})
			}
		}
	}
}

func establish(t *testing.T, i *krb5.Initiator, a *kdctest.Acceptor, dce bool) {
	first, complete, err := i.Step(nil)
	require.NoError(t, err)
	require.False(t, complete)
	flags := uint32(0x3e)
	if dce {
		flags |= 0x1000
	} else {
		at := bytes.Index(first, []byte(gssFrame+"\x01\x00"))
		require.Positive(t, at, "in a frame")
		first = first[at+len(gssFrame)+2:]
	}
	reply, err := a.Accept(first)
	require.NoError(t, err)
	assert.Equal(t, flags, a.Flags)
	if !dce {
		reply = framed("\x02\x00", reply)
	}
	third, complete, err := i.Step(reply)
	require.NoError(t, err)
	require.True(t, complete)
	assert.True(t, i.Mutual())
	if dce {
		require.NoError(t, a.Third(third))
	} else {
		assert.Empty(t, third)
	}
	_, _, err = i.Step(reply)
	require.Error(t, err, "that was all")
}

// talk sends messages both ways.
func talk(t *testing.T, client, server rpc.Protector) {
	for n := range 3 {
		for _, way := range [][2]rpc.Protector{{client, server}, {server, client}} {
			m := message(fmt.Sprintf("message %d of sixteen", n), true, true)
			want := string(m.Body)
			sig, err := way[0].Wrap(m)
			require.NoError(t, err)
			require.NoError(t, way[1].Unwrap(m, sig))
			assert.Equal(t, want, string(m.Body))
		}
	}
}

// TestHostileServer has a server that does not have the key, or does not do what was asked.
func TestHostileServer(t *testing.T) {
	ticket, keytab := getTicket(t, "aes256-cts")
	other, _ := getTicket(t, "aes256-cts")
	part := func(f func(*messages.EncAPRepPart)) *kdctest.Acceptor {
		return &kdctest.Acceptor{Keytab: keytab, Tamper: f}
	}
	for name, tc := range map[string]struct {
		acceptor *kdctest.Acceptor
		tamper   func([]byte) []byte
		err      error
		reason   krb5.Reason
	}{
		"another second":   {part(func(p *messages.EncAPRepPart) { p.CTime = p.CTime.Add(time.Second) }), nil, rpc.ErrIntegrity, ""},
		"another micro":    {part(func(p *messages.EncAPRepPart) { p.Cusec++ }), nil, rpc.ErrIntegrity, ""},
		"DES subkey":       {part(func(p *messages.EncAPRepPart) { p.Subkey = types.EncryptionKey{KeyType: 3, KeyValue: make([]byte, 8)} }), nil, nil, krb5.ReasonEncryption},
		"short subkey":     {part(func(p *messages.EncAPRepPart) { p.Subkey = types.EncryptionKey{KeyType: 18, KeyValue: make([]byte, 8)} }), nil, nil, krb5.ReasonEncryption},
		"one bit":          {nil, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, rpc.ErrIntegrity, ""},
		"nothing":          {nil, func([]byte) []byte { return nil }, rpc.ErrMalformed, ""},
		"a byte":           {nil, func(b []byte) []byte { return b[:1] }, rpc.ErrMalformed, ""},
		"half":             {nil, func(b []byte) []byte { return b[:len(b)/2] }, rpc.ErrMalformed, ""},
		"framed":           {nil, func(b []byte) []byte { return framed("\x02\x00", b) }, rpc.ErrMalformed, ""},
		"too long":         {nil, func([]byte) []byte { return append([]byte{0x6f}, make([]byte, 1<<16)...) }, rpc.ErrMalformed, ""},
		"not Kerberos":     {nil, func([]byte) []byte { return []byte("NTLMSSP\x00\x02") }, rpc.ErrMalformed, ""},
		"KRB-ERROR, cut":   {nil, func([]byte) []byte { return []byte{0x7e, 0x80} }, rpc.ErrMalformed, ""},
		"short ciphertext": {nil, func([]byte) []byte { return shortReply(t) }, rpc.ErrMalformed, ""},
		"another type":     {nil, func(b []byte) []byte { return retyped(t, b) }, rpc.ErrMalformed, ""},
		"another key":      {nil, func([]byte) []byte { return replyOf(t, other) }, rpc.ErrIntegrity, ""},
		"skew":             {nil, krbError(t, errorcode.KRB_AP_ERR_SKEW), nil, krb5.ReasonClock},
		"modified":         {nil, krbError(t, errorcode.KRB_AP_ERR_MODIFIED), nil, krb5.ReasonServiceTicket},
		"expired":          {nil, krbError(t, errorcode.KRB_AP_ERR_TKT_EXPIRED), nil, krb5.ReasonExpired},
		"not us":           {nil, krbError(t, errorcode.KRB_AP_ERR_NOT_US), nil, krb5.ReasonServiceTicket},
		"generic":          {nil, krbError(t, errorcode.KRB_ERR_GENERIC), nil, krb5.ReasonOther},
		"framed error": {nil, func([]byte) []byte { return framed("\x03\x00", krbError(t, errorcode.KRB_AP_ERR_SKEW)(nil)) }, nil,
			krb5.ReasonClock},
	} {
		t.Run(name, func(t *testing.T) {
			a := tc.acceptor
			if a == nil {
				a = &kdctest.Acceptor{Keytab: keytab}
			}
			i := krb5.NewInitiator(ticket, true, time.Now)
			first, _, err := i.Step(nil)
			require.NoError(t, err)
			reply, err := a.Accept(first)
			require.NoError(t, err)
			if tc.tamper != nil {
				reply = tc.tamper(reply)
			}
			out, complete, err := i.Step(reply)
			require.Error(t, err)
			assert.False(t, complete)
			assert.Empty(t, out)
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
			}
			assert.Equal(t, tc.reason, krb5.ReasonOf(err), "%v", err)
		})
	}
}

func krbError(t testing.TB, code int32) func([]byte) []byte {
	return func([]byte) []byte {
		e := messages.NewKRBError(types.PrincipalName{NameString: []string{"host"}}, realm, code, "why\nnot")
		b, err := e.Marshal()
		require.NoError(t, err)
		return b
	}
}

func shortReply(t testing.TB) []byte {
	rep := messages.APRep{PVNO: 5, MsgType: 15, EncPart: types.EncryptedData{EType: 18, Cipher: []byte{1}}}
	b, err := rep.Marshal()
	require.NoError(t, err)
	return b
}

// retyped is an AP-REP that says that it is encrypted in another way than it is.
func retyped(t testing.TB, b []byte) []byte {
	var rep messages.APRep
	require.NoError(t, rep.Unmarshal(b))
	rep.EncPart.EType = etypeID.AES128_CTS_HMAC_SHA1_96
	b, err := rep.Marshal()
	require.NoError(t, err)
	return b
}

// replyOf is an AP-REP of a server that has another ticket.
func replyOf(t testing.TB, ticket *krb5.Ticket) []byte {
	rep, err := messages.NewAPRep(ticket.Key, messages.NewEncAPRepPart(1))
	require.NoError(t, err)
	b, err := rep.Marshal()
	require.NoError(t, err)
	return b
}

// TestNoKey has tickets that nothing can be done with.
func TestNoKey(t *testing.T) {
	ticket, _ := getTicket(t, "aes256-cts")
	for _, key := range []types.EncryptionKey{{}, {KeyType: 18, KeyValue: make([]byte, 31)}, {KeyType: 3, KeyValue: make([]byte, 8)}} {
		bad := *ticket
		bad.Key = key
		_, _, err := krb5.NewInitiator(&bad, true, time.Now).Step(nil)
		assert.Equal(t, krb5.ReasonEncryption, krb5.ReasonOf(err), "%v", err)
	}
}

func FuzzInitiator(f *testing.F) {
	ticket, keytab := getTicket(f, "aes256-cts")
	i := krb5.NewInitiator(ticket, true, time.Now)
	first, _, err := i.Step(nil)
	require.NoError(f, err)
	reply, err := (&kdctest.Acceptor{Keytab: keytab}).Accept(first)
	require.NoError(f, err)
	for _, dce := range []bool{true, false} {
		f.Add(dce, reply)
		f.Add(dce, framed("\x02\x00", reply))
		f.Add(dce, krbError(f, errorcode.KRB_AP_ERR_SKEW)(nil))
		f.Add(dce, framed("\x03\x00", krbError(f, errorcode.KRB_AP_ERR_SKEW)(nil)))
		f.Add(dce, shortReply(f))
	}
	f.Fuzz(func(t *testing.T, dce bool, token []byte) {
		i := krb5.NewInitiator(ticket, dce, time.Now)
		_, _, err := i.Step(nil)
		require.NoError(t, err)
		_, complete, err := i.Step(token)
		require.Error(t, err, "nobody can guess the key")
		require.False(t, complete)
	})
}

// FuzzReplyPart has a server that has the key, and encrypts anything.
func FuzzReplyPart(f *testing.F) {
	ticket, _ := getTicket(f, "aes256-cts")
	part := messages.NewEncAPRepPart(5)
	part.Subkey = ticket.Key
	b, err := part.Marshal()
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, plain []byte) {
		sealed, err := crypto.GetEncryptedData(plain, ticket.Key, keyusage.AP_REP_ENCPART, 0)
		require.NoError(t, err)
		rep := messages.APRep{PVNO: 5, MsgType: 15, EncPart: sealed}
		token, err := rep.Marshal()
		require.NoError(t, err)
		i := krb5.NewInitiator(ticket, true, time.Now)
		_, _, err = i.Step(nil)
		require.NoError(t, err)
		_, _, err = i.Step(token)
		require.Error(t, err, "nobody guesses the time of the authenticator to the microsecond")
	})
}

// TestNoTwoAtOnce has a clock that stands still, and one that is set back: no two authenticators have one time.
func TestNoTwoAtOnce(t *testing.T) {
	k := newKDC()
	keytab := k.AddService(spn)
	clock := time.Now()
	c := newClient(k, func(c *krb5.ClientConfig) { c.Now = func() time.Time { return clock } })
	ticket, err := c.Ticket(t.Context(), spn)
	require.NoError(t, err)
	seen := map[int64]bool{}
	for range 100 {
		a := &kdctest.Acceptor{Keytab: keytab}
		first, _, err := c.Initiate(ticket, true).Step(nil)
		require.NoError(t, err)
		_, err = a.Accept(first)
		require.NoError(t, err)
		assert.Less(t, a.Time.Sub(clock).Abs(), time.Second)
		assert.False(t, seen[a.Time.UnixMicro()])
		seen[a.Time.UnixMicro()] = true
		if len(seen) == 50 {
			clock = clock.Add(-time.Minute)
		}
	}
}
