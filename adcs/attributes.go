package adcs

import (
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits on request attributes, far above what any CA is sent.
const (
	maxAttributes      = 64
	maxAttributeName   = 64
	maxAttributeValue  = 4096     // in UTF-16 code units
	maxAttributesBytes = 64 << 10 // of the whole, encoded
)

// Attributes are the request attributes that a client may send besides the template: [MS-WCCE], sections 2.2.2.7.10 and
// 3.2.1.4.2.1.2. The zero value sends none. A CA ignores those that its configuration does not allow, without saying
// so; [Verify] finds out.
//
// Subject alternative names are not among them: a CA that takes names from attributes (EDITF_ATTRIBUTESUBJECTALTNAME2)
// lets anybody who may enroll become anybody. Put names into the certification request.
type Attributes struct {
	// CertificateUsage asks for these extended key usages.
	CertificateUsage []asn1.ObjectIdentifier

	// Validity asks for a validity period; Expires, which wins, for an end. A CA that honours them never goes beyond
	// what the template allows.
	Validity Validity
	Expires  time.Time

	// Other are further attributes by name.
	Other []Attribute
}

// Validity is a number of units of time, as a CA counts them. The zero value asks for nothing.
type Validity struct {
	Number uint32
	Unit   ValidityUnit
}

// ValidityUnit is a unit of [Validity].
type ValidityUnit string

// The units of time that a CA knows.
const (
	Seconds ValidityUnit = "Seconds"
	Minutes ValidityUnit = "Minutes"
	Hours   ValidityUnit = "Hours"
	Days    ValidityUnit = "Days"
	Weeks   ValidityUnit = "Weeks"
	Months  ValidityUnit = "Months"
	Years   ValidityUnit = "Years"
)

// Attribute is a request attribute by name.
//
// The name consists of ASCII letters, digits, dots and underscores. Names that have a field of their own are refused,
// and so are those that are dangerous or belong elsewhere: SAN (see [Attributes]); cdc, rmd and certfile, which make
// the CA contact other hosts; requestername, challenge, CertType and RequestId, which belong to other kinds of
// requests.
//
// The value has no control characters and no line or paragraph separators, since the CA splits attributes at line
// breaks, and no blanks at its ends, since the CA removes them.
type Attribute struct {
	Name, Value string
}

// refusedAttributes are names that Other may not hold, in lower case, with the reason.
var refusedAttributes = map[string]string{
	"certificatetemplate": "set Request.Template",
	"certificateusage":    "set Attributes.CertificateUsage",
	"validityperiod":      "set Attributes.Validity",
	"validityperiodunits": "set Attributes.Validity",
	"expirationdate":      "set Attributes.Expires",
	"san":                 "put subject alternative names into the certification request",
	"cdc":                 "it makes the CA contact another host",
	"rmd":                 "it makes the CA look up another host",
	"certfile":            "it makes the CA write to a file or a share",
	"requestername":       "it belongs inside a signed request",
	"challenge":           "it belongs to KEYGEN requests",
	"certtype":            "it belongs to KEYGEN requests",
	"requestid":           "it belongs to key attestation",
}

// encodeAttributes encodes the template and the attributes as pctbAttribs wants them ([MS-ICPR], section 3.2.4.1.1):
// "Name:Value" lines joined by a line feed, UTF-16LE, one NUL at the end. It returns nil if there are none. Its errors
// match ErrInvalidRequest.
func encodeAttributes(template string, a *Attributes) ([]byte, error) {
	list, err := a.list(template)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if len(list) > maxAttributes {
		return nil, fmt.Errorf("%w: %d attributes, the limit is %d", ErrInvalidRequest, len(list), maxAttributes)
	}
	var text strings.Builder
	seen := make(map[string]bool, len(list))
	for i, attr := range list {
		if err := attr.check(); err != nil {
			return nil, err
		}
		name := strings.ToLower(attr.Name)
		if seen[name] {
			return nil, fmt.Errorf("%w: attribute %q twice", ErrInvalidRequest, attr.Name)
		}
		seen[name] = true
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(attr.Name + ":" + attr.Value)
	}
	encoded := encodeUTF16(text.String())
	if len(encoded) > maxAttributesBytes {
		return nil, fmt.Errorf("%w: the attributes have %d bytes, the limit is %d",
			ErrInvalidRequest, len(encoded), maxAttributesBytes)
	}
	return encoded, nil
}

// list turns typed attributes into names and values, the template first.
func (a *Attributes) list(template string) ([]Attribute, error) {
	var list []Attribute
	if template != "" {
		list = append(list, Attribute{"CertificateTemplate", template})
	}
	if len(a.CertificateUsage) > 0 {
		usages := make([]string, len(a.CertificateUsage))
		for i, oid := range a.CertificateUsage {
			if !validOID(oid) {
				return nil, fmt.Errorf("%w: invalid OID %q in CertificateUsage", ErrInvalidRequest, oid.String())
			}
			usages[i] = oid.String()
		}
		list = append(list, Attribute{"CertificateUsage", strings.Join(usages, ",")})
	}
	if a.Validity != (Validity{}) {
		if err := a.Validity.check(); err != nil {
			return nil, err
		}
		list = append(list, Attribute{"ValidityPeriod", string(a.Validity.Unit)},
			Attribute{"ValidityPeriodUnits", strconv.FormatUint(uint64(a.Validity.Number), 10)})
	}
	if !a.Expires.IsZero() {
		list = append(list, Attribute{"ExpirationDate", a.Expires.UTC().Format(http.TimeFormat)})
	}
	for _, attr := range a.Other {
		if reason, refused := refusedAttributes[strings.ToLower(attr.Name)]; refused {
			return nil, fmt.Errorf("%w: attribute %q is not sent: %s", ErrInvalidRequest, attr.Name, reason)
		}
		list = append(list, attr)
	}
	return list, nil
}

func (v Validity) check() error {
	switch v.Unit {
	case Seconds, Minutes, Hours, Days, Weeks, Months, Years:
		if v.Number > 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: validity of %d %q", ErrInvalidRequest, v.Number, string(v.Unit))
}

// validOID reports whether an OID can be encoded: at least two arcs, the first at most 2, the second below 40 under 0
// and 1.
func validOID(oid asn1.ObjectIdentifier) bool {
	if len(oid) < 2 || len(oid) > 64 || oid[0] > 2 || oid[0] < 2 && oid[1] >= 40 {
		return false
	}
	for _, arc := range oid {
		if arc < 0 {
			return false
		}
	}
	return true
}

// check refuses what a CA would read otherwise than it was meant: anything that could end a line or the text, and,
// since the CA drops blanks and minus signs of names and blanks round values before it compares, those too.
func (a Attribute) check() error {
	if a.Name == "" || len(a.Name) > maxAttributeName || strings.ContainsFunc(a.Name, notNameRune) {
		return fmt.Errorf("%w: attribute name %q: 1 to %d ASCII letters, digits, dots and underscores are allowed",
			ErrInvalidRequest, bounded(a.Name), maxAttributeName)
	}
	if !utf8.ValidString(a.Value) {
		return fmt.Errorf("%w: the value of attribute %q is not UTF-8", ErrInvalidRequest, a.Name)
	}
	if strings.ContainsFunc(a.Value, notValueRune) {
		return fmt.Errorf("%w: the value of attribute %q contains a line break, a NUL or another control character",
			ErrInvalidRequest, a.Name)
	}
	if a.Value == "" || strings.TrimFunc(a.Value, unicode.IsSpace) != a.Value {
		return fmt.Errorf("%w: the value of attribute %q is empty or begins or ends with a blank", ErrInvalidRequest, a.Name)
	}
	if n := len(utf16.Encode([]rune(a.Value))); n > maxAttributeValue {
		return fmt.Errorf("%w: the value of attribute %q has %d characters, the limit is %d",
			ErrInvalidRequest, a.Name, n, maxAttributeValue)
	}
	return nil
}

func notNameRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_')
}

// notValueRune holds for everything that any reader might take for the end of a line or of the text: the control
// characters, which include NUL, LF, CR, VT, FF and NEL, and the Unicode line and paragraph separators; also for the
// invisible format characters, which hide what a value says from the person who approves it.
func notValueRune(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Cf) || r >= 0xfffe && r&0xfffe == 0xfffe
}

// encodeUTF16 encodes s as UTF-16LE with a NUL at the end.
func encodeUTF16(s string) []byte {
	units := utf16.Encode([]rune(s))
	b := make([]byte, 0, 2*len(units)+2)
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return append(b, 0, 0)
}

// bounded cuts text that goes into an error.
func bounded(s string) string { return boundedTo(s, 80) }

func boundedTo(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
