package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// DecodeWithin is Decode with another limit of rounds.
func DecodeWithin(file []byte, password string, rounds int) (crypto.Signer, []*x509.Certificate, error) {
	return decode(file, password, rounds)
}

// Verify is what Encode does with a file before it returns it.
func Verify(file []byte, key crypto.PrivateKey, chain []*x509.Certificate, password string) error {
	signer, err := supportedKey(key)
	if err != nil {
		return err
	}
	return verify(file, signer, chain, password)
}

// Where a file asks for many iterations.
const (
	WorkInSafe    = iota // to decrypt the certificates
	WorkInKey            // to decrypt the key, visible to anybody
	WorkHiddenKey        // the same, inside a safe that is itself encrypted with few iterations
	LargeKey             // to decrypt a key of 8 KiB, visible to anybody
)

// FileWithWork returns a file with a correct MAC that asks for so many iterations.
func FileWithWork(t testing.TB, password string, iterations, where int) []byte {
	t.Helper()
	bmp, err := bmpPassword(password)
	require.NoError(t, err)
	size := 64
	if where == LargeKey {
		size = 8 << 10
	}
	key := der(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				AddOID(b, oidShroudedKeyBag)
				b.AddASN1(tag0, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						addTripleDES(b, iterations)
						b.AddASN1OctetString(make([]byte, size))
					})
				})
			})
		})
	})
	outer, content := 1, encryptTripleDES(t, bmp, key)
	if where == WorkInSafe {
		outer, content = iterations, make([]byte, 64)
	}
	safe := func(b *cryptobyte.Builder) {
		if where == WorkInKey || where == LargeKey {
			AddOID(b, oidData)
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(key) })
			return
		}
		AddOID(b, oidEncryptedData)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			addEncryptedData(b, func(b *cryptobyte.Builder) { addTripleDES(b, outer) }, content)
		})
	}
	return sealed(t, bmp, der(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, safe) })
	}))
}

// FileEncryptedWith returns a file with a correct MAC and one safe, encrypted by the algorithm that is given.
func FileEncryptedWith(t testing.TB, password string, algorithm func(*cryptobyte.Builder)) []byte {
	t.Helper()
	return Sealed(t, password, der(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				AddOID(b, oidEncryptedData)
				b.AddASN1(tag0, func(b *cryptobyte.Builder) { addEncryptedData(b, algorithm, make([]byte, 64)) })
			})
		})
	}))
}

const testSalt = "saltsalt"

func addTripleDES(b *cryptobyte.Builder, iterations int) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		AddOID(b, oidTripleDES)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString([]byte(testSalt))
			b.AddASN1Int64(int64(iterations))
		})
	})
}

func addEncryptedData(b *cryptobyte.Builder, algorithm func(*cryptobyte.Builder), content []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			AddOID(b, oidData)
			algorithm(b)
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(content) })
		})
	})
}

// encryptTripleDES encrypts with one iteration.
func encryptTripleDES(t testing.TB, bmp, plain []byte) []byte {
	t.Helper()
	d := digest{sha1.New, sha1.BlockSize}
	block, err := des.NewTripleDESCipher(d.derive(purposeKey, bmp, []byte(testSalt), 1, 24))
	require.NoError(t, err)
	pad := des.BlockSize - len(plain)%des.BlockSize
	out := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, d.derive(purposeIV, bmp, []byte(testSalt), 1, 8)).CryptBlocks(out, out)
	return out
}

// sealed puts an authenticated safe into a PFX with a correct MAC.
func sealed(t testing.TB, bmp, safes []byte) []byte {
	t.Helper()
	salt := []byte(testSalt)
	mac := digest{sha1.New, sha1.BlockSize}.mac(bmp, salt, 1, safes)
	return der(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(3)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				AddOID(b, oidData)
				b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(safes) })
			})
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { AddOID(b, oidSHA1) })
					b.AddASN1OctetString(mac)
				})
				b.AddASN1OctetString(salt)
			})
		})
	})
}

func der(t testing.TB, build func(*cryptobyte.Builder)) []byte {
	t.Helper()
	var b cryptobyte.Builder
	build(&b)
	out, err := b.Bytes()
	require.NoError(t, err)
	return out
}

// AddOID writes an object identifier, dotted.
func AddOID(b *cryptobyte.Builder, dotted string) {
	oid, err := x509.ParseOID(dotted)
	if err != nil {
		b.SetError(err)
		return
	}
	body, err := oid.MarshalBinary()
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(body) })
	if err != nil {
		b.SetError(err)
	}
}

// Sealed puts an authenticated safe into a PFX with a correct MAC.
func Sealed(t testing.TB, password string, safes []byte) []byte {
	t.Helper()
	bmp, err := bmpPassword(password)
	require.NoError(t, err)
	return sealed(t, bmp, safes)
}

// AuthenticatedSafe returns what the MAC of a file protects.
func AuthenticatedSafe(t testing.TB, file []byte) []byte {
	t.Helper()
	s := cryptobyte.String(file)
	var pfx, safes cryptobyte.String
	require.True(t, s.ReadASN1(&pfx, cbasn1.SEQUENCE) && pfx.SkipASN1(cbasn1.INTEGER))
	_, content, ok := readContentInfo(&pfx)
	require.True(t, ok && content.ReadASN1(&safes, cbasn1.OCTET_STRING))
	return safes
}
