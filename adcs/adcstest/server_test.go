package adcstest_test

import (
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

func TestDialContext(t *testing.T) {
	s := newServer(t, nil)
	_, mapperPort, _ := net.SplitHostPort(s.EndpointMapper())
	_, caPort, _ := net.SplitHostPort(s.Addr())
	_, objectPort, _ := net.SplitHostPort(s.ObjectAddr())
	for addr, want := range map[string]string{
		"ca.corp.test:135": s.EndpointMapper(), "[::1]:135": s.EndpointMapper(),
		"elsewhere.test:" + mapperPort: s.EndpointMapper(), "ca.corp.test:" + caPort: s.Addr(),
		"ca.corp.test:" + objectPort: s.ObjectAddr(),
	} {
		nc, err := s.DialContext(t.Context(), "tcp", addr)
		require.NoError(t, err, addr)
		assert.Equal(t, want, nc.RemoteAddr().String(), addr)
		nc.Close()
	}
	for _, addr := range []string{"ca.corp.test:445", "ca.corp.test", ""} {
		_, err := s.DialContext(t.Context(), "tcp", addr)
		assert.ErrorContains(t, err, "adcstest", addr)
	}
}

func TestOptions(t *testing.T) {
	s := newServer(t, nil)
	assert.Equal(t, "Test CA", s.Name())
	assert.Equal(t, "ca.corp.test", s.Host())
	assert.Equal(t, "CORP", s.User().Domain)
	assert.GreaterOrEqual(t, len(s.User().Password), 20)
	for want, o := range map[string]adcstest.Options{
		"no password":   {Users: []adcstest.User{{Name: "a"}}},
		"domain in it":  {Users: []adcstest.User{{Name: `CORP\a`, Password: "p"}}},
		"named twice":   {Users: []adcstest.User{{Name: "a", Password: "p"}, {Name: "A", Domain: "corp", Password: "q"}}},
		"nobody log on": {Users: []adcstest.User{}},
		"fragment size": {Wire: adcstest.Wire{MaxFragment: 100}},
		"not an IP":     {Wire: adcstest.Wire{Address: "localhost"}},
		"negative":      {Wire: adcstest.Wire{IdleTimeout: -1}},
		"invalid port":  {Wire: adcstest.Wire{Port: 70000}},
	} {
		_, err := adcstest.NewServer(&o)
		assert.ErrorContains(t, err, want)
	}
	// A port that is taken, and nothing of the server is left.
	_, port, _ := net.SplitHostPort(s.Addr())
	var taken int
	fmt.Sscan(port, &taken)
	_, err := adcstest.NewServer(&adcstest.Options{Wire: adcstest.Wire{EndpointMapperPort: taken}})
	assert.Error(t, err)
}

func TestUserRedactsItself(t *testing.T) {
	u := adcstest.User{Name: "alice", Domain: "CORP", Password: "secret"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(verb, u), "secret", verb)
		assert.Contains(t, fmt.Sprintf(verb, u), "alice", verb)
	}
}

// Close ends every connection, whatever it waits for, and every goroutine; twice is fine.
func TestClose(t *testing.T) {
	s, err := adcstest.NewServer(nil)
	require.NoError(t, err)
	silent := dialRaw(t, s.Addr())
	half := dialRaw(t, s.EndpointMapper())
	half.send([]byte{5, 0, 11})
	idle := loggedOn(t, s)
	idle.request(submitStub(s.Name(), nil))
	idle.answer()
	s.Close()
	s.Close()
	for _, p := range []*rawPeer{silent, half, idle} {
		p.wantClosed()
	}
	_, err = net.Dial("tcp", s.Addr())
	assert.Error(t, err)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, frame := range []string{"adcstest.(*conn)", "adcstest.(*Server).acceptLoop("} {
		assert.NotContains(t, string(stacks), frame)
	}
}

