package rpc

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of security mechanisms.

// OIDSPNEGO is SPNEGO itself (RFC 4178 section 3).
func OIDSPNEGO() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2} }

// OIDNTLM is NTLMSSP inside of SPNEGO (MS-SPNG section 1.9).
func OIDNTLM() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10} }

// OIDKerberos is Kerberos 5 (RFC 4121).
func OIDKerberos() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2} }

// OIDMSKerberos is Kerberos 5 with the number that Windows 2000 truncated (MS-SPNG section 1.9).
func OIDMSKerberos() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2} }

// NegState is the state of a negotiation (RFC 4178 section 4.2.2).
type NegState int

// The states.
const (
	NegAcceptCompleted  NegState = 0
	NegAcceptIncomplete NegState = 1
	NegReject           NegState = 2
	NegRequestMIC       NegState = 3
)

// NegTokenInit is the first token of a negotiation (RFC 4178 section 4.2.1).
type NegTokenInit struct {
	MechTypes   []asn1.ObjectIdentifier
	MechToken   []byte // nil when absent
	MechListMIC []byte // nil when absent
}

// NegTokenResp is every later token (RFC 4178 section 4.2.2).
type NegTokenResp struct {
	State         *NegState             // nil when absent
	SupportedMech asn1.ObjectIdentifier // nil when absent
	ResponseToken []byte                // nil when absent
	MechListMIC   []byte                // nil when absent
}

// mechLimit bounds the mechanisms of one negotiation.
const mechLimit = 32

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

const tagApplication0 = cbasn1.Tag(0x60)

// MechTypeList is the DER of a list of mechanisms: what mechListMIC is a MIC of (RFC 4178 section 4.2.1).
func MechTypeList(mechs []asn1.ObjectIdentifier) ([]byte, error) {
	var b cryptobyte.Builder
	addMechTypes(&b, mechs)
	return b.Bytes()
}

func addMechTypes(b *cryptobyte.Builder, mechs []asn1.ObjectIdentifier) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, m := range mechs {
			b.AddASN1ObjectIdentifier(m)
		}
	})
}

func addOctets(b *cryptobyte.Builder, n uint8, v []byte) {
	if v != nil {
		b.AddASN1(explicit(n), func(b *cryptobyte.Builder) { b.AddASN1OctetString(v) })
	}
}

// Marshal encodes the token with the GSS-API frame around it.
func (t *NegTokenInit) Marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tagApplication0, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(OIDSPNEGO())
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { addMechTypes(b, t.MechTypes) })
				addOctets(b, 2, t.MechToken)
				addOctets(b, 3, t.MechListMIC)
			})
		})
	})
	return b.Bytes()
}

// ParseNegTokenInit decodes a first token. Its MechTypes keep their order. negHints of MS-SPNG are passed over.
func ParseNegTokenInit(der []byte) (*NegTokenInit, error) {
	s := cryptobyte.String(der)
	var frame, choice, seq cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&frame, tagApplication0) || !s.Empty() || !frame.ReadASN1ObjectIdentifier(&oid) ||
		!oid.Equal(OIDSPNEGO()) || !frame.ReadASN1(&choice, explicit(0)) || !frame.Empty() ||
		!choice.ReadASN1(&seq, cbasn1.SEQUENCE) || !choice.Empty() {
		return nil, malformed("not an SPNEGO NegTokenInit")
	}
	t := &NegTokenInit{}
	var list, mechs, skip cryptobyte.String
	if !seq.ReadASN1(&list, explicit(0)) || !list.ReadASN1(&mechs, cbasn1.SEQUENCE) || !list.Empty() {
		return nil, malformed("SPNEGO NegTokenInit without mechanisms")
	}
	for !mechs.Empty() {
		var m asn1.ObjectIdentifier
		if !mechs.ReadASN1ObjectIdentifier(&m) || len(t.MechTypes) == mechLimit {
			return nil, malformed("mechanisms of an SPNEGO NegTokenInit")
		}
		t.MechTypes = append(t.MechTypes, m)
	}
	var ok bool
	if !seq.ReadOptionalASN1(&skip, &ok, explicit(1)) || !readOctets(&seq, &t.MechToken, 2) {
		return nil, malformed("fields of an SPNEGO NegTokenInit")
	}
	if hints := seq; hints.ReadOptionalASN1(&skip, &ok, explicit(3)) && ok && skip.PeekASN1Tag(cbasn1.SEQUENCE) {
		seq = hints // NegTokenInit2: negHints are [3] and the MIC is [4] (MS-SPNG section 2.2.1)
		ok = readOctets(&seq, &t.MechListMIC, 4)
	} else {
		ok = readOctets(&seq, &t.MechListMIC, 3)
	}
	if !ok || !seq.Empty() || len(t.MechTypes) == 0 {
		return nil, malformed("fields of an SPNEGO NegTokenInit")
	}
	return t, nil
}

// readOctets reads an optional [n] EXPLICIT OCTET STRING; v stays nil when it is absent.
func readOctets(s *cryptobyte.String, v *[]byte, n uint8) bool {
	var field, octets cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&field, &present, explicit(n)) {
		return false
	}
	if !present {
		return true
	}
	if !field.ReadASN1(&octets, cbasn1.OCTET_STRING) || !field.Empty() {
		return false
	}
	*v = append([]byte{}, octets...)
	return true
}

// Marshal encodes the token, which has no GSS-API frame.
func (t *NegTokenResp) Marshal() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if t.State != nil {
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(*t.State)) })
			}
			if t.SupportedMech != nil {
				b.AddASN1(explicit(1), func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(t.SupportedMech) })
			}
			addOctets(b, 2, t.ResponseToken)
			addOctets(b, 3, t.MechListMIC)
		})
	})
	return b.Bytes()
}

// ParseNegTokenResp decodes a later token.
func ParseNegTokenResp(der []byte) (*NegTokenResp, error) {
	s := cryptobyte.String(der)
	var choice, seq, field cryptobyte.String
	if !s.ReadASN1(&choice, explicit(1)) || !s.Empty() ||
		!choice.ReadASN1(&seq, cbasn1.SEQUENCE) || !choice.Empty() {
		return nil, malformed("not an SPNEGO NegTokenResp")
	}
	t := &NegTokenResp{}
	var present bool
	if !seq.ReadOptionalASN1(&field, &present, explicit(0)) {
		return nil, malformed("state of an SPNEGO NegTokenResp")
	}
	if present {
		var state int
		if !field.ReadASN1Enum(&state) || !field.Empty() || state < 0 || state > int(NegRequestMIC) {
			return nil, malformed("state of an SPNEGO NegTokenResp")
		}
		t.State = (*NegState)(&state)
	}
	if !seq.ReadOptionalASN1(&field, &present, explicit(1)) ||
		present && (!field.ReadASN1ObjectIdentifier(&t.SupportedMech) || !field.Empty()) {
		return nil, malformed("mechanism of an SPNEGO NegTokenResp")
	}
	if !readOctets(&seq, &t.ResponseToken, 2) || !readOctets(&seq, &t.MechListMIC, 3) || !seq.Empty() {
		return nil, malformed("fields of an SPNEGO NegTokenResp")
	}
	return t, nil
}
