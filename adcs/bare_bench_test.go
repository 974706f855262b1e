package adcs_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce"
	icertpassage "github.com/oiweiwei/go-msrpc/msrpc/icpr/icertpassage/v0"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// bare is go-msrpc's generated client on one connection at level privacy, with nothing around it.
func bare(b *testing.B, s *adcstest.Server) func(csr []byte) error {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	user := s.User()
	ctx = gssapi.NewSecurityContext(ctx, gssapi.WithMechanismFactory(ssp.NTLM),
		gssapi.WithCredential(credential.NewFromPassword(user.Account(), user.Password)))
	conn, err := dcerpc.Dial(ctx, s.Addr(), dcerpc.WithTimeout(time.Minute))
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close(ctx) })
	client, err := icertpassage.NewCertPassageClient(ctx, conn, dcerpc.WithSeal(), dcerpc.WithTargetName("host/"+s.Host()))
	require.NoError(b, err)
	attributes := []byte("C\x00e\x00r\x00t\x00i\x00f\x00i\x00c\x00a\x00t\x00e\x00T\x00e\x00m\x00p\x00l\x00a\x00t\x00e\x00:\x00" +
		"W\x00e\x00b\x00S\x00e\x00r\x00v\x00e\x00r\x00\x00\x00")
	return func(csr []byte) error {
		resp, err := client.CertServerRequest(ctx, &icertpassage.CertServerRequestRequest{
			Flags: 0x100, Authority: s.Name(),
			Attributes: &wcce.CertTransportBlob{Buffer: attributes}, Request: &wcce.CertTransportBlob{Buffer: csr},
		})
		if err == nil && resp.Disposition != 3 {
			err = adcs.HResult(resp.Disposition)
		}
		return err
	}
}

// BenchmarkSubmitAgainstBare submits in turns, on one connection each, by the client and by go-msrpc's bare client, at
// the same server. "of-bare" is the client's rate as a share of the bare one's.
func BenchmarkSubmitAgainstBare(b *testing.B) {
	s := newServer(b, nil)
	c := newClient(b, s, &adcs.Options{Auth: adcs.AuthNTLM, Connections: 1})
	call := bare(b, s)
	_, csr := newCSR(b, "www.corp.test")
	ours := func() error {
		_, err := c.Submit(context.Background(), adcs.Request{CSR: csr, Template: "WebServer"})
		return err
	}
	theirs := func() error { return call(csr) }
	require.NoError(b, ours())
	require.NoError(b, theirs())
	var took [2]time.Duration
	var allocated [2]uint64
	b.ResetTimer()
	for i := range b.N {
		// Each takes its turn first: what one leaves behind for the garbage collector, the other may pay for.
		for turn := range 2 {
			side := (i + turn) % 2
			before := mallocs(i)
			begun := time.Now()
			err := [2]func() error{ours, theirs}[side]()
			took[side] += time.Since(begun)
			allocated[side] += mallocs(i) - before
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "of-bare")
	b.ReportMetric(float64(took[0].Nanoseconds())/float64(b.N), "ns/submit")
	b.ReportMetric(float64(took[1].Nanoseconds())/float64(b.N), "ns/bare")
	sampled := float64((b.N + mallocsEvery - 1) / mallocsEvery)
	b.ReportMetric(float64(allocated[0])/sampled, "allocs/submit")
	b.ReportMetric(float64(allocated[1])/sampled, "allocs/bare")
	b.ReportMetric(0, "ns/op")
}

// mallocsEvery is how seldom allocations are counted: counting stops the world.
const mallocsEvery = 64

// mallocs is the number of allocations of the process, the server's among them, on the rounds that count.
func mallocs(round int) uint64 {
	if round%mallocsEvery != 0 {
		return 0
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// BenchmarkSubmitScaling submits in turns on one connection and on as many as there are processors. "speed-up" is the
// second rate as a multiple of the first; the CA runs in the same process and takes its share of the processors.
func BenchmarkSubmitScaling(b *testing.B) {
	s := newServer(b, nil)
	wide := runtime.GOMAXPROCS(0)
	_, csr := newCSR(b, "www.corp.test")
	clients := [2]*adcs.Client{
		newClient(b, s, &adcs.Options{Connections: 1}), newClient(b, s, &adcs.Options{Connections: wide}),
	}
	const round = 64
	var took [2]time.Duration
	b.ResetTimer()
	for range b.N {
		for side, c := range clients {
			begun := time.Now()
			var workers sync.WaitGroup
			for range wide {
				workers.Go(func() {
					for range round / wide {
						if _, err := c.Submit(context.Background(), adcs.Request{CSR: csr, Template: "WebServer"}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			workers.Wait()
			took[side] += time.Since(begun)
		}
	}
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "speed-up")
	b.ReportMetric(float64(wide), "processors")
}

// BenchmarkIdleClient is the memory of a client that rests with two connections, with the server's end of them, which
// lives in the same process.
func BenchmarkIdleClient(b *testing.B) {
	const clients = 50
	for b.Loop() {
		s := newServer(b, &adcstest.Options{Wire: adcstest.Wire{MaxConnections: 4 * clients}})
		before := heap()
		var all []*adcs.Client
		for range clients {
			c := newClient(b, s, &adcs.Options{Connections: 2})
			var two sync.WaitGroup
			two.Add(2)
			var calls sync.WaitGroup
			require.NoError(b, c.Ping(context.Background()))
			for range 2 {
				// Both calls are in the CA at once, on two connections.
				s.InjectFault(adcstest.Fault{Before: func(context.Context) { two.Done(); two.Wait() }})
				calls.Go(func() {
					if err := c.Ping(context.Background()); err != nil {
						b.Error(err)
					}
				})
			}
			calls.Wait()
			require.Equal(b, 2, c.Idle())
			all = append(all, c)
		}
		b.ReportMetric(float64(heap()-before)/clients/1024, "KiB/client")
		runtime.KeepAlive(all)
		for _, c := range all {
			c.Close()
		}
		s.Close()
	}
}

// heap is what lives on the heap and on the stacks.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
