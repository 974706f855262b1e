package pkcs12_test

import (
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/adcskit/adcskit/pkcs12"
)

const (
	des3 = "3DES-CBC with SHA-1"
	aes  = "AES-256-CBC with PBKDF2 and HMAC-SHA256"
)

func TestInspect(t *testing.T) {
	encryptions := map[string]string{"compat": des3, "modern": aes, "pbmac1": aes}
	macs := map[string]string{
		"compat": "HMAC-SHA1", "modern": "HMAC-SHA256", "pbmac1": "PBMAC1 with PBKDF2 and HMAC-SHA256",
	}
	types := map[string]string{
		"rsa2048": "RSA-2048", "rsa4096": "RSA-4096", "p256": "ECDSA P-256", "p384": "ECDSA P-384", "p521": "ECDSA P-521",
	}
	for kind, key := range keys(t) {
		chain := newChain(t, key)
		for _, profile := range profiles() {
			o := pkcs12.Options{Profile: profile, FriendlyName: "Büro", Iterations: 3000, MACIterations: 1500}
			file, err := o.Encode(key, chain, password)
			require.NoError(t, err)
			info, err := pkcs12.Inspect(file, "")
			require.NoError(t, err)
			encryption := pkcs12.Protection{Algorithm: encryptions[profile.String()], Iterations: 3000}
			mac := pkcs12.Protection{Algorithm: macs[profile.String()], Iterations: 1500}
			assert.Equal(t, &pkcs12.Info{MAC: mac, Certificates: encryption, Key: encryption}, info, "%s %v", kind, profile)
			got, known := info.Profile()
			assert.True(t, known)
			assert.Equal(t, profile, got)

			info, err = pkcs12.Inspect(file, password)
			require.NoError(t, err)
			want := &pkcs12.Info{
				MAC: mac, Certificates: encryption, Key: encryption, Opened: true, KeyType: types[kind], KeyName: "Büro",
				Chain: []pkcs12.NamedCertificate{{Certificate: chain[0], FriendlyName: "Büro"}, {Certificate: chain[1]}},
			}
			assert.Equal(t, want, info)
			assert.Equal(t, mac.Algorithm+", 1500 iterations", info.MAC.String())
		}
	}
}

// TestInspectHidesTheKey prints what Inspect returns in the ways that logs do.
func TestInspectHidesTheKey(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	file, err := pkcs12.Encode(pkcs12.Modern(), key, newChain(t, key), password)
	require.NoError(t, err)
	info, err := pkcs12.Inspect(file, password)
	require.NoError(t, err)
	scalar, err := key.Bytes()
	require.NoError(t, err)
	text, err := json.Marshal(info)
	require.NoError(t, err)
	all := fmt.Sprintf("%v %+v %#v %s", info, info, info, text)
	for _, secret := range []string{hex.EncodeToString(scalar), fmt.Sprint(scalar), new(big.Int).SetBytes(scalar).String(), password} {
		assert.NotContains(t, all, secret)
	}
}

// TestInspectOthers has files of go-pkcs12.
func TestInspectOthers(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for name, tc := range map[string]struct {
		encoder       *gopkcs12.Encoder
		mac, cert     string
		known         bool
		macIterations int
	}{
		"RC2":    {gopkcs12.LegacyRC2, "HMAC-SHA1", "RC2-40-CBC with SHA-1", false, 1},
		"3DES":   {gopkcs12.LegacyDES, "HMAC-SHA1", des3, true, 1},
		"AES":    {gopkcs12.Modern2023, "HMAC-SHA256", aes, true, 2048},
		"PBMAC1": {gopkcs12.Modern2026, "PBMAC1 with PBKDF2 and HMAC-SHA256", aes, true, 2048},
	} {
		file, err := tc.encoder.Encode(key, chain[0], chain[1:], "pässwörd")
		require.NoError(t, err)
		info, err := pkcs12.Inspect(file, "pässwörd")
		require.NoError(t, err, name)
		assert.Equal(t, pkcs12.Protection{Algorithm: tc.mac, Iterations: tc.macIterations}, info.MAC)
		assert.Equal(t, pkcs12.Protection{Algorithm: tc.cert, Iterations: 2048}, info.Certificates)
		assert.Len(t, info.Chain, 2)
		_, known := info.Profile()
		assert.Equal(t, tc.known, known)
	}
}

func TestInspectRefuses(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	good, err := pkcs12.Encode(pkcs12.Modern(), key, chain, password)
	require.NoError(t, err)
	open, err := gopkcs12.Passwordless.Encode(key, chain[0], nil, "")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		file     []byte
		password string
		want     error
	}{
		"nothing":         {nil, "", pkcs12.ErrMalformed},
		"cut":             {good[:len(good)-1], "", pkcs12.ErrMalformed},
		"too large":       {make([]byte, pkcs12.MaxFile+1), "", pkcs12.ErrLimit},
		"no MAC":          {open, "", pkcs12.ErrUnsupported},
		"wrong password":  {good, password + "!", pkcs12.ErrIncorrectPassword},
		"iterations":      {withIterations(t, good, 1<<31-1, 0), "", pkcs12.ErrLimit},
		"iterations, key": {withIterations(t, good, 1<<31-1, 1), password, pkcs12.ErrLimit},
	} {
		info, err := pkcs12.Inspect(tc.file, tc.password)
		require.ErrorIs(t, err, tc.want, name)
		assert.Nil(t, info)
	}
}

// TestInspectUnknown names what it does not know by its number, and shows no name that nobody vouches for.
func TestInspectUnknown(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	file, err := pkcs12.Options{FriendlyName: "somebody"}.Encode(key, newChain(t, key), password)
	require.NoError(t, err)
	file = rewrite(t, file, func(v asn1.RawValue) []byte {
		if v.Tag == asn1.TagOID && hex.EncodeToString(v.Bytes) == "2b0e03021a" { // SHA-1
			return []byte{0x2a, 3, 4}
		}
		return nil
	})
	info, err := pkcs12.Inspect(file, "")
	require.NoError(t, err)
	assert.Equal(t, "1.2.3.4", info.MAC.Algorithm)
	assert.Empty(t, info.KeyName)
	_, known := info.Profile()
	assert.False(t, known)
	_, err = pkcs12.Inspect(file, password)
	require.ErrorIs(t, err, pkcs12.ErrUnsupported)
}
