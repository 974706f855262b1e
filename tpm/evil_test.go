package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/require"
)

// evilTPM is a TPM that gives authentic answers with these parameters, one after the other.
func evilTPM(t *testing.T, answers ...string) (*TPM, *evil) {
	t.Helper()
	e := &evil{session: &session{
		handle: 0x02000000, key: make([]byte, 32), nonceCaller: make([]byte, nonceSize), nonceTPM: make([]byte, nonceSize),
	}}
	for _, a := range answers {
		b, err := hex.DecodeString(a)
		require.NoError(t, err)
		e.data = append(binary.BigEndian.AppendUint16(e.data, uint16(len(b))), b...)
	}
	tpm := newTPM(e, mustCheck(t, nil), shared)
	tpm.cache.session = e.session
	t.Cleanup(func() { require.NoError(t, tpm.Close()) })
	return tpm, e
}

// anchor is what a TPM answers that has made and loaded the key: its storage key, and the key's name.
func anchor(k *key) []string {
	parent := *storageTemplate(false)
	parent.Unique = k.public.Unique
	name, _ := tpm2.ObjectName(&parent)
	made := hex.EncodeToString(tpm2.Marshal(tpm2.New2B(parent))) + "0000" + "0000" + "802140000001" + "0000" +
		hex.EncodeToString(tpm2.Marshal(*name))
	return []string{made, hex.EncodeToString(tpm2.Marshal(tpm2.TPM2BName{Buffer: k.name}))}
}

// TestBrokenTPM is about results that are authentic and wrong: a fault in the TPM, which may give away the key.
func TestBrokenTPM(t *testing.T) {
	template, err := signerTemplate(P256)
	require.NoError(t, err)
	k := fuzzKey(template)
	public, err := publicKey(k.public)
	require.NoError(t, err)
	r := "0020" + hex.EncodeToString(bytes.Repeat([]byte{1}, 32))
	for name, signature := range map[string]string{
		"a wrong signature": "0018000b" + r + r, "one of RSA": "0014000b" + r, "zeros": "0018000b" + "0000" + "0000",
		"none": "0010", "a long one": "0018000b" + "0080" + hex.EncodeToString(make([]byte, 128)) + "0000",
	} {
		tpm, e := evilTPM(t, append(anchor(k), signature)...)
		_, err := (&Signer{tpm, k, public}).Sign(nil, make([]byte, 32), crypto.SHA256)
		require.ErrorIs(t, err, ErrTransport, name)
		require.Empty(t, e.data, name)
	}
}

// TestShortSecrets is about coordinates as some TPMs give them: without the zeros in front.
func TestShortSecrets(t *testing.T) {
	k := fuzzKey(exchangerTemplate())
	public, err := exchangeKey(k.public)
	require.NoError(t, err)
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	point := func(n int) string {
		x := append(binary.BigEndian.AppendUint16(nil, uint16(n)), bytes.Repeat([]byte{7}, n)...)
		p := append(x, 0, 1, 5)
		return hex.EncodeToString(append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...))
	}
	for n, good := range map[int]bool{30: true, 32: true, 33: false} {
		tpm, _ := evilTPM(t, append(anchor(k), point(n))...)
		secret, err := (&KeyExchanger{tpm, k, public}).ECDH(other.PublicKey())
		if !good {
			require.ErrorIs(t, err, ErrTransport)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, append(make([]byte, 32-n), bytes.Repeat([]byte{7}, n)...), secret)
	}
}

// TestAnotherKey is a TPM that loads another key than the one in the file.
func TestAnotherKey(t *testing.T) {
	k := fuzzKey(exchangerTemplate())
	answers := anchor(k)
	tpm, _ := evilTPM(t, answers[0], answers[1][:4]+"ff"+answers[1][6:])
	err := tpm.attempt(t.Context(), func(c *conn) error {
		_, err := c.load(k)
		return err
	})
	require.ErrorIs(t, err, ErrTransport)
	require.ErrorContains(t, err, "another key")
	require.Empty(t, tpm.cache.keys)
}

// panicking is a command whose answer go-tpm cannot take.
type panicking struct{ tpm2.FlushContext }

func (panicking) Execute(t transport.TPM, _ ...tpm2.Session) (*tpm2.FlushContextResponse, error) {
	answer, err := t.Send([]byte{0x80, 1, 0, 0, 0, headerSize, 0, 0, 1, 0})
	if err != nil {
		return nil, err
	}
	_ = binary.BigEndian.Uint16(answer[headerSize:]) // as go-tpm does with optional parameters
	return nil, nil
}

// TestPanicOfTheParser has go-tpm panic over an answer.
func TestPanicOfTheParser(t *testing.T) {
	tpm, _ := evilTPM(t, "")
	err := tpm.use(t.Context(), func(c *conn) error {
		_, err := run(c, panicking{})
		return err
	})
	require.ErrorIs(t, err, ErrTransport)
	require.ErrorContains(t, err, "cannot be parsed")
}
