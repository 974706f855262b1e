package pkcs12

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
	"math/big"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const secret = "hostile but known"

// fuzzIterations is a limit with which fuzzing gets somewhere.
const fuzzIterations = 8000

// maker makes files whose MAC fits, with anything in them: what somebody can write who knows the password.
type maker struct {
	t testing.TB
	c contents
}

func newMaker(t testing.TB, set algorithms) *maker {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "leaf"}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &maker{t, contents{
		set: set, iterations: 1, macIterations: 1, key: key, chain: []*x509.Certificate{cert}, password: secret,
	}}
}

func (m *maker) sequence(parts ...[]byte) []byte {
	der, err := sequenceOf(func(b *cryptobyte.Builder) { b.AddBytes(bytes.Join(parts, nil)) })
	require.NoError(m.t, err)
	return der
}

// keyBag is the bag of the key, with its encryption asking for other iterations than it was made with.
func (m *maker) keyBag(iterations int) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(m.c.key)
	require.NoError(m.t, err)
	algorithm, data, err := m.c.encrypt(der)
	require.NoError(m.t, err)
	if iterations != 1 {
		algorithm, err = algorithmIdentifier(oid3DES, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString([]byte("12345678"))
				b.AddASN1Int64(int64(iterations))
			})
		})
		require.NoError(m.t, err)
	}
	var value cryptobyte.Builder
	value.AddASN1OctetString(data)
	return m.bag(oidShroudedKeyBag, m.sequence(algorithm, value.BytesOrPanic()))
}

func (m *maker) certBag(der []byte) []byte {
	var value cryptobyte.Builder
	addOID(&value, oidX509)
	addExplicit(&value, func(b *cryptobyte.Builder) { b.AddASN1OctetString(der) })
	return m.bag(oidCertBag, m.sequence(value.BytesOrPanic()))
}

func (m *maker) bag(id string, value []byte) []byte {
	var b cryptobyte.Builder
	addOID(&b, id)
	addExplicit(&b, func(b *cryptobyte.Builder) { b.AddBytes(value) })
	return m.sequence(b.BytesOrPanic())
}

// plain is a safe without encryption, closed one with it.
func (m *maker) plain(bags ...[]byte) []byte {
	der, err := sequenceOf(func(b *cryptobyte.Builder) {
		addOID(b, oidData)
		addExplicit(b, func(b *cryptobyte.Builder) { b.AddASN1OctetString(m.sequence(bags...)) })
	})
	require.NoError(m.t, err)
	return der
}

func (m *maker) closed(bags ...[]byte) []byte {
	algorithm, data, err := m.c.encrypt(m.sequence(bags...))
	require.NoError(m.t, err)
	return m.encrypted(algorithm, data)
}

func (m *maker) encrypted(algorithm, data []byte) []byte {
	der, err := sequenceOf(func(b *cryptobyte.Builder) {
		addOID(b, oidEncryptedData)
		addExplicit(b, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addOID(b, oidData)
					b.AddBytes(algorithm)
					b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(data) })
				})
			})
		})
	})
	require.NoError(m.t, err)
	return der
}

func (m *maker) file(safes ...[]byte) []byte {
	all := m.sequence(safes...)
	mac, err := m.c.macData(all)
	require.NoError(m.t, err)
	der, err := sequenceOf(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addContent(b, oidData, func(b *cryptobyte.Builder) { b.AddASN1OctetString(all) })
		b.AddBytes(mac)
	})
	require.NoError(m.t, err)
	return der
}

// TestHidden has work inside an encrypted safe, where it shows only once that is open, and beside it a good key.
func TestHidden(t *testing.T) {
	for _, set := range []algorithms{compat, modern, pbmac1} {
		m := newMaker(t, set)
		cert := m.certBag(m.c.chain[0].Raw)
		for name, tc := range map[string]struct {
			safes [][]byte
			want  error
		}{
			"good":              {[][]byte{m.closed(cert, m.keyBag(1))}, nil},
			"iterations":        {[][]byte{m.closed(cert, m.keyBag(1<<31-1)), m.plain(m.keyBag(1))}, ErrLimit},
			"together too many": {[][]byte{m.closed(cert, m.keyBag(MaxIterations-1))}, ErrLimit},
			"none":              {[][]byte{m.closed(cert, m.keyBag(0))}, ErrLimit},
			"a long key": {
				[][]byte{m.closed(cert, m.bag(oidKeyBag, m.sequence(make([]byte, maxKey))))}, ErrLimit,
			},
			"a long encrypted key": {
				[][]byte{m.closed(cert, m.bag(oidShroudedKeyBag, m.sequence(make([]byte, maxKey))))}, ErrLimit,
			},
			"key that is not one": {[][]byte{m.closed(cert, m.bag(oidShroudedKeyBag, []byte{5, 0}))}, ErrMalformed},
			"two keys":            {[][]byte{m.closed(cert, m.keyBag(1), m.keyBag(1))}, ErrMalformed},
			"three safes":         {[][]byte{m.closed(cert), m.plain(m.keyBag(1)), m.plain()}, ErrUnsupported},
			"no certificate":      {[][]byte{m.plain(m.keyBag(1)), m.closed()}, ErrMalformed},
			"not a certificate":   {[][]byte{m.plain(m.keyBag(1)), m.closed(m.certBag([]byte{5, 0}))}, ErrMalformed},
		} {
			file := m.file(tc.safes...)
			start := time.Now()
			_, _, err := Decode(file, secret)
			require.ErrorIs(t, err, tc.want, "%v: %s", set, name)
			_, err = Inspect(file, secret)
			require.ErrorIs(t, err, tc.want, "%v: %s", set, name)
			assert.Less(t, time.Since(start), 20*time.Second, name)
		}
	}
}

