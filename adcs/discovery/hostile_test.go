package discovery

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// plain is a logon and a security context that protect nothing, for what comes after them.
type plain struct{}

func (plain) Try(context.Context) (func(error), error)           { return func(error) {}, nil }
func (plain) Simple() (user, password string, err error)         { return "user", "password", nil }
func (plain) Initiator(context.Context) (assoc.Initiator, error) { return plain{}, nil }
func (plain) Failure(err error) error                            { return err }
func (plain) Type() rpc.AuthType                                 { return rpc.AuthNegotiate }
func (plain) Step([]byte) (out []byte, complete bool, err error) { return []byte("token"), true, nil }
func (plain) Protector() rpc.Protector                           { return plain{} }
func (plain) Mutual() bool                                       { return true }
func (plain) SessionKey() []byte                                 { return nil }
func (plain) ByTicket() bool                                     { return false }
func (plain) SignatureSize(bool) int                             { return 0 }
func (plain) Wrap(*rpc.Message) ([]byte, error)                  { return nil, nil }
func (plain) Unwrap(m *rpc.Message, signature []byte) error      { return nil }

// answer is an LDAP message with an operation.
func answer(id int64, tag byte, content func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(id)
		b.AddASN1(cbasn1.Tag(tag), content)
	})
	return b.BytesOrPanic()
}

// resultOf is the content of an LDAPResult.
func resultOf(code byte, text string) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.ENUM, func(b *cryptobyte.Builder) { b.AddUint8(code) })
		b.AddASN1OctetString(nil)
		b.AddASN1OctetString([]byte(text))
	}
}

// entryOf is the content of a search result.
func entryOf(dn string, attributes map[string]string) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1OctetString([]byte(dn))
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for name, value := range attributes {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1OctetString([]byte(name))
					b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte(value)) })
				})
			}
		})
	}
}

func sealedBuffer(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

const (
	tagEntry = 0x64
	tagDone  = 0x65
)

// script is a server: what it answers to the bind, and to each request after it.
type script struct {
	bind   func(id int64) []byte
	answer func(id int64) []byte // nil: nothing, ever
	hangUp bool
}

func accept(id int64) []byte { return answer(id, tagBindResponse, resultOf(0, "")) }

// serve plays a script until the client hangs up.
func (s script) serve(c net.Conn) {
	defer c.Close()
	m, err := readMessage(c)
	if err != nil || s.bind == nil {
		return
	}
	if _, err := c.Write(s.bind(messageID(m))); err != nil || s.hangUp {
		return
	}
	for {
		var size [4]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		m := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(c, m); err != nil {
			return
		}
		if s.answer == nil {
			continue
		}
		if _, err := c.Write(s.answer(messageID(m))); err != nil {
			return
		}
	}
}

// sends answers everything in the same way.
func sends(b []byte) func(int64) []byte { return func(int64) []byte { return b } }

func messageID(m []byte) int64 {
	p, err := ber.DecodePacketErr(m)
	if err != nil || len(p.Children) == 0 {
		return 0
	}
	id, _ := p.Children[0].Value.(int64)
	return id
}

// play reads from a server that follows a script, and checks that nothing is left.
func play(t *testing.T, s script, timeout time.Duration) error {
	t.Helper()
	before := runtime.NumGoroutine()
	done := make(chan struct{})
	c := &Client{host: "dc.corp.test", logon: plain{}, maxTotal: 4 << 20, opts: Options{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				defer close(done)
				s.serve(server)
			}()
			return client, nil
		},
	}}
	require.NoError(t, c.opts.complete(c.host))
	c.opts.Timeout = timeout
	_, err := c.Read(t.Context())
	<-done
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, time.Millisecond)
	return err
}

