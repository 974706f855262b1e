package pkcs12

import (
	"crypto/rand"
	"fmt"
)

// Limits of a password that Encode takes, in characters.
const (
	// MinPassword is what Java's keytool demands. It is far from safe: see NewPassword.
	MinPassword = 6
	// MaxPassword bounds it. Nobody types a longer one.
	MaxPassword = 128
)

// alphabet leaves out what looks like something else: 0 O o, 1 I l i.
const alphabet = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// passwordLength makes 24 × log2(55) = 138 bits.
const passwordLength = 24

// NewPassword returns a random password of 24 ASCII letters and digits without look-alikes: 138 bits. It needs no
// escaping in a shell, in XML or in JSON.
func NewPassword() (string, error) {
	// Bytes from unbiased on would make the first letters likelier than the others.
	const unbiased = 256 - 256%len(alphabet)
	password := make([]byte, 0, passwordLength)
	for random := make([]byte, 2*passwordLength); len(password) < passwordLength; {
		if _, err := rand.Read(random); err != nil {
			return "", fmt.Errorf("pkcs12: random numbers: %w", err)
		}
		for _, b := range random {
			if int(b) < unbiased && len(password) < passwordLength {
				password = append(password, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(password), nil
}

// CheckPassword returns an error that matches [ErrPassword] if some target could not take the password: it must have 6
// (Java's keytool) to 128 characters, all printable ASCII (Java refuses others; the encodings of others differ), and no
// space at an end (lost when it is copied). An empty password is encoded in different ways by OpenSSL and Apple, and NSS
// cannot read it. The error does not show the password.
//
// Call it before a certificate is ordered: [Encode] is called after that, which is too late to find out. For the same
// reason it returns [ErrFIPS] where Encode would.
func CheckPassword(password string) error {
	if err := checkFIPS(); err != nil {
		return err
	}
	switch {
	case password == "":
		return fmt.Errorf("%w: it is empty", ErrPassword)
	case len(password) < MinPassword || len(password) > MaxPassword:
		return fmt.Errorf("%w: it must have %d to %d characters", ErrPassword, MinPassword, MaxPassword)
	case password[0] == ' ' || password[len(password)-1] == ' ':
		return fmt.Errorf("%w: it begins or ends with a space", ErrPassword)
	}
	for i := range len(password) {
		if c := password[i]; c < ' ' || c > '~' {
			return fmt.Errorf("%w: a character is not printable ASCII", ErrPassword)
		}
	}
	return nil
}
