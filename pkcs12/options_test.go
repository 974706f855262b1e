package pkcs12_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

func TestFriendlyNames(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for name, fine := range map[string]bool{
		"": true, "alice's laptop": true, "Büro 日本 مكتب نمی\u200cخواهم": true, `C:\x "y" <z> & {a}; $(b) 'c'`: true,
		"a\u00a0b": true, strings.Repeat("ü", 128): true, "%s%n": true, "../../etc": true,
		strings.Repeat("ü", 129): false, strings.Repeat("x", 10<<10): false, "a\x00b": false, "a\nb": false, "a\tb": false,
		"a\x7f": false, "a\u0085b": false, "a\u2028b": false, "\u202egpj.exe": false, "a\u200fb": false, "a\u200eb": false, "क्\u200dष": true, "a\u2066b": false,
		"😀": false, "\xff": false, "a\ufffd": false, "a\ufeffb": false, " a": false, "a ": false, "\u3000": false,
	} {
		assert.Equal(t, fine, pkcs12.CheckName(name) == nil, "%q", name)
		file, err := pkcs12.Options{FriendlyName: name}.Encode(key, chain, password)
		if !fine {
			require.ErrorIs(t, err, pkcs12.ErrName, "%q", name)
			if len(name) > 2 {
				assert.NotContains(t, err.Error(), name)
			}
			continue
		}
		require.NoError(t, err, "%q", name)
		_, got, err := pkcs12.Decode(file, password)
		require.NoError(t, err)
		assert.Len(t, got, 2)
	}
}

// TestWindowsNames: the key has the name of its certificate everywhere but on Windows.
func TestWindowsNames(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for _, platform := range append(pkcs12.Platforms(), "compat", "modern", "windows-11", "windows-server-2022") {
		profile, err := pkcs12.ParseProfile(platform)
		require.NoError(t, err)
		file, err := pkcs12.Options{Profile: profile, FriendlyName: "Alice's key"}.Encode(key, chain, password)
		require.NoError(t, err)
		info, err := pkcs12.Inspect(file, password)
		require.NoError(t, err)
		assert.Equal(t, "Alice's key", info.Chain[0].FriendlyName, platform)
		assert.Equal(t, !strings.HasPrefix(platform, "windows"), info.KeyName == "Alice's key", platform)
		assert.Equal(t, strings.HasPrefix(platform, "windows"), info.KeyName == "", platform)
	}
}

func TestIterations(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for _, profile := range profiles() {
		for _, o := range []pkcs12.Options{
			{Iterations: 1024}, {MACIterations: 1}, {Iterations: 5000, MACIterations: 3000},
			{Iterations: 200_000, MACIterations: 7},
		} {
			if o.Iterations == 200_000 && profile != pkcs12.Modern() {
				continue // which takes long
			}
			o.Profile = profile
			file, err := o.Encode(key, chain, password)
			require.NoError(t, err)
			numbers := integers(t, file)
			encryption := o.Iterations
			if encryption == 0 {
				encryption = 2048
			}
			mac := o.MACIterations
			if mac == 0 {
				mac = encryption
			}
			want := map[int]int{encryption: 2}
			if mac > 1 || profile == pkcs12.PBMAC1() {
				want[mac]++
			}
			for n, times := range want {
				assert.Equal(t, times, numbers[n], "%v %+v: %d", profile, o, n)
			}
		}
		for _, o := range []pkcs12.Options{
			{Iterations: 1023}, {Iterations: -1}, {Iterations: 200_001}, {MACIterations: -1}, {MACIterations: 200_001},
		} {
			o.Profile = profile
			require.ErrorIs(t, o.Check(), pkcs12.ErrLimit)
			_, err := o.Encode(key, chain, password)
			require.ErrorIs(t, err, pkcs12.ErrLimit)
		}
	}
}

// integers counts the INTEGERs of a file by their value.
func integers(t *testing.T, file []byte) map[int]int {
	count := map[int]int{}
	rewrite(t, file, func(v asn1.RawValue) []byte {
		if v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger {
			n := 0
			for _, b := range v.Bytes {
				n = n<<8 | int(b)
			}
			count[n]++
		}
		return nil
	})
	return count
}

