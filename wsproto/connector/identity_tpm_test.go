package connector_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

func openTPM(t *testing.T, dev *tpmtest.TPM) *tpm.TPM {
	t.Helper()
	device, err := tpm.Open(dev.Path(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { device.Close() })
	return device
}

// storesInTPM is what the tests have a TPM for: a store that package connector can use.
var _ connector.KeyStore = (*tpm.Store)(nil)

// roundTrip signs, seals and opens a checkpoint with the keys of an identity.
func roundTrip(t *testing.T, id *connector.Identity) error {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c, err := wsproto.SealCheckpoint(wsproto.Checkpoint{
		State: wsproto.CheckpointSubmitting, CA: caName(), Account: "a", Time: time.Now(), Tenant: tenantName, Job: "job-1",
		Attempt: 1, Sequence: 1, OrderDigest: make([]byte, 32),
	}, secretOf(t, key), id.Signer(), id.Decryption().PublicKey())
	if err != nil {
		return err
	}
	secret, err := wsproto.OpenCheckpoint(c, id.Decryption(), wsproto.CheckpointExpectation{
		Makers: []*ecdsa.PublicKey{id.Signer().Public().(*ecdsa.PublicKey)}, Tenant: tenantName, Job: "job-1", Attempt: 1,
		OrderDigest: make([]byte, 32), CA: caName(), Account: "a",
	})
	if err != nil {
		return err
	}
	assert.Equal(t, secretOf(t, key).PrivateKey, secret.PrivateKey)
	return nil
}

// TestIdentityInATPM: the identity survives restarts of the process and of the TPM, and nothing else.
func TestIdentityInATPM(t *testing.T) {
	dev := tpmtest.Start(t, nil)
	dir := filepath.Join(t.TempDir(), "identity")
	device := openTPM(t, dev)
	id := openIn(t, dir, device.Store())
	assert.Equal(t, "tpm2", id.Kind())
	require.NoError(t, roundTrip(t, id))
	registered(t, id)

	dev.PowerLoss()
	require.NoError(t, roundTrip(t, id), "in the running process")
	require.NoError(t, device.Close())
	device = openTPM(t, dev)
	again := openIn(t, dir, device.Store())
	assert.Equal(t, keysOf(t, id), keysOf(t, again))
	require.NoError(t, roundTrip(t, again))

	// A TPM that is away fails, and does not make a checkpoint bad.
	dev.Stop()
	err := roundTrip(t, again)
	var failed *wsproto.KeyError
	require.ErrorAs(t, err, &failed)
	dev.PowerLoss()
	require.NoError(t, roundTrip(t, again))

	for _, asked := range []connector.KeyStore{nil, newChip("a")} {
		var kind *connector.KindError
		_, err = connector.OpenIdentity(dir, asked)
		require.ErrorAs(t, err, &kind)
		assert.Equal(t, "tpm2", kind.Has)
	}

	// A key that has lost its file, or has another's.
	identity := filepath.Join(dir, "identity.pem")
	raw, err := os.ReadFile(identity)
	require.NoError(t, err)
	require.NoError(t, os.Rename(identity, identity+".away"))
	_, err = connector.OpenIdentity(dir, device.Store())
	require.ErrorContains(t, err, "identity.pem is missing")
	other, err := os.ReadFile(filepath.Join(dir, "decryption.pem"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(identity, other, 0o600))
	_, err = connector.OpenIdentity(dir, device.Store())
	require.ErrorContains(t, err, "identity.pem")
	require.NoError(t, os.WriteFile(identity, raw, 0o600))
	openIn(t, dir, device.Store())
}

// TestIdentityOfAnotherTPM: a copied folder is useless, and a cleared TPM is told from everything else.
func TestIdentityOfAnotherTPM(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	first := tpmtest.Start(t, nil)
	device := openTPM(t, first)
	openIn(t, dir, device.Store())

	second := openTPM(t, tpmtest.Start(t, nil))
	_, err := connector.OpenIdentity(dir, second.Store())
	require.ErrorIs(t, err, tpm.ErrOtherTPM)
	require.ErrorContains(t, err, "move the directory away to register anew")

	// Who edits the pin away has keys that this TPM cannot load.
	state := filepath.Join(dir, "state.json")
	raw, err := os.ReadFile(state)
	require.NoError(t, err)
	pins := [2][]byte{}
	for i, store := range []*tpm.Store{device.Store(), second.Store()} {
		name, err := store.Bind(nil)
		require.NoError(t, err)
		pins[i] = []byte(base64.StdEncoding.EncodeToString(name))
	}
	require.Contains(t, string(raw), string(pins[0]))
	require.NoError(t, os.WriteFile(state, bytes.Replace(raw, pins[0], pins[1], 1), 0o600))
	_, err = connector.OpenIdentity(dir, second.Store())
	require.ErrorContains(t, err, "identity.pem")
	require.NoError(t, os.WriteFile(state, raw, 0o600))

	require.NoError(t, device.Close())
	first.Clear()
	device = openTPM(t, first)
	_, err = connector.OpenIdentity(dir, device.Store())
	require.ErrorIs(t, err, tpm.ErrOtherTPM)
	require.ErrorContains(t, err, "cleared")
	require.NoError(t, os.Rename(dir, dir+".away"))
	anew := openIn(t, dir, device.Store())
	require.NoError(t, roundTrip(t, anew))
	assert.Nil(t, anew.Registration())
}

// TestRotateWithATPM goes from software to a TPM, inside of it, and back.
func TestRotateWithATPM(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	id := openIn(t, dir, nil)
	registered(t, id)
	device := openTPM(t, tpmtest.Start(t, nil))
	last := id
	for i, to := range []connector.KeyStore{device.Store(), device.Store(), nil} {
		old := keysOf(t, last)
		require.NoError(t, last.Rotate(tenantName, to), i)
		assert.Equal(t, old, checkStatement(t, last))
		again := openIn(t, dir, to)
		assert.Equal(t, keysOf(t, last), keysOf(t, again))
		assert.Equal(t, old, checkStatement(t, again))
		require.NoError(t, roundTrip(t, again))
		agrees(t, last.Former()[0])
		if to != nil {
			agrees(t, again.Former()[0])
		}
		require.NoError(t, again.Acknowledge(nil))
		assert.Len(t, files(t, dir), 3)
		last = again
	}
	assert.Equal(t, connector.KindSoftware, last.Kind())
}
