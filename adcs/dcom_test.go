package adcs_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// recorder counts the calls of a server by interface and operation, and lets a test change their answers.
type recorder struct {
	mu    sync.Mutex
	calls map[string]int
	fault func(call string) *adcstest.Fault
}

func (r *recorder) options() *adcstest.Options {
	r.calls = map[string]int{}
	return &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
		r.mu.Lock()
		defer r.mu.Unlock()
		call := fmt.Sprintf("%s %d", c.Interface, c.OpNum)
		r.calls[call]++
		if r.fault == nil {
			return nil
		}
		return r.fault(call)
	}}
}

func (r *recorder) count(call string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[call]
}

// The operations that tests look at.
const (
	callAlive    = "IObjectExporter 5"
	callActivate = "IActivation 0"
	callCreate   = "IRemoteSCMActivator 4"
	callRequest  = "ICertRequestD 3"
	callRequest2 = "ICertRequestD2 6"
	callPing     = "ICertRequestD 5"
	callPing2    = "ICertRequestD2 9"
	callRelease  = "IRemUnknown 5"
)

// dcomPair is a server whose calls are recorded, and a client that reaches it over DCOM.
func dcomPair(t *testing.T, r *recorder, opts adcs.Options) (*adcstest.Server, *adcs.Client) {
	t.Helper()
	s := newServer(t, r.options())
	opts.Transport = adcs.TransportDCOM
	return s, newClient(t, s, &opts)
}

// activated has the answer of RemoteActivation changed.
func activated(change func(*dcom.RemoteActivated)) func(string) *adcstest.Fault {
	return func(call string) *adcstest.Fault {
		if call != callActivate {
			return nil
		}
		return &adcstest.Fault{Stub: func(stub []byte) []byte {
			var m dcom.RemoteActivated
			m.Read(ndr.NewReader(stub, false))
			change(&m)
			w := &ndr.Writer{}
			m.Write(w)
			return w.Stub()
		}}
	}
}

func TestDCOM(t *testing.T) {
	for name, opts := range map[string]adcs.Options{
		"NTLM": {Auth: adcs.AuthNTLM}, "SPNEGO": {}, "NDR64 elsewhere": *adcs.Options{}.WithNDR64(),
		"small fragments": {MaxFragment: 1432},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			s, client := dcomPair(t, r, opts)
			require.NoError(t, client.Ping(t.Context()))
			for _, size := range []int{10, 20_000} {
				result, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, size), Template: "WebServer"})
				require.NoError(t, err)
				assert.Equal(t, adcs.Issued, result.Disposition)
				assert.NotEmpty(t, result.Chain)
				again, err := client.Retrieve(t.Context(), result.RequestID)
				require.NoError(t, err)
				assert.Equal(t, result.Certificate.Raw, again.Certificate.Raw)
			}
			assert.Equal(t, 1, r.count(callAlive))
			assert.Equal(t, 1, r.count(callActivate))
			assert.Equal(t, 5, r.count(callRequest2))
			assert.Zero(t, r.count(callRelease))
			require.NoError(t, client.Close())
			assert.Equal(t, 1, r.count(callRelease), "the object is released")
			assert.Zero(t, r.count("ICertPassage 0"))
			assert.Len(t, s.Requests(), 2)
		})
	}
}

// TestDCOMOfOldCAs has a CA without ICertRequestD2.
func TestDCOMOfOldCAs(t *testing.T) {
	r := &recorder{fault: activated(func(m *dcom.RemoteActivated) {
		m.Interfaces[0] = dcom.Interfaced{Result: uint32(adcs.ErrNoInterface)}
	})}
	_, client := dcomPair(t, r, adcs.Options{})
	result, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
	require.NoError(t, err)
	_, err = client.Retrieve(t.Context(), result.RequestID)
	require.NoError(t, err)
	assert.Equal(t, 2, r.count(callRequest))
	assert.Zero(t, r.count(callRequest2))
}

// TestDCOMCreatesInstances has a host that does not offer IActivation, or not to this account.
func TestDCOMCreatesInstances(t *testing.T) {
	for _, status := range []uint32{0x1c010003, 0x1c010002, 5} {
		r := &recorder{fault: func(call string) *adcstest.Fault {
			if call == callActivate {
				return &adcstest.Fault{Status: status, NotExecuted: true, Signed: true}
			}
			return nil
		}}
		_, client := dcomPair(t, r, adcs.Options{})
		require.NoError(t, client.Ping(t.Context()), "%#x", status)
		assert.Equal(t, 1, r.count(callCreate))
		require.NoError(t, client.Close())
		assert.Equal(t, 1, r.count(callRelease))
	}
}

