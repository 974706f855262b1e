package adcs_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/rpc"
)

// hostileTimeout is the client's time-out in these tests; their clock is that of synctest.
const hostileTimeout = 30 * time.Second

// script is a server for one connection. The connection is closed when it returns.
type script func(nc net.Conn)

// scripted is a network on which the n-th connection meets the n-th script, and every further one the last.
type scripted struct {
	scripts []script
	n       atomic.Int64
	servers sync.WaitGroup
}

func (s *scripted) DialContext(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	run := s.scripts[min(int(s.n.Add(1)), len(s.scripts))-1]
	s.servers.Go(func() {
		defer server.Close()
		run(server)
	})
	return client, nil
}

// says reads one PDU and answers it with bytes; nothing is read any more then.
func says(b []byte) script {
	return func(nc net.Conn) {
		if _, err := rpc.ReadPDU(nc, 1<<16-1); err == nil && len(b) > 0 {
			_, _ = nc.Write(b)
		}
	}
}

// then lets the scripts run one after the other on the same connection.
func then(scripts ...script) script {
	return func(nc net.Conn) {
		for _, s := range scripts {
			s(nc)
		}
	}
}

// silence reads everything and says nothing, until the client goes away.
func silence(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }

// drip sends some bytes of b each second.
func drip(b []byte) script {
	return func(nc net.Conn) {
		go silence(nc)
		for ; len(b) > 0; b = b[1:] {
			time.Sleep(time.Second)
			if _, err := nc.Write(b[:1]); err != nil {
				return
			}
		}
	}
}

// flood sends b again and again.
func flood(b []byte) script {
	return func(nc net.Conn) {
		go silence(nc)
		for {
			if _, err := nc.Write(b); err != nil {
				return
			}
		}
	}
}

func pdu(t testing.TB, kind rpc.PacketType, callID uint32, body []byte) []byte {
	b, err := rpc.Encode(rpc.Header{Type: kind, Flags: rpc.FlagFirst | rpc.FlagLast, CallID: callID}, body, nil)
	require.NoError(t, err)
	return b
}

func bindAck(t testing.TB, results ...rpc.Result) []byte {
	return pdu(t, rpc.TypeBindAck, 1, (&rpc.BindAck{
		MaxXmit: 5840, MaxRecv: 5840, AssocGroup: 1, SecondaryAddress: "135", Results: results,
	}).Append(nil))
}

var accepted = rpc.Result{Transfer: rpc.NDR()}

func fault(t testing.TB, callID uint32, status uint32) []byte {
	return pdu(t, rpc.TypeFault, callID, (&rpc.Fault{Status: rpc.Status(status)}).Append(nil))
}

func response(t testing.TB, callID uint32, stub []byte) []byte {
	return pdu(t, rpc.TypeResponse, callID, append((&rpc.Response{AllocHint: uint32(len(stub))}).Append(nil), stub...))
}

// mapStub is an answer of ept_map.
func mapStub(num, max, actual, status uint32, towers ...[]byte) []byte {
	b := make([]byte, 20)
	for _, v := range []uint32{num, max, 0, actual} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for i := range towers {
		b = binary.LittleEndian.AppendUint32(b, uint32(i+1))
	}
	for _, tower := range towers {
		b = append(b, make([]byte, -len(b)&3)...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(tower)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(tower)))
		b = append(b, tower...)
	}
	b = append(b, make([]byte, -len(b)&3)...)
	return binary.LittleEndian.AppendUint32(b, status)
}

func tower(iface rpc.Syntax, port uint16, pipe string) []byte {
	return (&rpc.Tower{Interface: iface, Transfer: rpc.NDR(), Port: port, Pipe: pipe}).Append(nil)
}

// honestMapper names port 49700.
func honestMapper(t testing.TB) script {
	return then(says(bindAck(t, accepted)),
		says(response(t, 2, mapStub(1, 16, 1, 0, tower(rpc.ICertPassage(), 49700, "")))))
}

