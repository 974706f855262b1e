package dcom

import (
	"encoding/binary"

	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

const (
	serialHeader  = 8 // each of the two headers of a serialized type (MS-RPCE section 2.2.6)
	maxProperties = 10
	otherMachine  = 2 // MSHCTX_DIFFERENTMACHINE
)

// serialize writes a type in NDR Type Serialization 1 (MS-RPCE section 2.2.6).
func serialize(write func(*ndr.Writer)) []byte {
	w := &ndr.Writer{}
	w.Bytes([]byte{1, 0x10, serialHeader, 0, 0xcc, 0xcc, 0xcc, 0xcc})
	w.U64(0)
	write(w)
	w.Align(8)
	b := w.Stub()
	binary.LittleEndian.PutUint32(b[serialHeader:], uint32(len(b)-2*serialHeader))
	return b
}

// deserialize is a reader of a type in NDR Type Serialization 1, which may have padding behind it.
func deserialize(b []byte) (*ndr.Reader, error) {
	if len(b) < 2*serialHeader || b[0] != 1 || b[1] != 0x10 || binary.LittleEndian.Uint16(b[2:]) != serialHeader {
		return nil, malformed("no serialized type")
	}
	size := binary.LittleEndian.Uint32(b[serialHeader:])
	b = b[2*serialHeader:]
	if uint64(size) > uint64(len(b)) {
		return nil, malformed("a serialized type of %d bytes in %d", size, len(b))
	}
	return ndr.NewReader(b[:size], false), nil
}

// property is one activation property, serialized.
type property struct {
	class rpc.UUID
	data  []byte
}

// appendProperties writes an activation properties BLOB (MS-DCOM section 2.2.22).
func appendProperties(list []property) []byte {
	var all []byte
	for _, p := range list {
		all = append(all, p.data...)
	}
	header := customHeaderOf(list, 0, 0)
	header = customHeaderOf(list, len(header), len(header)+len(all)) // of the same length
	out := binary.LittleEndian.AppendUint32(nil, uint32(len(header)+len(all)))
	out = binary.LittleEndian.AppendUint32(out, 0)
	return append(append(out, header...), all...)
}

// customHeaderOf writes a CustomHeader (MS-DCOM section 2.2.22.1).
func customHeaderOf(list []property, headerSize, totalSize int) []byte {
	return serialize(func(w *ndr.Writer) {
		w.U32(uint32(totalSize))
		w.U32(uint32(headerSize))
		w.U32(0)
		w.U32(otherMachine)
		w.U32(uint32(len(list)))
		w.UUID(rpc.UUID{})
		w.Pointer(true)
		w.Pointer(true)
		w.Pointer(false)
		w.Count(len(list))
		for _, p := range list {
			w.UUID(p.class)
		}
		w.Count(len(list))
		for _, p := range list {
			w.U32(uint32(len(p.data)))
		}
	})
}

// parseProperties reads an activation properties BLOB. What it returns lies in b. Of several properties of one class
// the last one counts.
func parseProperties(b []byte) (map[rpc.UUID][]byte, error) {
	if len(b) < 8 {
		return nil, malformed("activation properties of %d bytes", len(b))
	}
	if size := binary.LittleEndian.Uint32(b); uint64(size) > uint64(len(b)-8) {
		return nil, malformed("activation properties of %d bytes in %d", size, len(b))
	}
	b = b[8:]
	r, err := deserialize(b)
	if err != nil {
		return nil, err
	}
	r.U32()
	headerSize := r.U32()
	r.U32()
	r.U32()
	count := r.U32()
	r.UUID()
	r.Ref()
	r.Ref()
	reserved := r.Pointer()
	if count == 0 || count > maxProperties {
		return nil, malformed("%d activation properties", count)
	}
	classes := readUUIDs(r, count, maxProperties)
	sizes := make([]uint32, r.ElementsAre(count, 4, maxProperties))
	for i := range sizes {
		sizes[i] = r.U32()
	}
	if reserved {
		r.U32()
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return slice(b, headerSize, classes, sizes)
}

// slice cuts properties out of what follows a header.
func slice(b []byte, headerSize uint32, classes []rpc.UUID, sizes []uint32) (map[rpc.UUID][]byte, error) {
	if uint64(headerSize) > uint64(len(b)) {
		return nil, malformed("a header of activation properties of %d bytes in %d", headerSize, len(b))
	}
	b = b[headerSize:]
	list := make(map[rpc.UUID][]byte, len(classes))
	for i, size := range sizes {
		if uint64(size) > uint64(len(b)) {
			return nil, malformed("an activation property of %d bytes in %d", size, len(b))
		}
		list[classes[i]] = b[:size]
		b = b[size:]
	}
	return list, nil
}

// readProperties reads a unique pointer to an MInterfacePointer that holds activation properties; nil is NULL.
func readProperties(r *ndr.Reader, class rpc.UUID) map[rpc.UUID][]byte {
	if !r.Pointer() {
		return nil
	}
	raw := readInterfacePointer(r)
	if r.Err() != nil {
		return nil
	}
	ref, err := parseCustom(raw, class)
	if err != nil {
		r.Fail("%v", err)
		return nil
	}
	list, err := parseProperties(ref.data)
	if err != nil {
		r.Fail("%v", err)
		return nil
	}
	return list
}

// check makes a reader fail with an error of something inside of what it reads.
func check(r *ndr.Reader, err error) {
	if err != nil {
		r.Fail("%v", err)
	}
}