// TestDCOMVersions has a host of a version that does not know the operation, and one of another version.
func TestDCOMVersions(t *testing.T) {
	for _, status := range []uint32{0x1c010002, 0x6d1, 5} { // that it has no such operation, or not for everybody
		r := &recorder{fault: func(call string) *adcstest.Fault {
			if call == callAlive {
				return &adcstest.Fault{Status: status}
			}
			return nil
		}}
		_, client := dcomPair(t, r, adcs.Options{})
		require.NoError(t, client.Ping(t.Context()), "%#x", status)
	}

	r := &recorder{fault: func(call string) *adcstest.Fault {
		if call != callAlive {
			return nil
		}
		return &adcstest.Fault{Stub: func(stub []byte) []byte { return append([]byte{6}, stub[1:]...) }}
	}}
	_, client := dcomPair(t, r, adcs.Options{})
	err := client.Ping(t.Context())
	require.ErrorIs(t, err, adcs.ErrComVersion)
	assert.Contains(t, adcs.Explain(err).Summary, "another version")
}

// TestDCOMNeverLeavesTheHost has a server that names another host: the port counts, and nothing else.
func TestDCOMNeverLeavesTheHost(t *testing.T) {
	r := &recorder{}
	var port uint16
	r.fault = activated(func(m *dcom.RemoteActivated) {
		port, _ = m.Bindings.Port()
		m.Bindings.Strings = []dcom.StringBinding{
			{Tower: dcom.TowerPipe, Address: `evil.test[\pipe\x]`}, {Tower: dcom.TowerTCP, Address: "evil.test"},
			{Tower: dcom.TowerTCP, Address: fmt.Sprintf("evil.test[%d]", port)}, {Tower: dcom.TowerTCP, Address: "evil.test[1]"},
		}
	})
	s := newServer(t, r.options())
	var mu sync.Mutex
	var dialled []string
	client := newClient(t, s, &adcs.Options{
		Transport: adcs.TransportDCOM,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			dialled = append(dialled, addr)
			return s.DialContext(ctx, network, addr)
		},
	})
	require.NoError(t, client.Ping(t.Context()))
	assert.Equal(t, []string{
		s.Host() + ":135", s.Host() + ":135", fmt.Sprintf("%s:%d", s.Host(), port),
	}, dialled)
}

// TestDCOMObjectsAge has objects that a server may have thrown away: none of them is called.
func TestDCOMObjectsAge(t *testing.T) {
	r := &recorder{}
	_, client := dcomPair(t, r, adcs.Options{})
	require.NoError(t, client.Ping(t.Context()))
	require.Equal(t, 1, client.AgeObjects(adcs.MaxObjectAge-time.Minute))
	require.NoError(t, client.Ping(t.Context()))
	assert.Equal(t, 1, r.count(callActivate), "still young")
	require.Equal(t, 1, client.AgeObjects(time.Minute))
	require.NoError(t, client.Ping(t.Context()), "one that has hardly rested")
	assert.Equal(t, 2, r.count(callActivate))
	assert.Equal(t, 1, r.count(callRelease))
	require.Equal(t, 1, client.AgeObjects(adcs.MaxObjectAge))
	client.SetClock(func() time.Time { return time.Now().Add(time.Second) })
	require.NoError(t, client.Ping(t.Context()), "one that has rested")
	assert.Equal(t, 3, r.count(callActivate))
	assert.Equal(t, 2, r.count(callRelease))
}

func TestDCOMInParallel(t *testing.T) {
	r := &recorder{}
	s, client := dcomPair(t, r, adcs.Options{Connections: 3})
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			_, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
			assert.NoError(t, err)
		})
	}
	all.Wait()
	require.NoError(t, client.Close())
	assert.Len(t, s.Requests(), 12)
	assert.LessOrEqual(t, r.count(callActivate), 3)
	assert.Equal(t, r.count(callActivate), r.count(callRelease))
}