// Connections over the limit are closed, and there is room again when others end.
func TestMaxConnections(t *testing.T) {
	s := newServer(t, &adcstest.Options{Wire: adcstest.Wire{MaxConnections: 2}})
	one, two := dialRaw(t, s.Addr()), dialRaw(t, s.Addr())
	one.bind()
	two.bind()
	dialRaw(t, s.EndpointMapper()).wantClosed()
	two.nc.Close()
	require.Eventually(t, func() bool {
		nc, err := net.Dial("tcp", s.Addr())
		require.NoError(t, err)
		p := newRawPeer(t, nc)
		if _, err := nc.Write(p.encode(rpc.TypeBind, whole, bindBody(), nil)); err != nil {
			return false // closed already
		}
		_, err = rpc.ReadPDU(nc, rpc.MaxFragment)
		return err == nil
	}, 20*time.Second, time.Millisecond)
}

// A peer that falls silent is given up: soon in the middle of something, later between calls.
func TestTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(p *rawPeer)
		want time.Duration
	}{
		"at the start": {func(p *rawPeer) {}, 30 * time.Second},
		"in a header":  {func(p *rawPeer) { p.nc.Write([]byte{5, 0}) }, 30 * time.Second},
		"in a PDU":     {func(p *rawPeer) { p.nc.Write(p.encode(rpc.TypeBind, whole, bindBody(), nil)[:30]) }, 30 * time.Second},
		"bound":        {func(p *rawPeer) { p.bind() }, 10 * time.Minute},
		"in a logon": {func(p *rawPeer) {
			l := newLogOn(adcstest.User{Name: "a", Domain: "CORP"}, "x", rpc.LevelPrivacy, 1)
			p.nc.Write(p.encode(rpc.TypeBind, whole, bindBody(), l.negotiate(p.t)))
			p.recv()
		}, 30 * time.Second},
		"does not read": {func(p *rawPeer) { p.nc.Write(p.encode(rpc.TypeBind, whole, bindBody(), nil)) }, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := adcstest.NewUnlistened(nil)
			require.NoError(t, err)
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				start := time.Now()
				ended := make(chan time.Duration)
				go func() {
					s.ServeConn(theirs, false)
					ended <- time.Since(start)
				}()
				c.do(&rawPeer{t: t, nc: ours})
				assert.Equal(t, c.want, <-ended)
				ours.Close()
			})
		})
	}
}

// What a bind negotiates beside syntaxes: one answer for each element, in their order.
func TestNegotiation(t *testing.T) {
	feature := rpc.BindFeatures(3)
	accept := func(t rpc.Syntax) rpc.Result { return rpc.Result{Verdict: rpc.VerdictAccept, Transfer: t} }
	reject := rpc.Result{Verdict: rpc.VerdictReject, Reason: rpc.ReasonTransferSyntax}
	for name, c := range map[string]struct {
		wire  adcstest.Wire
		offer []rpc.Syntax
		want  []rpc.Result
	}{
		"NDR":   {adcstest.Wire{}, []rpc.Syntax{rpc.NDR()}, []rpc.Result{accept(rpc.NDR())}},
		"NDR64": {adcstest.Wire{}, []rpc.Syntax{rpc.NDR64()}, []rpc.Result{accept(rpc.NDR64())}},
		"Windows": {adcstest.Wire{}, []rpc.Syntax{rpc.NDR(), rpc.NDR64(), feature},
			[]rpc.Result{reject, accept(rpc.NDR64()), {Verdict: rpc.VerdictNegotiateAck, Reason: 3}}},
		"no NDR64": {adcstest.Wire{NoNDR64: true}, []rpc.Syntax{rpc.NDR(), rpc.NDR64(), feature},
			[]rpc.Result{accept(rpc.NDR()), reject, {Verdict: rpc.VerdictNegotiateAck, Reason: 3}}},
		"no features": {adcstest.Wire{NoFeatureNegotiation: true}, []rpc.Syntax{rpc.NDR(), feature},
			[]rpc.Result{accept(rpc.NDR()), reject}},
		"reserved bits": {adcstest.Wire{}, []rpc.Syntax{rpc.BindFeatures(0xfd)},
			[]rpc.Result{{Verdict: rpc.VerdictNegotiateAck, Reason: 1}}},
	} {
		s := newServer(t, &adcstest.Options{Wire: c.wire})
		p := dialRaw(t, s.Addr())
		p.send(p.encode(rpc.TypeBind, whole, bindBody(c.offer...), nil))
		ack := p.bindAck()
		assert.Equal(t, c.want, ack.Results, name)
		assert.True(t, strings.HasSuffix(s.Addr(), ":"+ack.SecondaryAddress), name)
	}
}

