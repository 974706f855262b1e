package adcstest

import (
	"github.com/adcskit/adcskit/internal/ndr"
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
			mgmtInqIfIDs: func(c *callContext, r *ndr.Reader) ([]byte, error) {
				ids := []rpc.Syntax{mgmtSyntax()}
				for _, i := range others {
					if !i.off() {
						ids = append(ids, i.syntax)
					}
				}
				return encodeIfIDs(ids, c.wide), c.checkTrailer(r.Offset())
			},
			mgmtIsServerListening: func(c *callContext, r *ndr.Reader) ([]byte, error) {
				w := ndr.NewWriter(c.wide, 64)
				w.U32(0) // status
				w.U32(1) // TRUE
				return w.Stub(), c.checkTrailer(r.Offset())
			},
		},
	}
}

// encodeIfIDs encodes the result of rpc_mgmt_inq_if_ids (MS-RPCE section 2.2.1.3.1).
func encodeIfIDs(ids []rpc.Syntax, wide bool) []byte {
	w := ndr.NewWriter(wide, 512)
	w.Pointer(true)
	w.Count(len(ids)) // conformance of the vector
	w.U32(uint32(len(ids)))
	for range ids {
		w.Pointer(true)
	}
	for _, id := range ids {
		w.UUID(id.UUID)
		w.U16(id.Major)
		w.U16(id.Minor)
	}
	w.U32(0)
	return w.Stub()
}
