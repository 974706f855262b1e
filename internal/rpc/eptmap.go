package rpc

import "encoding/binary"

// EptMapOpnum is the operation number of ept_map (C706 appendix O).
const EptMapOpnum = 3

// mapTowers is how many towers ept_map is asked for, and the most that an answer may have.
const mapTowers = 16

// EncodeMapRequest is the stub of an ept_map call, in NDR 2.0: where is this interface, over TCP?
func EncodeMapRequest(iface Syntax) []byte {
	tower := (&Tower{Interface: iface, Transfer: NDR()}).Append(nil)
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 1)       // referent of obj
	b = append(b, make([]byte, 16)...) // obj: the nil UUID, as Windows sends it
	b = le.AppendUint32(b, 2)          // referent of map_tower
	b = le.AppendUint32(b, uint32(len(tower)))
	b = le.AppendUint32(b, uint32(len(tower)))
	b = append(b, tower...)
	b = append(b, make([]byte, -len(b)&3)...)
	b = append(b, make([]byte, 20)...) // entry_handle: a new look-up
	return le.AppendUint32(b, mapTowers)
}

// ParseMapResponse decodes the stub of ept_map's answer in NDR 2.0. Towers of protocols that are not understood are
// left out. A status that is not zero is the error, as a [Status].
func ParseMapResponse(stub []byte) ([]Tower, error) {
	c := &cursor{b: stub}
	c.take(20) // entry_handle
	num := c.u32()
	max, offset, actual := c.u32(), c.u32(), c.u32()
	if c.bad || offset != 0 || actual > max || num != actual || actual > mapTowers {
		return nil, malformed("ept_map answered with %d towers of %d at %d", actual, max, offset)
	}
	present := 0
	for range actual {
		if c.u32() != 0 {
			present++
		}
	}
	var towers []Tower
	for range present {
		c.align(4)
		size, length := c.u32(), c.u32()
		if c.bad || size != length || length > towerLimit {
			return nil, malformed("ept_map answered with a tower of %d bytes", length)
		}
		octets := c.take(int(length))
		if c.bad {
			return nil, malformed("ept_map's answer is cut off")
		}
		if t, err := ParseTower(octets); err == nil {
			towers = append(towers, *t)
		}
	}
	c.align(4)
	if status := Status(c.u32()); c.bad {
		return nil, malformed("ept_map's answer is cut off")
	} else if status != 0 {
		return nil, status
	}
	return towers, nil
}