// TestHostile has a server do everything that it should not.
func TestHostile(t *testing.T) {
	http := []byte("HTTP/1.1 400 Bad Request\r\n")
	deep := bytes.Repeat([]byte{0x30, 0x84, 0, 0, 0, 0}, 40)
	for i := range 40 {
		binary.BigEndian.PutUint32(deep[6*i+2:], uint32(len(deep)-6*i-6))
	}
	many := append([]byte{0x30, 0x84, 0, 0x04, 0, 0}, bytes.Repeat([]byte{0x05, 0x00}, 1<<17)...)
	reply := func(b []byte) func(int64) []byte { return sends(sealedBuffer(b)) }
	for name, c := range map[string]struct {
		script script
		want   error
	}{
		"hangs up at once":     {script{}, io.EOF},
		"hangs up after bind":  {script{bind: accept, hangUp: true}, nil},
		"is no LDAP":           {script{bind: sends(http)}, ErrMalformed},
		"has endless lengths":  {script{bind: sends([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})}, ErrTooLarge},
		"has long lengths":     {script{bind: sends([]byte{0x30, 0x85, 0, 0, 0, 0, 1, 0})}, ErrMalformed},
		"has no lengths":       {script{bind: sends([]byte{0x30, 0x80, 0, 0})}, ErrMalformed},
		"answers another bind": {script{bind: func(id int64) []byte { return accept(id + 1) }}, ErrMalformed},
		"answers otherwise": {script{bind: func(id int64) []byte {
			return answer(id, tagExtendedResponse, resultOf(0, ""))
		}}, ErrMalformed},
		"answers nothing": {script{bind: func(id int64) []byte {
			return answer(id, tagBindResponse, func(*cryptobyte.Builder) {})
		}}, ErrMalformed},
		"refuses the logon": {script{bind: func(id int64) []byte {
			return answer(id, tagBindResponse, resultOf(49, "8009030C: LdapErr: DSID-0C090569, data 775, v4563\x1b[2J"))
		}}, adcs.ErrLogon},
		"goes on and on": {script{bind: func(id int64) []byte {
			return answer(id, tagBindResponse, resultOf(14, ""))
		}}, ErrMalformed},
		"seals too much": {script{bind: accept, answer: sends([]byte{0xff, 0xff, 0xff, 0xff})}, ErrTooLarge},
		"seals junk":     {script{bind: accept, answer: reply([]byte("junk"))}, ErrMalformed},
		"is deep":        {script{bind: accept, answer: reply(deep)}, ErrTooLarge},
		"has many parts": {script{bind: accept, answer: reply(many)}, ErrTooLarge},
		"overlaps":       {script{bind: accept, answer: reply([]byte{0x30, 0x04, 0x02, 0x05, 1, 1})}, ErrMalformed},
		"takes its leave": {script{bind: accept, answer: func(int64) []byte {
			return sealedBuffer(answer(0, tagExtendedResponse, resultOf(52, "going down")))
		}}, context.DeadlineExceeded},
		"is another server": {script{bind: accept, answer: func(id int64) []byte {
			return sealedBuffer(append(answer(id, tagEntry, entryOf("", map[string]string{"vendorName": "other"})),
				answer(id, tagDone, resultOf(0, ""))...))
		}}, ErrMalformed},
		"has no root": {script{bind: accept, answer: func(id int64) []byte {
			return sealedBuffer(answer(id, tagDone, resultOf(0, "")))
		}}, ErrMalformed},
		"fails": {script{bind: accept, answer: func(id int64) []byte {
			return sealedBuffer(answer(id, tagDone, resultOf(1, "operations error")))
		}}, nil},
		"has entries of nothing": {script{bind: accept, answer: func(id int64) []byte {
			return sealedBuffer(append(answer(id, tagEntry, func(*cryptobyte.Builder) {}),
				answer(id, tagDone, resultOf(0, ""))...))
		}}, nil},
		"says nothing": {script{bind: accept}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			err := play(t, c.script, 2*time.Second)
			require.Error(t, err)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			assert.NotContains(t, err.Error(), "\x1b")
			assert.Less(t, len(err.Error()), 1000)
		})
	}
}

// TestWrongPasswordIsTriedOnce has many calls with a password that the server refuses.
func TestWrongPasswordIsTriedOnce(t *testing.T) {
	var logons atomic.Int32
	refuses := script{bind: func(id int64) []byte {
		logons.Add(1)
		return answer(id, tagBindResponse, resultOf(49, "data 52e"))
	}}
	var servers sync.WaitGroup
	c, err := New("dc.corp.test", adcs.Password(`CORP\alice`, "wrong"), &Options{
		Auth: adcs.AuthNTLM,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			servers.Go(func() { refuses.serve(server) })
			return client, nil
		},
	})
	require.NoError(t, err)
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			_, err := c.Read(t.Context())
			assert.ErrorIs(t, err, adcs.ErrLogon)
		})
	}
	calls.Wait()
	_, err = c.Read(t.Context())
	require.ErrorContains(t, err, "not tried again for")
	servers.Wait()
	assert.EqualValues(t, 1, logons.Load())
}

