package adcstest

import (
	"encoding/binary"
	"net/netip"

	"github.com/adcskit/adcskit/internal/ndr"
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
func (s *Server) handleMap(c *callContext, r *ndr.Reader) ([]byte, error) {
	if r.Pointer() {
		r.UUID() // an interface without objects serves every object
	}
	var question []byte
	given := r.Pointer()
	if given {
		limit := r.Count()
		size := r.U32()
		if size > eptMaxTowerSize || uint64(size) != limit {
			return nil, errStub
		}
		question = r.Bytes(uint64(size))
	}
	handle, limit := r.Handle(), r.U32()
	if r.Err() != nil || limit > eptMaxEntries {
		return nil, errStub
	}
	if err := c.checkTrailer(r.Offset()); err != nil {
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

func encodeMap(page []eptEntry, next ndr.Handle, limit uint32, wide bool) []byte {
	w := ndr.NewWriter(wide, 512)
	w.Handle(next)
	w.U32(uint32(len(page)))
	w.Count(int(limit))
	w.Count(0)
	w.Count(len(page))
	for range page {
		w.Pointer(true)
	}
	writeTowers(w, page)
	w.U32(eptStatus(page))
	return w.Stub()
}

func writeTowers(w *ndr.Writer, page []eptEntry) {
	for _, e := range page {
		octets := e.tower.Append(nil)
		w.Structure()
		w.Count(len(octets))
		w.U32(uint32(len(octets)))
		w.Bytes(octets)
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
func (s *Server) handleLookup(c *callContext, r *ndr.Reader) ([]byte, error) {
	inquiry := r.U32()
	if r.Pointer() {
		r.UUID()
	}
	var iface rpc.Syntax
	given := r.Pointer()
	if given {
		iface.UUID = r.UUID()
		iface.Major, iface.Minor = r.U16(), r.U16()
	}
	option, handle, limit := r.U32(), r.Handle(), r.U32()
	if r.Err() != nil || limit > eptMaxEntries {
		return nil, errStub
	}
	if err := c.checkTrailer(r.Offset()); err != nil {
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

func encodeLookup(page []eptEntry, next ndr.Handle, limit uint32, wide bool) []byte {
	w := ndr.NewWriter(wide, 512)
	w.Handle(next)
	w.U32(uint32(len(page)))
	w.Count(int(limit))
	w.Count(0)
	w.Count(len(page))
	for _, e := range page {
		w.Structure()
		w.UUID(rpc.UUID{}) // no object
		w.Pointer(true)
		w.Count(0)
		w.Count(len(e.annotation))
		w.Bytes([]byte(e.annotation))
	}
	writeTowers(w, page)
	w.U32(eptStatus(page))
	return w.Stub()
}

// handleFree serves ept_lookup_handle_free.
func (s *Server) handleFree(c *callContext, r *ndr.Reader) ([]byte, error) {
	handle := r.Handle()
	if r.Err() != nil {
		return nil, errStub
	}
	if err := c.checkTrailer(r.Offset()); err != nil {
		return nil, err
	}
	if _, err := position(handle); err != nil {
		return nil, err
	}
	w := ndr.NewWriter(c.wide, 64)
	w.Handle(ndr.Handle{})
	w.U32(0)
	return w.Stub(), nil
}

// eptHandleMark makes the server's own handles recognizable. A handle is only a position in the list, so that
// the server keeps nothing for a client that never comes back.
const eptHandleMark = 0x61646373

// position is where a look-up goes on.
func position(h ndr.Handle) (uint32, error) {
	if h == (ndr.Handle{}) {
		return 0, nil
	}
	at := binary.LittleEndian.Uint32(h.ID[:])
	if h != handleAt(at) {
		return 0, rpc.StatusContextMismatch
	}
	return at, nil
}

func handleAt(at uint32) (h ndr.Handle) {
	binary.LittleEndian.PutUint32(h.ID[:], at)
	binary.LittleEndian.PutUint32(h.ID[4:], eptHandleMark)
	return h
}

// pageOf is the part of a list that one answer has room for, and the handle for the rest.
func pageOf(list []eptEntry, h ndr.Handle, limit uint32) ([]eptEntry, ndr.Handle, error) {
	at, err := position(h)
	if err != nil {
		return nil, ndr.Handle{}, err
	}
	list = list[min(int(at), len(list)):]
	if int(limit) < len(list) {
		return list[:limit], handleAt(at + limit), nil
	}
	return list, ndr.Handle{}, nil
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
