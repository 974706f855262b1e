package adcstest

import (
	"encoding/binary"

	"github.com/adcskit/adcskit/internal/rpc"
)

// The remote management interface (C706 appendix Q), which every RPC server on Windows has on each of its ports: tools
// ask it what else is there. Only the questions that reveal nothing are answered.

const (
	mgmtInqIfIDs          = 0
	mgmtIsServerListening = 2
)

// mgmtSyntax is mgmt v1.0.
func mgmtSyntax() rpc.Syntax {
	return rpc.Syntax{
		UUID:  rpc.UUID{0x80, 0xbd, 0xa8, 0xaf, 0x8a, 0x7d, 0xc9, 0x11, 0xbe, 0xf4, 0x08, 0, 0x2b, 0x10, 0x29, 0x89},
		Major: 1,
	}
}

// mgmtInterface is the management interface of a port that serves others.
func mgmtInterface(others []*rpcInterface) *rpcInterface {
	return &rpcInterface{
		syntax: mgmtSyntax(), minLevel: levelNone, off: func() bool { return false },
		methods: []method{
			mgmtInqIfIDs: func(c *callContext, r *ndrReader) ([]byte, error) {
				ids := []rpc.Syntax{mgmtSyntax()}
				for _, i := range others {
					if !i.off() {
						ids = append(ids, i.syntax)
					}
				}
				return encodeIfIDs(ids, c.wide), c.checkTrailer(r.at)
			},
			mgmtIsServerListening: func(c *callContext, r *ndrReader) ([]byte, error) {
				w := &ndrWriter{wide: c.wide}
				w.u32(0) // status
				w.u32(1) // TRUE
				return w.b, c.checkTrailer(r.at)
			},
		},
	}
}

// encodeIfIDs encodes the result of rpc_mgmt_inq_if_ids (MS-RPCE section 2.2.1.3.1).
func encodeIfIDs(ids []rpc.Syntax, wide bool) []byte {
	w := &ndrWriter{wide: wide}
	w.pointer(false)
	w.long(uint64(len(ids))) // conformance of the vector
	w.u32(uint32(len(ids)))
	for range ids {
		w.pointer(false)
	}
	for _, id := range ids {
		w.align(4)
		w.b = append(w.b, id.UUID[:]...)
		w.b = binary.LittleEndian.AppendUint16(w.b, id.Major)
		w.b = binary.LittleEndian.AppendUint16(w.b, id.Minor)
	}
	w.u32(0)
	return w.b
}
