package adcsasn1

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// sidURIPrefix is the text that a domain controller compares, byte for byte (KB5014754).
const sidURIPrefix = "tag:microsoft.com,2022-09-14:sid:"

// tag0 is [0] constructed, which is otherName among the names and the explicit tag of its value.
const tag0 = classContext | classConstructed | cbasn1.Tag(0)

// SIDExtension returns the SID security extension (MS-WCCE section 2.2.2.7.7.4), not critical, for a canonical SID.
func SIDExtension(sid string) (pkix.Extension, error) {
	if err := ValidSID(sid); err != nil {
		return pkix.Extension{}, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(OIDObjectSID())
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte(sid)) })
		})
	})
	value, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("adcsasn1: SID extension: %v", err)
	}
	return pkix.Extension{Id: OIDSIDExtension(), Value: value}, nil
}

// SIDFromExtension reads the value of a SID security extension and returns the SID in canonical form. An extension
// that holds anything but one SID is refused.
func SIDFromExtension(value []byte) (string, error) {
	s := cryptobyte.String(value)
	var seq, other, inner, text cryptobyte.String
	ok := s.ReadASN1(&seq, cbasn1.SEQUENCE) && s.Empty() &&
		seq.ReadASN1(&other, tag0) && seq.Empty() &&
		readOID(&other, OIDObjectSID()) &&
		other.ReadASN1(&inner, tag0) && other.Empty() &&
		inner.ReadASN1(&text, cbasn1.OCTET_STRING) && inner.Empty()
	if !ok {
		return "", errors.New("adcsasn1: malformed SID security extension")
	}
	sid, err := ParseSID(string(text))
	if err != nil {
		return "", fmt.Errorf("adcsasn1: SID security extension: %w", err)
	}
	return sid.String(), nil
}

// SIDURI returns the URI that carries a SID among the subject alternative names. The caller checks sid with ValidSID.
func SIDURI(sid string) string { return sidURIPrefix + sid }

// SIDFromURI returns the SID of a URI that SIDURI made. It returns false for every other URI and for a SID that is not
// canonical.
func SIDFromURI(uri string) (string, bool) {
	sid, ok := strings.CutPrefix(uri, sidURIPrefix)
	if !ok || ValidSID(sid) != nil {
		return "", false
	}
	return sid, true
}

// IsSIDURI reports whether a URI claims to carry a SID, well-formed or not and in any letter case, so that a caller
// that decides about SIDs sees every URI that another reader could take for one.
func IsSIDURI(uri string) bool {
	return len(uri) >= len(sidURIPrefix) && strings.EqualFold(uri[:len(sidURIPrefix)], sidURIPrefix)
}