// Association groups: a new one for 0, the same again for its members.
func TestAssociationGroups(t *testing.T) {
	s := newServer(t, nil)
	first := dialRaw(t, s.Addr()).bind().AssocGroup
	assert.NotZero(t, first)
	assert.NotEqual(t, first, dialRaw(t, s.Addr()).bind().AssocGroup)
	for _, id := range []uint32{first, 0xfffffff0} {
		p := dialRaw(t, s.Addr())
		m := rpc.Bind{MaxXmit: 5840, MaxRecv: 5840, AssocGroup: id, Contexts: []rpc.Context{
			{Abstract: rpc.ICertPassage(), Transfer: []rpc.Syntax{rpc.NDR()}},
		}}
		p.send(p.encode(rpc.TypeBind, whole, m.Append(nil), nil))
		assert.Equal(t, id, p.bindAck().AssocGroup)
	}
}

// A long request and a long answer go in many fragments, none longer than agreed, with alloc_hint counting down.
func TestFragments(t *testing.T) {
	s := newServer(t, &adcstest.Options{
		Profile: adcstest.Profile{Intermediates: 30}, Wire: adcstest.Wire{MaxFragment: 1432},
	})
	p := loggedOn(t, s)
	for _, b := range p.fragments(1432, submitStub(s.Name(), make([]byte, 200<<10))) {
		p.send(b)
	}
	p.answer()
	require.Len(t, s.Requests()[0].Raw, 200<<10)
	for _, b := range p.fragments(1432, submitStub(s.Name(), newCSR(t, "long"))) {
		p.send(b)
	}
	var stub []byte
	var hints []uint32
	for last := false; !last; {
		pdu := p.recv()
		last = pdu.Flags&rpc.FlagLast != 0
		assert.LessOrEqual(t, int(pdu.FragLength), 1432)
		r, err := rpc.ParseResponse(pdu)
		require.NoError(t, err)
		part, err := p.sec.Open(pdu)
		require.NoError(t, err)
		hints = append(hints, r.AllocHint+uint32(len(stub)))
		stub = append(stub, part...)
	}
	assert.Greater(t, len(stub), 12000)
	for _, h := range hints {
		assert.EqualValues(t, len(stub), h)
	}
	assert.EqualValues(t, 3, disposition(t, stub))
}

