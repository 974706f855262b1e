package pkcs12

import (
	"crypto"
	"crypto/hmac"
	"crypto/x509"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a file, which may come from an attacker who knows its password. Each is checked before the memory or the
// time is spent.
const (
	// MaxFile is the size of a file, in bytes.
	MaxFile = 1 << 20
	// MaxRounds is the number of hash rounds of all derivations of a file together: some seconds at most. Firefox,
	// which asks for the most, needs 1.2 million.
	MaxRounds = 2_000_000

	maxSafes = 4
	maxBags  = 64
	maxSalt  = 256
	// maxKey bounds a private key in PKCS#8 form: that of a 4096-bit RSA key has about 2400 bytes.
	maxKey = 4096
)

// decoder holds what is left of the limits while a file is read, and what was found.
type decoder struct {
	text   string // the password
	bmp    []byte // the same for derivations of RFC 7292
	rounds int
	bags   int

	key   comparableKey
	certs []*x509.Certificate
}

// Decode opens a PKCS#12 file in DER with one private key, and returns the key and the certificates: first the one for
// the key, then the others in the order of the file. It reads what [Encode], OpenSSL, GnuTLS, NSS, Java and Windows
// write: 3DES or AES (PBES2, PBKDF2), and a MAC with SHA-1 or SHA-2. RC2, PBMAC1 and files without a MAC are refused.
//
// It is made for hostile files: size, number of certificates, derivation rounds and key length are bounded before
// anything is spent on them. Only the MAC, not the signature of a certificate, is verified.
//
// Errors match [ErrIncorrectPassword], [ErrMalformed], [ErrUnsupported], [ErrLimit], [ErrKeyMismatch] (no certificate
// for the key), [ErrPassword] or [ErrFIPS].
func Decode(file []byte, password string) (crypto.Signer, []*x509.Certificate, error) {
	return decode(file, password, MaxRounds)
}

func decode(file []byte, password string, rounds int) (crypto.Signer, []*x509.Certificate, error) {
	if err := checkFIPS(); err != nil {
		return nil, nil, err
	}
	if len(file) > MaxFile {
		return nil, nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(file), MaxFile)
	}
	bmp, err := bmpPassword(password)
	if err != nil {
		return nil, nil, err
	}
	defer clear(bmp)
	d := &decoder{text: password, bmp: bmp, rounds: rounds, bags: maxBags}
	if err := d.file(file); err != nil {
		return nil, nil, err
	}
	if d.key == nil {
		return nil, nil, fmt.Errorf("%w: no private key", ErrUnsupported)
	}
	leaf := slices.IndexFunc(d.certs, func(cert *x509.Certificate) bool { return belongs(d.key, cert) })
	if leaf < 0 {
		return nil, nil, ErrKeyMismatch
	}
	cert := d.certs[leaf]
	return d.key, slices.Insert(slices.Delete(d.certs, leaf, leaf+1), 0, cert), nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

func unsupported(what, oid string) error { return fmt.Errorf("%w: %s %s", ErrUnsupported, what, oid) }

// file reads a PFX (RFC 7292, section 4).
func (d *decoder) file(file []byte) error {
	s := cryptobyte.String(file)
	var pfx, mac, safes cryptobyte.String
	var version int
	var hasMAC bool
	if !s.ReadASN1(&pfx, cbasn1.SEQUENCE) || !s.Empty() {
		return malformed("it is not one DER value")
	}
	if !pfx.ReadASN1Integer(&version) || version != 3 {
		return malformed("it is not a PFX of version 3")
	}
	kind, content, ok := readContentInfo(&pfx)
	if !ok || !pfx.ReadOptionalASN1(&mac, &hasMAC, cbasn1.SEQUENCE) || !pfx.Empty() {
		return malformed("PFX")
	}
	if kind != oidData || !hasMAC {
		return fmt.Errorf("%w: a file that no password protects", ErrUnsupported)
	}
	if !content.ReadASN1(&safes, cbasn1.OCTET_STRING) || !content.Empty() {
		return malformed("authenticated safe")
	}
	if err := d.verifyMAC(mac, safes); err != nil {
		return err
	}
	return d.safes(safes)
}

// verifyMAC checks a MacData (RFC 7292, section 4) over the authenticated safe.
func (d *decoder) verifyMAC(mac, message cryptobyte.String) error {
	var info, salt, want cryptobyte.String
	ok := mac.ReadASN1(&info, cbasn1.SEQUENCE)
	oid, params, okAlg := readAlgorithm(&info)
	ok = ok && okAlg && info.ReadASN1(&want, cbasn1.OCTET_STRING) && info.Empty() &&
		mac.ReadASN1(&salt, cbasn1.OCTET_STRING)
	iterations := 1 // unless it says otherwise
	if ok && !mac.Empty() {
		ok = mac.ReadASN1Integer(&iterations) && mac.Empty()
	}
	if !ok {
		return malformed("MAC")
	}
	hash, known := macHash(oid)
	if !known {
		return unsupported("the MAC algorithm", oid)
	}
	if !isNullOrAbsent(params) {
		return malformed("MAC parameters")
	}
	if err := d.spend(salt, iterations, 1); err != nil {
		return err
	}
	if !hmac.Equal(hash.mac(d.bmp, salt, iterations, message), want) {
		return ErrIncorrectPassword
	}
	return nil
}

// spend checks a derivation before it is run: its salt, and its rounds against what is left of the budget.
func (d *decoder) spend(salt []byte, iterations, blocks int) error {
	if len(salt) == 0 || len(salt) > maxSalt {
		return fmt.Errorf("%w: a salt of %d bytes, not 1 to %d", ErrLimit, len(salt), maxSalt)
	}
	if iterations < 1 || iterations > d.rounds/blocks {
		return fmt.Errorf("%w: %d iterations; a file may ask for %d rounds in all", ErrLimit, iterations, MaxRounds)
	}
	d.rounds -= iterations * blocks
	return nil
}

// safes reads an AuthenticatedSafe (RFC 7292, section 4.1).
func (d *decoder) safes(der cryptobyte.String) error {
	var list cryptobyte.String
	if !der.ReadASN1(&list, cbasn1.SEQUENCE) || !der.Empty() {
		return malformed("authenticated safe")
	}
	for n := 0; !list.Empty(); n++ {
		if n == maxSafes {
			return fmt.Errorf("%w: more than %d safes", ErrLimit, maxSafes)
		}
		kind, content, ok := readContentInfo(&list)
		if !ok {
			return malformed("safe")
		}
		var bags []byte
		var err error
		switch kind {
		case oidData:
			var octets cryptobyte.String
			if !content.ReadASN1(&octets, cbasn1.OCTET_STRING) || !content.Empty() {
				return malformed("safe")
			}
			bags = octets
		case oidEncryptedData:
			bags, err = d.encryptedData(content)
		default:
			err = unsupported("a safe of type", kind)
		}
		if err != nil {
			return err
		}
		if err := d.safe(bags); err != nil {
			return err
		}
	}
	return nil
}

// encryptedData decrypts an EncryptedData (RFC 5652, section 8).
func (d *decoder) encryptedData(s cryptobyte.String) ([]byte, error) {
	var seq, info, kind cryptobyte.String
	var version int
	ok := s.ReadASN1(&seq, cbasn1.SEQUENCE) && s.Empty() &&
		seq.ReadASN1Integer(&version) && version == 0 &&
		seq.ReadASN1(&info, cbasn1.SEQUENCE) && seq.Empty() &&
		info.ReadASN1Element(&kind, cbasn1.OBJECT_IDENTIFIER)
	oid, params, okAlg := readAlgorithm(&info)
	var encrypted cryptobyte.String
	if !ok || !okAlg || !info.ReadASN1(&encrypted, cbasn1.Tag(0).ContextSpecific()) || !info.Empty() {
		return nil, malformed("encrypted safe")
	}
	return d.decrypt(oid, params, encrypted)
}

// safe reads a SafeContents (RFC 7292, section 4.2).
func (d *decoder) safe(der cryptobyte.String) error {
	var list cryptobyte.String
	if !der.ReadASN1(&list, cbasn1.SEQUENCE) || !der.Empty() {
		return malformed("contents of a safe")
	}
	for ; !list.Empty(); d.bags-- {
		if d.bags == 0 {
			return fmt.Errorf("%w: more than %d bags", ErrLimit, maxBags)
		}
		var bag, value, attributes cryptobyte.String
		if !list.ReadASN1(&bag, cbasn1.SEQUENCE) {
			return malformed("bag")
		}
		kind, ok := readOID(&bag)
		ok = ok && bag.ReadASN1(&value, tag0) && bag.ReadOptionalASN1(&attributes, nil, cbasn1.SET) && bag.Empty()
		if !ok {
			return malformed("bag")
		}
		var err error
		switch kind {
		case oidCertBag:
			err = d.certificate(value)
		case oidShroudedKeyBag:
			err = d.privateKey(value)
		default:
			err = unsupported("a bag of type", kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// certificate reads a CertBag (RFC 7292, section 4.2.3).
func (d *decoder) certificate(s cryptobyte.String) error {
	var bag, value, der cryptobyte.String
	ok := s.ReadASN1(&bag, cbasn1.SEQUENCE) && s.Empty()
	kind, okKind := readOID(&bag)
	if !ok || !okKind || !bag.ReadASN1(&value, tag0) || !bag.Empty() {
		return malformed("certificate bag")
	}
	if kind != oidX509 {
		return unsupported("a certificate of type", kind)
	}
	if !value.ReadASN1(&der, cbasn1.OCTET_STRING) || !value.Empty() {
		return malformed("certificate bag")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("%w: certificate: %v", ErrMalformed, err)
	}
	d.certs = append(d.certs, cert)
	return nil
}

// privateKey reads a PKCS8ShroudedKeyBag (RFC 7292, section 4.2.2): an EncryptedPrivateKeyInfo of RFC 5208, section 6.
func (d *decoder) privateKey(s cryptobyte.String) error {
	if d.key != nil {
		return fmt.Errorf("%w: more than one private key", ErrUnsupported)
	}
	var info, encrypted cryptobyte.String
	ok := s.ReadASN1(&info, cbasn1.SEQUENCE) && s.Empty()
	oid, params, okAlg := readAlgorithm(&info)
	if !ok || !okAlg || !info.ReadASN1(&encrypted, cbasn1.OCTET_STRING) || !info.Empty() {
		return malformed("private key bag")
	}
	if len(encrypted) > maxKey {
		return fmt.Errorf("%w: a private key of %d bytes, at most %d", ErrLimit, len(encrypted), maxKey)
	}
	der, err := d.decrypt(oid, params, encrypted)
	if err != nil {
		return err
	}
	defer clear(der)
	if rest := cryptobyte.String(der); !rest.SkipASN1(cbasn1.SEQUENCE) || !rest.Empty() {
		return malformed("private key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return malformed("private key") // not the cause, which may quote the key
	}
	d.key, err = supportedKey(parsed)
	return err
}
