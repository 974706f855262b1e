package pkcs12_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/adcskit/adcskit/pkcs12"
)

// TestDecodeReadsOthers opens what go-pkcs12 writes with other parameters, and the leaf wherever it stands.
func TestDecodeReadsOthers(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for name, enc := range map[string]*gopkcs12.Encoder{
		"3DES": gopkcs12.LegacyDES.WithIterations(10_000), "AES": gopkcs12.Modern2023.WithIterations(50_000),
		"RC2": gopkcs12.LegacyRC2, "PBMAC1": gopkcs12.Modern2026,
	} {
		t.Run(name, func(t *testing.T) {
			file, err := enc.Encode(key, chain[1], chain[:1], "pässwörd") // the CA first
			require.NoError(t, err)
			gotKey, got, err := pkcs12.Decode(file, "pässwörd")
			require.NoError(t, err)
			assert.True(t, key.Equal(gotKey))
			require.Len(t, got, 2)
			assert.True(t, chain[0].Equal(got[0]), "the certificate of the key comes first")
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	good, err := pkcs12.Encode(pkcs12.Compat(), key, chain, password)
	require.NoError(t, err)
	other := newChain(t, ecKey(t, elliptic.P256()))
	encode := func(enc *gopkcs12.Encoder, leaf *x509.Certificate, password string) []byte {
		file, err := enc.Encode(key, leaf, nil, password)
		require.NoError(t, err)
		return file
	}
	small := ecKey(t, elliptic.P224())
	oddKey, err := gopkcs12.LegacyDES.Encode(small, newChain(t, small)[0], nil, password)
	require.NoError(t, err)
	store, err := gopkcs12.LegacyDES.EncodeTrustStore(chain, password)
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":         {nil, pkcs12.ErrMalformed},
		"cut":             {good[:len(good)-1], pkcs12.ErrMalformed},
		"something after": {append(bytes.Clone(good), 0), pkcs12.ErrMalformed},
		"too large":       {make([]byte, pkcs12.MaxFile+1), pkcs12.ErrLimit},
		"BER":             {[]byte{0x30, 0x80, 0, 0}, pkcs12.ErrMalformed},
		"no password":     {encode(gopkcs12.Passwordless, chain[0], ""), pkcs12.ErrUnsupported},
		"odd key":         {oddKey, pkcs12.ErrUnsupported},
		"other leaf":      {encode(gopkcs12.LegacyDES, other[0], password), pkcs12.ErrKeyMismatch},
		"no key":          {store, pkcs12.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			gotKey, gotChain, err := pkcs12.Decode(tc.file, password)
			assert.ErrorIs(t, err, tc.want)
			assert.Nil(t, gotKey)
			assert.Nil(t, gotChain)
		})
	}
	for _, bad := range []string{"", "a\x00b", "\xff", "😀", string(make([]byte, 2000))} {
		_, _, err := pkcs12.Decode(good, bad)
		assert.ErrorIs(t, err, pkcs12.ErrPassword)
	}
}

// TestDecodeBoundsWork puts other numbers of iterations into good files, at each place where there is one. The MAC does
// not fit afterwards, so that it shows whether the number was looked at before.
func TestDecodeBoundsWork(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for name, tc := range map[string]struct {
		encoder *gopkcs12.Encoder
		places  int
	}{
		"RC2": {gopkcs12.LegacyRC2, 2}, "3DES": {gopkcs12.LegacyDES, 2}, // the MAC has one iteration, by default
		"AES": {gopkcs12.Modern2023, 3}, "PBMAC1": {gopkcs12.Modern2026, 3},
	} {
		file, err := tc.encoder.Encode(key, chain[0], chain[1:], password)
		require.NoError(t, err)
		require.Equal(t, tc.places, countIterations(t, file), name)
		for place := range tc.places {
			for iterations, want := range map[int64]error{
				1 << 62: pkcs12.ErrLimit, 1<<31 - 1: pkcs12.ErrLimit, pkcs12.MaxIterations: pkcs12.ErrLimit,
				0: pkcs12.ErrLimit, -1: pkcs12.ErrLimit, 2049: pkcs12.ErrIncorrectPassword,
			} {
				start := time.Now()
				_, _, err := pkcs12.Decode(withIterations(t, file, iterations, place), password)
				assert.ErrorIs(t, err, want, "%s: %d at place %d", name, iterations, place)
				assert.Less(t, time.Since(start), 30*time.Second)
			}
		}
		_, _, err = pkcs12.Decode(withIterations(t, file, pkcs12.MaxIterations/2, 0, 1), password)
		assert.ErrorIs(t, err, pkcs12.ErrLimit, "%s: they are added up", name)
	}
}

// TestDecodeBoundsKey makes the encrypted key long: checking an RSA key takes longer the longer it is.
func TestDecodeBoundsKey(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	file, err := pkcs12.Encode(pkcs12.Compat(), key, newChain(t, key), password)
	require.NoError(t, err)
	for size, want := range map[int]error{64: pkcs12.ErrIncorrectPassword, 8 << 10: pkcs12.ErrLimit} {
		changed := rewrite(t, file, func(v asn1.RawValue) []byte {
			if v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString && len(v.Bytes) > 100 {
				return make([]byte, size)
			}
			return nil
		})
		_, _, err = pkcs12.Decode(changed, password)
		assert.ErrorIs(t, err, want)
	}
}

func isIterations(v asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger && new(big.Int).SetBytes(v.Bytes).Int64() == 2048
}

func countIterations(t *testing.T, file []byte) int {
	n := 0
	rewrite(t, file, func(v asn1.RawValue) []byte {
		if isIterations(v) {
			n++
		}
		return nil
	})
	return n
}

// withIterations replaces the iterations at some of the places where they are 2048.
func withIterations(t *testing.T, file []byte, iterations int64, places ...int) []byte {
	der, err := asn1.Marshal(iterations)
	require.NoError(t, err)
	n := -1
	return rewrite(t, file, func(v asn1.RawValue) []byte {
		if !isIterations(v) {
			return nil
		}
		n++
		for _, place := range places {
			if place == n {
				return der[2:]
			}
		}
		return nil
	})
}

// rewrite replaces primitive values, and puts right the lengths around them. It looks into octet strings too.
func rewrite(t *testing.T, der []byte, change func(asn1.RawValue) []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		var v, inner asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		require.NoError(t, err)
		wrapped := false
		if v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString {
			after, err := asn1.Unmarshal(v.Bytes, &inner)
			wrapped = err == nil && len(after) == 0 && inner.Tag == asn1.TagSequence && inner.IsCompound
		}
		if v.IsCompound || wrapped {
			v.Bytes = rewrite(t, v.Bytes, change)
		} else if b := change(v); b != nil {
			v.Bytes = b
		}
		b, err := asn1.Marshal(asn1.RawValue{Class: v.Class, Tag: v.Tag, IsCompound: v.IsCompound, Bytes: v.Bytes})
		require.NoError(t, err)
		out, der = append(out, b...), rest
	}
	return out
}

