//go:build unix

package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// BenchmarkConnect connects a registered connector: TLS, WebSocket and the proofs of both sides, until jobs can come. With
// keys in a TPM it tells what a connect costs there.
func BenchmarkConnect(b *testing.B) {
	b.Run("software", func(b *testing.B) { benchmarkConnect(b, true) })
	b.Run("tpm", func(b *testing.B) { benchmarkConnect(b, false) })
}

func benchmarkConnect(b *testing.B, software bool) {
	s := newTPMSite(b, gateway.AttestationAny, nil)
	if software {
		s.config.TPM = tpmNone
	}
	require.NoError(b, s.connected()())
	c := s.loaded()
	k, err := openKeys(c)
	require.NoError(b, err)
	defer func() { require.NoError(b, k.close()) }()
	service, err := newService(c, k, slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	defer func() { require.NoError(b, service.issuer.Close()) }()
	connectOnce(b, c, k, service) // what is made once for all connects
	s.meter.since()
	b.ReportAllocs()
	for b.Loop() {
		connectOnce(b, c, k, service)
	}
	commands := 0
	counts := s.meter.since()
	for _, n := range counts {
		commands += n
	}
	b.ReportMetric(float64(counts[tpm2.TPMCCSign])/float64(b.N), "signatures/op")
	b.ReportMetric(float64(counts[tpm2.TPMCCActivateCredential])/float64(b.N), "activations/op")
	b.ReportMetric(float64(commands)/float64(b.N), "tpm-commands/op")
}

// connectOnce connects and ends.
func connectOnce(b *testing.B, c *config, k *keys, s *service) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	cfg, err := c.connectorConfig(k)
	require.NoError(b, err)
	cfg.Issuer = s.issuer
	var connected atomic.Bool
	cfg.Options.OnEvent = func(e connector.Event) {
		if e.State == connector.StateConnected {
			connected.Store(true)
			cancel()
		}
	}
	one, err := connector.New(*cfg)
	require.NoError(b, err)
	require.NoError(b, one.Run(ctx))
	require.True(b, connected.Load())
}
