package adcs_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// refusingCA is a network with an endpoint mapper and a CA that refuses every logon after a second, of which it has
// lots of time: tests with it run in a bubble of synctest. It counts the logons.
type refusingCA struct {
	mapper, ca script
	mu         sync.Mutex
	logons     int
	servers    sync.WaitGroup
}

func newRefusingCA(t *testing.T, auth adcs.Auth) *refusingCA {
	think := func(net.Conn) { time.Sleep(time.Second) }
	n := &refusingCA{mapper: honestMapper(t)}
	if auth == adcs.AuthNTLM {
		// AUTH3 is not answered: the first call is.
		n.ca = then(says(challengePDU(t, rpc.AuthNTLM, ntlmChallenge())), says(nil), think, says(fault(t, 2, 0x721)))
		return n
	}
	state := rpc.NegAcceptIncomplete
	token, err := (&rpc.NegTokenResp{State: &state, SupportedMech: rpc.OIDNTLM(), ResponseToken: ntlmChallenge()}).Marshal()
	require.NoError(t, err)
	n.ca = then(says(challengePDU(t, rpc.AuthNegotiate, token)), think, says(fault(t, 1, 5)))
	return n
}

func (n *refusingCA) DialContext(_ context.Context, _, addr string) (net.Conn, error) {
	run := n.mapper
	if addr != "ca.corp.test:135" {
		run = n.ca
		n.mu.Lock()
		n.logons++
		n.mu.Unlock()
	}
	client, server := net.Pipe()
	n.servers.Go(func() {
		defer server.Close()
		run(server)
	})
	return client, nil
}

// TestWrongPasswordIsTriedOnce has many calls at once with a wrong password: a domain locks accounts after a few.
func TestWrongPasswordIsTriedOnce(t *testing.T) {
	for _, auth := range []adcs.Auth{adcs.AuthNTLM, adcs.AuthNegotiate} {
		t.Run(string(auth), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newRefusingCA(t, auth)
				client, err := adcs.New("ca.corp.test", "CA", adcs.Password(`CORP\alice`, secret), adcs.Options{
					Transport: adcs.TransportTCP, Auth: auth, AllowNTLM: true, Connections: 4, DialContext: network.DialContext,
				}.WithoutKDC())
				require.NoError(t, err)
				for _, err := range submitMany(t, client, 12) {
					require.ErrorIs(t, err, adcs.ErrLogon)
					assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
				}
				assert.Equal(t, 1, network.logons, "calls that were waiting for the first one share its failure")
				err = client.Ping(t.Context())
				require.ErrorIs(t, err, adcs.ErrLogon)
				assert.ErrorContains(t, err, "not tried again for 1h0m0s")
				assert.Equal(t, 1, network.logons, "nothing tries it for an hour")
				time.Sleep(time.Hour)
				require.ErrorIs(t, client.Ping(t.Context()), adcs.ErrLogon)
				assert.Equal(t, 2, network.logons)
				require.NoError(t, client.Close())
				network.servers.Wait()
			})
		})
	}
}

// TestPasswordIsChanged has a client that runs with a password which was right: many calls at once try it once more.
func TestPasswordIsChanged(t *testing.T) {
	for _, auth := range []adcs.Auth{adcs.AuthNTLM, adcs.AuthNegotiate} {
		t.Run(string(auth), func(t *testing.T) {
			before := newServer(t, nil)
			after := newServer(t, &adcstest.Options{
				Users: []adcstest.User{{Name: before.User().Name, Password: "another-pass1"}},
			})
			require.Equal(t, before.User().Account(), after.User().Account())
			var s atomic.Pointer[adcstest.Server]
			var logons atomic.Int32
			s.Store(before)
			client := newClient(t, before, &adcs.Options{
				Transport: adcs.TransportTCP, Auth: auth, Connections: 4,
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					nc, err := s.Load().DialContext(ctx, network, addr)
					if _, port, _ := net.SplitHostPort(addr); port != "135" && err == nil {
						logons.Add(1)
					}
					return nc, err
				},
			})
			for _, err := range submitMany(t, client, 8) {
				require.NoError(t, err)
			}
			s.Store(after)
			logons.Store(0)
			client.AgeLogon(adcs.FreshLogon)
			client.SetClock(func() time.Time { return time.Now().Add(2 * adcs.MaxIdle) })
			for _, err := range submitMany(t, client, 8) {
				require.ErrorIs(t, err, adcs.ErrLogon)
			}
			assert.EqualValues(t, 1, logons.Load())
		})
	}
}

// TestWaitingForALogonEnds has a call whose context ends while another one tries the credential.
func TestWaitingForALogonEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newRefusingCA(t, adcs.AuthNTLM)
		client, err := adcs.New("ca.corp.test", "CA", adcs.Password(`CORP\alice`, secret),
			&adcs.Options{Transport: adcs.TransportTCP, Auth: adcs.AuthNTLM, DialContext: network.DialContext})
		require.NoError(t, err)
		var first sync.WaitGroup
		first.Go(func() { assert.ErrorIs(t, client.Ping(t.Context()), adcs.ErrLogon) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, client.Ping(ctx), context.DeadlineExceeded)
		first.Wait()
		assert.Equal(t, 1, network.logons)
		require.NoError(t, client.Close())
		network.servers.Wait()
	})
}

// TestRightPasswordDoesNotQueue has many calls at once with the right password: once one connection has proved it, all
// go on.
func TestRightPasswordDoesNotQueue(t *testing.T) {
	for _, auth := range []adcs.Auth{adcs.AuthNTLM, adcs.AuthNegotiate} {
		t.Run(string(auth), func(t *testing.T) {
			const parallel = 4
			var together sync.WaitGroup
			together.Add(parallel)
			s := newServer(t, &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
				if c.EndpointMapper || c.N <= 1 || c.N > 1+parallel {
					return nil
				}
				return &adcstest.Fault{Before: func(context.Context) {
					together.Done()
					together.Wait() // all of them are in the CA at once, or the test ends with the calls' time-out
				}}
			}})
			client := newClient(t, s, &adcs.Options{Auth: auth, Connections: parallel})
			require.NoError(t, client.Ping(t.Context()))
			for _, err := range submitMany(t, client, parallel) {
				require.NoError(t, err)
			}
			assert.Len(t, s.Requests(), parallel)
		})
	}
}

func submitMany(t *testing.T, client *adcs.Client, n int) []error {
	_, csr := newCSR(t, "pc1.corp.test")
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, errs[i] = client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
		})
	}
	wg.Wait()
	return errs
}
