package rpc

import (
	"encoding/binary"
	"net/netip"
)

// Protocol identifiers of tower floors (C706 appendix I, MS-RPCE section 2.2.1.2).
const (
	floorConnection = 0x0b // connection-oriented RPC
	floorUUID       = 0x0d
	floorTCP        = 0x07
	floorIP         = 0x09
	floorPipe       = 0x0f
	floorNetBIOS    = 0x11
)

// Tower is a protocol tower: how an interface is reached. Only connection-oriented RPC is understood.
type Tower struct {
	Interface Syntax
	Transfer  Syntax
	Port      uint16     // ncacn_ip_tcp; 0 in a question
	Addr      netip.Addr // IPv4; 0.0.0.0 in a question
	Pipe      string     // ncacn_np: \pipe\name; the tower is a TCP one when it is empty
	Computer  string     // ncacn_np: NetBIOS name
}

// towerLimit bounds one tower, in bytes, and the length of a floor side with it; real ones have about 75.
const towerLimit = 1024

// Append encodes the tower (C706 appendix L): five floors, each with its left and right side.
func (t *Tower) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, 5)
	for _, s := range []Syntax{t.Interface, t.Transfer} {
		left := append([]byte{floorUUID}, s.UUID[:]...)
		left = binary.LittleEndian.AppendUint16(left, s.Major)
		b = appendFloor(b, left, binary.LittleEndian.AppendUint16(nil, s.Minor))
	}
	b = appendFloor(b, []byte{floorConnection}, []byte{0, 0})
	if t.Pipe != "" {
		b = appendFloor(b, []byte{floorPipe}, append([]byte(t.Pipe), 0))
		return appendFloor(b, []byte{floorNetBIOS}, append([]byte(t.Computer), 0))
	}
	addr := [4]byte{}
	if t.Addr.Is4() {
		addr = t.Addr.As4()
	}
	b = appendFloor(b, []byte{floorTCP}, binary.BigEndian.AppendUint16(nil, t.Port))
	return appendFloor(b, []byte{floorIP}, addr[:])
}

func appendFloor(b, left, right []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(left)))
	b = append(b, left...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(right)))
	return append(b, right...)
}

// ParseTower decodes a tower of TCP or named pipe. Other towers, such as UDP or HTTP, are errors: a caller with a list
// of towers passes over them.
func ParseTower(b []byte) (*Tower, error) {
	if len(b) > towerLimit {
		return nil, malformed("tower of %d bytes", len(b))
	}
	c := &cursor{b: b}
	if n := c.u16(); n != 5 {
		return nil, malformed("tower of %d floors", n)
	}
	var left, right [5][]byte
	for i := range left {
		left[i] = c.take(int(c.u16()))
		right[i] = c.take(int(c.u16()))
	}
	if c.bad || c.left() != 0 {
		return nil, malformed("tower is cut off")
	}
	t := &Tower{}
	for i, s := range []*Syntax{&t.Interface, &t.Transfer} {
		if len(left[i]) != 19 || left[i][0] != floorUUID || len(right[i]) != 2 {
			return nil, malformed("floor %d of a tower is not an interface", i+1)
		}
		copy(s.UUID[:], left[i][1:])
		s.Major, s.Minor = binary.LittleEndian.Uint16(left[i][17:]), binary.LittleEndian.Uint16(right[i])
	}
	return t, t.address(left, right)
}

// address decodes the floors from the third on.
func (t *Tower) address(left, right [5][]byte) error {
	for i := 2; i < 5; i++ {
		if len(left[i]) != 1 {
			return malformed("floor %d of a tower is not understood", i+1)
		}
	}
	if left[2][0] != floorConnection {
		return malformed("tower of protocol %#02x", left[2][0])
	}
	switch {
	case left[3][0] == floorTCP && left[4][0] == floorIP && len(right[3]) == 2 && len(right[4]) == 4:
		t.Port = binary.BigEndian.Uint16(right[3])
		t.Addr = netip.AddrFrom4([4]byte(right[4]))
	case left[3][0] == floorPipe:
		if t.Pipe = cString(right[3]); t.Pipe == "" {
			return malformed("tower with a pipe that has no name")
		}
		t.Computer = cString(right[4])
	default:
		return malformed("tower of transport %#02x", left[3][0])
	}
	return nil
}

// cString is the text before the NUL.
func cString(b []byte) string {
	for i, ch := range b {
		if ch == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
