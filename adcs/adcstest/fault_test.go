package adcstest_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"testing"

	"github.com/oiweiwei/go-msrpc/msrpc/epm/epm/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// loggedOn connects and logs on for sealed calls.
func loggedOn(t testing.TB, s *adcstest.Server) *rawPeer {
	t.Helper()
	p := dialRaw(t, s.Addr())
	p.logOn(s.User(), s.User().Password, rpc.LevelPrivacy)
	return p
}

// Each way to cut a connection: whether the CA has the request afterwards, and that the next call is served.
func TestCuts(t *testing.T) {
	for name, c := range map[string]struct {
		cut  adcstest.Cut
		size int
		rows int
	}{
		"before the last fragment, of many": {adcstest.CutBeforeLastFragment, 20000, 0},
		"before the last fragment, of one":  {adcstest.CutBeforeLastFragment, 100, 0},
		"after the request":                 {adcstest.CutAfterRequest, 20000, 0},
		"before the answer":                 {adcstest.CutBeforeAnswer, 100, 1},
		"in the answer":                     {adcstest.CutInAnswer, 100, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			s.InjectFault(adcstest.Fault{Cut: c.cut})
			p := loggedOn(t, s)
			for _, b := range p.fragments(5840, submitStub(s.Name(), make([]byte, c.size))) {
				if _, err := p.nc.Write(b); err != nil {
					break // the server may have cut already
				}
			}
			_, err := rpc.ReadPDU(p.nc, rpc.MaxFragment)
			assert.Error(t, err)
			assert.Len(t, s.Requests(), c.rows)

			p = loggedOn(t, s)
			p.request(submitStub(s.Name(), newCSR(t, "next")))
			assert.EqualValues(t, 3, disposition(t, p.answer()))
		})
	}
}

// A cut within the answer leaves a part of its last PDU on the wire.
func TestCutInAnswerSendsAPart(t *testing.T) {
	s := newServer(t, nil)
	s.InjectFault(adcstest.Fault{Cut: adcstest.CutInAnswer})
	p := loggedOn(t, s)
	p.request(submitStub(s.Name(), newCSR(t, "part")))
	buf := bytes.NewBuffer(nil)
	_, err := buf.ReadFrom(p.nc)
	require.NoError(t, err)
	h, err := rpc.ParseHeader(buf.Bytes())
	require.NoError(t, err)
	assert.Equal(t, rpc.TypeResponse, h.Type)
	assert.Equal(t, int(h.FragLength)/2, buf.Len())
}

func TestFaultStatus(t *testing.T) {
	const busy = rpc.StatusServerTooBusy
	s := newServer(t, nil)
	p := loggedOn(t, s)
	s.InjectFault(adcstest.Fault{Status: uint32(busy), NotExecuted: true})
	s.InjectFault(adcstest.Fault{Status: uint32(busy)})
	p.request(submitStub(s.Name(), newCSR(t, "one")))
	assert.NotZero(t, p.wantFault(busy).Flags&rpc.FlagDidNotExecute)
	assert.Empty(t, s.Requests())
	p.request(submitStub(s.Name(), newCSR(t, "two")))
	assert.Zero(t, p.wantFault(busy).Flags&rpc.FlagDidNotExecute)
	assert.Len(t, s.Requests(), 1)
	p.request(submitStub(s.Name(), newCSR(t, "three")))
	assert.EqualValues(t, 3, disposition(t, p.answer()))
}

// Before and After run on their sides of the CA's work, and hold the call up for as long as the test likes.
func TestDelay(t *testing.T) {
	s := newServer(t, nil)
	p := loggedOn(t, s)
	entered, goOn := make(chan string), make(chan struct{})
	hold := func(name string) func(context.Context) {
		return func(ctx context.Context) {
			entered <- name
			select {
			case <-goOn:
			case <-ctx.Done():
			}
		}
	}
	s.InjectFault(adcstest.Fault{Before: hold("before"), After: hold("after")})
	p.request(submitStub(s.Name(), newCSR(t, "slow")))
	assert.Equal(t, "before", <-entered)
	assert.Empty(t, s.Requests())
	goOn <- struct{}{}
	assert.Equal(t, "after", <-entered)
	assert.Len(t, s.Requests(), 1)
	goOn <- struct{}{}
	assert.EqualValues(t, 3, disposition(t, p.answer()))

	// Close does not wait for a call that is held up.
	s.InjectFault(adcstest.Fault{Before: hold("again")})
	p.request(submitStub(s.Name(), newCSR(t, "closed")))
	assert.Equal(t, "again", <-entered)
	s.Close()
}

