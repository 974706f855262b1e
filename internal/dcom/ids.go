package dcom

import (
	"encoding/binary"

	"github.com/adcskit/adcskit/internal/rpc"
)

func guid(a uint32, b, c uint16, d [8]byte) rpc.UUID {
	var u rpc.UUID
	binary.LittleEndian.PutUint32(u[0:], a)
	binary.LittleEndian.PutUint16(u[4:], b)
	binary.LittleEndian.PutUint16(u[6:], c)
	copy(u[8:], d[:])
	return u
}

// ole is an identifier of the family 0000xxxx-0000-0000-c000-000000000046.
func ole(n uint32) rpc.UUID { return guid(n, 0, 0, [8]byte{0xc0, 0, 0, 0, 0, 0, 0, 0x46}) }

// certsrv is an identifier of the family d99e6exx-fc88-11d0-b498-00a0c90312f3.
func certsrv(n uint32) rpc.UUID {
	return guid(0xd99e6e00+n, 0xfc88, 0x11d0, [8]byte{0xb4, 0x98, 0, 0xa0, 0xc9, 0x03, 0x12, 0xf3})
}

// Interface is the RPC interface of an IID: the version of all of them is 0.0 (MS-DCOM section 2.1).
func Interface(iid rpc.UUID) rpc.Syntax { return rpc.Syntax{UUID: iid} }

// IObjectExporter is the interface of the object resolver (MS-DCOM section 1.9).
func IObjectExporter() rpc.UUID {
	return guid(0x99fcfec4, 0x5260, 0x101b, [8]byte{0xbb, 0xcb, 0, 0xaa, 0, 0x21, 0x34, 0x7a})
}

// IActivation is the interface that makes objects (MS-DCOM section 1.9).
func IActivation() rpc.UUID {
	return guid(0x4d9f4ab8, 0x7d1c, 0x11cf, [8]byte{0x86, 0x1e, 0, 0x20, 0xaf, 0x6e, 0x7c, 0x57})
}

// IRemoteSCMActivator is the other interface that makes objects (MS-DCOM section 1.9).
func IRemoteSCMActivator() rpc.UUID { return ole(0x1a0) }

// IUnknown is the interface that every object has (MS-DCOM section 1.9).
func IUnknown() rpc.UUID { return ole(0) }

// IRemUnknown is the interface that counts references (MS-DCOM section 1.9).
func IRemUnknown() rpc.UUID { return ole(0x131) }

// IRemUnknown2 extends IRemUnknown (MS-DCOM section 1.9).
func IRemUnknown2() rpc.UUID { return ole(0x143) }

// ClassCertRequest is the class of the object that takes certification requests (MS-WCCE section 1.9).
func ClassCertRequest() rpc.UUID { return certsrv(0x74) }

// ICertRequestD is its first interface (MS-WCCE section 3.2.1.4.2).
func ICertRequestD() rpc.UUID { return certsrv(0x70) }

// ICertRequestD2 is its second interface, which extends the first (MS-WCCE section 3.2.1.4.3).
func ICertRequestD2() rpc.UUID {
	return guid(0x5422fd3a, 0xd4b8, 0x4cef, [8]byte{0xa1, 0x2e, 0xe8, 0x7d, 0x4c, 0xa2, 0x2e, 0x90})
}

// The class identifiers of activation properties and what carries them (MS-DCOM section 1.9).
func classActivationContextInfo() rpc.UUID   { return ole(0x1a5) }
func classActivationPropertiesIn() rpc.UUID  { return ole(0x338) }
func classActivationPropertiesOut() rpc.UUID { return ole(0x339) } // of PropsOutInfo too
func classContextMarshaler() rpc.UUID        { return ole(0x33b) }
func classInstantiationInfo() rpc.UUID       { return ole(0x1ab) }
func classScmReplyInfo() rpc.UUID            { return ole(0x1b6) }
func classScmRequestInfo() rpc.UUID          { return ole(0x1aa) }
func classServerLocationInfo() rpc.UUID      { return ole(0x1a4) }
func iActivationPropertiesIn() rpc.UUID      { return ole(0x1a2) }
func iActivationPropertiesOut() rpc.UUID     { return ole(0x1a3) }
func iContext() rpc.UUID                     { return ole(0x1c0) }

// Protocol sequences (C706 appendix I) and where the object resolver listens.
const (
	TowerTCP  = 7
	TowerPipe = 15
)

// Operation numbers of IObjectExporter (MS-DCOM section 3.1.2.5.1), IActivation (3.1.2.5.2.1), IRemoteSCMActivator
// (3.1.2.5.2.2), and IRemUnknown (3.1.1.5.6.1).
const (
	OpResolveOxid          = 0
	OpSimplePing           = 1
	OpComplexPing          = 2
	OpServerAlive          = 3
	OpResolveOxid2         = 4
	OpServerAlive2         = 5
	OpRemoteActivation     = 0
	OpRemoteCreateInstance = 4
	OpRemQueryInterface    = 3
	OpRemAddRef            = 4
	OpRemRelease           = 5
)

// Operation numbers of ICertRequestD and ICertRequestD2 (MS-WCCE sections 3.2.1.4.2 and 3.2.1.4.3).
const (
	OpRequest           = 3
	OpGetCACert         = 4
	OpPing              = 5
	OpRequest2          = 6
	OpGetCAProperty     = 7
	OpGetCAPropertyInfo = 8
	OpPing2             = 9
)
