package dcom

import (
	"encoding/binary"

	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

const (
	objrefSignature = 0x574f454d // "MEOW" (MS-DCOM section 2.2.18)
	objrefStandard  = 1
	objrefCustom    = 4

	objrefHeader = 24 // signature, flags, IID
	stdSize      = 40 // STDOBJREF
	customHeader = 24 // CLSID, cbExtension, reserved

	// maxObjref bounds an object reference, in bytes. A standard one has some hundred, one that carries activation
	// properties some thousand.
	maxObjref = 256 << 10
)

// NoPing is the flag of objects that need no pinging (SORF_NOPING, MS-DCOM section 2.2.18.2).
const NoPing = 0x1000

// StdObjRef is a STDOBJREF: one interface of an object, and so many references to it (MS-DCOM section 2.2.18.1).
type StdObjRef struct {
	Flags      uint32
	PublicRefs uint32
	OXID, OID  uint64
	IPID       rpc.UUID
}

// Write writes the reference as a member of a structure.
func (s *StdObjRef) Write(w *ndr.Writer) {
	w.Align(8)
	w.U32(s.Flags)
	w.U32(s.PublicRefs)
	w.U64(s.OXID)
	w.U64(s.OID)
	w.UUID(s.IPID)
}

// Read reads the reference as a member of a structure.
func (s *StdObjRef) Read(r *ndr.Reader) {
	r.Align(8)
	s.Flags, s.PublicRefs, s.OXID, s.OID, s.IPID = r.U32(), r.U32(), r.U64(), r.U64(), r.UUID()
}

// ObjRef is an OBJREF_STANDARD: a reference to one interface of an object (MS-DCOM section 2.2.18.4).
type ObjRef struct {
	IID      rpc.UUID
	Std      StdObjRef
	Resolver Bindings // of the object resolver
}

// Append writes the reference.
func (o *ObjRef) Append(b []byte) []byte {
	b = appendObjrefHeader(b, objrefStandard, o.IID)
	b = binary.LittleEndian.AppendUint32(b, o.Std.Flags)
	b = binary.LittleEndian.AppendUint32(b, o.Std.PublicRefs)
	b = binary.LittleEndian.AppendUint64(b, o.Std.OXID)
	b = binary.LittleEndian.AppendUint64(b, o.Std.OID)
	b = append(b, o.Std.IPID[:]...)
	return o.Resolver.Append(b)
}

// ParseObjRef reads a reference. Other kinds than OBJREF_STANDARD, which no object of a CA has, are errors.
func ParseObjRef(b []byte) (*ObjRef, error) {
	iid, b, err := parseObjrefHeader(b, objrefStandard)
	if err != nil {
		return nil, err
	}
	if len(b) < stdSize {
		return nil, malformed("an object reference of %d bytes", len(b))
	}
	o := &ObjRef{IID: iid, Std: StdObjRef{
		Flags: binary.LittleEndian.Uint32(b), PublicRefs: binary.LittleEndian.Uint32(b[4:]),
		OXID: binary.LittleEndian.Uint64(b[8:]), OID: binary.LittleEndian.Uint64(b[16:]), IPID: rpc.UUID(b[24:40]),
	}}
	resolver, err := ParseBindings(b[stdSize:])
	if err != nil {
		return nil, err
	}
	o.Resolver = *resolver
	return o, nil
}

// custom is an OBJREF_CUSTOM: a value in place of a reference (MS-DCOM section 2.2.18.6).
type custom struct {
	iid, class rpc.UUID
	data       []byte
}

func (c *custom) append(b []byte) []byte {
	b = appendObjrefHeader(b, objrefCustom, c.iid)
	b = append(b, c.class[:]...)
	b = binary.LittleEndian.AppendUint32(b, 0)
	// Reserved and without a meaning; others have the size of the data and of two fields here.
	b = binary.LittleEndian.AppendUint32(b, uint32(len(c.data)+8))
	return append(b, c.data...)
}

// parseCustom reads an OBJREF_CUSTOM, which must be of a class.
func parseCustom(b []byte, class rpc.UUID) (*custom, error) {
	iid, b, err := parseObjrefHeader(b, objrefCustom)
	if err != nil {
		return nil, err
	}
	if len(b) < customHeader || rpc.UUID(b[:16]) != class {
		return nil, malformed("a custom object reference of another class")
	}
	return &custom{iid: iid, class: class, data: b[customHeader:]}, nil
}

func appendObjrefHeader(b []byte, flags uint32, iid rpc.UUID) []byte {
	b = binary.LittleEndian.AppendUint32(b, objrefSignature)
	b = binary.LittleEndian.AppendUint32(b, flags)
	return append(b, iid[:]...)
}

func parseObjrefHeader(b []byte, want uint32) (iid rpc.UUID, rest []byte, err error) {
	if len(b) < objrefHeader || binary.LittleEndian.Uint32(b) != objrefSignature {
		return iid, nil, malformed("no object reference")
	}
	if flags := binary.LittleEndian.Uint32(b[4:]); flags != want {
		return iid, nil, malformed("an object reference of kind %d, want %d", flags, want)
	}
	iid = rpc.UUID(b[8:24])
	if iid == (rpc.UUID{}) {
		return iid, nil, malformed("an object reference without an interface")
	}
	return iid, b[objrefHeader:], nil
}

// writeInterfacePointer writes an MInterfacePointer, which a pointer points to (MS-DCOM section 2.2.14).
func writeInterfacePointer(w *ndr.Writer, objref []byte) {
	w.Count(len(objref))
	w.U32(uint32(len(objref)))
	w.Bytes(objref)
}

// readInterfacePointer reads an MInterfacePointer. What it returns lies in the stub.
func readInterfacePointer(r *ndr.Reader) []byte {
	limit, size := r.Count(), r.U32()
	if limit != uint64(size) || size > maxObjref {
		r.Fail("an object reference of %d bytes where %d were announced", limit, size)
		return nil
	}
	return r.Bytes(uint64(size))
}
