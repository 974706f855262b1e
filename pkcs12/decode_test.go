package pkcs12_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"

	"github.com/adcskit/adcskit/pkcs12"
)

// TestDecodeReadsOthers opens what go-pkcs12 writes with other parameters, and the leaf wherever it stands.
func TestDecodeReadsOthers(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for name, enc := range map[string]*gopkcs12.Encoder{
		"3DES": gopkcs12.LegacyDES.WithIterations(10_000), "AES": gopkcs12.Modern2023.WithIterations(50_000),
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
	many := make([]*x509.Certificate, 70)
	for i := range many {
		many[i] = chain[1]
	}
	crowded, err := gopkcs12.LegacyDES.Encode(key, chain[0], many, password)
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
		"RC2":             {encode(gopkcs12.LegacyRC2, chain[0], password), pkcs12.ErrUnsupported},
		"PBMAC1":          {encode(gopkcs12.Modern2026, chain[0], password), pkcs12.ErrUnsupported},
		"no password":     {encode(gopkcs12.Passwordless, chain[0], ""), pkcs12.ErrUnsupported},
		"other leaf":      {encode(gopkcs12.LegacyDES, other[0], password), pkcs12.ErrKeyMismatch},
		"no key":          {store, pkcs12.ErrUnsupported},
		"many bags":       {crowded, pkcs12.ErrLimit},
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

// TestDecodeBoundsHiddenWork puts 2^31-1 iterations where only someone who knows the password can: the MAC is right, so
// nothing but the limit stands before an hour of hashing. In the outer MAC anybody can.
func TestDecodeBoundsHiddenWork(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	file, err := pkcs12.Encode(pkcs12.Modern(), key, chain, password)
	require.NoError(t, err)
	small, err := asn1.Marshal(2048)
	require.NoError(t, err)
	// The same length, so that nothing around it changes: 02 02 08 00 becomes 02 02 7f ff, which is within the limit
	// and only breaks the MAC; the MAC's own count is the last one in the file.
	require.Equal(t, 3, bytes.Count(file, small))
	at := bytes.LastIndex(file, small)
	changed := bytes.Clone(file)
	changed[at+2], changed[at+3] = 0x7f, 0xff
	_, _, err = pkcs12.Decode(changed, password)
	assert.ErrorIs(t, err, pkcs12.ErrIncorrectPassword)

	for name, where := range map[string]int{
		"safe": pkcs12.WorkInSafe, "key": pkcs12.WorkInKey, "hidden key": pkcs12.WorkHiddenKey,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, _, err := pkcs12.Decode(pkcs12.FileWithWork(t, password, 1<<31-1, where), password)
			assert.ErrorIs(t, err, pkcs12.ErrLimit)
			assert.Less(t, time.Since(start), 30*time.Second)
			_, _, err = pkcs12.Decode(pkcs12.FileWithWork(t, password, 1, where), password)
			assert.ErrorIs(t, err, pkcs12.ErrMalformed, "with few iterations the work is done")
		})
	}
}

// TestDecodeAddsUpRounds takes files whose rounds are known: one for the MAC, and for certificates and key each two blocks
// of key and one of IV, 2048 times; or the same with AES, where everything takes one block.
func TestDecodeAddsUpRounds(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	for profile, rounds := range map[pkcs12.Profile]int{pkcs12.Compat(): 1 + 2*3*2048, pkcs12.Modern(): 3 * 2048} {
		file, err := pkcs12.Encode(profile, key, chain, password)
		require.NoError(t, err)
		_, _, err = pkcs12.DecodeWithin(file, password, rounds)
		require.NoError(t, err, profile)
		_, _, err = pkcs12.DecodeWithin(file, password, rounds-1)
		require.ErrorIs(t, err, pkcs12.ErrLimit, profile)
	}
}

