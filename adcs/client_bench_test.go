package adcs_test

import (
	"context"
	"testing"

	"github.com/adcskit/adcskit/adcs"
)

// BenchmarkSubmit is a submission with eight under way, with the CA in the same process.
func BenchmarkSubmit(b *testing.B) {
	s := newServer(b, nil)
	c := newClient(b, s, &adcs.Options{Connections: 8})
	_, csr := newCSR(b, "www.corp.test")
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Submit(context.Background(), adcs.Request{CSR: csr, Template: "WebServer"}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkPing is the cost of a call without a certificate in it.
func BenchmarkPing(b *testing.B) {
	s := newServer(b, nil)
	c := newClient(b, s, nil)
	for b.Loop() {
		if err := c.Ping(context.Background()); err != nil {
			b.Error(err)
		}
	}
}
