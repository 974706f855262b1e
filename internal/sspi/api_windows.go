package sspi

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// secHandle is CredHandle and CtxtHandle.
type secHandle struct{ lower, upper uintptr }

// secBuffer is SecBuffer.
type secBuffer struct {
	size uint32
	kind uint32
	data *byte
}

// secBufferDesc is SecBufferDesc.
type secBufferDesc struct {
	version uint32
	count   uint32
	buffers *secBuffer
}

// authIdentity is SEC_WINNT_AUTH_IDENTITY_EXW. Without a user it means the one of this process.
type authIdentity struct {
	version, length   uint32
	user              *uint16
	userLength        uint32
	domain            *uint16
	domainLength      uint32
	password          *uint16
	passwordLength    uint32
	flags             uint32
	packageList       *uint16
	packageListLength uint32
}

const (
	authIdentityVersion = 0x200
	authIdentityUnicode = 2

	credentialOutbound = 2
	nativeDRep         = 0x10

	attrSizes           = 0
	attrSessionKey      = 9
	attrNegotiationInfo = 12
	attrFlags           = 14

	statusOK                  = 0
	statusUnsupported         = 0x80090302
	statusContinueNeeded      = 0x00090312
	statusCompleteNeeded      = 0x00090313
	statusCompleteAndContinue = 0x00090314

	outBuffer = 1 << 16 // no package's tokens are larger
)

// System is the SSPI of this Windows.
func System() API {
	dll := windows.NewLazySystemDLL("secur32.dll")
	return &system{
		acquire: dll.NewProc("AcquireCredentialsHandleW"), initialize: dll.NewProc("InitializeSecurityContextW"),
		complete: dll.NewProc("CompleteAuthToken"), query: dll.NewProc("QueryContextAttributesW"),
		encrypt: dll.NewProc("EncryptMessage"), decrypt: dll.NewProc("DecryptMessage"),
		sign: dll.NewProc("MakeSignature"), verify: dll.NewProc("VerifySignature"),
		freeBuffer: dll.NewProc("FreeContextBuffer"), freeCredential: dll.NewProc("FreeCredentialsHandle"),
		deleteContext: dll.NewProc("DeleteSecurityContext"),
	}
}

// system is secur32.dll.
type system struct {
	acquire, initialize, complete, query, encrypt, decrypt, sign, verify *windows.LazyProc
	freeBuffer, freeCredential, deleteContext                            *windows.LazyProc
}

// call calls a function that returns a SECURITY_STATUS, or a code for a function that is not there.
//
//go:uintptrescapes
func call(proc *windows.LazyProc, args ...uintptr) Status {
	if proc.Find() != nil {
		return statusUnsupported
	}
	status, _, _ := proc.Call(args...)
	return Status(uint32(status))
}

// Acquire takes the credential of this process.
func (s *system) Acquire(p Package, noNTLM bool) (Credential, error) {
	name, err := windows.UTF16PtrFromString(string(p))
	if err != nil {
		return nil, err
	}
	var identity *authIdentity
	if noNTLM && p == Negotiate {
		list, err := windows.UTF16FromString("!ntlm")
		if err != nil {
			return nil, err
		}
		identity = &authIdentity{
			version: authIdentityVersion, length: uint32(unsafe.Sizeof(authIdentity{})), flags: authIdentityUnicode,
			packageList: &list[0], packageListLength: uint32(len(list) - 1),
		}
	}
	c := &credential{s: s}
	var expiry int64
	status := call(s.acquire, 0, uintptr(unsafe.Pointer(name)), credentialOutbound, 0, uintptr(unsafe.Pointer(identity)), 0, 0,
		uintptr(unsafe.Pointer(&c.handle)), uintptr(unsafe.Pointer(&expiry)))
	if status != statusOK {
		return nil, failed("credential of this process for "+string(p), status)
	}
	return c, nil
}
