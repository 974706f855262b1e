package adcs_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// TestWireVariants submits and retrieves in every form that a CA may want.
func TestWireVariants(t *testing.T) {
	t.Parallel()
	for name, wire := range map[string]adcstest.Wire{
		"as Windows": {}, "no header signing": {NoHeaderSigning: true}, "no NDR64": {NoNDR64: true},
		"least fragments": {MaxFragment: 1432}, "largest fragments": {MaxFragment: 65528},
	} {
		for _, auth := range auths() {
			options := []*adcs.Options{{}, {MaxFragment: 1432}, {MaxFragment: 65528}}
			if !wire.NoNDR64 {
				options = append(options, adcs.Options{}.WithNDR64())
			}
			for _, o := range options {
				s := newServer(t, &adcstest.Options{Wire: wire})
				o.Auth = auth
				c := newClient(t, s, o)
				for _, size := range []int{10, 200_000} {
					r, err := c.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, size), Template: "WebServer"})
					require.NoError(t, err, "%s, %s, %d bytes", name, auth, size)
					again, err := c.Retrieve(t.Context(), r.RequestID)
					require.NoError(t, err)
					assert.Equal(t, r.Certificate.Raw, again.Certificate.Raw)
				}
			}
		}
	}
}

func TestConcurrentCalls(t *testing.T) {
	s := newServer(t, nil)
	n := &tap{dial: s.DialContext}
	c := newClient(t, s, &adcs.Options{Connections: 3, DialContext: n.DialContext})
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			name := fmt.Sprintf("host%d.corp.test", i)
			key, csr := newCSR(t, name)
			for range 3 {
				r, err := c.Submit(context.Background(), adcs.Request{CSR: csr, Template: "WebServer"})
				if assert.NoError(t, err) {
					assert.Equal(t, key.Public(), r.Certificate.PublicKey)
					assert.Equal(t, name, r.Certificate.Subject.CommonName)
				}
				assert.NoError(t, c.Ping(context.Background()))
			}
		})
	}
	wg.Wait()
	assert.Len(t, s.Requests(), 36)
	assert.LessOrEqual(t, n.dials, 6, "three connections, and as many questions to the endpoint mapper at the most")
	assert.LessOrEqual(t, c.Idle(), 3)
}

// TestFaults has each kind of fault for a submission, none of them signed, as from Windows: whatever one says, somebody
// on the path may have put it in the place of the answer, and the outcome is unknown.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct{ fault adcstest.Fault }{
		"did not execute":                 {adcstest.Fault{Status: 0x1c010014, NotExecuted: true}},
		"any status, not executed":        {adcstest.Fault{Status: 0x12345678, NotExecuted: true}},
		"did not execute, after the row":  {adcstest.Fault{Status: 0x1c010014}},
		"access denied, after the row":    {adcstest.Fault{Status: 5}},
		"security package, after the row": {adcstest.Fault{Status: 0x721}},
		"unknown interface, with the row": {adcstest.Fault{Status: 0x1c010003}},
		"unspecified, after the row":      {adcstest.Fault{Status: 0x1c000012}},
		"bad stub, after the row":         {adcstest.Fault{Status: 0x6f7}},
		"cancelled, after the row":        {adcstest.Fault{Status: 0x1c00000d}},
	} {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, warm %v", name, warm), func(t *testing.T) {
				s := newServer(t, nil)
				client := newClient(t, s, nil)
				if warm {
					require.NoError(t, client.Ping(t.Context()))
				}
				s.InjectFault(c.fault)
				_, csr := newCSR(t, "www.corp.test")
				_, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})
				require.ErrorIs(t, err, adcs.RPCStatus(c.fault.Status), "what was said is in the error")
				require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
				assert.Contains(t, adcs.Explain(err).Summary, "a certificate may have been issued")
				e, ok := errors.AsType[*adcs.RPCError](err)
				require.True(t, ok)
				assert.Equal(t, adcs.PhaseCall, e.Phase)
				assert.Equal(t, c.fault.NotExecuted, e.DidNotExecute)
				assert.NotErrorIs(t, err, adcs.ErrLogon)
				require.NoError(t, client.Ping(t.Context()), "the client lives on")
				if c.fault.NotExecuted {
					assert.Empty(t, s.Requests())
				} else {
					assert.Len(t, s.Requests(), 1, "sent once")
				}
			})
		}
	}
}

