package adcsasn1

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	// maxTemplateName is the upper bound of the cn attribute of the schema, in characters.
	maxTemplateName = 64
	// maxTemplateOID bounds the arcs of a template's OID. Those that AD CS makes have 17.
	maxTemplateOID = 64
)

// ValidTemplateName returns an error if name cannot be the common name of a certificate template: 1 to 64 characters of
// the basic plane, none of them a control or format character.
func ValidTemplateName(name string) error {
	if n := utf8.RuneCountInString(name); n == 0 || n > maxTemplateName || !utf8.ValidString(name) {
		return fmt.Errorf("adcsasn1: a template name has 1 to %d characters", maxTemplateName)
	}
	for _, r := range name {
		if r > 0xffff || !unicode.IsPrint(r) {
			return fmt.Errorf("adcsasn1: a template name cannot hold the character %U", r)
		}
	}
	return nil
}

// TemplateNameExtension returns the version 1 template extension (MS-WCCE section 2.2.2.7.7.1), not critical: the
// template's common name as a bare BMPString. The specification prints SEQUENCE{UTF8String}; real requests, among them
// the examples of MS-WSTEP, hold the BMPString.
func TemplateNameExtension(name string) (pkix.Extension, error) {
	if err := ValidTemplateName(name); err != nil {
		return pkix.Extension{}, err
	}
	text, ok := encodeBMP(name)
	if !ok {
		return pkix.Extension{}, errors.New("adcsasn1: template name is not a BMPString")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(asn1.TagBMPString), func(b *cryptobyte.Builder) { b.AddBytes(text) })
	value, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("adcsasn1: template name extension: %v", err)
	}
	return pkix.Extension{Id: OIDTemplateName(), Value: value}, nil
}

// TemplateNameFromExtension reads the value of a version 1 template extension in the form of real requests
// (BMPString) or of the specification (SEQUENCE{UTF8String}).
func TemplateNameFromExtension(value []byte) (string, error) {
	name, ok := readTemplateName(value)
	if !ok {
		return "", errors.New("adcsasn1: malformed template name extension")
	}
	if err := ValidTemplateName(name); err != nil {
		return "", err
	}
	return name, nil
}

func readTemplateName(value []byte) (string, bool) {
	s := cryptobyte.String(value)
	var text cryptobyte.String
	if s.PeekASN1Tag(cbasn1.Tag(asn1.TagBMPString)) {
		if !s.ReadASN1(&text, cbasn1.Tag(asn1.TagBMPString)) || !s.Empty() || len(text) > 2*maxTemplateName {
			return "", false
		}
		return DecodeBMP(text)
	}
	var seq cryptobyte.String
	ok := s.ReadASN1(&seq, cbasn1.SEQUENCE) && s.Empty() &&
		seq.ReadASN1(&text, cbasn1.UTF8String) && seq.Empty() && len(text) <= utf8.UTFMax*maxTemplateName
	return string(text), ok
}

// Template is the version 2 template extension: the OID of a template and its version. Major is 0 where the version is
// absent; templates in a directory begin at major version 1 (version 1 templates) or 100.
type Template struct {
	OID          asn1.ObjectIdentifier
	Major, Minor uint32
}

// Extension returns the version 2 template extension (MS-WCCE section 2.2.2.7.7.2), not critical. The version is left
// out if both numbers are 0.
func (t Template) Extension() (pkix.Extension, error) {
	if len(t.OID) > maxTemplateOID {
		return pkix.Extension{}, fmt.Errorf("adcsasn1: an OID of %d arcs, at most %d", len(t.OID), maxTemplateOID)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(t.OID)
		if t.Major != 0 || t.Minor != 0 {
			b.AddASN1Uint64(uint64(t.Major))
			b.AddASN1Uint64(uint64(t.Minor))
		}
	})
	value, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, errors.New("adcsasn1: the OID of the template is not an object identifier")
	}
	// An arc above 2^31-1 can be written but not read; AD CS makes none.
	if back, err := TemplateFromExtension(value); err != nil || !back.OID.Equal(t.OID) {
		return pkix.Extension{}, fmt.Errorf("adcsasn1: the OID %v of the template is out of range", t.OID)
	}
	return pkix.Extension{Id: OIDTemplate(), Value: value}, nil
}

// TemplateFromExtension reads the value of a version 2 template extension.
func TemplateFromExtension(value []byte) (Template, error) {
	bad := errors.New("adcsasn1: malformed template extension")
	s := cryptobyte.String(value)
	var seq cryptobyte.String
	var t Template
	// The bound on the text bounds the OID before its arcs are allocated: an arc takes at least one byte.
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || !s.Empty() || len(seq) > 5*maxTemplateOID {
		return Template{}, bad
	}
	if !seq.ReadASN1ObjectIdentifier(&t.OID) || len(t.OID) > maxTemplateOID {
		return Template{}, bad
	}
	for _, version := range []*uint32{&t.Major, &t.Minor} {
		if seq.Empty() {
			break
		}
		if !seq.ReadASN1Integer(version) {
			return Template{}, bad
		}
	}
	if !seq.Empty() {
		return Template{}, bad
	}
	return t, nil
}