// TestDCOMCutConnection cuts the call that carries a request, and counts the rows of the CA.
func TestDCOMCutConnection(t *testing.T) {
	for name, c := range map[string]struct {
		pass    func(*rpc.PDU) int
		unknown bool
	}{
		"before the last fragment":   {func(*rpc.PDU) int { return 0 }, false},
		"after one byte of the last": {func(*rpc.PDU) int { return 1 }, true},
		"after the last fragment":    {func(p *rpc.PDU) int { return len(p.Raw) }, true},
	} {
		for _, size := range []int{10, 20_000} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				s := newServer(t, nil)
				cuts := 0
				n := &tap{dial: s.DialContext, sent: func(p *rpc.PDU) (int, bool) {
					if isLast(p) && p.Flags&rpc.FlagObject != 0 && cuts == 0 {
						cuts++
						return c.pass(p), true
					}
					return len(p.Raw), false
				}}
				client := newClient(t, s, &adcs.Options{DialContext: n.DialContext, Transport: adcs.TransportDCOM})
				result, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, size), Template: "WebServer"})
				if c.unknown {
					require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
				} else {
					require.NoError(t, err)
					assert.Equal(t, adcs.Issued, result.Disposition)
				}
				s.Close() // whatever it was doing is in the table now
				assert.LessOrEqual(t, len(s.Requests()), 1)
				assert.Equal(t, 1, cuts)
			})
		}
	}
}

// TestDCOMLostAnswer has a CA whose answer does not arrive: nothing is sent again.
func TestDCOMLostAnswer(t *testing.T) {
	for name, fault := range map[string]adcstest.Fault{
		"before": {Cut: adcstest.CutBeforeAnswer}, "within": {Cut: adcstest.CutInAnswer}, "NDR": {BadNDR: true},
		"fault": {Status: 0x80010108},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			client := newClient(t, s, &adcs.Options{Transport: adcs.TransportDCOM})
			s.InjectFault(fault)
			_, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
			require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
			assert.Len(t, s.Requests(), 1)
			require.NoError(t, client.Ping(t.Context()), "and it works again")
		})
	}
}

func TestDCOMRefusals(t *testing.T) {
	for want, test := range map[adcs.HResult]struct {
		change  func(*dcom.RemoteActivated)
		explain string
		remedy  string
	}{
		adcs.ErrAccessDenied: {
			func(m *dcom.RemoteActivated) { *m = dcom.RemoteActivated{Result: 0x80070005} },
			"for this account", "Certificate Service DCOM Access",
		},
		0x80000009: { // which is the same
			func(m *dcom.RemoteActivated) { *m = dcom.RemoteActivated{Status: 5} },
			"for this account", "Certificate Service DCOM Access",
		},
		adcs.ErrClassNotRegistered: {
			func(m *dcom.RemoteActivated) { *m = dcom.RemoteActivated{Result: 0x80040154} }, "does not know", "certsvc",
		},
		adcs.ErrNoInterface: {
			func(m *dcom.RemoteActivated) {
				m.Interfaces = []dcom.Interfaced{{Result: 0x80004002}, {Result: 0x80004002}}
			}, "does not have the interface", "version",
		},
		0x80081234: {
			func(m *dcom.RemoteActivated) { *m = dcom.RemoteActivated{Result: 0x80081234} }, "0x80081234", "certutil",
		},
	} {
		t.Run(want.String(), func(t *testing.T) {
			r := &recorder{fault: activated(test.change)}
			_, client := dcomPair(t, r, adcs.Options{})
			err := client.Ping(t.Context())
			require.ErrorIs(t, err, want)
			var refused *adcs.RPCError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, adcs.PhaseActivate, refused.Phase)
			assert.NotErrorIs(t, err, adcs.ErrLogon)
			assert.Zero(t, r.count(callCreate), "what was refused is not tried in another way")
			e := adcs.Explain(err)
			assert.Contains(t, e.Summary, test.explain)
			assert.Contains(t, e.Remedy, test.remedy)
		})
	}
}

func TestDCOMServiceStopped(t *testing.T) {
	s := newServer(t, nil)
	s.SetDCOM(false)
	client := newClient(t, s, &adcs.Options{Transport: adcs.TransportDCOM})
	err := submitOne(t, client)
	require.ErrorIs(t, err, adcs.ErrServerExecFailure)
	require.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	assert.Contains(t, adcs.Explain(err).Remedy, "certsvc")
	s.SetDCOM(true)
	require.NoError(t, submitOne(t, client))
}