// TestSignedFaults has faults that the server has signed: those say whether the CA has executed the request.
func TestSignedFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault            adcstest.Fault
		unknown, refused bool // with neither, the request goes out again
	}{
		"did not execute":             {adcstest.Fault{Status: 0x12345678, NotExecuted: true}, false, false},
		"busy":                        {adcstest.Fault{Status: 0x1c010014, NotExecuted: true}, false, false},
		"access denied":               {adcstest.Fault{Status: 5, NotExecuted: true}, false, true},
		"unspecified, after the row":  {adcstest.Fault{Status: 0x1c000012}, true, false},
		"out of memory, with the row": {adcstest.Fault{Status: 0x1c00001b}, true, false},
	} {
		for _, auth := range auths() {
			t.Run(fmt.Sprintf("%s, %s", name, auth), func(t *testing.T) {
				s := newServer(t, nil)
				client := newClient(t, s, &adcs.Options{Auth: auth})
				c.fault.Signed = true
				s.InjectFault(c.fault)
				_, csr := newCSR(t, "www.corp.test")
				_, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})
				assert.Equal(t, c.unknown, errors.Is(err, adcs.ErrOutcomeUnknown), "%v", err)
				rows := 1
				switch {
				case c.refused:
					rows = 0
					require.ErrorIs(t, err, adcs.RPCStatus(c.fault.Status))
					assert.NotErrorIs(t, err, adcs.ErrLogon, "who can sign knows the password")
				case !c.unknown:
					require.NoError(t, err, "it is repeated")
				}
				assert.Len(t, s.Requests(), rows)
			})
		}
	}
}

// TestAccessDeniedAndLogon tells a caller who may not from one who is not who he says he is, where NTLM does not by
// itself: there, the server cannot sign before it has verified the password.
func TestAccessDeniedAndLogon(t *testing.T) {
	s := newServer(t, nil)
	c := newClient(t, s, &adcs.Options{Auth: adcs.AuthNTLM})
	s.InjectFault(adcstest.Fault{Status: 5})
	require.ErrorIs(t, c.Ping(t.Context()), adcs.ErrLogon, "nothing but the fault is known of the server")
	c = newClient(t, s, &adcs.Options{Auth: adcs.AuthNTLM})
	require.NoError(t, c.Ping(t.Context()))
	s.InjectFault(adcstest.Fault{Status: 5})
	err := c.Ping(t.Context())
	require.ErrorIs(t, err, adcs.ErrAccessDenied)
	assert.NotErrorIs(t, err, adcs.ErrLogon, "the server has answered before, so it has taken the logon")
}

// TestForgedLogonRefusal has somebody on the path who lets requests pass and says in the place of the answer that the
// logon was refused. Nobody signs that, so it must never look as if nothing had been submitted.
func TestForgedLogonRefusal(t *testing.T) {
	lies := map[string][]uint32{ // what is said to the calls after the first one; 0 is the truth
		"at once": {5}, "checksum": {0x721}, "protocol error": {0x1c01000b}, "to the second call": {0, 5},
		"after another fault": {0x1c000012, 5}, "after two": {0x1c000012, 0, 5}, "always": {5, 5, 5, 5},
	}
	for name, said := range lies {
		for _, auth := range auths() {
			t.Run(name+" "+string(auth), func(t *testing.T) {
				s := newServer(t, &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
					if i := c.N - 2; !c.EndpointMapper && i >= 0 && i < len(said) && said[i] != 0 {
						return &adcstest.Fault{Status: said[i]}
					}
					return nil
				}})
				client := newClient(t, s, &adcs.Options{Auth: auth})
				require.NoError(t, client.Ping(t.Context()))
				client.SetClock(func() time.Time { return time.Now().Add(time.Hour) }) // the next call connects anew
				_, csr := newCSR(t, "pc1.corp.test")
				_, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
				rows := len(s.Requests())
				switch {
				case err == nil, errors.Is(err, adcs.ErrOutcomeUnknown):
					assert.Equal(t, 1, rows, "%v", err)
				default:
					assert.Zero(t, rows, "%v", err)
				}
			})
		}
	}
}

