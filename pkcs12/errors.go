package pkcs12

import (
	"crypto/fips140"
	"errors"
)

// The errors of this package match one of these with errors.Is. No error text holds a key or a password.
var (
	// ErrPassword is for a password that some target could not take; see [CheckPassword].
	ErrPassword = errors.New("pkcs12: password refused")
	// ErrIncorrectPassword is for a file that the password does not open, or that was changed.
	ErrIncorrectPassword = errors.New("pkcs12: wrong password, or damaged file")
	// ErrKeyMismatch is for a key that belongs to none of the certificates, or not to the first one when encoding.
	ErrKeyMismatch = errors.New("pkcs12: the key does not belong to the certificate")
	// ErrUnsupported is for a kind of key or of file that this package does not handle.
	ErrUnsupported = errors.New("pkcs12: not supported")
	// ErrMalformed is for a file that is not PKCS#12 in DER.
	ErrMalformed = errors.New("pkcs12: malformed file")
	// ErrLimit is for a file that asks for more memory or time than [Decode] gives it, or iterations that are not written.
	ErrLimit = errors.New("pkcs12: file exceeds a limit")
	// ErrChain is for a chain that Encode does not take.
	ErrChain = errors.New("pkcs12: chain refused")
	// ErrName is for a friendly name that Encode does not take; see [CheckName].
	ErrName = errors.New("pkcs12: friendly name refused")
	// ErrFIPS says that FIPS 140-3 enforcement forbids PKCS#12, which needs SHA-1.
	ErrFIPS = errors.New("pkcs12: not possible while FIPS 140-3 is enforced: PKCS#12 needs SHA-1")
)

// checkFIPS refuses early: under enforcement the algorithms panic.
func checkFIPS() error {
	if fips140.Enforced() {
		return ErrFIPS
	}
	return nil
}