func TestBadNDRAndStub(t *testing.T) {
	s := newServer(t, nil)
	p := loggedOn(t, s)
	s.InjectFault(adcstest.Fault{BadNDR: true})
	p.request(submitStub(s.Name(), newCSR(t, "ndr")))
	stub := p.answer() // signed and sealed like any other
	assert.EqualValues(t, 0x7fffffff, binary.LittleEndian.Uint32(stub[8:]))
	assert.EqualValues(t, 0x7fffffff, binary.LittleEndian.Uint32(stub[16:]))

	s.InjectFault(adcstest.Fault{Stub: func(b []byte) []byte { return b[:len(b)-1] }})
	p.request(submitStub(s.Name(), newCSR(t, "cut")))
	assert.NotEmpty(t, p.answer())

	s.InjectFault(adcstest.Fault{Stub: func([]byte) []byte { return nil }})
	p.request(submitStub(s.Name(), newCSR(t, "none")))
	assert.Empty(t, p.answer())
}

func TestPDUHook(t *testing.T) {
	s := newServer(t, &adcstest.Options{Wire: adcstest.Wire{MaxFragment: 1432}})
	p := loggedOn(t, s)
	var seen []int
	s.InjectFault(adcstest.Fault{PDU: func(n int, b []byte) []byte {
		seen = append(seen, n)
		if n == 1 {
			b[len(b)-1] ^= 1
		}
		return b
	}})
	for _, b := range p.fragments(1432, submitStub(s.Name(), newCSR(t, "pdu"))) {
		p.send(b)
	}
	_, err := p.sec.Open(p.recv())
	require.NoError(t, err)
	_, err = p.sec.Open(p.recv())
	require.ErrorIs(t, err, rpc.ErrIntegrity)
	require.GreaterOrEqual(t, len(seen), 2)
	assert.Equal(t, []int{0, 1}, seen[:2])
}

// The CA's own faults come through; what they do in detail is tested with the CA.
func TestForgery(t *testing.T) {
	s := newServer(t, nil)
	p := loggedOn(t, s)
	csr := newCSR(t, "forged")
	s.InjectFault(adcstest.Fault{Forge: adcstest.Forgery{OtherKey: true, RequestIDOffset: 41}})
	p.request(submitStub(s.Name(), csr))
	stub := p.answer()
	row := s.Requests()[0]
	assert.Equal(t, row.ID+41, binary.LittleEndian.Uint32(stub))
	request, err := x509.ParseCertificateRequest(csr)
	require.NoError(t, err)
	assert.False(t, bytes.Contains(stub, request.RawSubjectPublicKeyInfo))
}

// Options.Fault is told of every call, in their order.
func TestFaultCallback(t *testing.T) {
	var calls []adcstest.Call
	s := newServer(t, &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
		calls = append(calls, c)
		if c.N == 2 {
			return &adcstest.Fault{Status: 0x6ba}
		}
		return nil
	}})
	_, err := mapperClient(t, s).Map(t.Context(), nil)
	require.NoError(t, err)
	p := loggedOn(t, s)
	p.request(submitStub(s.Name(), nil))
	p.answer()
	p.request(submitStub(s.Name(), nil))
	p.wantFault(0x6ba)
	ca := adcstest.Call{Interface: "ICertPassage", User: s.User().Account(), Level: adcstest.LevelPrivacy}
	one, two := ca, ca
	one.N, two.N = 1, 2
	assert.Equal(t, []adcstest.Call{
		{N: 1, Interface: "epm", EndpointMapper: true, OpNum: 3, Level: 1}, one, two,
	}, calls)
}

func TestInterfaceOff(t *testing.T) {
	s := newServer(t, nil)
	p := loggedOn(t, s)
	s.SetInterface(false)
	p.request(submitStub(s.Name(), nil))
	p.wantFault(rpc.StatusUnknownIf)
	q := dialRaw(t, s.Addr())
	assert.Equal(t, rpc.Result{Verdict: rpc.VerdictReject, Reason: rpc.ReasonAbstractSyntax}, q.bind().Results[0])
	q.request(submitStub(s.Name(), nil))
	q.wantFault(rpc.StatusUnknownIf)
	r, err := mapperClient(t, s).Map(t.Context(), &epm.MapRequest{
		MapTower: question(rpc.ICertPassage(), rpc.NDR()), MaxTowers: 4,
	})
	require.NoError(t, err)
	assert.EqualValues(t, rpc.StatusNotRegistered, r.Status)
	s.SetInterface(true)
	p.request(submitStub(s.Name(), newCSR(t, "on")))
	assert.EqualValues(t, 3, disposition(t, p.answer()))
}
