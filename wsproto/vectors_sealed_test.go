package wsproto_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/sealedbundle"
	"github.com/adcskit/adcskit/wsproto"
)

// makeSealedVectors adds an order for a recipient, signed by an ordering key, and what a connector delivers for it.
func makeSealedVectors(t *testing.T, v *vectors, identity *ecdsa.PrivateKey) {
	t.Helper()
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return hex.EncodeToString(der)
	}
	ordering, p256 := newKey(t), newDecryptionKey(t)
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	v.OrderingKey, v.RecipientP256, v.RecipientX25519 = pkcs8(ordering), pkcs8(p256), pkcs8(x25519)
	v.PKCS12, v.Password = hex.EncodeToString([]byte("stands for a .p12")), "kP4cWzN8RfT2mYbH6sVxQd9L"

	order := wsproto.Order{
		CA: wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp CA"}, Template: "WiFi", Subject: "CN=device",
		DNS: []string{"device.corp.example"}, Key: "p256", Recipient: &wsproto.Recipient{ID: "device", Key: spki(t, p256.PublicKey())},
	}
	order.Recipient.Signature, err = wsproto.SignRecipient(ordering, v.Tenant, &order)
	require.NoError(t, err)
	signed, err := wsproto.RecipientBytes(v.Tenant, &order)
	require.NoError(t, err)
	v.RecipientSigned = hex.EncodeToString(signed)
	text, err := wsproto.EncodeOrder(order)
	require.NoError(t, err)
	v.SealedOrder = string(text)

	thumbprint := sha256.Sum256([]byte("stands for a certificate"))
	seal := func(to *ecdh.PublicKey) *sealedbundle.Bundle {
		b, err := sealedbundle.Seal(sealedbundle.Bundle{
			Tenant: v.Tenant, Job: "0f8fad5b-d9cb-469f-a165-70867728950e", Recipient: "device", Thumbprint: thumbprint[:],
		}, sealedbundle.Content{PKCS12: unhex(t, v.PKCS12), Password: v.Password}, identity, to)
		require.NoError(t, err)
		return b
	}
	first, second := seal(p256.PublicKey()), seal(x25519.PublicKey())
	v.BundleInfo, v.BundleSigned = hex.EncodeToString(first.Info()), hex.EncodeToString(first.Signed())
	v.BundleP256, err = first.Encode()
	require.NoError(t, err)
	v.BundleX25519, err = second.Encode()
	require.NoError(t, err)
}

func exchangeKey(t *testing.T, pkcs8 string) *ecdh.PrivateKey {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(unhex(t, pkcs8))
	require.NoError(t, err)
	if key, ok := key.(*ecdsa.PrivateKey); ok { // PKCS#8 does not tell the two apart
		agreed, err := key.ECDH()
		require.NoError(t, err)
		return agreed
	}
	require.IsType(t, &ecdh.PrivateKey{}, key)
	return key.(*ecdh.PrivateKey)
}

func TestVectorsOfSealedDelivery(t *testing.T) {
	v := loadVectors(t)
	order, err := wsproto.DecodeOrder([]byte(v.SealedOrder))
	require.NoError(t, err)
	signed, err := wsproto.RecipientBytes(v.Tenant, order)
	require.NoError(t, err)
	assert.Equal(t, v.RecipientSigned, hex.EncodeToString(signed))
	require.NoError(t, wsproto.VerifyRecipient(&privateKey(t, v.OrderingKey).PublicKey, v.Tenant, order))

	connector := fingerprint(t, privateKey(t, v.IdentityKey).Public())
	for _, c := range []struct {
		text []byte
		key  string
	}{{v.BundleP256, v.RecipientP256}, {v.BundleX25519, v.RecipientX25519}} {
		b, err := sealedbundle.Parse(c.text)
		require.NoError(t, err)
		assert.Equal(t, connector[:], b.Connector)
		require.NoError(t, b.Verify())
		content, err := b.Open(exchangeKey(t, c.key))
		require.NoError(t, err)
		assert.Equal(t, v.PKCS12, hex.EncodeToString(content.PKCS12))
		assert.Equal(t, v.Password, content.Password)
		if b.KEM == sealedbundle.KEMP256 {
			assert.Equal(t, v.BundleInfo, hex.EncodeToString(b.Info()))
			assert.Equal(t, v.BundleSigned, hex.EncodeToString(b.Signed()))
			assert.Equal(t, order.Recipient.ID, b.Recipient)
			sum := wsproto.FingerprintSPKI(order.Recipient.Key)
			assert.Equal(t, sum[:], b.RecipientKey)
		}
	}
}
