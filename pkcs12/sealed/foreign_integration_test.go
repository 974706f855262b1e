//go:build integration

package sealed_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/sealed"
)

// peer runs testdata/peer.py, an implementation of the format in another language. Debian's Python packages belong to
// /usr/bin/python3; another one in PATH may not have them.
func peer(t *testing.T, command string, given, answer any) error {
	t.Helper()
	in, err := json.Marshal(given)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/peer.py", command)
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &problem
	if err := cmd.Run(); err != nil {
		t.Logf("%s", problem.Bytes())
		return err
	}
	return json.Unmarshal(out.Bytes(), answer)
}

type opening struct {
	Bundle json.RawMessage `json:"bundle"`
	Key    []byte          `json:"key"`
}

type openedByPeer struct {
	PKCS12   []byte `json:"pkcs12"`
	Password string `json:"password"`
	Library  bool   `json:"library"`
}

// TestPeerOpens: what we seal opens elsewhere, and what was changed does not.
func TestPeerOpens(t *testing.T) {
	signer, _ := newSigner(t)
	for _, curve := range []ecdh.Curve{ecdh.P256(), ecdh.X25519()} {
		key := newKey(t, curve)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		text, err := sealed.Seal(signer, key.PublicKey(), bundle())
		require.NoError(t, err)
		var got openedByPeer
		require.NoError(t, peer(t, "open", opening{text, der}, &got))
		assert.Equal(t, bundle().PKCS12, got.PKCS12)
		assert.Equal(t, bundle().Password, got.Password)
		t.Logf("%s: opened; by the HPKE of its library, too: %t", curve, got.Library)

		changed := bytes.Replace(text, []byte("job-1"), []byte("job-2"), 1)
		assert.Error(t, peer(t, "open", opening{changed, der}, &got))
	}
}

// TestPeerSeals: what is sealed elsewhere opens here.
func TestPeerSeals(t *testing.T) {
	for _, curve := range []ecdh.Curve{ecdh.P256(), ecdh.X25519()} {
		for _, library := range []bool{false, true} { // its own, if it has one
			key := newKey(t, curve)
			spki, err := x509.MarshalPKIXPublicKey(key.PublicKey())
			require.NoError(t, err)
			want := bundle()
			var made struct {
				Bundle json.RawMessage `json:"bundle"`
				Signer []byte          `json:"signer"`
			}
			require.NoError(t, peer(t, "seal", map[string]any{
				"recipient": spki, "tenant": want.Header.Tenant, "job": want.Header.Job, "id": want.Header.Recipient,
				"thumbprint": want.Header.Thumbprint[:], "pkcs12": want.PKCS12, "password": want.Password, "library": library,
			}, &made))
			id, err := sealed.Fingerprint(made.Signer)
			require.NoError(t, err)
			got, err := sealed.Open(made.Bundle, key, sealed.Expect{
				Signers: [][32]byte{id}, Tenant: "acme", Job: "job-1", Recipient: "laptop-17", Thumbprint: want.Header.Thumbprint,
			})
			require.NoError(t, err)
			assert.Equal(t, want.PKCS12, got.PKCS12)
			assert.Equal(t, want.Password, got.Password)
		}
	}
}
