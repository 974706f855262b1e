package adcsasn1

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Limits of a security identifier (MS-DTYP sections 2.4.2.1 and 2.4.2.2).
const (
	maxSubAuthorities = 15
	maxAuthority      = 1<<48 - 1
	maxSIDString      = 8 + len("0x000000000000") + maxSubAuthorities*11
	sidHeaderBytes    = 8
)

// ErrSID is wrapped by every error about a malformed security identifier.
var ErrSID = errors.New("adcsasn1: not a security identifier")

// SID is a Windows security identifier of revision 1 (MS-DTYP section 2.4.2). It is comparable with ==. The zero SID is
// no identifier; its String is "".
type SID struct {
	authority uint64
	count     uint8
	sub       [maxSubAuthorities]uint32
}

// ParseSID reads the string form, for example S-1-5-21-1-2-3-1105. Only the canonical form is taken: a capital S, no
// leading zeros, and the authority in decimal up to 2^32-1 and as 0x with twelve lower-case digits above.
func ParseSID(s string) (SID, error) {
	if len(s) > maxSIDString {
		return SID{}, fmt.Errorf("%w: %d characters are too many", ErrSID, len(s))
	}
	parts := strings.Split(s, "-")
	if len(parts) < 4 || parts[0] != "S" || parts[1] != "1" {
		return SID{}, fmt.Errorf("%w: %q does not have the form S-1-5-21-1-2-3-1105", ErrSID, s)
	}
	if len(parts)-3 > maxSubAuthorities {
		return SID{}, fmt.Errorf("%w: %d sub-authorities, at most %d are possible", ErrSID, len(parts)-3, maxSubAuthorities)
	}
	sid := SID{count: uint8(len(parts) - 3)}
	var err error
	if sid.authority, err = strconv.ParseUint(parts[2], 0, 48); err != nil {
		return SID{}, fmt.Errorf("%w: authority %q", ErrSID, parts[2])
	}
	for i, p := range parts[3:] {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return SID{}, fmt.Errorf("%w: sub-authority %q", ErrSID, p)
		}
		sid.sub[i] = uint32(v)
	}
	if sid.String() != s {
		return SID{}, fmt.Errorf("%w: %q is not in canonical form, which is %s", ErrSID, s, sid)
	}
	return sid, nil
}

// ValidSID returns an error that matches ErrSID if sid is not the canonical string form of a security identifier.
func ValidSID(sid string) error {
	_, err := ParseSID(sid)
	return err
}

// ParseSIDBytes reads the packet form of MS-DTYP section 2.4.2.2, as the objectSid attribute of a directory holds it.
func ParseSIDBytes(b []byte) (SID, error) {
	if len(b) < sidHeaderBytes || b[0] != 1 {
		return SID{}, fmt.Errorf("%w: bad header in %d bytes", ErrSID, len(b))
	}
	n := int(b[1])
	if n < 1 || n > maxSubAuthorities || len(b) != sidHeaderBytes+4*n {
		return SID{}, fmt.Errorf("%w: %d sub-authorities in %d bytes", ErrSID, n, len(b))
	}
	// The authority is six bytes big-endian, the sub-authorities are little-endian.
	sid := SID{count: b[1], authority: binary.BigEndian.Uint64(b) & maxAuthority}
	for i := range n {
		sid.sub[i] = binary.LittleEndian.Uint32(b[sidHeaderBytes+4*i:])
	}
	return sid, nil
}

// Bytes returns the packet form of MS-DTYP section 2.4.2.2, nil for the zero SID.
func (s SID) Bytes() []byte {
	if s.count == 0 {
		return nil
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, sidHeaderBytes+4*int(s.count)), s.authority)
	b[0], b[1] = 1, s.count
	for _, v := range s.sub[:s.count] {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// String returns the canonical string form.
func (s SID) String() string {
	if s.count == 0 {
		return ""
	}
	b := append(make([]byte, 0, 64), "S-1-"...)
	if s.authority <= math.MaxUint32 {
		b = strconv.AppendUint(b, s.authority, 10)
	} else {
		b = fmt.Appendf(b, "0x%012x", s.authority)
	}
	for _, v := range s.sub[:s.count] {
		b = append(b, '-')
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}

// IsDomain reports whether the identifier is that of an account in a domain: S-1-5-21, three numbers that name the
// domain, and the RID.
func (s SID) IsDomain() bool {
	return s.authority == 5 && s.count == 5 && s.sub[0] == 21
}

// Domain returns the identifier of the domain, which is s without its RID, and the RID. It returns false if s is not a
// domain account.
func (s SID) Domain() (domain SID, rid uint32, ok bool) {
	if !s.IsDomain() {
		return SID{}, 0, false
	}
	domain, rid = s, s.sub[4]
	domain.count, domain.sub[4] = 4, 0
	return domain, rid, true
}
