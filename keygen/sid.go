package keygen

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// ErrSID is matched by every error about a security identifier that is malformed, or given more than once.
var ErrSID = errors.New("keygen: not a security identifier")

// SID is a Windows security identifier (MS-DTYP section 2.4.2). It is comparable with ==; the zero SID is none.
type SID struct{ id adcsasn1.SID }

// ParseSID reads the string form, for example S-1-5-21-1-2-3-1105. Only the canonical form is taken: a capital S, no
// leading zeros, and an authority of 2^32 or more as 0x with twelve lower-case digits. The error matches [ErrSID].
func ParseSID(text string) (SID, error) {
	id, err := adcsasn1.ParseSID(text)
	if err != nil {
		return SID{}, fmt.Errorf("%w: %v", ErrSID, err)
	}
	return SID{id}, nil
}

// ParseSIDBytes reads the binary form (MS-DTYP section 2.4.2.2), as the attribute objectSid of a directory holds it:
// 12 to 68 bytes, nothing after them. The error matches [ErrSID].
func ParseSIDBytes(b []byte) (SID, error) {
	id, err := adcsasn1.ParseSIDBytes(b)
	if err != nil {
		return SID{}, fmt.Errorf("%w: %v", ErrSID, err)
	}
	return SID{id}, nil
}

// String returns the canonical string form, "" for the zero SID.
func (s SID) String() string { return s.id.String() }

// Bytes returns the binary form, nil for the zero SID.
func (s SID) Bytes() []byte { return s.id.Bytes() }

// Domain returns the identifier of the domain of an account, S-1-5-21 and three numbers, and the account's own number
// in it (RID). It returns false for every other identifier.
func (s SID) Domain() (domain SID, rid uint32, ok bool) {
	id, rid, ok := s.id.Domain()
	return SID{id}, rid, ok
}

// Extension returns the SID security extension (szOID_NTDS_CA_SECURITY_EXT, MS-WCCE section 2.2.2.7.7.4), not critical.
// The error matches [ErrSID] for the zero SID.
func (s SID) Extension() (pkix.Extension, error) {
	ext, err := adcsasn1.SIDExtension(s.String())
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("%w: %v", ErrSID, err)
	}
	return ext, nil
}

// URI returns the text for a URI among the alternative names that a domain controller reads (KB5014754), "" for the
// zero SID.
func (s SID) URI() string {
	if s == (SID{}) {
		return ""
	}
	return adcsasn1.SIDURI(s.String())
}

// ParseSIDURI reads a URI that [SID.URI] made. The error matches [ErrSID].
func ParseSIDURI(uri string) (SID, error) {
	text, ok := adcsasn1.SIDFromURI(uri)
	if !ok {
		return SID{}, fmt.Errorf("%w: the URI is not tag:microsoft.com,2022-09-14:sid: and a SID", ErrSID)
	}
	return ParseSID(text)
}

// MappedSID returns the SID that the extensions of a certificate or of a certification request carry, and in which
// form: [SIDExtension], [SIDURI], or [SIDBoth] where both carry the same. Without any it returns the zero SID and "".
//
// The error matches [ErrSID] if what claims to be a SID is malformed (also a URI that differs from the right text in
// its letter case only), if there are several, or if the alternative names cannot be read: whoever decides by the
// result must not take the first of two.
func MappedSID(extensions []pkix.Extension) (SID, SIDForm, error) {
	var inExtension, inNames []SID
	names := 0
	for _, ext := range extensions {
		var err error
		switch {
		case ext.Id.Equal(adcsasn1.OIDSIDExtension()):
			inExtension, err = appendSID(inExtension, ext.Value)
		case ext.Id.Equal(adcsasn1.OIDSubjectAltName()):
			names++
			inNames, err = sidsOfNames(ext.Value)
		}
		if err != nil {
			return SID{}, "", err
		}
	}
	if len(inExtension) > 1 || len(inNames) > 1 || names > 1 {
		return SID{}, "", fmt.Errorf("%w: several in one form", ErrSID)
	}
	return oneSID(inExtension, inNames)
}

// appendSID reads the value of a SID security extension.
func appendSID(list []SID, value []byte) ([]SID, error) {
	text, err := adcsasn1.SIDFromExtension(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrSID, err)
	}
	sid, err := ParseSID(text)
	return append(list, sid), err
}

// oneSID returns the SID of at most one extension and at most one URI.
func oneSID(extension, uri []SID) (SID, SIDForm, error) {
	switch {
	case len(extension) == 1 && len(uri) == 1 && extension[0] != uri[0]:
		return SID{}, "", fmt.Errorf("%w: the extension has %s, the URI %s", ErrSID, extension[0], uri[0])
	case len(extension) == 1 && len(uri) == 1:
		return uri[0], SIDBoth, nil
	case len(extension) == 1:
		return extension[0], SIDExtension, nil
	case len(uri) == 1:
		return uri[0], SIDURI, nil
	}
	return SID{}, "", nil
}

// sidsOfNames returns the SIDs of the URIs among alternative names.
func sidsOfNames(value []byte) ([]SID, error) {
	names, err := adcsasn1.SANFromExtension(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrSID, err)
	}
	var list []SID
	for _, uri := range names.URI {
		if !adcsasn1.IsSIDURI(uri) {
			continue
		}
		sid, err := ParseSIDURI(uri)
		if err != nil {
			return nil, err
		}
		list = append(list, sid)
	}
	return list, nil
}