// junk is what answers a bind and is none. It is for the endpoint mapper and for the CA.
func junk(t testing.TB) map[string]script {
	m := map[string]script{
		"closes at once":                func(net.Conn) {},
		"never reads":                   func(nc net.Conn) { _, _ = nc.Write([]byte{5}) }, // which ends with the connection
		"says nothing":                  silence,
		"closes after the bind":         says(nil),
		"HTTP":                          says([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")),
		"a TLS alert":                   says([]byte{0x15, 3, 3, 0, 2, 2, 40}),
		"zeros":                         flood(make([]byte, 4096)),
		"ones":                          flood(bytes.Repeat([]byte{0xff}, 4096)),
		"half a header":                 says(bindAck(t, accepted)[:9]),
		"half a bind_ack":               says(bindAck(t, accepted)[:30]),
		"a long PDU that never ends":    then(says([]byte{5, 0, 12, 3, 0x10, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0}), silence),
		"one byte each second":          drip(bindAck(t, accepted)),
		"another version":               says(append([]byte{4}, bindAck(t, accepted)[1:]...)),
		"big endian":                    says(append([]byte{5, 0, 12, 3, 0, 0, 0, 0}, bindAck(t, accepted)[8:]...)),
		"a length below the header":     says([]byte{5, 0, 12, 3, 0x10, 0, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0}),
		"a token longer than the PDU":   says([]byte{5, 0, 12, 3, 0x10, 0, 0, 0, 24, 0, 0xff, 0xff, 1, 0, 0, 0}),
		"another call id":               says(pdu(t, rpc.TypeBindAck, 7, nil)),
		"an empty bind_ack":             says(pdu(t, rpc.TypeBindAck, 1, nil)),
		"a bind":                        says(pdu(t, rpc.TypeBind, 1, nil)),
		"a response":                    says(response(t, 1, nil)),
		"no results":                    says(bindAck(t)),
		"more results than asked for":   says(bindAck(t, accepted, accepted)),
		"255 results that are not here": says(pdu(t, rpc.TypeBindAck, 1, append(make([]byte, 12), 0xff, 0, 0, 0))),
		"another transfer syntax":       says(bindAck(t, rpc.Result{Transfer: rpc.NDR64()})),
		"an empty fault":                says(pdu(t, rpc.TypeFault, 1, nil)),
		"an empty bind_nak":             says(pdu(t, rpc.TypeBindNak, 1, nil)),
	}
	return m
}

// callHostile makes the calls of a client against scripts, and checks what holds for every hostile server that has not
// seen the request: an error in time, and no doubt about the request. It returns the error of Submit.
func callHostile(t *testing.T, csr []byte, auth adcs.Auth, scripts ...script) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := &scripted{scripts: scripts}
		defer network.servers.Wait()
		client, newErr := adcs.New("ca.corp.test", "CA", adcs.Password(`CORP\alice`, secret), adcs.Options{
			Transport: adcs.TransportTCP, Auth: auth, AllowNTLM: true, Timeout: hostileTimeout, DialContext: network.DialContext,
		}.WithoutKDC())
		require.NoError(t, newErr)
		began := time.Now()
		var result *adcs.Result
		result, err = client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "User"})
		assert.LessOrEqual(t, time.Since(began), hostileTimeout)
		assert.Nil(t, result)
		require.Error(t, err)
		assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown, "nothing of the request has left")
		assert.NotContains(t, err.Error(), secret)
		assert.Less(t, len(err.Error()), 1000)
		checkExplanation(t, adcs.Explain(err))
		require.NoError(t, client.Close())
		_, err := client.Submit(t.Context(), adcs.Request{CSR: csr})
		require.ErrorIs(t, err, net.ErrClosed)
	})
	return err
}

func TestHostileEndpointMapper(t *testing.T) {
	_, csr := newCSR(t, "pc1.corp.test")
	answers := func(stub []byte) script {
		return then(says(bindAck(t, accepted)), says(response(t, 2, stub)))
	}
	scripts := junk(t)
	for name, s := range map[string]script{
		"an answer to another call":   then(says(bindAck(t, accepted)), says(response(t, 3, nil))),
		"a bind_ack as an answer":     then(says(bindAck(t, accepted)), says(bindAck(t, accepted))),
		"an empty answer":             answers(nil),
		"no towers":                   answers(mapStub(0, 16, 0, 0)),
		"towers that are not here":    answers(mapStub(16, 16, 16, 0)),
		"a billion towers":            answers(mapStub(1<<30, 1<<30, 1<<30, 0)),
		"more towers than asked for":  answers(mapStub(17, 17, 17, 0, make([][]byte, 17)...)),
		"towers without floors":       answers(mapStub(2, 16, 2, 0, nil, []byte{0, 0})),
		"a tower that is cut off":     answers(mapStub(1, 16, 1, 0, tower(rpc.ICertPassage(), 1, "")[:40])),
		"a floor longer than the end": answers(mapStub(1, 16, 1, 0, []byte{5, 0, 0xff, 0xff, 1})),
		"port 0":                      answers(mapStub(1, 16, 1, 0, tower(rpc.ICertPassage(), 0, ""))),
		"a pipe":                      answers(mapStub(1, 16, 1, 0, tower(rpc.ICertPassage(), 0, `\pipe\cert`))),
		"another interface":           answers(mapStub(1, 16, 1, 0, tower(rpc.EndpointMapper(), 135, ""))),
		"empty fragments for ever": then(says(bindAck(t, accepted)), func(nc net.Conn) {
			b := response(t, 2, nil)
			b[3] = byte(rpc.FlagFirst)
			flood(b)(nc)
		}),
		"small fragments for ever": then(says(bindAck(t, accepted)), func(nc net.Conn) {
			b := response(t, 2, []byte{1})
			b[3] = byte(rpc.FlagFirst)
			_, _ = nc.Write(b)
			b[3] = 0
			flood(b)(nc)
		}),
		"nothing after the bind": then(says(bindAck(t, accepted)), silence),
	} {
		scripts[name] = s
	}
	for name, s := range scripts {
		t.Run(name, func(t *testing.T) {
			_ = callHostile(t, csr, adcs.AuthNTLM, s)
		})
	}
}