// TestOldConnectionsCloseTogether: a call does not wait for one after the other of a host that is silent.
func TestOldConnectionsCloseTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		adcs.TakeFromOld(t.Context(), 8, time.Second)
		assert.Equal(t, time.Second, time.Since(began))
	})
}

// TestRestedConnections has connections that died while they rested: a submission is not lost on one.
func TestRestedConnections(t *testing.T) {
	for name, rest := range map[string]time.Duration{
		"no time at all": 0, "looked at": adcs.CheckIdle, "too old": adcs.MaxIdle + 1,
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			n := &tap{dial: s.DialContext}
			var conns []net.Conn
			c := newClient(t, s, &adcs.Options{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := n.DialContext(ctx, network, addr)
				conns = append(conns, nc)
				return nc, err
			}})
			now := time.Now()
			c.SetClock(func() time.Time { return now })
			require.NoError(t, c.Ping(t.Context()))
			require.Equal(t, 1, c.Idle())
			conns[len(conns)-1].Close() // by a firewall, say
			now = now.Add(rest)
			_, csr := newCSR(t, "www.corp.test")
			r, err := c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})
			require.NoError(t, err)
			assert.Equal(t, adcs.Issued, r.Disposition)
			assert.Len(t, s.Requests(), 1)
			assert.Equal(t, 3, n.dials, "endpoint mapper, CA, CA")

			now = now.Add(rest)
			require.NoError(t, c.Ping(t.Context()))
			want := 3
			if rest > adcs.MaxIdle {
				want++
			}
			assert.Equal(t, want, n.dials, "one that lives is used again")
		})
	}
}

// TestMovedCA has a CA that listens somewhere else after a restart.
func TestMovedCA(t *testing.T) {
	first := newServer(t, nil)
	user := first.User()
	second := newServer(t, &adcstest.Options{Users: []adcstest.User{user}})
	var mu sync.Mutex
	at := first
	c := newClientFor(t, first, adcs.Password(user.Account(), user.Password), &adcs.Options{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			return at.DialContext(ctx, network, addr)
		},
	})
	require.NoError(t, c.Ping(t.Context()))
	mu.Lock()
	at = second
	mu.Unlock()
	first.Close()
	_, csr := newCSR(t, "www.corp.test")
	var err error
	for range 2 { // the first one may find out by its own loss that the connection is dead
		if _, err = c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"}); err == nil {
			break
		}
	}
	require.NoError(t, err)
	assert.Len(t, second.Requests(), 1)
}

// TestTimeouts has a CA that thinks longer than the call may last.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	wait := func(ctx context.Context) { <-ctx.Done() }
	_, csr := newCSR(t, "www.corp.test")
	request := adcs.Request{CSR: csr, Template: "WebServer"}

	c := newClient(t, s, &adcs.Options{Timeout: 2 * time.Second})
	s.InjectFault(adcstest.Fault{Before: wait})
	_, err := c.Submit(t.Context(), request)
	require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	ctx, cancel := context.WithCancel(t.Context())
	c = newClient(t, s, nil)
	s.InjectFault(adcstest.Fault{Before: func(ctx context.Context) { cancel(); wait(ctx) }})
	_, err = c.Submit(ctx, request)
	require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, c.Idle())

	// A call that waits for a connection has sent nothing.
	c = newClient(t, s, &adcs.Options{Connections: 1})
	began := make(chan struct{})
	s.InjectFault(adcstest.Fault{Before: func(ctx context.Context) { close(began); wait(ctx) }})
	done := make(chan error)
	go func() { done <- c.Ping(context.Background()) }()
	<-began
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.Submit(ctx, request)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-done, net.ErrClosed)
}

