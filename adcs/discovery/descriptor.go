package discovery

import (
	"encoding/binary"
	"fmt"
)

// Access says who may do what with a template or a CA: its security descriptor (MS-DTYP 2.4.6), as far as it matters.
// The zero value lets nobody do anything.
type Access struct {
	Owner SID // who may always change the rest
	open  bool
	aces  []ace
}

// ace is an entry of an access control list (MS-DTYP 2.4.4), in its order.
type ace struct {
	deny, conditional bool
	mask              uint32
	object            string // GUID that it is restricted to; "" for none
	sid               SID
}

// Limits of what is read. An access control list has at most 64 KiB anyway.
const (
	maxDescriptor = 1 << 18 // bytes
	maxACEs       = 2000
)

// The control flags of a security descriptor.
const (
	controlDACLPresent  = 0x0004
	controlSelfRelative = 0x8000
)

// The types of entries, and the flag of those that are for children only.
const (
	aceAllow                  = 0x00
	aceDeny                   = 0x01
	aceAllowObject            = 0x05
	aceDenyObject             = 0x06
	aceAllowCallback          = 0x09
	aceDenyCallback           = 0x0a
	aceAllowCallbackObject    = 0x0b
	aceDenyCallbackObject     = 0x0c
	aceInheritOnly            = 0x08
	aceObjectTypePresent      = 0x01
	aceInheritedTypePresent   = 0x02
	aceHeaderSize, aclHeader  = 4, 8
	descriptorSize, aceMinLen = 20, 16
)

// decodeDescriptor reads a self-relative security descriptor.
func decodeDescriptor(b []byte) (a Access, err error) {
	if len(b) < descriptorSize || len(b) > maxDescriptor || b[0] != 1 {
		return Access{}, fmt.Errorf("%w: security descriptor of %d bytes", ErrMalformed, len(b))
	}
	control := binary.LittleEndian.Uint16(b[2:])
	owner, dacl := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[16:])
	if control&controlSelfRelative == 0 || uint64(owner) > uint64(len(b)) || uint64(dacl) > uint64(len(b)) {
		return Access{}, fmt.Errorf("%w: security descriptor", ErrMalformed)
	}
	if owner != 0 {
		if a.Owner, _, err = decodeSID(b[owner:]); err != nil {
			return Access{}, err
		}
	}
	if control&controlDACLPresent == 0 || dacl == 0 {
		a.open = true // no list at all protects nothing
		return a, nil
	}
	a.aces, err = decodeACL(b[dacl:])
	if err != nil {
		return Access{}, err
	}
	return a, nil
}

// decodeACL reads an access control list (MS-DTYP 2.4.5).
func decodeACL(b []byte) ([]ace, error) {
	if len(b) < aclHeader || b[0] != 2 && b[0] != 4 {
		return nil, fmt.Errorf("%w: access control list", ErrMalformed)
	}
	size, count := int(binary.LittleEndian.Uint16(b[2:])), int(binary.LittleEndian.Uint16(b[4:]))
	if size < aclHeader || size > len(b) || count > maxACEs {
		return nil, fmt.Errorf("%w: access control list of %d bytes with %d entries", ErrMalformed, size, count)
	}
	var aces []ace
	b = b[aclHeader:size]
	for range count {
		if len(b) < aceHeaderSize {
			return nil, fmt.Errorf("%w: access control list ends early", ErrMalformed)
		}
		n := int(binary.LittleEndian.Uint16(b[2:]))
		if n < aceHeaderSize || n > len(b) {
			return nil, fmt.Errorf("%w: access control entry of %d bytes", ErrMalformed, n)
		}
		e, applies, err := decodeACE(b[:n])
		if err != nil {
			return nil, err
		}
		if applies {
			aces = append(aces, e)
		}
		b = b[n:]
	}
	return aces, nil
}

// decodeACE reads an entry. Those that do not apply are for children only, or of types that neither allow nor deny.
func decodeACE(b []byte) (e ace, applies bool, err error) {
	object := false
	switch b[0] {
	case aceAllow:
	case aceDeny:
		e.deny = true
	case aceAllowObject:
		object = true
	case aceDenyObject:
		e.deny, object = true, true
	case aceAllowCallback:
		e.conditional = true
	case aceDenyCallback:
		e.deny, e.conditional = true, true
	case aceAllowCallbackObject:
		object, e.conditional = true, true
	case aceDenyCallbackObject:
		e.deny, object, e.conditional = true, true, true
	default:
		return ace{}, false, nil
	}
	if len(b) < aceMinLen {
		return ace{}, false, fmt.Errorf("%w: access control entry of %d bytes", ErrMalformed, len(b))
	}
	e.mask = binary.LittleEndian.Uint32(b[4:])
	rest := b[8:]
	if object {
		if e.object, rest, err = decodeObjectType(rest); err != nil {
			return ace{}, false, err
		}
	}
	e.sid, _, err = decodeSID(rest) // a condition may follow
	return e, b[1]&aceInheritOnly == 0, err
}

// decodeObjectType reads what an object entry is restricted to, and returns what is left (MS-DTYP 2.4.4.3).
func decodeObjectType(b []byte) (object string, rest []byte, err error) {
	flags := binary.LittleEndian.Uint32(b)
	b = b[4:]
	for _, present := range []uint32{aceObjectTypePresent, aceInheritedTypePresent} {
		if flags&present == 0 {
			continue
		}
		if len(b) < 16 {
			return "", nil, fmt.Errorf("%w: access control entry for an object", ErrMalformed)
		}
		if present == aceObjectTypePresent {
			object = guid(b)
		}
		b = b[16:]
	}
	return object, b, nil
}

// guid is a GUID as it is written (MS-DTYP 2.3.4.2).
func guid(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]),
		binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:16])
}