// TestHiddenRC2 hides the same behind RC2, which go-pkcs12 reads too.
func TestHiddenRC2(t *testing.T) {
	m := newMaker(t, compat)
	for _, iterations := range []int{1, 1<<31 - 1} {
		plain := m.sequence(m.certBag(m.c.chain[0].Raw), m.keyBag(iterations))
		file := m.file(m.encryptedRC2(plain))
		_, _, err := Decode(file, secret)
		if iterations == 1 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrLimit)
	}
}

// encryptedRC2 is a safe behind RC2 with 40 bits.
func (m *maker) encryptedRC2(plain []byte) []byte {
	key := derive(sha1.New, forKey, bmpPassword(secret), []byte("12345678"), 1, 5)
	iv := derive(sha1.New, forIV, bmpPassword(secret), []byte("12345678"), 1, 8)
	algorithm, err := algorithmIdentifier(oidRC2x40, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString([]byte("12345678"))
			b.AddASN1Int64(1)
		})
	})
	require.NoError(m.t, err)
	return m.encrypted(algorithm, encryptCBC(rc2Encrypter{newRC2(key, 40)}, iv, plain))
}

// TestHiddenPBES2 hides it behind every other encryption that go-pkcs12 reads.
func TestHiddenPBES2(t *testing.T) {
	m := newMaker(t, compat)
	cert := m.certBag(m.c.chain[0].Raw)
	for cipherOID, length := range map[string]int{oidAES128CBC: 16, oidAES192CBC: 24, oidAES256CBC: 32} {
		for prfOID, prf := range map[string]func() hash.Hash{
			"": sha1.New, oidHMACSHA1: sha1.New, oidHMACSHA256: sha256.New, oidHMACSHA512: sha512.New,
		} {
			for iterations, want := range map[int]error{1: nil, 1<<31 - 1: ErrLimit} {
				key, err := pbkdf2.Key(prf, secret, []byte("12345678"), 2, length)
				require.NoError(t, err)
				block, err := aes.NewCipher(key)
				require.NoError(t, err)
				data := encryptCBC(block, make([]byte, 16), m.sequence(cert, m.keyBag(iterations)))
				algorithm, err := algorithmIdentifier(oidPBES2, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						addAlgorithm(b, oidPBKDF2, func(b *cryptobyte.Builder) {
							b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
								b.AddASN1OctetString([]byte("12345678"))
								b.AddASN1Int64(2)
								if prfOID != "" {
									addAlgorithm(b, prfOID, addNull)
								}
							})
						})
						addAlgorithm(b, cipherOID, func(b *cryptobyte.Builder) { b.AddASN1OctetString(make([]byte, 16)) })
					})
				})
				require.NoError(t, err)
				_, _, err = Decode(m.file(m.encrypted(algorithm, data)), secret)
				require.ErrorIs(t, err, want, "%s with %q", cipherOID, prfOID)
			}
		}
	}
}