// TestDCOMOddActivations has answers that are well formed and do not fit: errors that say so, and nothing is dialled.
func TestDCOMOddActivations(t *testing.T) {
	for name, change := range map[string]func(*dcom.RemoteActivated){
		"no bindings":    func(m *dcom.RemoteActivated) { m.Bindings = nil },
		"no port":        func(m *dcom.RemoteActivated) { m.Bindings.Strings = m.Bindings.Strings[:0] },
		"no reference":   func(m *dcom.RemoteActivated) { m.Interfaces[0].Ref = nil },
		"another":        func(m *dcom.RemoteActivated) { m.Interfaces[0].Ref.IID[0]++ },
		"another host's": func(m *dcom.RemoteActivated) { m.Interfaces[0].Ref.Std.OXID++ },
		"too few":        func(m *dcom.RemoteActivated) { m.Interfaces = m.Interfaces[:1] },
		"too many":       func(m *dcom.RemoteActivated) { m.Interfaces = append(m.Interfaces, m.Interfaces[0]) },
		"none":           func(m *dcom.RemoteActivated) { m.Interfaces = nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{fault: activated(change)}
			_, client := dcomPair(t, r, adcs.Options{})
			err := client.Ping(t.Context())
			require.ErrorIs(t, err, rpc.ErrMalformed)
			require.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
			assert.Contains(t, err.Error(), "activation")
			assert.Zero(t, r.count(callRequest2))
		})
	}
}

// TestDCOMChangedAnswers has each answer of a server that knows the key changed in one byte after the other, and cut
// off: an error or not, it ends soon, and the next call works.
func TestDCOMChangedAnswers(t *testing.T) {
	for _, target := range []string{callAlive, callActivate, callCreate, callRequest2, callRelease} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			r := &recorder{}
			size, at, cut := 1, 0, false
			r.fault = func(call string) *adcstest.Fault {
				if target == callCreate && call == callActivate {
					return &adcstest.Fault{Status: 0x1c010003}
				}
				if call != target {
					return nil
				}
				return &adcstest.Fault{Stub: func(stub []byte) []byte {
					r.mu.Lock()
					defer r.mu.Unlock()
					size = len(stub)
					out := append([]byte(nil), stub...)
					if cut {
						return out[:at]
					}
					out[at] ^= 0xff
					return out
				}}
			}
			s := newServer(t, r.options())
			for at = 0; at < size; at += 1 + size/100 {
				for _, cut = range []bool{false, true} {
					client := newClient(t, s, &adcs.Options{Transport: adcs.TransportDCOM, Timeout: 5 * time.Second})
					began := time.Now()
					err := client.Ping(t.Context())
					assert.NoError(t, client.Close())
					assert.Less(t, time.Since(began), 4*time.Second, "byte %d", at)
					assert.NotErrorIs(t, err, context.DeadlineExceeded)
					if cut && target != callRelease {
						assert.Error(t, err, "%d bytes", at)
					}
				}
			}
			assert.Greater(t, size, 4)
		})
	}
}

// TestDCOMAttributes has more attributes than the object takes: they are refused here, and nothing is sent.
func TestDCOMAttributes(t *testing.T) {
	s, client := dcomPair(t, &recorder{}, adcs.Options{})
	_, err := client.Submit(t.Context(), adcs.Request{
		CSR: bigCSR(t, 10), Template: "WebServer", Attributes: adcs.Attributes{Other: []adcs.Attribute{
			{Name: "Comment", Value: strings.Repeat("x", 800)}, {Name: "Comment2", Value: strings.Repeat("x", 800)},
		}},
	})
	require.ErrorIs(t, err, adcs.ErrInvalidRequest)
	require.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	assert.Empty(t, s.Requests())
}

// TestLadderReachesDCOM has a CA of which DCOM is left.
func TestLadderReachesDCOM(t *testing.T) {
	r := &recorder{}
	s := newServer(t, r.options())
	s.SetInterface(false)
	client := newClient(t, s, &adcs.Options{Transport: adcs.TransportAuto})
	require.NoError(t, submitOne(t, client))
	require.NoError(t, submitOne(t, client))
	assert.Equal(t, 3, r.count(callRequest2), "the probe and the two")
	assert.Equal(t, 1, r.count(callActivate))
	assert.Len(t, s.Requests(), 2)
}

// TestDCOMLogonRefused has a wrong password: it is tried once.
func TestDCOMLogonRefused(t *testing.T) {
	r := &recorder{}
	s := newServer(t, r.options())
	client := newClientFor(t, s, adcs.Password(s.User().Account(), "wrong"), &adcs.Options{Transport: adcs.TransportDCOM})
	require.ErrorIs(t, client.Ping(t.Context()), adcs.ErrLogon)
	assert.Zero(t, r.count(callActivate)+r.count(callCreate))
}

