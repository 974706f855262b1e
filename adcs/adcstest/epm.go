package adcstest

import (
	"encoding/binary"
	"net/netip"

	"github.com/adcskit/adcskit/internal/rpc"
)

// The endpoint mapper (C706 appendix O, MS-RPCE section 2.2.1.2). It is asked without authentication, as everywhere,
// though it takes any.

const (
	eptLookup     = 2
	eptMap        = 3
	eptHandleFree = 4

	eptMaxTowerSize = 2000 // range of twr_t, MS-RPCE section 2.2.1.2.2
	eptMaxEntries   = 500  // range of max_ents and max_towers
	eptAnnotation   = "MS ICPR (Certificate Services)\x00"
)

// eptEntry is one row of the endpoint map.
type eptEntry struct {
	tower      rpc.Tower
	annotation string
}

// endpoints is the endpoint map as a client sees it that has connected to addr.
func (s *Server) endpoints(addr netip.Addr) []eptEntry {
	if s.interfaceOff.Load() {
		return nil
	}
	t := rpc.Tower{Interface: rpc.ICertPassage(), Transfer: rpc.NDR(), Port: s.ca.port, Addr: addr}
	list := []eptEntry{{tower: t, annotation: eptAnnotation}}
	if !s.opts.Wire.NoNDR64 {
		t.Transfer = rpc.NDR64()
		list = append(list, eptEntry{tower: t, annotation: eptAnnotation})
	}
	return list
}

// handleMap serves ept_map.
func (s *Server) handleMap(c *callContext, r *ndrReader) ([]byte, error) {
	if r.long() != 0 {
		r.uuid() // an interface without objects serves every object
	}
	var question []byte
	given := r.long() != 0
	if given {
		limit := r.long()
		size := r.u32()
		if size > eptMaxTowerSize || uint64(size) != limit {
			return nil, errStub
		}
		question = r.take(uint64(size))
	}
	handle, limit := r.handle(), r.u32()
	if r.err != nil || limit > eptMaxEntries {
		return nil, errStub
	}
	if err := c.checkTrailer(r.at); err != nil {
		return nil, err
	}
	var found []eptEntry
	if asked, err := rpc.ParseTower(question); err == nil && given && asked.Pipe == "" {
		for _, e := range s.endpoints(c.local) {
			if e.tower.Transfer == asked.Transfer && compatible(e.tower.Interface, asked.Interface) {
				found = append(found, e)
			}
		}
	}
	page, next, err := pageOf(found, handle, limit)
	if err != nil {
		return nil, err
	}
	return encodeMap(page, next, limit, c.wide), nil
}

func encodeMap(page []eptEntry, next contextHandle, limit uint32, wide bool) []byte {
	w := &ndrWriter{wide: wide}
	w.handle(next)
	w.u32(uint32(len(page)))
	w.long(uint64(limit))
	w.long(0)
	w.long(uint64(len(page)))
	for range page {
		w.pointer(false)
	}
	w.towers(page)
	w.u32(eptStatus(page))
	return w.b
}

func (w *ndrWriter) towers(page []eptEntry) {
	for _, e := range page {
		octets := e.tower.Append(nil)
		w.structure()
		w.long(uint64(len(octets)))
		w.u32(uint32(len(octets)))
		w.b = append(w.b, octets...)
	}
}

func eptStatus(page []eptEntry) uint32 {
	if len(page) == 0 {
		return uint32(rpc.StatusNotRegistered)
	}
	return 0
}

// Inquiry types and version options of ept_lookup (MS-RPCE section 2.2.1.2.4).
const (
	inquiryAll    = 0
	inquiryIf     = 1
	inquiryObject = 2
	inquiryBoth   = 3

	versionAll        = 1
	versionCompatible = 2
	versionExact      = 3
	versionMajorOnly  = 4
	versionUpTo       = 5
)