// TestEveryByteCounts changes each byte of a file: whatever still opens holds the same key and chain, since the MAC
// covers both.
func TestEveryByteCounts(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	file, err := pkcs12.Options{Iterations: 1024, MACIterations: 2}.Encode(key, chain, password)
	require.NoError(t, err)
	opened := 0
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 0x01
		gotKey, gotChain, err := pkcs12.Decode(changed, password)
		if err != nil {
			require.Nil(t, gotKey)
			continue
		}
		opened++
		require.True(t, key.Equal(gotKey), "byte %d", i)
		require.Len(t, gotChain, 2)
	}
	assert.LessOrEqual(t, opened, 1, "only the type of the MAC's empty parameters means nothing")
}

// TestFIPS runs this test binary again under FIPS 140-3 enforcement, with files that were made without: the refusal
// comes before anything is computed, whatever the arguments are.
func TestFIPS(t *testing.T) {
	if dir := os.Getenv("PKCS12_TEST_FIPS"); dir != "" {
		testFIPS(t, dir)
		return
	}
	dir, key := t.TempDir(), ecKey(t, elliptic.P256())
	for _, profile := range profiles() {
		file, err := pkcs12.Encode(profile, key, newChain(t, key), password)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, profile.String()), file, 0o600))
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestFIPS$", "-test.v")
	cmd.Env = append(os.Environ(), "PKCS12_TEST_FIPS="+dir, "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "--- PASS: TestFIPS")
}

func testFIPS(t *testing.T, dir string) {
	require.ErrorIs(t, pkcs12.CheckPassword(password), pkcs12.ErrFIPS)
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for _, profile := range profiles() {
		file, err := os.ReadFile(filepath.Join(dir, profile.String()))
		require.NoError(t, err)
		_, err = pkcs12.Encode(profile, key, chain, password)
		require.ErrorIs(t, err, pkcs12.ErrFIPS)
		_, err = pkcs12.Encode(profile, nil, nil, "")
		require.ErrorIs(t, err, pkcs12.ErrFIPS, "before anything else")
		o := pkcs12.Options{Profile: profile, FriendlyName: "\x00", Iterations: -1}
		require.ErrorIs(t, o.Check(), pkcs12.ErrFIPS, "before anything else")
		for _, file := range [][]byte{file, file[:9], nil, make([]byte, pkcs12.MaxFile+1)} {
			for _, password := range []string{password, "wrong", "\x00", ""} {
				_, _, err = pkcs12.Decode(file, password)
				require.ErrorIs(t, err, pkcs12.ErrFIPS)
				_, err = pkcs12.Inspect(file, password)
				require.ErrorIs(t, err, pkcs12.ErrFIPS)
			}
		}
	}
	_, err := pkcs12.NewPassword() // random numbers are approved
	require.NoError(t, err)
	_, err = pkcs12.ParseProfile("ios-17")
	require.NoError(t, err)
}

// TestDecodeBounds has the limits of a file and of a password to the byte.
func TestDecodeBounds(t *testing.T) {
	for size, want := range map[int]error{pkcs12.MaxFile: pkcs12.ErrMalformed, pkcs12.MaxFile + 1: pkcs12.ErrLimit} {
		_, _, err := pkcs12.Decode(make([]byte, size), password)
		assert.ErrorIs(t, err, want, "%d bytes", size)
	}
	for _, short := range []string{"", "\x30", "\x30\x80", "\x30\x00", "\x30\x81"} {
		_, _, err := pkcs12.Decode([]byte(short), password)
		assert.ErrorIs(t, err, pkcs12.ErrMalformed, "%x", short)
	}
	key := ecKey(t, elliptic.P256())
	file, err := pkcs12.Encode(pkcs12.Compat(), key, newChain(t, key), password)
	require.NoError(t, err)
	for password, want := range map[string]error{
		strings.Repeat("x", 1024): pkcs12.ErrIncorrectPassword, strings.Repeat("x", 1025): pkcs12.ErrPassword,
		"\uffff": pkcs12.ErrIncorrectPassword, "\U00010000": pkcs12.ErrPassword,
	} {
		_, _, err := pkcs12.Decode(file, password)
		assert.ErrorIs(t, err, want, "%d bytes", len(password))
	}
}