func TestWaitForManager(t *testing.T) {
	s := newServer(t, nil)
	c := newClient(t, s, nil)
	_, csr := newCSR(t, "www.corp.test")
	r, err := c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "DeviceHeld"})
	require.NoError(t, err)
	require.Equal(t, adcs.Pending, r.Disposition)
	require.NoError(t, s.Approve(r.RequestID))
	got, err := c.Wait(t.Context(), r.RequestID, nil)
	require.NoError(t, err)
	assert.Equal(t, adcs.Issued, got.Disposition)
}

func TestWaitPolls(t *testing.T) {
	pending := &adcs.Result{Disposition: adcs.Pending, RequestID: 1}
	issued := &adcs.Result{Disposition: adcs.Issued, RequestID: 1}
	broken := errors.New("connection refused")
	never := context.Background()
	o := &adcs.WaitOptions{First: time.Second, Longest: 10 * time.Second, For: time.Hour}

	t.Run("ever less often", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			r, err := adcs.Poll(t.Context(), never, o, func(context.Context) (*adcs.Result, error) {
				if at = append(at, time.Now()); len(at) == 12 {
					return issued, nil
				}
				return pending, nil
			})
			require.NoError(t, err)
			assert.Equal(t, issued, r)
			for i := 1; i < len(at); i++ {
				want := min(time.Duration(float64(time.Second)*pow(1.5, i-1)), 10*time.Second)
				assert.InEpsilon(t, want, at[i].Sub(at[i-1]), 0.13, "pause %d", i)
			}
		})
	})
	t.Run("until its time is over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			r, err := adcs.Poll(t.Context(), never, o, func(context.Context) (*adcs.Result, error) { return pending, nil })
			require.NoError(t, err)
			assert.Equal(t, pending, r)
			assert.Equal(t, time.Hour, time.Since(began))
		})
	})
	t.Run("a few failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			r, err := adcs.Poll(t.Context(), never, o, func(context.Context) (*adcs.Result, error) {
				if n++; n == 5 {
					return issued, nil
				}
				return nil, broken
			})
			require.NoError(t, err)
			assert.Equal(t, issued, r)
			n = 100
			_, err = adcs.Poll(t.Context(), never, o, func(context.Context) (*adcs.Result, error) { n++; return nil, broken })
			require.ErrorIs(t, err, broken)
			assert.Equal(t, 105, n)
		})
	})
	t.Run("a CA that does not serve for a while", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for _, code := range []adcs.HResult{adcs.ErrServerSuspended, adcs.ErrNoDBSessions, adcs.ErrServerUnavailable} {
				n := 0
				r, err := adcs.Poll(t.Context(), never, o, func(context.Context) (*adcs.Result, error) {
					if n++; n == 3 {
						return issued, nil
					}
					return nil, &adcs.RequestError{RequestID: 1, Code: code}
				})
				require.NoError(t, err)
				assert.Equal(t, issued, r)
			}
		})
	})
	t.Run("an answer ends it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for _, final := range []error{
				&adcs.RequestError{RequestID: 1, Disposition: adcs.Denied}, adcs.ErrLogon, adcs.ErrInvalidRequest, net.ErrClosed,
			} {
				n := 0
				_, err := adcs.Poll(t.Context(), never, o, func(context.Context) (*adcs.Result, error) { n++; return nil, final })
				require.ErrorIs(t, err, final)
				assert.Equal(t, 1, n)
			}
		})
	})
	t.Run("context and client end it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ask := func(context.Context) (*adcs.Result, error) { return pending, nil }
			_, err := adcs.Poll(ctx, never, o, ask)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			closing, shut := context.WithTimeout(t.Context(), time.Minute)
			defer shut()
			_, err = adcs.Poll(t.Context(), closing, o, ask)
			require.ErrorIs(t, err, net.ErrClosed)
		})
	})
}

