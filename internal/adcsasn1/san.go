package adcsasn1

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a subject alternative name extension, far above what an AD CS certificate can hold.
const (
	maxSANBytes = 64 << 10
	maxNames    = 1000
)

// The tags of GeneralName (RFC 5280, section 4.2.1.6). Tags 0, 3, 4 and 5 are constructed, the others primitive.
const (
	tagEmail = cbasn1.Tag(1) | classContext
	tagDNS   = cbasn1.Tag(2) | classContext
	tagURI   = cbasn1.Tag(6) | classContext
	tagIP    = cbasn1.Tag(7) | classContext

	classContext     = cbasn1.Tag(0x80)
	classConstructed = cbasn1.Tag(0x20)
)

// SAN is a subject alternative name extension (RFC 5280, section 4.2.1.6) by kinds of name. Each kind keeps its order;
// the order between kinds is not kept, since it has no meaning.
type SAN struct {
	// UPN are user principal names: otherName of type OIDUPN.
	UPN []string
	// DNS are dNSName, Email rfc822Name, URI uniformResourceIdentifier, IP iPAddress.
	DNS   []string
	Email []string
	URI   []string
	IP    []netip.Addr
	// Other is the DER of every name of another kind. A caller that compares names must not overlook it.
	Other [][]byte
}

// Count returns the number of names.
func (s SAN) Count() int {
	return len(s.UPN) + len(s.DNS) + len(s.Email) + len(s.URI) + len(s.IP) + len(s.Other)
}

// Validate checks every name by the rules of CheckDNS, CheckEmail, CheckURI, CheckIP and CheckUPN, and the limits of
// the extension. Names in Other are refused: nobody can say what they mean.
func (s SAN) Validate() error {
	if len(s.Other) > 0 {
		return errors.New("adcsasn1: only DNS, e-mail, URI, IP and UPN names can be written")
	}
	if n := s.Count(); n > maxNames {
		return fmt.Errorf("adcsasn1: %d alternative names, at most %d", n, maxNames)
	}
	for _, kind := range []struct {
		names []string
		check func(string) error
	}{{s.UPN, CheckUPN}, {s.DNS, CheckDNS}, {s.Email, CheckEmail}, {s.URI, CheckURI}} {
		for _, name := range kind.names {
			if err := kind.check(name); err != nil {
				return err
			}
		}
	}
	for _, ip := range s.IP {
		if err := CheckIP(ip); err != nil {
			return err
		}
	}
	return nil
}

// Extension validates the names and returns the extension, not critical, in the order UPN, DNS, e-mail, IP, URI. An
// extension without names is refused, as RFC 5280 does. An IPv4 address in IPv6 form is written as IPv4.
func (s SAN) Extension() (pkix.Extension, error) {
	if s.Count() == 0 {
		return pkix.Extension{}, errors.New("adcsasn1: no alternative names")
	}
	if err := s.Validate(); err != nil {
		return pkix.Extension{}, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, s.write)
	value, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("adcsasn1: alternative names: %v", err)
	}
	if len(value) > maxSANBytes {
		return pkix.Extension{}, fmt.Errorf("adcsasn1: alternative names of %d bytes, at most %d", len(value), maxSANBytes)
	}
	return pkix.Extension{Id: OIDSubjectAltName(), Value: value}, nil
}

func (s SAN) write(b *cryptobyte.Builder) {
	for _, upn := range s.UPN {
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(OIDUPN())
			b.AddASN1(tag0, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(upn)) })
			})
		})
	}
	add := func(tag cbasn1.Tag, name []byte) {
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(name) })
	}
	for _, name := range s.DNS {
		add(tagDNS, []byte(name))
	}
	for _, name := range s.Email {
		add(tagEmail, []byte(name))
	}
	for _, ip := range s.IP {
		add(tagIP, ip.Unmap().AsSlice())
	}
	for _, name := range s.URI {
		add(tagURI, []byte(name))
	}
}

// SANFromExtension reads the value of a subject alternative name extension. It takes more than Extension writes, since
// CAs write more: a text has only to be of its ASN.1 type and free of control characters.
func SANFromExtension(value []byte) (SAN, error) {
	if len(value) > maxSANBytes {
		return SAN{}, fmt.Errorf("adcsasn1: alternative names of %d bytes, at most %d", len(value), maxSANBytes)
	}
	s := cryptobyte.String(value)
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || !s.Empty() || seq.Empty() {
		return SAN{}, errors.New("adcsasn1: malformed alternative names")
	}
	var san SAN
	for n := 0; !seq.Empty(); n++ {
		if n == maxNames {
			return SAN{}, fmt.Errorf("adcsasn1: more than %d alternative names", maxNames)
		}
		if !san.readName(&seq) {
			return SAN{}, fmt.Errorf("adcsasn1: alternative name %d is malformed", n+1)
		}
	}
	return san, nil
}

func (s *SAN) readName(seq *cryptobyte.String) bool {
	var element, body cryptobyte.String
	var tag cbasn1.Tag
	if !seq.ReadAnyASN1Element(&element, &tag) {
		return false
	}
	rest := element
	if !rest.ReadASN1(&body, tag) {
		return false
	}
	switch tag {
	case tagEmail:
		return appendText(&s.Email, body)
	case tagDNS:
		return appendText(&s.DNS, body)
	case tagURI:
		return appendText(&s.URI, body)
	case tagIP:
		ip, ok := netip.AddrFromSlice(body)
		s.IP = append(s.IP, ip)
		return ok
	case tag0:
		if upn, is, ok := readUPN(body); is || !ok {
			s.UPN = append(s.UPN, upn)
			return ok
		}
	case classContext | classConstructed | 3, classContext | classConstructed | 4,
		classContext | classConstructed | 5, classContext | 8:
	default:
		return false
	}
	s.Other = append(s.Other, append([]byte(nil), element...))
	return true
}

// readUPN reads an otherName. It returns is false for one of another type.
func readUPN(other cryptobyte.String) (upn string, is, ok bool) {
	probe := other
	if !readOID(&probe, OIDUPN()) {
		var id, value cryptobyte.String
		wellFormed := other.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) && other.ReadASN1(&value, tag0) && other.Empty()
		return "", false, wellFormed
	}
	var value, text cryptobyte.String
	ok = probe.ReadASN1(&value, tag0) && probe.Empty() &&
		value.ReadASN1(&text, cbasn1.UTF8String) && value.Empty() &&
		len(text) > 0 && utf8.Valid(text) && !strings.ContainsFunc(string(text), isControl)
	return string(text), true, ok
}

// appendText takes an IA5String without control characters.
func appendText(names *[]string, body []byte) bool {
	for _, c := range body {
		if c < ' ' || c > '~' {
			return false
		}
	}
	*names = append(*names, string(body))
	return len(body) > 0
}