// TestDecodeRefusesParameters changes the parameters of PBES2 one at a time.
func TestDecodeRefusesParameters(t *testing.T) {
	type params struct {
		scheme, kdf, prf, cipher string
		salt, iv, prfParams      []byte
		saltTag                  cbasn1.Tag
		iterations, keyLength    int64
		afterEverything          bool
	}
	const hmacSHA256, aes256 = "1.2.840.113549.2.9", "2.16.840.1.101.3.4.1.42"
	file := func(p params) []byte {
		return pkcs12.FileEncryptedWith(t, password, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				pkcs12.AddOID(b, p.scheme)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						pkcs12.AddOID(b, p.kdf)
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1(p.saltTag, func(b *cryptobyte.Builder) { b.AddBytes(p.salt) })
							b.AddASN1Int64(p.iterations)
							b.AddASN1Int64(p.keyLength)
							b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
								pkcs12.AddOID(b, p.prf)
								b.AddBytes(p.prfParams)
							})
						})
					})
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						pkcs12.AddOID(b, p.cipher)
						b.AddASN1OctetString(p.iv)
					})
					if p.afterEverything {
						b.AddASN1NULL()
					}
				})
			})
		})
	}
	manyForSHA1 := func(p *params) { p.prf, p.iterations = "1.2.840.113549.2.7", pkcs12.MaxRounds/2+1 }
	for name, tc := range map[string]struct {
		change func(*params)
		want   error
		text   string
	}{
		"nothing":          {func(*params) {}, pkcs12.ErrMalformed, "padding"}, // all is well but the content
		"scheme":           {func(p *params) { p.scheme = "1.2.840.113549.1.5.10" }, pkcs12.ErrUnsupported, "encryption"},
		"scrypt":           {func(p *params) { p.kdf = "1.3.6.1.4.1.11591.4.11" }, pkcs12.ErrUnsupported, "derivation"},
		"hash as PRF":      {func(p *params) { p.prf = "2.16.840.1.101.3.4.2.1" }, pkcs12.ErrUnsupported, "derivation"},
		"long OID":         {func(p *params) { p.prf = "1.2" + strings.Repeat(".1", 40) }, pkcs12.ErrMalformed, "derivation"},
		"cipher":           {func(p *params) { p.cipher = "1.2.840.113549.3.7" }, pkcs12.ErrUnsupported, "encryption"},
		"PRF parameters":   {func(p *params) { p.prfParams = []byte{4, 0} }, pkcs12.ErrMalformed, "derivation"},
		"key length":       {func(p *params) { p.keyLength = 16 }, pkcs12.ErrMalformed, "derivation"},
		"huge key length":  {func(p *params) { p.keyLength = 1 << 40 }, pkcs12.ErrMalformed, "derivation"},
		"short IV":         {func(p *params) { p.iv = p.iv[:15] }, pkcs12.ErrMalformed, "vector"},
		"no salt":          {func(p *params) { p.salt = nil }, pkcs12.ErrLimit, "salt"},
		"long salt":        {func(p *params) { p.salt = make([]byte, 257) }, pkcs12.ErrLimit, "salt"},
		"salt from source": {func(p *params) { p.saltTag = cbasn1.SEQUENCE }, pkcs12.ErrMalformed, "derivation"},
		"no iterations":    {func(p *params) { p.iterations = 0 }, pkcs12.ErrLimit, "iterations"},
		"many iterations":  {func(p *params) { p.iterations = pkcs12.MaxRounds + 1 }, pkcs12.ErrLimit, "iterations"},
		"times two blocks": {manyForSHA1, pkcs12.ErrLimit, "iterations"},
		"negative":         {func(p *params) { p.iterations = -1 }, pkcs12.ErrLimit, "iterations"},
		"something after":  {func(p *params) { p.afterEverything = true }, pkcs12.ErrMalformed, "parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			p := params{
				scheme: "1.2.840.113549.1.5.13", kdf: "1.2.840.113549.1.5.12", prf: hmacSHA256, cipher: aes256,
				salt: make([]byte, 8), iv: make([]byte, 16), prfParams: []byte{5, 0}, saltTag: cbasn1.OCTET_STRING,
				iterations: 1, keyLength: 32,
			}
			tc.change(&p)
			_, _, err := pkcs12.Decode(file(p), password)
			assert.ErrorIs(t, err, tc.want)
			assert.ErrorContains(t, err, tc.text)
		})
	}
}

// TestDecodeBoundsContents repeats the safes of a good file.
func TestDecodeBoundsContents(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	file, err := pkcs12.Encode(pkcs12.Compat(), key, newChain(t, key), password)
	require.NoError(t, err)
	var safes []asn1.RawValue
	_, err = asn1.Unmarshal(pkcs12.AuthenticatedSafe(t, file), &safes)
	require.NoError(t, err)
	require.Len(t, safes, 2)
	certs, keySafe := safes[0], safes[1]
	for name, tc := range map[string]struct {
		safes []asn1.RawValue
		want  error
		text  string
	}{
		"two keys":     {[]asn1.RawValue{certs, keySafe, keySafe}, pkcs12.ErrUnsupported, "more than one"},
		"many safes":   {[]asn1.RawValue{certs, certs, certs, certs, keySafe}, pkcs12.ErrLimit, "safes"},
		"no key":       {[]asn1.RawValue{certs}, pkcs12.ErrUnsupported, "no private key"},
		"only the key": {[]asn1.RawValue{keySafe}, pkcs12.ErrKeyMismatch, ""},
		"nothing":      {[]asn1.RawValue{}, pkcs12.ErrUnsupported, "no private key"},
	} {
		t.Run(name, func(t *testing.T) {
			der, err := asn1.Marshal(tc.safes)
			require.NoError(t, err)
			_, _, err = pkcs12.Decode(pkcs12.Sealed(t, password, der), password)
			assert.ErrorIs(t, err, tc.want)
			assert.ErrorContains(t, err, tc.text)
		})
	}
	_, _, err = pkcs12.Decode(pkcs12.FileWithWork(t, password, 1, pkcs12.LargeKey), password)
	assert.ErrorIs(t, err, pkcs12.ErrLimit, "checking an RSA key takes longer the longer it is")
	der, err := asn1.Marshal([]asn1.RawValue{keySafe, certs})
	require.NoError(t, err)
	_, chain, err := pkcs12.Decode(pkcs12.Sealed(t, password, der), password)
	require.NoError(t, err, "either order will do")
	assert.Len(t, chain, 2)
}

// TestEveryByteCounts changes each byte of a file: whatever still opens holds the same key and chain, since the MAC
// covers both.
func TestEveryByteCounts(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	file, err := pkcs12.Encode(pkcs12.Compat(), key, chain, password)
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
	assert.Zero(t, opened)
}

// TestFIPS runs this test binary again under FIPS 140-3 enforcement.
func TestFIPS(t *testing.T) {
	if os.Getenv("PKCS12_TEST_FIPS") != "" {
		_, err := pkcs12.Encode(pkcs12.Modern(), crypto.PrivateKey(nil), nil, password)
		require.ErrorIs(t, err, pkcs12.ErrFIPS)
		require.ErrorIs(t, pkcs12.CheckPassword(password), pkcs12.ErrFIPS)
		_, _, err = pkcs12.Decode(nil, password)
		require.ErrorIs(t, err, pkcs12.ErrFIPS)
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestFIPS$", "-test.v")
	cmd.Env = append(os.Environ(), "PKCS12_TEST_FIPS=1", "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "--- PASS: TestFIPS")
}
