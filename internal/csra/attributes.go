package csra

import "encoding/binary"

// Attribute is an attribute of a request (MS-CSRA section 2.2.1.8).
type Attribute struct{ Name, Value string }

// Extension is an extension of a request or certificate (MS-CSRA section 2.2.1.9).
type Extension struct {
	Name  string // the OID in dotted form
	Flags uint32 // bit 0: critical; bit 1: disabled; the upper half says where it comes from
	Value []byte // DER
}

const (
	attributeSize = 8  // CERTTRANSDBATTRIBUTE
	extensionSize = 16 // CERTTRANSDBEXTENSION

	// maxElements bounds what one call of EnumAttributesOrExtensions returns.
	maxElements = 4096
	// maxAttribute bounds a name or value of an attribute, in UTF-16 code units; a CA's database takes 4096.
	maxAttribute = 8192
	// maxAttributes bounds all the texts of one answer together, in UTF-16 code units: what an offset points to counts
	// each time.
	maxAttributes = 1 << 20
)

// EncodeAttributes is the content of pctbOut for attributes (section 2.2.1.8.1).
func EncodeAttributes(attributes []Attribute) []byte {
	t := newTable(attributeSize * len(attributes))
	for _, a := range attributes {
		t.text(a.Name)
		t.text(a.Value)
	}
	return t.bytes()
}

// DecodeAttributes reads the content of pctbOut: as many attributes as pceltFetched says.
func DecodeAttributes(b []byte, count uint32) ([]Attribute, error) {
	if count > maxElements || uint64(count)*attributeSize > uint64(len(b)) {
		return nil, malformed("%d attributes in %d bytes", count, len(b))
	}
	left := maxAttributes
	attributes := make([]Attribute, 0, count)
	for i := range count {
		at := b[i*attributeSize:]
		var pair [2]string
		for n := range pair {
			text, err := textAt(b, binary.LittleEndian.Uint32(at[4*n:]), count*attributeSize, min(maxAttribute, left))
			if err != nil {
				return nil, err
			}
			pair[n], left = text, left-len(text)
			if left < 0 {
				return nil, malformed("attributes of more than %d characters", maxAttributes)
			}
		}
		attributes = append(attributes, Attribute{pair[0], pair[1]})
	}
	return attributes, nil
}

// EncodeExtensions is the content of pctbOut for extensions (section 2.2.1.9.1).
func EncodeExtensions(extensions []Extension) []byte {
	t := newTable(extensionSize * len(extensions))
	for _, e := range extensions {
		t.text(e.Name)
		t.number(e.Flags)
		t.number(uint32(len(e.Value)))
		t.bytesAt(e.Value)
	}
	return t.bytes()
}

// DecodeExtensions reads the content of pctbOut: as many extensions as pceltFetched says. The values lie in b.
func DecodeExtensions(b []byte, count uint32) ([]Extension, error) {
	if count > maxElements || uint64(count)*extensionSize > uint64(len(b)) {
		return nil, malformed("%d extensions in %d bytes", count, len(b))
	}
	extensions := make([]Extension, 0, count)
	for i := range count {
		at := b[i*extensionSize:]
		name, err := textAt(b, binary.LittleEndian.Uint32(at), count*extensionSize, maxColumnName)
		if err != nil {
			return nil, err
		}
		e := Extension{Name: name, Flags: binary.LittleEndian.Uint32(at[4:])}
		length, begin := uint64(binary.LittleEndian.Uint32(at[8:])), uint64(binary.LittleEndian.Uint32(at[12:]))
		if length > 0 {
			if begin%4 != 0 || begin < uint64(count)*extensionSize || begin+length > uint64(len(b)) {
				return nil, malformed("%d bytes at %d of %d", length, begin, len(b))
			}
			e.Value = b[begin : begin+length : begin+length]
		}
		extensions = append(extensions, e)
	}
	return extensions, nil
}