func TestEndpointMapperErrorsAreTyped(t *testing.T) {
	_, csr := newCSR(t, "pc1.corp.test")
	phase := func(t *testing.T, err error) adcs.Phase {
		e, ok := errors.AsType[*adcs.RPCError](err)
		require.True(t, ok, "%v", err)
		return e.Phase
	}
	for name, s := range map[string]script{
		"by status":       then(says(bindAck(t, accepted)), says(response(t, 2, mapStub(0, 16, 0, 0x16C9A0D6)))),
		"without a tower": then(says(bindAck(t, accepted)), says(response(t, 2, mapStub(0, 16, 0, 0)))),
	} {
		t.Run("not registered "+name, func(t *testing.T) {
			err := callHostile(t, csr, adcs.AuthNTLM, s)
			require.ErrorIs(t, err, adcs.ErrNotRegistered)
			assert.Equal(t, adcs.PhaseMap, phase(t, err))
			assert.Contains(t, adcs.Explain(err).Summary, "knows no CA on this host")
		})
	}
	for _, reason := range []uint16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 77} {
		t.Run(fmt.Sprintf("bind_nak %d", reason), func(t *testing.T) {
			err := callHostile(t, csr, adcs.AuthNTLM, says(rpc.EncodeBindNak(1, reason)))
			require.ErrorIs(t, err, adcs.BindNak(reason))
			assert.Equal(t, adcs.PhaseMap, phase(t, err))
		})
	}
	for _, reason := range []uint16{0, 1, 2, 3, 77} {
		t.Run(fmt.Sprintf("rejected %d", reason), func(t *testing.T) {
			err := callHostile(t, csr, adcs.AuthNTLM, says(bindAck(t, rpc.Result{Verdict: rpc.VerdictReject, Reason: reason})))
			require.ErrorIs(t, err, adcs.ContextRejection(reason))
		})
	}
	for _, status := range []uint32{5, 0x1C010003, 0x1C010002, 0x1C01000B, 0x6F7, 0x12345678} {
		t.Run(fmt.Sprintf("fault %08x", status), func(t *testing.T) {
			err := callHostile(t, csr, adcs.AuthNTLM, then(says(bindAck(t, accepted)), says(fault(t, 2, status))))
			require.ErrorIs(t, err, adcs.RPCStatus(status))
			assert.Equal(t, adcs.PhaseMap, phase(t, err))
		})
	}
}

// TestHostileCA has the junk at the CA's port, behind an honest endpoint mapper.
func TestHostileCA(t *testing.T) {
	_, csr := newCSR(t, "pc1.corp.test")
	for name, s := range junk(t) {
		for _, auth := range []adcs.Auth{adcs.AuthNTLM, adcs.AuthNegotiate} {
			t.Run(name+" "+string(auth), func(t *testing.T) {
				_ = callHostile(t, csr, auth, honestMapper(t), s)
			})
		}
	}
}

// challengePDU is a bind_ack with a token.
func challengePDU(t testing.TB, auth rpc.AuthType, token []byte) []byte {
	body := (&rpc.BindAck{
		MaxXmit: 5840, MaxRecv: 5840, AssocGroup: 1, SecondaryAddress: "49700", Results: []rpc.Result{accepted},
	}).Append(nil)
	b, err := rpc.Encode(rpc.Header{Type: rpc.TypeBindAck, Flags: rpc.FlagFirst | rpc.FlagLast, CallID: 1}, body,
		&rpc.Auth{Type: auth, Level: rpc.LevelPrivacy, ContextID: 1, Value: token})
	require.NoError(t, err)
	return b
}

