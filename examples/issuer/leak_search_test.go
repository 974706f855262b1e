package issuer_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secret is something that must not be found.
type secret struct {
	name  string
	bytes []byte
}

// secretsOf returns what a private key is by itself: the scalar, or exponent and primes. They stand in every encoding of
// the key, in one piece.
func secretsOf(t testing.TB, key crypto.Signer) []secret {
	part := func(n *big.Int) secret { return secret{"the private key", n.Bytes()} }
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		scalar, err := k.Bytes()
		assert.NoError(t, err)
		return []secret{{"the private key", scalar}}
	case *rsa.PrivateKey:
		return []secret{part(k.D), part(k.Primes[0]), part(k.Primes[1]), part(k.Precomputed.Dp), part(k.Precomputed.Dq), part(k.Precomputed.Qinv)}
	}
	return nil
}

// chunk is how much of a secret has to be seen to count as found, in bytes. Passwords and scalars are little longer.
const chunk = 18

// leaks returns the names of the secrets of which a part is in seen: raw, in hexadecimal, as Go prints bytes, in UTF-16, in
// either base64 at any offset, and the last also over line breaks.
func leaks(seen []byte, secrets []secret) []string {
	type head [12]byte // of a form: every one is longer
	type form struct {
		name string
		tail []byte
	}
	wanted := map[head][]form{}
	for _, s := range secrets {
		for at := 0; at == 0 || at+chunk <= len(s.bytes); at += chunk {
			for _, f := range forms(s.bytes[at : at+chunk]) {
				wanted[head(f)] = append(wanted[head(f)], form{s.name, f[len(head{}):]})
			}
		}
	}
	joined := strings.NewReplacer("\r", "", "\n", "", `\r`, "", `\n`, "").Replace(string(seen))
	var found []string
	for _, text := range [][]byte{seen, []byte(joined)} {
		for at := 0; at+len(head{}) <= len(text); at++ {
			for _, f := range wanted[head(text[at:])] {
				if bytes.HasPrefix(text[at+len(head{}):], f.tail) {
					found = append(found, f.name)
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func forms(b []byte) [][]byte {
	lower := hex.EncodeToString(b)
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	wide := make([]byte, 0, 2*len(b))
	for _, c := range b {
		wide = append(wide, c, 0)
	}
	out := [][]byte{
		b, []byte(lower), []byte(strings.ToUpper(lower)), []byte(decimal), []byte(strings.ReplaceAll(decimal, " ", ", ")),
		[]byte(strings.ReplaceAll(decimal, " ", ",")), []byte(strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}")), wide[:len(wide)-1],
	}
	for shift := range 3 {
		for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := alphabet.EncodeToString(append(make([]byte, shift), b...))
			text = text[(shift*8+5)/6:]                                   // without what depends on the bytes before
			out = append(out, []byte(text[:len(b)*8/6-1]))                // and behind
			escaped := strings.ReplaceAll(text[:len(b)*8/6-1], "/", `\/`) // as some write JSON
			out = append(out, []byte(escaped))
		}
	}
	return out
}

// TestLeaksAreFound hides a key in the ways in which it could slip out.
func TestLeaksAreFound(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	noise := bytes.Repeat([]byte(`{"jsonrpc":"2.0","id":1}`), 100)
	for _, key := range []crypto.Signer{ec, rsaKey} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		inPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		inJSON, err := json.Marshal(map[string]string{"key": inPEM})
		require.NoError(t, err)
		for name, text := range map[string]string{
			"DER": string(der), "hex": hex.EncodeToString(der), "HEX": fmt.Sprintf("%X", der), "base64": base64.StdEncoding.EncodeToString(der),
			"base64 for URLs": base64.URLEncoding.EncodeToString(der), "base64 within more": base64.StdEncoding.EncodeToString(append([]byte("x"), der...)),
			"base64 within much more": base64.StdEncoding.EncodeToString(append([]byte("xy"), der...)), "PEM": inPEM, "PEM in JSON": string(inJSON),
			"PEM for Windows": strings.ReplaceAll(inPEM, "\n", "\r\n"), "%v": fmt.Sprint(der), "%#v": fmt.Sprintf("%#v", der),
			"half of it": hex.EncodeToString(der)[:len(der)*9/5],
		} {
			seen := append(append(bytes.Clone(noise), text...), noise...)
			assert.Equal(t, []string{"the private key"}, leaks(seen, secretsOf(t, key)), "%T %s", key, name)
		}
		assert.Empty(t, leaks(noise, secretsOf(t, key)))
	}
	const text = "kP4cWzN8RfT2mYbH6sVxQd9L"
	password := []secret{{"the password", []byte(text)}}
	wide := strings.Join(strings.Split(text, ""), "\x00") + "\x00"
	for _, seen := range []string{text, wide, base64.StdEncoding.EncodeToString([]byte("..." + text)), fmt.Sprintf("%q", text)} {
		assert.NotEmpty(t, leaks([]byte(seen), password), seen)
	}
}
