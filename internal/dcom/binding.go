package dcom

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// StringBinding says where something listens (MS-DCOM section 2.2.19.3).
type StringBinding struct {
	Tower   uint16 // the protocol sequence, not 0
	Address string // host, or host[endpoint]
}

// SecurityBinding is a security provider that something accepts (MS-DCOM section 2.2.19.4).
type SecurityBinding struct {
	Service   uint16 // RPC_C_AUTHN_x, not 0
	Principal string // a service principal name, mostly empty
}

// Bindings are a DUALSTRINGARRAY (MS-DCOM section 2.2.19).
type Bindings struct {
	Strings  []StringBinding
	Security []SecurityBinding
}

const (
	maxBindings = 256  // of each kind; Windows sends one for each address and name of the host
	maxBinding  = 1024 // characters of an address or principal
	noReserved  = 0xffff
)

// Port is the TCP port of the first binding that has one. What host the binding names does not matter: whoever asked
// knows whom.
func (b *Bindings) Port() (uint16, bool) {
	for _, s := range b.Strings {
		_, endpoint, ok := strings.Cut(s.Address, "[")
		if s.Tower != TowerTCP || !ok || !strings.HasSuffix(endpoint, "]") {
			continue
		}
		port, err := strconv.ParseUint(strings.TrimSuffix(endpoint, "]"), 10, 16)
		if err == nil && port != 0 {
			return uint16(port), true
		}
	}
	return 0, false
}

// units are the two sections, each with its terminator, and where the second one begins. The caller sees to it that
// they have less than 65536 characters together.
func (b *Bindings) units() (u []uint16, security int) {
	for _, s := range b.Strings {
		u = append(append(append(u, s.Tower), utf16.Encode([]rune(s.Address))...), 0)
	}
	if len(b.Strings) == 0 {
		u = append(u, 0) // an empty binding: MS-DCOM section 2.2.19.1
	}
	u = append(u, 0)
	security = len(u)
	for _, s := range b.Security {
		u = append(append(append(u, s.Service, noReserved), utf16.Encode([]rune(s.Principal))...), 0)
	}
	if len(b.Security) == 0 {
		u = append(u, 0)
	}
	return append(u, 0), security
}

// Append writes the form that object references hold (MS-DCOM section 2.2.19.1).
func (b *Bindings) Append(to []byte) []byte {
	u, security := b.units()
	to = binary.LittleEndian.AppendUint16(to, uint16(len(u)))
	to = binary.LittleEndian.AppendUint16(to, uint16(security))
	for _, v := range u {
		to = binary.LittleEndian.AppendUint16(to, v)
	}
	return to
}

// ParseBindings reads the form that object references hold.
func ParseBindings(b []byte) (*Bindings, error) {
	if len(b) < 4 {
		return nil, malformed("string bindings of %d bytes", len(b))
	}
	count, security := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
	if len(b)-4 < 2*count {
		return nil, malformed("string bindings of %d characters in %d bytes", count, len(b))
	}
	return parseUnits(b[4:4+2*count], security)
}

// Write writes the form that is a parameter (MS-DCOM section 2.2.19.2), which a pointer points to.
func (b *Bindings) Write(w *ndr.Writer) {
	u, security := b.units()
	w.Count(len(u))
	w.U16(uint16(len(u)))
	w.U16(uint16(security))
	for _, v := range u {
		w.U16(v)
	}
}

// Read reads the form that is a parameter.
func (b *Bindings) Read(r *ndr.Reader) {
	limit := r.Count()
	count, security := r.U16(), int(r.U16())
	if limit != uint64(count) {
		r.Fail("string bindings of %d characters where %d were announced", limit, count)
	}
	units := r.Bytes(2 * uint64(count))
	if r.Err() != nil {
		return
	}
	read, err := parseUnits(units, security)
	if err != nil {
		r.Fail("%v", err)
		return
	}
	*b = *read
}

// writeBindingsPointer writes a unique pointer to bindings, and the bindings; nil is NULL.
func writeBindingsPointer(w *ndr.Writer, b *Bindings) {
	w.Pointer(b != nil)
	if b != nil {
		b.Write(w)
	}
}

func readBindingsPointer(r *ndr.Reader) *Bindings {
	if !r.Pointer() {
		return nil
	}
	b := new(Bindings)
	b.Read(r)
	return b
}

// parseUnits reads two sections of bindings. What follows the end of a section inside of it is padding.
func parseUnits(b []byte, security int) (*Bindings, error) {
	if security > len(b)/2 {
		return nil, malformed("security bindings at %d of %d", security, len(b)/2)
	}
	out := &Bindings{}
	first := &section{b: b[:2*security]}
	for len(out.Strings) <= maxBindings {
		s := StringBinding{Tower: first.unit()}
		if s.Tower == 0 {
			break
		}
		s.Address = first.text()
		out.Strings = append(out.Strings, s)
	}
	second := &section{b: b[2*security:]}
	for len(out.Security) <= maxBindings {
		s := SecurityBinding{Service: second.unit()}
		if s.Service == 0 {
			break
		}
		second.unit() // reserved
		s.Principal = second.text()
		out.Security = append(out.Security, s)
	}
	if first.bad || second.bad || len(out.Strings) > maxBindings || len(out.Security) > maxBindings {
		return nil, malformed("string bindings that are not terminated, or too many")
	}
	return out, nil
}

// section reads one of the two parts of string bindings. Past its end it returns zeros and sets bad.
type section struct {
	b   []byte
	bad bool
}

func (s *section) unit() uint16 {
	if len(s.b) < 2 {
		s.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint16(s.b)
	s.b = s.b[2:]
	return v
}

// text reads up to and with a NUL.
func (s *section) text() string {
	var u []uint16
	for {
		v := s.unit()
		switch {
		case s.bad, len(u) > maxBinding:
			s.bad, s.b = true, nil
			return ""
		case v == 0:
			return string(utf16.Decode(u))
		}
		u = append(u, v)
	}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("dcom: %w: %s", rpc.ErrMalformed, fmt.Sprintf(format, args...))
}