// TestFilesDiffer makes the same file twice: salts and initialization vectors are new each time, so that no longer run
// of bytes from inside an encryption is in both.
func TestFilesDiffer(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for _, profile := range profiles() {
		octets := func() map[string]bool {
			found := map[string]bool{}
			file, err := pkcs12.Encode(profile, key, chain, password)
			require.NoError(t, err)
			rewrite(t, file, func(v asn1.RawValue) []byte {
				if v.Tag == asn1.TagOctetString || v.Class == asn1.ClassContextSpecific {
					assert.False(t, found[string(v.Bytes)], "no salt is used twice")
					found[string(v.Bytes)] = true
				}
				return nil
			})
			return found
		}
		first, same := octets(), 0
		for s := range octets() {
			if first[s] {
				same++
			}
		}
		want := 1 // localKeyID
		if profile == pkcs12.PBMAC1() {
			want = 2 // and the salt that is not used
		}
		assert.Equal(t, want, same, profile)
		assert.GreaterOrEqual(t, len(first), 7)
	}
}

// TestShapes has a chain with two CAs, one that issued to itself with a new key, and a root without key identifiers.
func TestShapes(t *testing.T) {
	for _, identified := range []bool{true, false} {
		testShapes(t, identified)
	}
}

func testShapes(t *testing.T, identified bool) {
	key := ecKey(t, elliptic.P256())
	chain := longChain(t, key, identified)
	require.Len(t, chain, 4)
	for platform, want := range map[string][]int{
		"compat": {0, 1, 2, 3}, "modern": {0, 1, 2, 3}, "pbmac1": {0, 1, 2, 3},
		"macos": {0}, "ios-18": {0}, "ipados": {0}, "tvos": {0}, "watchos": {0}, "visionos": {0},
		"android-16": {0, 1, 2, 3}, "windows": {0, 1, 2}, "windows-server-2022": {0, 1, 2}, "chromeos": {0, 1, 2},
		"java": {0, 1, 2}, "linux-openssl": {0, 1, 2}, "linux-nss": {0, 1, 2},
	} {
		profile, err := pkcs12.ParseProfile(platform)
		require.NoError(t, err)
		file, err := pkcs12.Encode(profile, key, chain, password)
		require.NoError(t, err)
		_, got, err := pkcs12.Decode(file, password)
		require.NoError(t, err)
		require.Len(t, got, len(want), platform)
		for i, n := range want {
			assert.True(t, chain[n].Equal(got[i]), platform)
		}
	}
	nss, err := pkcs12.ForPlatform("linux-nss", "")
	require.NoError(t, err)
	mixed := []*x509.Certificate{chain[0], chain[3], chain[1], chain[2]}
	before := slices.Clone(mixed)
	file, err := pkcs12.Encode(nss, key, mixed, password)
	require.NoError(t, err)
	assert.Equal(t, before, mixed, "the caller's chain stays as it is")
	_, got, err := pkcs12.Decode(file, password)
	require.NoError(t, err)
	assert.Len(t, got, 3)
	for _, profile := range []pkcs12.Profile{nss, pkcs12.Compat()} {
		_, err = pkcs12.Encode(profile, key, chain[3:], password)
		require.ErrorIs(t, err, pkcs12.ErrKeyMismatch, "a shape does not hide a chain that is wrong")
	}
}

// TestSelfSigned keeps the certificate of the key, even if it is a root.
func TestSelfSigned(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	cert := sign(t, caTemplate("self"), nil, key.Public(), key)
	for _, platform := range pkcs12.Platforms() {
		profile, err := pkcs12.ForPlatform(platform, "")
		require.NoError(t, err)
		_, err = pkcs12.Encode(profile, key, []*x509.Certificate{cert}, password)
		require.NoError(t, err, platform)
	}
}

// TestNothingInTheClear looks for the key, the certificate and the password in the file.
func TestNothingInTheClear(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	der, err := x509.MarshalPKCS8PrivateKey(crypto.PrivateKey(key))
	require.NoError(t, err)
	scalar, err := key.Bytes()
	require.NoError(t, err)
	for _, profile := range profiles() {
		file, err := pkcs12.Encode(profile, key, chain, password)
		require.NoError(t, err)
		for _, secret := range [][]byte{der[:40], scalar, chain[0].RawSubject, chain[1].Raw[:40], []byte(password)} {
			assert.False(t, bytes.Contains(file, secret), profile)
		}
	}
}

func TestNameFor(t *testing.T) {
	for cn, name := range map[string]string{
		"": "", "laptop-17": "laptop-17", "Zoë": "Zoë", "a\nb": "", "a\x00b": "", " a": "", "\U0001f680": "", "\u202egnp": "",
		strings.Repeat("a", pkcs12.MaxName): strings.Repeat("a", pkcs12.MaxName), strings.Repeat("a", pkcs12.MaxName+1): "",
	} {
		assert.Equal(t, name, pkcs12.NameFor(&x509.Certificate{Subject: pkix.Name{CommonName: cn}}), "%q", cn)
	}
}