// TestManyParts fills a file with as many safes, bags and certificates as its size allows.
func TestManyParts(t *testing.T) {
	m := newMaker(t, compat)
	key, cert := m.keyBag(1), m.certBag(m.c.chain[0].Raw)
	fill := func(part []byte, n int) []byte { return bytes.Repeat(part, n/len(part)) }
	const room = MaxFile / 4 // with -race they take long
	tiny := m.bag("1.2.3", []byte{5, 0})
	for name, tc := range map[string]struct {
		safes [][]byte
		want  error
	}{
		"safes":        {[][]byte{m.plain(key, cert), fill(m.plain(), room)}, ErrUnsupported},
		"bags":         {[][]byte{m.plain(key, cert, fill(tiny, room))}, nil},
		"closed bags":  {[][]byte{m.plain(key, cert), m.closed(fill(tiny, room))}, nil},
		"certificates": {[][]byte{m.plain(key, cert), m.closed(fill(cert, room))}, nil},
		"keys":         {[][]byte{m.plain(cert, fill(key, room))}, ErrMalformed},
	} {
		file := m.file(tc.safes...)
		require.LessOrEqual(t, len(file), MaxFile)
		for password, want := range map[string]error{"": nil, secret: tc.want} {
			seconds, megabytes := cost(func() {
				_, err := Inspect(file, password)
				assert.ErrorIs(t, err, want, "%s with %q", name, password)
			})
			assert.Less(t, seconds, 20.0, name)
			assert.Less(t, megabytes, 200.0, name)
		}
	}
}

// cost returns the time that a call takes and the memory that it allocates in all.
func cost(call func()) (seconds, megabytes float64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	call()
	seconds = time.Since(start).Seconds()
	runtime.ReadMemStats(&after)
	return seconds, float64(after.TotalAlloc-before.TotalAlloc) / (1 << 20)
}

// TestLargeNumbers has salts and key lengths that are out of proportion.
func TestLargeNumbers(t *testing.T) {
	m := newMaker(t, pbmac1)
	safes := m.sequence(m.closed(m.certBag(m.c.chain[0].Raw), m.keyBag(1)))
	salt := make([]byte, MaxFile-5000)
	for name, tc := range map[string]struct {
		salt              []byte
		iterations, bytes int64
	}{
		"salt":           {salt, 1, 32},
		"salt and work":  {salt, MaxIterations / 20, 64},
		"length":         {salt[:16], 1, 1 << 40},
		"no length":      {salt[:16], 1, 0},
		"a short length": {salt[:16], 1, 1},
		"negative":       {salt[:16], 1, -32},
		"iterations":     {salt[:16], 1 << 40, 32},
		"no iterations":  {salt[:16], 0, 32},
	} {
		var mac cryptobyte.Builder
		mac.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addAlgorithm(b, oidPBMAC1, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addAlgorithm(b, oidPBKDF2, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1OctetString(tc.salt)
							b.AddASN1Int64(tc.iterations)
							b.AddASN1Int64(tc.bytes)
						})
					})
					addAlgorithm(b, oidHMACSHA1, addNull)
				})
			})
			b.AddASN1OctetString(make([]byte, 20))
		})
		mac.AddASN1OctetString(salt[:8])
		var file cryptobyte.Builder
		file.AddASN1Int64(3)
		addContent(&file, oidData, func(b *cryptobyte.Builder) { b.AddASN1OctetString(safes) })
		file.AddBytes(m.sequence(mac.BytesOrPanic()))
		seconds, megabytes := cost(func() {
			_, _, err := Decode(m.sequence(file.BytesOrPanic()), secret)
			assert.Error(t, err, name)
		})
		assert.Less(t, seconds, 30.0, name)
		assert.Less(t, megabytes, 50.0, name)
	}
}