// TestDCOMLogonRefusedLate has a host that refuses the credential when the activation arrives: no other one is tried.
func TestDCOMLogonRefusedLate(t *testing.T) {
	r := &recorder{fault: func(call string) *adcstest.Fault {
		if call == callActivate {
			return &adcstest.Fault{Status: 5, NotExecuted: true}
		}
		return nil
	}}
	_, client := dcomPair(t, r, adcs.Options{Auth: adcs.AuthNTLM})
	err := client.Ping(t.Context())
	require.ErrorIs(t, err, adcs.ErrLogon)
	assert.Zero(t, r.count(callCreate))
	explained := adcs.Explain(err)
	assert.Contains(t, explained.Remedy, "password")
	assert.Contains(t, explained.Remedy, "Certificate Service DCOM Access")
}

// TestDCOMAccess has an account whose logon is good and which may not use DCOM, as Windows says it: with NTLM by itself
// it looks like a wrong password. The client is not paused, and nothing is unknown.
func TestDCOMAccess(t *testing.T) {
	for _, auth := range auths() {
		for _, denied := range []string{callActivate, callCreate, callPing2, callRequest2} {
			t.Run(string(auth)+" "+denied, func(t *testing.T) {
				r := &recorder{}
				s := newServer(t, r.options())
				client := newClient(t, s, &adcs.Options{Auth: auth})
				require.NoError(t, client.Ping(t.Context()))
				r.mu.Lock()
				r.fault = func(call string) *adcstest.Fault {
					if call == denied || denied == callCreate && call == callActivate {
						return &adcstest.Fault{Status: 5, NotExecuted: true}
					}
					return nil
				}
				r.mu.Unlock()
				_, err := client.Describe(t.Context())
				asked := denied != callRequest2 && denied != callActivate && (denied != callPing2 || auth == adcs.AuthNTLM)
				if asked {
					require.ErrorIs(t, err, adcs.ErrAccessDenied)
					require.NotErrorIs(t, err, adcs.ErrLogon)
					assert.Contains(t, adcs.Explain(err).Remedy, "Certificate Service DCOM Access")
				} else {
					require.NoError(t, err)
				}
				require.NoError(t, client.Ping(t.Context()), "the client still works")
			})
		}
	}
}

// TestDCOMPasswordIsChanged has a logon that was good and is not any more, by a status that says nothing else.
func TestDCOMPasswordIsChanged(t *testing.T) {
	r := &recorder{}
	s := newServer(t, r.options())
	client := newClient(t, s, &adcs.Options{Auth: adcs.AuthNTLM})
	require.NoError(t, client.Ping(t.Context()))
	r.mu.Lock()
	r.fault = func(call string) *adcstest.Fault {
		if call == callActivate {
			return &adcstest.Fault{Status: 0x721, NotExecuted: true}
		}
		return nil
	}
	r.mu.Unlock()
	for range 2 {
		_, err := client.Describe(t.Context())
		require.ErrorIs(t, err, adcs.ErrLogon)
	}
	assert.Equal(t, 1, r.count(callActivate), "the credential is paused")
	assert.Zero(t, r.count(callCreate))
}

// TestDCOMPings has the harmless call that comes first where the server has proved nothing yet.
func TestDCOMPings(t *testing.T) {
	for _, auth := range auths() {
		for _, old := range []bool{false, true} {
			r := &recorder{}
			if old {
				r.fault = oldCA
			}
			_, client := dcomPair(t, r, adcs.Options{Auth: auth})
			require.NoError(t, submitOne(t, client))
			want := 0
			if auth == adcs.AuthNTLM {
				want = 1
			}
			call := map[bool]string{false: callPing2, true: callPing}[old]
			assert.Equal(t, want, r.count(call), "%s, old %v", auth, old)
		}
	}
	r := &recorder{fault: func(call string) *adcstest.Fault {
		if call == callPing2 {
			return &adcstest.Fault{Status: 5}
		}
		return nil
	}}
	s, client := dcomPair(t, r, adcs.Options{Auth: adcs.AuthNTLM})
	err := submitOne(t, client)
	require.ErrorIs(t, err, adcs.ErrAccessDenied)
	require.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, adcs.ErrLogon)
	assert.Empty(t, s.Requests())
}