func pow(x float64, n int) float64 {
	r := 1.0
	for range n {
		r *= x
	}
	return r
}

func TestNewRefuses(t *testing.T) {
	const host, ca = "ca.corp.test", "CA"
	cred := adcs.Password(`CORP\alice`, "secret")
	refused := func(want error, host, ca string, cred adcs.Credential, o *adcs.Options) {
		t.Helper()
		client, err := adcs.New(host, ca, cred, o)
		assert.ErrorIs(t, err, want)
		assert.Nil(t, client)
	}
	ntlm := &adcs.Options{Auth: adcs.AuthNTLM}
	refused(adcs.ErrInvalidRequest, "", ca, cred, ntlm)
	refused(adcs.ErrInvalidRequest, host, "", cred, ntlm)
	refused(adcs.ErrInvalidRequest, host, "CA\n", cred, ntlm)
	refused(adcs.ErrInvalidRequest, host, ca, adcs.Credential{}, ntlm)
	refused(adcs.ErrInvalidRequest, host, ca, adcs.Password("alice", ""), ntlm)
	for _, bad := range []adcs.Credential{
		adcs.NTHash("alice", "00"), adcs.NTHash("alice", strings.Repeat("x", 32)), adcs.NTHash("", strings.Repeat("0", 32)),
		adcs.Keytab("svc@CORP.TEST", ""), adcs.Keytab("", "file"), adcs.KeytabBytes("svc@CORP.TEST", []byte("secret")),
		adcs.CCache("", ""), adcs.CCache("", "FILE:"), adcs.CCache("", "KEYRING:persistent:0"), adcs.CCache("\n", "file"),
	} {
		refused(adcs.ErrInvalidRequest, host, ca, bad, nil)
	}
	refused(adcs.ErrInvalidRequest, host, ca, adcs.CCache("", "file"), ntlm)
	refused(adcs.ErrInvalidRequest, host, ca, adcs.Keytab("svc@CORP.TEST", "file"), ntlm)
	for want, options := range map[error][]adcs.Options{
		adcs.ErrInvalidRequest: {
			{Auth: "basic"}, {Transport: "http"}, {EndpointMapper: "ca"}, {Timeout: -1}, {Connections: -1}, {MaxFragment: 100},
			{SPN: "host"}, {SPN: "host/"}, {SPN: "/ca"}, {SPN: "host//ca"}, {SPN: "host/\n"}, {KDC: "a b"}, {KDC: "tcp/a"}, {KDC: "\x00"},
		},
	} {
		for _, o := range options {
			o.AllowNTLM = true
			refused(want, host, ca, cred, &o)
		}
	}
}

func TestUserNames(t *testing.T) {
	s := newServer(t, nil)
	user := s.User()
	for _, name := range []string{user.Account(), user.Name, user.Name + "@corp.test"} {
		for _, auth := range auths() {
			c := newClientFor(t, s, adcs.Password(name, user.Password), &adcs.Options{Auth: auth})
			assert.NoError(t, c.Ping(t.Context()), "%s with %s", name, auth)
		}
	}
}

// With the endpoint mapper's address given, the name of the CA's host need not resolve.
func TestEndpointMapperSaysWhereTheHostIs(t *testing.T) {
	ca, err := adcstest.NewServer(nil)
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	user := ca.User()
	c, err := adcs.New("ca.nowhere.invalid", ca.Name(), adcs.Password(user.Account(), user.Password), &adcs.Options{
		Transport: adcs.TransportTCP, Auth: adcs.AuthNTLM, EndpointMapper: ca.EndpointMapper(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Ping(t.Context()))
}
