package pkcs12

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	gopkcs12 "software.sslmate.com/src/go-pkcs12"
)

// MaxFile is the size of a file that [Decode] takes, in bytes.
const MaxFile = 1 << 20

// Decode opens a PKCS#12 file in DER with one private key, and returns the key and the certificates: first the one for
// the key, then the others in the order of the file. It reads what [Encode] writes, and what go-pkcs12 reads of other
// programs' files: those of OpenSSL, GnuTLS, Java and Windows; not the BER of NSS and Firefox, for which the error says
// what to do. A file that no password protects is refused.
//
// Before anything is computed the size is checked, and the work that the file asks for in the open; before the key is
// decrypted, what it asks for inside an encrypted safe: at most [MaxIterations] in all. Only the MAC, not the signature
// of a certificate, is verified.
//
// Errors match [ErrIncorrectPassword], [ErrMalformed] (also: no key, or no certificate), [ErrUnsupported], [ErrLimit],
// [ErrKeyMismatch] (no certificate for the key), [ErrPassword] or [ErrFIPS].
func Decode(file []byte, password string) (crypto.Signer, []*x509.Certificate, error) {
	_, key, chain, err := open(file, password, MaxIterations)
	return key, chain, err
}

// open checks a file against the limits, and opens it. The outline that it returns is revealed.
func open(file []byte, password string, iterations int) (*outline, crypto.Signer, []*x509.Certificate, error) {
	if err := checkFIPS(); err != nil {
		return nil, nil, nil, err
	}
	if err := checkReadPassword(password); err != nil {
		return nil, nil, nil, err
	}
	o, left, err := bounded(file, iterations)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := o.reveal(password, left); err != nil {
		return nil, nil, nil, err
	}
	key, chain, err := decode(file, password)
	if err != nil {
		return nil, nil, nil, err
	}
	return o, key, chain, nil
}

// bounded returns the outline of a file that asks for no more than it may in the open, and the work that it has left.
func bounded(file []byte, iterations int) (*outline, *work, error) {
	if len(file) > MaxFile {
		return nil, nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(file), MaxFile)
	}
	o, err := parse(file)
	if err != nil {
		return nil, nil, err
	}
	w := &work{left: iterations}
	return o, w, w.open(o)
}

// decode opens a file within the limits with go-pkcs12.
func decode(file []byte, password string) (crypto.Signer, []*x509.Certificate, error) {
	parsed, first, rest, err := gopkcs12.DecodeChain(file, password)
	if err != nil {
		return nil, nil, decodeError(err)
	}
	key, err := supportedKey(parsed)
	if err != nil {
		return nil, nil, err
	}
	certs := append([]*x509.Certificate{first}, rest...)
	leaf := slices.IndexFunc(certs, func(cert *x509.Certificate) bool { return belongs(key, cert) })
	if leaf < 0 {
		return nil, nil, ErrKeyMismatch
	}
	cert := certs[leaf]
	return key, slices.Insert(slices.Delete(certs, leaf, leaf+1), 0, cert), nil
}

// decodeError gives an error of go-pkcs12 a name of this package. %v: the cause is not part of our contract.
func decodeError(err error) error {
	var unsupported gopkcs12.NotImplementedError
	switch {
	case errors.Is(err, gopkcs12.ErrIncorrectPassword):
		return ErrIncorrectPassword
	case errors.As(err, &unsupported):
		return fmt.Errorf("%w: %s", ErrUnsupported, string(unsupported))
	}
	return fmt.Errorf("%w: %v", ErrMalformed, err)
}

// maxReadPassword bounds a password for reading, in bytes. Only its form matters there: another program chose it.
const maxReadPassword = 1024

// checkReadPassword refuses what has no one encoding: nothing, NUL, and what has no place in a BMPString.
func checkReadPassword(password string) error {
	if password == "" || len(password) > maxReadPassword || !utf8.ValidString(password) {
		return fmt.Errorf("%w: it must have 1 to %d bytes of UTF-8", ErrPassword, maxReadPassword)
	}
	for _, r := range password {
		if r == 0 || r > 0xffff {
			return fmt.Errorf("%w: a character has no place in a BMPString", ErrPassword)
		}
	}
	return nil
}
