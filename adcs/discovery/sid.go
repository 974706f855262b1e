package discovery

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// SID is a security identifier in its usual form, such as S-1-5-21-1-2-3-1104 (MS-DTYP 2.4.2.1).
type SID string

// Groups that everybody is in, whatever the directory says of an account.
const (
	SIDEveryone           SID = "S-1-1-0"
	SIDAuthenticatedUsers SID = "S-1-5-11"
	sidNetwork            SID = "S-1-5-2"
)

// maxSubAuthorities bounds the parts of a SID (MS-DTYP 2.4.2.2).
const maxSubAuthorities = 15

// decodeSID reads the SID at the beginning of b and returns the rest.
func decodeSID(b []byte) (SID, []byte, error) {
	if len(b) < 8 || b[0] != 1 || b[1] > maxSubAuthorities || len(b) < 8+4*int(b[1]) {
		return "", nil, fmt.Errorf("%w: security identifier", ErrMalformed)
	}
	var s strings.Builder
	s.WriteString("S-1-")
	authority := uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
	if authority>>32 != 0 {
		fmt.Fprintf(&s, "0x%012x", authority)
	} else {
		s.WriteString(strconv.FormatUint(authority, 10))
	}
	n := int(b[1])
	b = b[8:]
	for range n {
		s.WriteByte('-')
		s.WriteString(strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b)), 10))
		b = b[4:]
	}
	return SID(s.String()), b, nil
}

// wholeSID reads a value that is a SID and nothing else.
func wholeSID(b []byte) (SID, error) {
	s, rest, err := decodeSID(b)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: security identifier with %d bytes after it", ErrMalformed, len(rest))
	}
	return s, err
}

// encode is the SID as the directory has it; nil if it is not one.
func (s SID) encode() []byte {
	parts := strings.Split(string(s), "-")
	if len(parts) < 3 || len(parts) > 3+maxSubAuthorities || parts[0] != "S" || parts[1] != "1" {
		return nil
	}
	authority, err := strconv.ParseUint(parts[2], 0, 48)
	if err != nil {
		return nil
	}
	b := []byte{1, byte(len(parts) - 3)}
	b = binary.BigEndian.AppendUint16(b, uint16(authority>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(authority))
	for _, p := range parts[3:] {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return nil
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

// wellKnown names SIDs that mean the same everywhere (MS-DTYP 2.4.2.4). They are no objects of the directory.
func (s SID) wellKnown() string {
	switch s {
	case SIDEveryone:
		return "Everyone"
	case SIDAuthenticatedUsers:
		return "Authenticated Users"
	case "S-1-5-7":
		return "Anonymous"
	case sidNetwork:
		return "Network"
	case "S-1-5-4":
		return "Interactive"
	case "S-1-5-9":
		return "Enterprise Domain Controllers"
	case "S-1-5-10":
		return "Self"
	case "S-1-5-18":
		return "Local System"
	case "S-1-5-19":
		return "Local Service"
	case "S-1-5-20":
		return "Network Service"
	case "S-1-3-0":
		return "Creator Owner"
	case "S-1-5-32-544":
		return "Administrators"
	case "S-1-5-32-545":
		return "Users"
	case "S-1-5-32-546":
		return "Guests"
	}
	return s.wellKnownOfDomain()
}

// wellKnownOfDomain names those that end the same in every domain.
func (s SID) wellKnownOfDomain() string {
	rid := s.domainRID()
	switch rid {
	case "500":
		return "Administrator"
	case "498":
		return "Enterprise Read-only Domain Controllers"
	case "512":
		return "Domain Admins"
	case "513":
		return "Domain Users"
	case "514":
		return "Domain Guests"
	case "515":
		return "Domain Computers"
	case "516":
		return "Domain Controllers"
	case "517":
		return "Cert Publishers"
	case "518":
		return "Schema Admins"
	case "519":
		return "Enterprise Admins"
	}
	return ""
}

// domainRID is the last part of the SID of an account of a domain; "" for others.
func (s SID) domainRID() string {
	rest, ok := strings.CutPrefix(string(s), "S-1-5-21-")
	if !ok || strings.Count(rest, "-") != 3 {
		return ""
	}
	return rest[strings.LastIndexByte(rest, '-')+1:]
}

// administrative reports whether a SID is of those who rule the forest anyway: what they may do is no finding.
func (s SID) administrative() bool {
	switch s {
	case "S-1-5-18", "S-1-5-9", "S-1-5-32-544":
		return true
	}
	switch s.domainRID() {
	case "498", "500", "512", "516", "517", "518", "519":
		return true
	}
	return false
}