// ntlmChallenge is a CHALLENGE_MESSAGE ([MS-NLMP], section 2.2.1.2) that a client goes on with.
func ntlmChallenge() []byte {
	var info []byte
	for _, pair := range []struct {
		id    uint16
		value string
	}{{2, "CORP"}, {1, "CA"}, {4, "corp.test"}, {3, "ca.corp.test"}} {
		value := toUTF16(pair.value)
		info = binary.LittleEndian.AppendUint16(info, pair.id)
		info = binary.LittleEndian.AppendUint16(info, uint16(len(value)))
		info = append(info, value...)
	}
	info = append(info, 7, 0, 8, 0, 0, 0x80, 0x3e, 0xd5, 0xde, 0xb1, 0x9d, 0x01) // a time
	info = append(info, 0, 0, 0, 0)
	name := toUTF16("CORP")
	field := func(b []byte, size, offset int) []byte {
		b = binary.LittleEndian.AppendUint16(b, uint16(size))
		b = binary.LittleEndian.AppendUint16(b, uint16(size))
		return binary.LittleEndian.AppendUint32(b, uint32(offset))
	}
	b := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	b = field(b, len(name), 56)
	b = binary.LittleEndian.AppendUint32(b, 0xE28A8235)
	b = append(b, 1, 2, 3, 4, 5, 6, 7, 8)
	b = append(b, make([]byte, 8)...)
	b = field(b, len(info), 56+len(name))
	b = append(b, 10, 0, 0x61, 0x4a, 0, 0, 0, 15)
	return append(append(b, name...), info...)
}

// TestHostileChallenge cuts, stretches and changes the challenge of NTLM at every byte. The server knows no password:
// whatever it says, the request must not reach it in a form that it could answer, and nothing may panic.
func TestHostileChallenge(t *testing.T) {
	t.Parallel()
	_, csr := newCSR(t, "pc1.corp.test")
	good := ntlmChallenge()
	var tokens [][]byte
	for i := range good {
		tokens = append(tokens, good[:i])
		for _, v := range []byte{0, 0xff, good[i] ^ 0x80} {
			changed := bytes.Clone(good)
			changed[i] = v
			tokens = append(tokens, changed)
		}
	}
	tokens = append(tokens, bytes.Repeat([]byte{0xff}, 20000), append(bytes.Clone(good), make([]byte, 17000)...))
	honest := honestMapper(t)
	for _, token := range tokens {
		// The server closes when it has read AUTH3 and the request, or when the client gives up.
		network := &scripted{scripts: []script{
			honest, then(says(challengePDU(t, rpc.AuthNTLM, token)), says(nil), says(nil)),
		}}
		client, err := adcs.New("ca.corp.test", "CA", adcs.Password(`CORP\alice`, secret), &adcs.Options{
			Transport: adcs.TransportTCP, Auth: adcs.AuthNTLM, Timeout: time.Minute, DialContext: network.DialContext,
		})
		require.NoError(t, err)
		result, err := client.Submit(t.Context(), adcs.Request{CSR: csr})
		require.Error(t, err)
		assert.Nil(t, result)
		assert.Less(t, len(err.Error()), 1000)
		require.NoError(t, client.Close())
		network.servers.Wait()
	}
}

// TestDeadConnectionWithoutDeadlines has a network whose connections cannot have deadlines, as those inside of an SSH
// tunnel: a call must end with its context all the same.
func TestDeadConnectionWithoutDeadlines(t *testing.T) {
	_, csr := newCSR(t, "pc1.corp.test")
	synctest.Test(t, func(t *testing.T) {
		silent := &scripted{scripts: []script{silence}}
		defer silent.servers.Wait()
		client, err := adcs.New("ca.corp.test", "CA", adcs.Password("alice", secret), &adcs.Options{
			Transport: adcs.TransportTCP, Auth: adcs.AuthNTLM, Timeout: hostileTimeout,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := silent.DialContext(ctx, network, addr)
				return noDeadlines{nc}, err
			},
		})
		require.NoError(t, err)
		began := time.Now()
		_, err = client.Submit(t.Context(), adcs.Request{CSR: csr})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, hostileTimeout, time.Since(began))
		require.NoError(t, client.Close())
	})
}

type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (noDeadlines) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (noDeadlines) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
