package adcstest

import (
	"encoding/binary"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/adtype"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

const (
	maxPACBuffers  = 64
	pacBufferSize  = 16
	pacUPNDNSInfo  = 12 // the type of the buffer (MS-PAC section 2.4)
	upnDNSHasSID   = 0x02
	upnDNSInfoSize = 20
)

// pacSID is the user's SID as the PAC of a ticket has it in UPN_DNS_INFO (MS-PAC section 2.10), where domain
// controllers have put it since 2021; "" without one. The PAC is inside of the ticket, which only the KDC can have
// made: its signatures add nothing for the service itself.
func pacSID(data types.AuthorizationData) string {
	for _, outer := range data {
		var list types.AuthorizationData
		if outer.ADType != adtype.ADIfRelevant || guard(func() error { return list.Unmarshal(outer.ADData) }) != nil {
			continue
		}
		for _, entry := range list {
			if entry.ADType == adtype.ADWin2KPAC {
				return sidOfPAC(entry.ADData)
			}
		}
	}
	return ""
}

// sidOfPAC finds the buffer.
func sidOfPAC(pac []byte) string {
	le := binary.LittleEndian
	if len(pac) < 8 || le.Uint32(pac) > maxPACBuffers {
		return ""
	}
	for i := range int(le.Uint32(pac)) {
		at := 8 + i*pacBufferSize
		if at+pacBufferSize > len(pac) {
			return ""
		}
		size, offset := uint64(le.Uint32(pac[at+4:])), le.Uint64(pac[at+8:])
		if le.Uint32(pac[at:]) == pacUPNDNSInfo && offset <= uint64(len(pac)) && size <= uint64(len(pac))-offset {
			return sidOfUPNDNSInfo(pac[offset : offset+size])
		}
	}
	return ""
}

func sidOfUPNDNSInfo(b []byte) string {
	le := binary.LittleEndian
	if len(b) < upnDNSInfoSize || le.Uint32(b[8:])&upnDNSHasSID == 0 {
		return ""
	}
	size, offset := int(le.Uint16(b[16:])), int(le.Uint16(b[18:]))
	if offset+size > len(b) {
		return ""
	}
	sid, err := adcsasn1.ParseSIDBytes(b[offset : offset+size])
	if err != nil {
		return ""
	}
	return sid.String()
}
