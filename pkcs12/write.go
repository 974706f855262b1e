package pkcs12

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Salts, in bytes: what OpenSSL 3 and go-pkcs12 write with each kind.
const (
	salt3DES   = 8
	saltPBKDF2 = 16
)

// contents is what goes into a file; all of it was checked.
type contents struct {
	set                       algorithms
	iterations, macIterations int
	key                       crypto.PrivateKey
	chain                     []*x509.Certificate
	name, keyName             string // of the certificate and of the key; empty: none
	password                  string
}

// file returns the PFX of RFC 7292, section 4: a safe with the encrypted certificates, one with the encrypted key, and
// the MAC over both.
func (c *contents) file() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, fmt.Errorf("pkcs12: the key: %v", err)
	}
	defer clear(key)
	keyAlgorithm, encryptedKey, err := c.encrypt(key)
	if err != nil {
		return nil, err
	}
	certs, err := sequenceOf(c.addCerts)
	if err != nil {
		return nil, err
	}
	certAlgorithm, encryptedCerts, err := c.encrypt(certs)
	if err != nil {
		return nil, err
	}
	keyBag, err := sequenceOf(func(b *cryptobyte.Builder) {
		c.addBag(b, oidShroudedKeyBag, true, c.keyName, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(keyAlgorithm)
				b.AddASN1OctetString(encryptedKey)
			})
		})
	})
	if err != nil {
		return nil, err
	}
	safes, err := sequenceOf(func(b *cryptobyte.Builder) {
		addContent(b, oidEncryptedData, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addOID(b, oidData)
					b.AddBytes(certAlgorithm)
					b.AddASN1(asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(encryptedCerts) })
				})
			})
		})
		addContent(b, oidData, func(b *cryptobyte.Builder) { b.AddASN1OctetString(keyBag) })
	})
	if err != nil {
		return nil, err
	}
	mac, err := c.macData(safes)
	if err != nil {
		return nil, err
	}
	return sequenceOf(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		addContent(b, oidData, func(b *cryptobyte.Builder) { b.AddASN1OctetString(safes) })
		b.AddBytes(mac)
	})
}

func (c *contents) addCerts(b *cryptobyte.Builder) {
	for i, cert := range c.chain {
		c.addBag(b, oidCertBag, i == 0, c.name, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, oidX509)
				addExplicit(b, func(b *cryptobyte.Builder) { b.AddASN1OctetString(cert.Raw) })
			})
		})
	}
}

// addBag adds a SafeBag. The key and its certificate, and nothing else, have the attributes by which importers pair
// and name them.
func (c *contents) addBag(
	b *cryptobyte.Builder, id string, paired bool, name string, value cryptobyte.BuilderContinuation,
) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, id)
		addExplicit(b, value)
		if !paired {
			return
		}
		sum := sha1.Sum(c.chain[0].Raw)
		keyID := attribute(oidLocalKeyID, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) })
		b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
			if name == "" {
				keyID(b)
				return
			}
			addSetOf(b, keyID, attribute(oidFriendlyName, func(b *cryptobyte.Builder) {
				b.AddASN1(tagBMPString, func(b *cryptobyte.Builder) { b.AddBytes(bmpString(name)) })
			}))
		})
	})
}

// encrypt returns an AlgorithmIdentifier and what it makes of plain.
func (c *contents) encrypt(plain []byte) (algorithm, out []byte, err error) {
	if c.set == compat {
		return c.encrypt3DES(plain)
	}
	salt, iv := random(saltPBKDF2), random(aes.BlockSize)
	key, err := pbkdf2.Key(sha256.New, c.password, salt, c.iterations, 32)
	if err != nil {
		return nil, nil, fmt.Errorf("pkcs12: PBKDF2: %v", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("pkcs12: AES: %v", err)
	}
	algorithm, err = algorithmIdentifier(oidPBES2, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addPBKDF2(b, salt, c.iterations, 0)
			addAlgorithm(b, oidAES256CBC, func(b *cryptobyte.Builder) { b.AddASN1OctetString(iv) })
		})
	})
	return algorithm, encryptCBC(block, iv, plain), err
}

func (c *contents) encrypt3DES(plain []byte) (algorithm, out []byte, err error) {
	password, salt := bmpPassword(c.password), random(salt3DES)
	defer clear(password)
	key := derive(sha1.New, forKey, password, salt, c.iterations, 24)
	defer clear(key)
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("pkcs12: 3DES: %v", err)
	}
	algorithm, err = algorithmIdentifier(oid3DES, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(salt)
			b.AddASN1Int64(int64(c.iterations))
		})
	})
	iv := derive(sha1.New, forIV, password, salt, c.iterations, des.BlockSize)
	return algorithm, encryptCBC(block, iv, plain), err
}

// encryptCBC pads as PKCS#7 does.
func encryptCBC(block cipher.Block, iv, plain []byte) []byte {
	size := block.BlockSize()
	padding := size - len(plain)%size
	out := make([]byte, len(plain)+padding)
	for i := copy(out, plain); i < len(out); i++ {
		out[i] = byte(padding)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out
}

// macData returns the MacData over the two safes.
func (c *contents) macData(safes []byte) ([]byte, error) {
	if c.set == pbmac1 {
		return c.pbmac1Data(safes)
	}
	newHash, oid, salt := sha256.New, oidSHA256, random(saltPBKDF2)
	if c.set == compat {
		newHash, oid, salt = sha1.New, oidSHA1, random(salt3DES)
	}
	password := bmpPassword(c.password)
	defer clear(password)
	key := derive(newHash, forMAC, password, salt, c.macIterations, newHash().Size())
	defer clear(key)
	mac := hmac.New(newHash, key)
	mac.Write(safes)
	return sequenceOf(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addAlgorithm(b, oid, addNull)
			b.AddASN1OctetString(mac.Sum(nil))
		})
		b.AddASN1OctetString(salt)
		if c.macIterations != 1 { // the default, which DER leaves out
			b.AddASN1Int64(int64(c.macIterations))
		}
	})
}

// pbmac1Data has all parameters in the algorithm. The salt of old, which readers ignore, says so as in the examples of
// RFC 9579, appendix A, and the iterations of old have their default.
func (c *contents) pbmac1Data(safes []byte) ([]byte, error) {
	salt := random(saltPBKDF2)
	key, err := pbkdf2.Key(sha256.New, c.password, salt, c.macIterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("pkcs12: PBKDF2: %v", err)
	}
	defer clear(key)
	mac := hmac.New(sha256.New, key)
	mac.Write(safes)
	return sequenceOf(func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addAlgorithm(b, oidPBMAC1, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addPBKDF2(b, salt, c.macIterations, sha256.Size)
					addAlgorithm(b, oidHMACSHA256, addNull)
				})
			})
			b.AddASN1OctetString(mac.Sum(nil))
		})
		b.AddASN1OctetString([]byte("NOT USED"))
	})
}

// random does not fail: crypto/rand ends the process first.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