// handleLookup serves ept_lookup.
func (s *Server) handleLookup(c *callContext, r *ndrReader) ([]byte, error) {
	inquiry := r.u32()
	if r.long() != 0 {
		r.uuid()
	}
	var iface rpc.Syntax
	given := r.long() != 0
	if given {
		iface.UUID = r.uuid()
		if v := r.take(4); v != nil {
			iface.Major, iface.Minor = binary.LittleEndian.Uint16(v), binary.LittleEndian.Uint16(v[2:])
		}
	}
	option, handle, limit := r.u32(), r.handle(), r.u32()
	if r.err != nil || limit > eptMaxEntries {
		return nil, errStub
	}
	if err := c.checkTrailer(r.at); err != nil {
		return nil, err
	}
	var found []eptEntry
	for _, e := range s.endpoints(c.local) {
		switch inquiry {
		case inquiryAll:
			found = append(found, e)
		case inquiryIf, inquiryBoth: // interfaces without objects match every object
			if given && versionMatches(option, e.tower.Interface, iface) {
				found = append(found, e)
			}
		}
	}
	page, next, err := pageOf(found, handle, limit)
	if err != nil {
		return nil, err
	}
	return encodeLookup(page, next, limit, c.wide), nil
}

func encodeLookup(page []eptEntry, next contextHandle, limit uint32, wide bool) []byte {
	w := &ndrWriter{wide: wide}
	w.handle(next)
	w.u32(uint32(len(page)))
	w.long(uint64(limit))
	w.long(0)
	w.long(uint64(len(page)))
	for _, e := range page {
		w.structure()
		w.b = append(w.b, make([]byte, 16)...) // no object
		w.pointer(false)
		w.long(0)
		w.long(uint64(len(e.annotation)))
		w.b = append(w.b, e.annotation...)
	}
	w.towers(page)
	w.u32(eptStatus(page))
	return w.b
}

// handleFree serves ept_lookup_handle_free.
func (s *Server) handleFree(c *callContext, r *ndrReader) ([]byte, error) {
	handle := r.handle()
	if r.err != nil {
		return nil, errStub
	}
	if err := c.checkTrailer(r.at); err != nil {
		return nil, err
	}
	if _, err := handle.position(); err != nil {
		return nil, err
	}
	w := &ndrWriter{wide: c.wide}
	w.handle(contextHandle{})
	w.u32(0)
	return w.b, nil
}

// eptHandleMark makes the server's own handles recognizable. A handle is only a position in the list, so that
// the server keeps nothing for a client that never comes back.
const eptHandleMark = 0x61646373

// position is where a look-up goes on.
func (h contextHandle) position() (uint32, error) {
	if h == (contextHandle{}) {
		return 0, nil
	}
	at := binary.LittleEndian.Uint32(h.id[:])
	if h != handleAt(at) {
		return 0, rpc.StatusContextMismatch
	}
	return at, nil
}

func handleAt(at uint32) (h contextHandle) {
	binary.LittleEndian.PutUint32(h.id[:], at)
	binary.LittleEndian.PutUint32(h.id[4:], eptHandleMark)
	return h
}

// pageOf is the part of a list that one answer has room for, and the handle for the rest.
func pageOf(list []eptEntry, h contextHandle, limit uint32) ([]eptEntry, contextHandle, error) {
	at, err := h.position()
	if err != nil {
		return nil, contextHandle{}, err
	}
	list = list[min(int(at), len(list)):]
	if int(limit) < len(list) {
		return list[:limit], handleAt(at + limit), nil
	}
	return list, contextHandle{}, nil
}

// compatible says whether a server of interface "have" serves a client that wants "want".
func compatible(have, want rpc.Syntax) bool {
	return have.UUID == want.UUID && have.Major == want.Major && have.Minor >= want.Minor
}

func versionMatches(option uint32, have, want rpc.Syntax) bool {
	if have.UUID != want.UUID {
		return false
	}
	switch option {
	case versionAll:
		return true
	case versionCompatible:
		return compatible(have, want)
	case versionExact:
		return have == want
	case versionMajorOnly:
		return have.Major == want.Major
	case versionUpTo:
		return have.Major < want.Major || have.Major == want.Major && have.Minor <= want.Minor
	}
	return false
}