// TestEndless has a server send objects without an end.
func TestEndless(t *testing.T) {
	var one []byte
	err := play(t, script{bind: accept, answer: func(id int64) []byte {
		one = answer(id, tagEntry, entryOf("CN=x", map[string]string{"cn": strings.Repeat("x", 1000)}))
		return bytes.Repeat(sealedBuffer(bytes.Repeat(one, 100)), 100)
	}}, time.Minute)
	require.ErrorIs(t, err, ErrTooLarge)
}

// TestDiagnosis bounds and cleans what a server says, and says what Active Directory's codes mean.
func TestDiagnosis(t *testing.T) {
	for text, want := range map[string]string{
		"80090308: LdapErr: DSID-0C09044E, comment: ..., data 52e, v2580": "wrong user or password (",
		"80090308: LdapErr: DSID-0C09044E, data 533, v2580\x00":           "the account is disabled (",
		"80090346: LdapErr: DSID-0C0905FC, data 80090346, v4563":          "the server wants channel bindings (",
		"other, data zzz, v1": "other, data zzz, v1",
		"a\x1bb\nc":           "abc",
	} {
		assert.True(t, strings.HasPrefix(diagnosis(text).Error(), want), text)
	}
	assert.Less(t, len(diagnosis(strings.Repeat("é", 5000)).Error()), 310)
}

// TestNew refuses what would be unprotected or cannot be.
func TestNew(t *testing.T) {
	for name, c := range map[string]struct {
		host string
		cred adcs.Credential
		o    *Options
		want error
	}{
		"as it should be":   {"dc.corp.test", adcs.Password("u@corp.test", "p"), nil, nil},
		"URL":               {"ldaps://dc", adcs.Password("u", "p"), nil, adcs.ErrInvalidRequest},
		"no host":           {"", adcs.Password("u", "p"), nil, adcs.ErrInvalidRequest},
		"protection":        {"dc", adcs.Password("u", "p"), &Options{Protection: "none"}, adcs.ErrInvalidRequest},
		"address":           {"dc", adcs.Password("u", "p"), &Options{Address: "dc"}, adcs.ErrInvalidRequest},
		"time-out":          {"dc", adcs.Password("u", "p"), &Options{Timeout: -1}, adcs.ErrInvalidRequest},
		"no password":       {"dc", adcs.Password("u", ""), nil, adcs.ErrInvalidRequest},
		"TLS with a ticket": {"dc", adcs.CCache("", "/tmp/x"), &Options{Protection: ProtectTLS}, adcs.ErrInvalidRequest},
	} {
		_, err := New(c.host, c.cred, c.o)
		require.ErrorIs(t, err, c.want, name)
	}
}

// TestReadMessage passes what is well-formed, in every form of length.
func TestReadMessage(t *testing.T) {
	for _, m := range [][]byte{
		{0x30, 0x03, 0x02, 0x01, 0x01},
		{0x30, 0x81, 0x03, 0x02, 0x01, 0x01},
		{0x30, 0x84, 0, 0, 0, 0x06, 0x02, 0x84, 0, 0, 0, 0},
	} {
		got, err := readMessage(bytes.NewReader(append(m, 0xff)))
		require.NoError(t, err)
		assert.Equal(t, m, got)
		for n := range m {
			_, err := readMessage(bytes.NewReader(m[:n]))
			require.Error(t, err)
			assert.Equal(t, n == 0, errors.Is(err, io.EOF), fmt.Sprint(m, n))
		}
	}
	_, err := readMessage(bytes.NewReader([]byte{0x30, 0x84, 0, 0x80, 0, 1}))
	require.ErrorIs(t, err, ErrTooLarge)
}

func FuzzReadMessage(f *testing.F) {
	f.Add(accept(1))
	f.Add(answer(2, tagEntry, entryOf("CN=x", map[string]string{"cn": "x"})))
	f.Add([]byte{0x30, 0x84, 0, 0, 0, 0x06, 0x02, 0x84, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMessage(bytes.NewReader(b))
		if err != nil {
			return
		}
		// What passes can be decoded, and results of it be read.
		if p, err := ber.DecodePacketErr(m); err == nil && len(p.Children) > 1 {
			_, _, _ = result(p.Children[1])
		}
	})
}
