package keygen

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/x500"
)

// ErrSubject is matched by every error about a subject that is malformed or that a certificate cannot hold exactly.
var ErrSubject = errors.New("keygen: subject refused")

func refuseSubject(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSubject, fmt.Sprintf(format, args...))
}

// ParseSubject reads a distinguished name in the form of RFC 4514 and returns it in the order of a certificate, which
// is the reverse: of "CN=a,DC=corp,DC=test" DC=test comes first. The empty text is the empty name.
//
// Attribute types are dotted numbers or, in any letter case, CN, SN, SERIALNUMBER, C, L, ST (or S), STREET, O, OU, T
// (or TITLE), G (or GN, GIVENNAME), I (or INITIALS), POSTALCODE, DESCRIPTION, DNQUALIFIER, UID, DC, E (or EMAIL,
// EMAILADDRESS). Several attributes of one relative name are joined by "+". Spaces may follow a comma; any other space
// at the end of a value must be escaped. A value in hexadecimal (#0c0161) chooses its string type itself.
//
// What a certificate cannot hold exactly as written is refused, with an error that matches [ErrSubject]: unknown types,
// empty and too long values, control and other invisible characters, values that their type does not allow.
func ParseSubject(text string) (pkix.RDNSequence, error) {
	name, err := x500.Parse(text)
	if err != nil {
		return nil, refuseSubject("%v", err)
	}
	if _, err := encodableSubject(name); err != nil {
		return nil, err
	}
	return name, nil
}
