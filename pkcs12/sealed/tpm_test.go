package sealed_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/sealed"
	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// TestKeysInTPMs seals in one TPM, the connector's, and opens in another, the recipient's.
func TestKeysInTPMs(t *testing.T) {
	store := func() *tpm.Store {
		opened, err := tpm.Open(tpmtest.Start(t, nil).Path(), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, opened.Close()) })
		s := opened.Store()
		_, err = s.Bind(nil)
		require.NoError(t, err)
		return s
	}
	connector, recipient := store(), store()
	file, err := connector.NewSigner()
	require.NoError(t, err)
	identity, err := connector.Signer(file)
	require.NoError(t, err)
	spki, err := x509.MarshalPKIXPublicKey(identity.Public())
	require.NoError(t, err)
	id, err := sealed.Fingerprint(spki)
	require.NoError(t, err)

	file, err = recipient.NewKeyExchanger()
	require.NoError(t, err)
	key, err := recipient.KeyExchanger(file)
	require.NoError(t, err)
	text, err := sealed.Seal(identity, key.PublicKey(), bundle())
	require.NoError(t, err)
	got, err := sealed.Open(text, key, sealed.Expect{Signers: [][32]byte{id}, Tenant: "acme", Job: "job-1"})
	require.NoError(t, err)
	assert.Equal(t, bundle().PKCS12, got.PKCS12)
	assert.Equal(t, bundle().Password, got.Password)

	file, err = recipient.NewKeyExchanger()
	require.NoError(t, err)
	another, err := recipient.KeyExchanger(file)
	require.NoError(t, err)
	_, err = sealed.Open(text, another, sealed.Expect{Signers: [][32]byte{id}})
	assert.ErrorIs(t, err, sealed.ErrRecipient)
}