// TestDCOMByTicket has a ticket for the one name that activation and object share.
func TestDCOMByTicket(t *testing.T) {
	s := newServer(t, nil)
	client := ticketClient(t, s, s, adcstest.TicketRequest{User: `CORP\alice`}, adcs.Options{
		Auth: adcs.AuthKerberos, Transport: adcs.TransportDCOM,
	})
	require.NoError(t, submitOne(t, client))
	_, err := client.Describe(t.Context())
	require.NoError(t, err)
	assert.Equal(t, `CORP\alice`, s.Requests()[0].Requester)
}

// TestDCOMWithoutReferences has a server that gives no references with the object: the client asks for some.
func TestDCOMWithoutReferences(t *testing.T) {
	none := activated(func(m *dcom.RemoteActivated) {
		for _, i := range m.Interfaces {
			i.Ref.Std.PublicRefs = 0
		}
	})
	r := &recorder{fault: none}
	_, client := dcomPair(t, r, adcs.Options{})
	require.NoError(t, client.Ping(t.Context()))
	assert.Equal(t, 1, r.count("IRemUnknown 4"))
	require.NoError(t, client.Close())
	assert.Equal(t, 1, r.count(callRelease))

	r = &recorder{}
	r.fault = func(call string) *adcstest.Fault {
		if call != "IRemUnknown 4" {
			return none(call)
		}
		return &adcstest.Fault{Stub: func(stub []byte) []byte {
			stub[12] = 1 // the HRESULT of the first interface
			return stub
		}}
	}
	_, client = dcomPair(t, r, adcs.Options{})
	require.Error(t, client.Ping(t.Context()))
	assert.Zero(t, r.count(callRequest2))
}

// TestDCOMHalfThere has a host with an object resolver that offers neither way to make an object.
func TestDCOMHalfThere(t *testing.T) {
	w := &ndr.Writer{}
	(&dcom.ServerAlive2{Version: dcom.CurrentVersion(), Bindings: &dcom.Bindings{}}).Write(w)
	refuses := says(bindAck(t, rpc.Result{Verdict: rpc.VerdictReject, Reason: rpc.ReasonAbstractSyntax}))
	n := &scripted{scripts: []script{then(says(bindAck(t, accepted)), says(response(t, 2, w.Stub()))), refuses}}
	defer n.servers.Wait()
	client, err := adcs.New("ca.corp.test", "Some CA", adcs.Password(`CORP\alice`, "secret"), &adcs.Options{
		Transport: adcs.TransportDCOM, Auth: adcs.AuthNTLM, DialContext: n.DialContext, Timeout: 5 * time.Second,
	})
	require.NoError(t, err)
	defer client.Close()
	err = client.Ping(t.Context())
	require.ErrorIs(t, err, adcs.ContextInterfaceUnknown)
	assert.EqualValues(t, 3, n.n.Load(), "both ways are tried")
	assert.Contains(t, adcs.Explain(err).Summary, "does not offer DCOM")
}

// TestDCOMAdminAccess has the same for the CA's administration object, whose first call proves the key.
func TestDCOMAdminAccess(t *testing.T) {
	r := &recorder{fault: func(call string) *adcstest.Fault {
		if strings.HasPrefix(call, "ICertAdminD") {
			return &adcstest.Fault{Status: 5}
		}
		return nil
	}}
	client := newClient(t, newServer(t, r.options()), &adcs.Options{Auth: adcs.AuthNTLM})
	_, err := client.Manager().Approve(t.Context(), 1)
	require.ErrorIs(t, err, adcs.ErrAccessDenied)
	require.NotErrorIs(t, err, adcs.ErrLogon)
	require.NoError(t, client.Ping(t.Context()))
}

// TestDCOMFaultsAreNoLogons has the errors of a call on an object: the credential was accepted before it.
func TestDCOMFaultsAreNoLogons(t *testing.T) {
	fault := &assoc.FaultError{Status: rpc.StatusAccessDenied}
	err := adcs.AcceptedCall(&assoc.CallError{Sent: true, Err: fmt.Errorf("%w (%w)", assoc.ErrLogon, fault)})
	require.NotErrorIs(t, err, assoc.ErrLogon)
	require.ErrorIs(t, err, rpc.StatusAccessDenied)
	var call *assoc.CallError
	require.ErrorAs(t, err, &call)
	assert.True(t, call.Sent)
	for _, other := range []error{
		&assoc.CallError{Err: context.Canceled}, &assoc.CallError{Sent: true, Err: fmt.Errorf("%w (bind_nak)", assoc.ErrLogon)},
	} {
		assert.Equal(t, other, adcs.AcceptedCall(other))
	}
}