// TestNotDER has forms that BER allows, among them one that a decoder could descend into for ever.
func TestNotDER(t *testing.T) {
	m := newMaker(t, modern)
	good := m.file(m.closed(m.certBag(m.c.chain[0].Raw), m.keyBag(1)))
	longer := append([]byte{0x30, 0x83, 0, good[2], good[3]}, good[4:]...) // a length with a zero in front
	require.Equal(t, byte(0x82), good[1])
	for name, file := range map[string][]byte{
		"indefinite":         append(append([]byte{0x30, 0x80}, good[4:]...), 0, 0),
		"length in more":     longer,
		"nested":             bytes.Repeat([]byte{0x30, 0x80}, MaxFile/2),
		"nested octets":      bytes.Repeat([]byte{0x24, 0x80}, MaxFile/2),
		"a length of 2^63-1": {0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a length of 4 GB":   {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 3},
	} {
		seconds, megabytes := cost(func() {
			_, _, err := Decode(file, secret)
			assert.ErrorIs(t, err, ErrMalformed, name)
			_, err = Inspect(file, "")
			assert.ErrorIs(t, err, ErrMalformed, name)
		})
		assert.Less(t, seconds, 5.0, name)
		assert.Less(t, megabytes, 10.0, name)
	}
	_, _, err := Decode(bytes.Repeat([]byte{0x30, 0x80}, 9), secret)
	assert.ErrorContains(t, err, "openssl pkcs12", "what to do about it")
}

// TestFriendlyNames has what those who know the password can put in the place of a friendlyName.
func TestFriendlyNames(t *testing.T) {
	const nameOID = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x14"
	attribute := func(values string) asn1.RawValue {
		content := nameOID + "\x31" + string(rune(len(values))) + values
		return asn1.RawValue{FullBytes: append([]byte{0x30, byte(len(content))}, content...)}
	}
	for name, tc := range map[string]struct {
		attributes []asn1.RawValue
		want       string
	}{
		"none":        {nil, ""},
		"one":         {[]asn1.RawValue{attribute("\x1e\x04\x00a\x20\x2e")}, "a\u202e"},
		"pair":        {[]asn1.RawValue{attribute("\x1e\x04\xd8\x3d\xde\x00")}, "😀"},
		"half a pair": {[]asn1.RawValue{attribute("\x1e\x02\xd8\x3d")}, "\ufffd"},
		"odd length":  {[]asn1.RawValue{attribute("\x1e\x03\x00ab")}, "a"},
		"no value":    {[]asn1.RawValue{attribute("")}, ""},
		"two values":  {[]asn1.RawValue{attribute("\x1e\x02\x00a\x1e\x02\x00b")}, ""},
		"other type":  {[]asn1.RawValue{attribute("\x0c\x01a")}, ""},
		"cut":         {[]asn1.RawValue{{FullBytes: []byte{0x30, 9, 6}}}, ""},
		"second":      {[]asn1.RawValue{{FullBytes: []byte{5, 0}}, attribute("\x1e\x02\x00b")}, "b"},
	} {
		assert.Equal(t, tc.want, friendlyName(safeBag{Attributes: tc.attributes}), name)
	}
}

// FuzzRevealed gives go-pkcs12 and Inspect what comes out of an encryption: files whose MAC fits, with anything in
// them. What go-pkcs12 opens was looked at before, whatever it is.
func FuzzRevealed(f *testing.F) {
	f.Add([]byte{0x30, 0}, []byte{0x30, 0}, uint8(0))
	seed := newMaker(f, compat)
	bags := seed.sequence(seed.certBag(seed.c.chain[0].Raw), seed.keyBag(1), seed.keyBag(1<<31-1))
	f.Add(bags, seed.closed(bags), uint8(1))
	f.Add(bags[2:], bags, uint8(2))
	f.Fuzz(func(t *testing.T, one, other []byte, set uint8) {
		m := newMaker(t, algorithms(set%3))
		m.c.password = secret
		algorithm, data, err := m.c.encrypt(one)
		require.NoError(t, err)
		cert, key := m.certBag(m.c.chain[0].Raw), m.keyBag(1)
		for _, file := range [][]byte{
			m.file(m.encrypted(algorithm, data), m.plain(cert, key)),
			m.file(m.closed(cert, one), m.plain(key, other)),
			m.file(m.closed(m.bag(oidShroudedKeyBag, one), cert), m.plain(key)),
			m.file(m.closed(m.bag(oidCertBag, one), cert), m.plain(key, m.bag(oidKeyBag, other))),
			m.file(one, other),
		} {
			_, gotKey, chain, err := open(file, secret, fuzzIterations)
			info, inspectErr := inspect(file, secret, fuzzIterations)
			if err != nil {
				require.Nil(t, gotKey)
				for _, kind := range []error{ErrMalformed, ErrUnsupported, ErrLimit, ErrKeyMismatch, ErrIncorrectPassword} {
					require.Equal(t, errors.Is(err, kind), errors.Is(inspectErr, kind), "%v, %v", err, inspectErr)
				}
				continue
			}
			require.True(t, belongs(gotKey, chain[0]))
			o, left, err := bounded(file, fuzzIterations)
			require.NoError(t, err)
			require.NoError(t, o.reveal(secret, left))
			for _, safe := range o.safes {
				require.NotNil(t, safe.bags, "work could hide there")
			}
			if inspectErr == nil {
				require.Len(t, info.Chain, len(chain))
			}
		}
	})
}

// FuzzDecrypt has encryptions with any parameters.
func FuzzDecrypt(f *testing.F) {
	for _, set := range []algorithms{compat, modern} {
		c := contents{set: set, iterations: 1, password: secret}
		algorithm, out, err := c.encrypt([]byte("something"))
		require.NoError(f, err)
		var a pkix.AlgorithmIdentifier
		require.NoError(f, unmarshal(algorithm, &a))
		f.Add(out, a.Parameters.FullBytes, set == modern)
	}
	f.Fuzz(func(t *testing.T, data, parameters []byte, pbes2 bool) {
		a := pkix.AlgorithmIdentifier{Parameters: asn1.RawValue{FullBytes: parameters}}
		a.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
		if pbes2 {
			a.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
		}
		_ = protection(a)
		if (&work{left: fuzzIterations}).algorithm(a) == nil {
			decrypt(a, data, secret)
		}
	})
}