// What the verification trailer says has to be what came in the clear.
func TestVerificationTrailer(t *testing.T) {
	one, zero := uint32(1), uint32(0)
	context := &rpc.VerifyContext{Interface: rpc.ICertPassage(), Transfer: rpc.NDR()}
	other := &rpc.VerifyContext{Interface: rpc.ICertPassage(), Transfer: rpc.NDR64()}
	header := func(offset uint32, h rpc.VerifyHeader) func(*rawPeer) rpc.VerificationTrailer {
		return func(p *rawPeer) rpc.VerificationTrailer {
			h.CallID = p.call + offset
			return rpc.VerificationTrailer{Header: &h}
		}
	}
	fixed := func(v rpc.VerificationTrailer) func(*rawPeer) rpc.VerificationTrailer {
		return func(*rawPeer) rpc.VerificationTrailer { return v }
	}
	for name, c := range map[string]struct {
		trailer func(p *rawPeer) rpc.VerificationTrailer
		signs   bool
		status  rpc.Status
	}{
		"none":                {fixed(rpc.VerificationTrailer{}), true, 0},
		"header":              {header(1, rpc.VerifyHeader{}), true, 0},
		"bits and context":    {fixed(rpc.VerificationTrailer{Bitmask: &one, Pcontext: context}), true, 0},
		"no header signing":   {fixed(rpc.VerificationTrailer{Bitmask: &zero}), false, 0},
		"flag taken away":     {fixed(rpc.VerificationTrailer{Bitmask: &one}), false, 5},
		"another syntax":      {fixed(rpc.VerificationTrailer{Pcontext: other}), true, 5},
		"another call":        {header(0, rpc.VerifyHeader{}), true, 5},
		"another opnum":       {header(1, rpc.VerifyHeader{Opnum: 1}), true, 5},
		"another context":     {header(1, rpc.VerifyHeader{ContextID: 1}), true, 5},
		"another packet type": {header(1, rpc.VerifyHeader{Type: rpc.TypeResponse}), true, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, &adcstest.Options{Wire: adcstest.Wire{NoHeaderSigning: !c.signs}})
			p := dialRaw(t, s.Addr())
			l := newLogOn(s.User(), s.User().Password, rpc.LevelPrivacy, 7)
			flags := whole
			if c.signs {
				flags |= rpc.FlagSignHeader
			}
			p.send(p.encode(rpc.TypeBind, flags, bindBody(), l.negotiate(t)))
			p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), l.authenticate(t, p.recv())))
			p.sec = l.security()
			p.sec.SignHeader = c.signs
			v := c.trailer(p)
			p.request(v.Append(submitStub(s.Name(), newCSR(t, "vt"))))
			if c.status != 0 {
				p.wantFault(c.status)
				assert.Empty(t, s.Requests())
				return
			}
			assert.EqualValues(t, 3, disposition(t, p.answer()))
		})
	}
}

// A command of a verification trailer that nobody knows has to be processed, or may be passed over.
func TestUnknownVerificationCommand(t *testing.T) {
	s := newServer(t, nil)
	for command, status := range map[uint16]rpc.Status{0xc123: 5, 0x4123: 0} {
		p := loggedOn(t, s)
		stub := submitStub(s.Name(), newCSR(t, "unknown"))
		stub = append(stub, make([]byte, -len(stub)&3)...)
		stub = append(stub, 0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71, byte(command), byte(command>>8), 4, 0, 1, 2, 3, 4)
		p.request(stub)
		if status != 0 {
			p.wantFault(status)
		} else {
			p.answer()
		}
	}
}

// Many clients at once, each with several connections.
func TestParallelClients(t *testing.T) {
	s := newServer(t, nil)
	var wg sync.WaitGroup
	for range 4 {
		client, err := adcs.New(s.Host(), s.Name(), adcs.Password(s.User().Account(), s.User().Password),
			&adcs.Options{AllowNTLM: true, DialContext: s.DialContext})
		require.NoError(t, err)
		defer client.Close()
		for range 4 {
			csr := newCSR(t, "parallel")
			wg.Go(func() {
				for range 3 {
					r, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
					if assert.NoError(t, err) {
						assert.Equal(t, adcs.Issued, r.Disposition)
					}
				}
			})
		}
	}
	wg.Wait()
	assert.Len(t, s.Requests(), 48)
}

// TestNothingPrintsAPassword prints a user, and everything that holds one.
func TestNothingPrintsAPassword(t *testing.T) {
	const secret = "correct horse"
	user := adcstest.User{Name: "alice", Password: secret}
	options := adcstest.Options{Users: []adcstest.User{user}}
	server := newServer(t, &options)
	for _, v := range []any{user, &user, options, &options, server, []adcstest.User{user}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			assert.NotContains(t, text, secret, "%s of %T", verb, v)
			assert.NotContains(t, text, fmt.Sprintf("%x", secret), "%s of %T", verb, v)
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "user", user, "options", options, "server", server)
	assert.NotContains(t, log.String(), secret)
}
