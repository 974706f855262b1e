package wsproto_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// BenchmarkCheckpointTPM is BenchmarkCheckpoint with keys in a software TPM; hardware is slower.
func BenchmarkCheckpointTPM(b *testing.B) {
	device, err := tpm.Open(tpmtest.Start(b, nil).Path(), nil)
	require.NoError(b, err)
	b.Cleanup(func() { device.Close() })
	store := device.Store()
	file, err := store.NewSigner()
	require.NoError(b, err)
	identity, err := store.Signer(file)
	require.NoError(b, err)
	file, err = store.NewKeyExchanger()
	require.NoError(b, err)
	box, err := store.KeyExchanger(file)
	require.NoError(b, err)
	b.Run("swtpm/p256", func(b *testing.B) { benchmarkCheckpoints(b, identity, box, newSecret(b)) })
	b.Run("swtpm/rsa2048", func(b *testing.B) { benchmarkCheckpoints(b, identity, box, newRSASecret(b)) })
}
