package tpm

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// recorder is a transport that keeps what passes by.
type recorder struct {
	Transport
	mu   sync.Mutex
	seen [][]byte
}

func (r *recorder) Send(command []byte) ([]byte, error) {
	answer, err := r.Transport.Send(command)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, bytes.Clone(command), bytes.Clone(answer))
	return answer, err
}

// saw says whether some octets passed by, in either order, or the greater part of them.
func (r *recorder) saw(secret []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, message := range r.seen {
		if bytes.Contains(message, secret) || bytes.Contains(message, secret[len(secret)/3:]) {
			return true
		}
	}
	return false
}

// passwords counts the authorizations by password, empty ones and others (part 2, 10.13.2: handle, nonce, attributes, HMAC).
func (r *recorder) passwords() (empty, others int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 0; i < len(r.seen); i += 2 {
		_, rest, found := bytes.Cut(r.seen[i], []byte{0x40, 0, 0, 9, 0, 0})
		switch {
		case !found:
		case len(rest) >= 3 && rest[1] == 0 && rest[2] == 0:
			empty++
		default:
			others++
		}
	}
	return empty, others
}

// TestNoSecretsOnTheWire listens to everything that travels between us and the TPM, whose hierarchies and keys have
// authorization values: neither these nor shared secrets may be in it.
func TestNoSecretsOnTheWire(t *testing.T) {
	device := tpmtest.Start(t, nil)
	auths := map[string][]byte{
		"key": []byte("authorization of keys"), "endorsement": []byte("value of endorsement"),
		"owner": []byte("authorization of owner, as long as a digest of SHA-512 in octets"),
	}
	device.Do(func(tp transport.TPM) {
		for handle, of := range map[tpm2.TPMHandle]string{tpm2.TPMRHOwner: "owner", tpm2.TPMRHEndorsement: "endorsement"} {
			_, err := tpm2.HierarchyChangeAuth{AuthHandle: handle, NewAuth: tpm2.TPM2BAuth{Buffer: auths[of]}}.Execute(tp)
			require.NoError(t, err)
		}
	})
	wire := &recorder{Transport: device.Transport()}
	tpm, err := New(wire, &Options{KeyAuth: auths["key"], OwnerAuth: auths["owner"], EndorsementAuth: auths["endorsement"]})
	require.NoError(t, err)
	defer tpm.Close()

	signer, exchanger := signerIn(t, tpm, P256), exchangerIn(t, tpm)
	require.NoError(t, sign(signer))
	digest := sha256.Sum256([]byte("something"))
	require.False(t, wire.saw(digest[:]), "what is signed is encrypted too, though it is no secret")
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	secret, err := exchanger.ECDH(other.PublicKey())
	require.NoError(t, err)
	require.False(t, wire.saw(secret), "the shared secret")
	require.False(t, wire.saw(other.PublicKey().Bytes()[1:33]), "whom it is shared with")
	attester, err := NewAttester(signer, exchanger)
	require.NoError(t, err)
	_, err = attester.Evidence(t.Context())
	require.NoError(t, err)

	require.NoError(t, tpm.Close())
	for of, auth := range auths {
		assert.False(t, wire.saw(auth), "the authorization value of the %s", of)
		hash := sha256.Sum256(auth)
		assert.False(t, wire.saw(hash[:]), "the hash of the authorization value of the %s", of)
	}
	empty, others := wire.passwords()
	assert.NotZero(t, empty, "the null hierarchy's")
	assert.Zero(t, others, "passwords")
	assert.Empty(t, loadedIn(t, wire))
}

// TestTheRecorderHears does the same without encryption and with passwords, so that the test above can fail.
func TestTheRecorderHears(t *testing.T) {
	device := tpmtest.Start(t, nil)
	wire := &recorder{Transport: device.Transport()}
	tpm, err := New(wire, &Options{KeyAuth: []byte("authorization of keys")})
	require.NoError(t, err)
	defer tpm.Close()
	exchanger := exchangerIn(t, tpm)
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	point := other.PublicKey().Bytes()
	within(t, tpm, func(c *conn) error {
		for _, with := range []directions{in, out, neither} {
			h, err := c.authorized(exchanger.key, with)
			require.NoError(t, err)
			_, err = run(c, tpm2.ECDHZGen{KeyHandle: h, InPoint: tpm2.New2B(tpm2.TPMSECCPoint{
				X: tpm2.TPM2BECCParameter{Buffer: point[1:33]}, Y: tpm2.TPM2BECCParameter{Buffer: point[33:]},
			})})
			require.NoError(t, err)
			secret, err := other.ECDH(exchanger.PublicKey())
			require.NoError(t, err)
			require.Equal(t, with&out == 0, wire.saw(secret))
			require.Equal(t, with&in == 0, wire.saw(point[1:33]))
			wire.seen = nil
		}
		h, err := c.authorized(exchanger.key, neither)
		require.NoError(t, err)
		h.Auth = tpm2.PasswordAuth([]byte("authorization of keys"))
		_, err = run(c, tpm2.ECDHZGen{KeyHandle: h, InPoint: tpm2.New2B(tpm2.TPMSECCPoint{
			X: tpm2.TPM2BECCParameter{Buffer: point[1:33]}, Y: tpm2.TPM2BECCParameter{Buffer: point[33:]},
		})})
		return err
	})
	require.True(t, wire.saw([]byte("authorization of keys")))
	_, others := wire.passwords()
	require.Equal(t, 1, others)
}

// TestRoomIsMadeBefore uses more keys than stay loaded. A resource manager that is asked for a fourth object flushes all, so
// no more are asked for.
func TestRoomIsMadeBefore(t *testing.T) {
	device := tpmtest.Start(t, nil)
	wire := &recorder{Transport: device.Transport()}
	tpm, err := New(wire, nil)
	require.NoError(t, err)
	defer tpm.Close()
	signers := []*Signer{signerIn(t, tpm, P256), signerIn(t, tpm, P256), signerIn(t, tpm, P256), signerIn(t, tpm, P256)}
	wire.seen = nil
	for i := range 12 {
		require.NoError(t, sign(signers[i*5%4]))
	}
	loads := 0
	for i := 0; i < len(wire.seen); i += 2 {
		if commandCode(wire.seen[i]) == tpm2.TPMCCLoad {
			loads++
		}
		require.Equal(t, tpm2.TPMRCSuccess, returnCode(wire.seen[i+1]), "%x", wire.seen[i])
	}
	require.Equal(t, 12, loads)
	require.LessOrEqual(t, tpm.wire.loaded.objects(), maxLoaded)
}
