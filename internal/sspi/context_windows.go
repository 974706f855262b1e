package sspi

import (
	"bytes"
	"unsafe"

	"golang.org/x/sys/windows"
)

// credential is a CredHandle.
type credential struct {
	s      *system
	handle secHandle
}

// Free gives the handle back.
func (c *credential) Free() { call(c.s.freeCredential, uintptr(unsafe.Pointer(&c.handle))) }

// context is a CtxtHandle.
type context struct {
	s      *system
	cred   *credential
	target *uint16
	flags  uint32
	handle secHandle
	begun  bool // handle is one
}

// Begin makes a security context and the first token.
func (c *credential) Begin(target string, flags uint32) (Context, Leg) {
	x := &context{s: c.s, cred: c, flags: flags}
	var err error
	if x.target, err = windows.UTF16PtrFromString(target); err != nil {
		return x, Leg{Status: statusTargetUnknown}
	}
	return x, x.step(nil)
}

// Continue takes the token of the server.
func (x *context) Continue(token []byte) Leg { return x.step(token) }

// Free gives the handle back.
func (x *context) Free() {
	if x.begun {
		call(x.s.deleteContext, uintptr(unsafe.Pointer(&x.handle)))
	}
}

// step is InitializeSecurityContext. The first time there is neither a context nor a token.
func (x *context) step(token []byte) Leg {
	var have *secHandle
	var in *secBufferDesc
	if x.begun {
		have = &x.handle
		in = descriptor([]Part{{PartToken, token}})
	}
	out := make([]byte, outBuffer)
	outDesc := descriptor([]Part{{PartToken, out}})
	var attributes uint32
	var expiry int64
	status := call(x.s.initialize, uintptr(unsafe.Pointer(&x.cred.handle)), uintptr(unsafe.Pointer(have)),
		uintptr(unsafe.Pointer(x.target)), uintptr(x.flags), 0, nativeDRep, uintptr(unsafe.Pointer(in)), 0,
		uintptr(unsafe.Pointer(&x.handle)), uintptr(unsafe.Pointer(outDesc)), uintptr(unsafe.Pointer(&attributes)),
		uintptr(unsafe.Pointer(&expiry)))
	leg := Leg{Flags: attributes}
	switch status {
	case statusOK, statusCompleteNeeded:
		leg.Done = true
	case statusContinueNeeded, statusCompleteAndContinue:
	default:
		leg.Status = status
		return leg
	}
	x.begun = true
	if status == statusCompleteNeeded || status == statusCompleteAndContinue {
		done := call(x.s.complete, uintptr(unsafe.Pointer(&x.handle)), uintptr(unsafe.Pointer(outDesc)))
		if done != statusOK {
			leg.Done, leg.Status = false, done
			return leg
		}
	}
	if leg.Done {
		leg.Flags |= x.attributes()
	}
	leg.Token = bytes.Clone(out[:min(int(outDesc.buffers.size), len(out))])
	return leg
}

// attributes are the flags of a complete context: there are systems that do not return them with the last token.
func (x *context) attributes() uint32 {
	var flags uint32
	if call(x.s.query, uintptr(unsafe.Pointer(&x.handle)), attrFlags, uintptr(unsafe.Pointer(&flags))) != statusOK {
		return 0
	}
	return flags
}

// descriptor makes a SecBufferDesc. What it points to is on the heap, and is kept alive by it.
func descriptor(parts []Part) *secBufferDesc {
	buffers := make([]secBuffer, len(parts))
	for i, p := range parts {
		buffers[i] = secBuffer{size: uint32(len(p.Data)), kind: p.Type, data: unsafe.SliceData(p.Data)}
	}
	return &secBufferDesc{count: uint32(len(buffers)), buffers: unsafe.SliceData(buffers)}
}

// Protect runs EncryptMessage, DecryptMessage, MakeSignature or VerifySignature.
func (x *context) Protect(op Operation, parts []Part) (int, error) {
	desc := descriptor(parts)
	var status Status
	var quality uint32
	switch op {
	case Encrypt:
		status = call(x.s.encrypt, uintptr(unsafe.Pointer(&x.handle)), 0, uintptr(unsafe.Pointer(desc)), 0)
	case Decrypt:
		status = call(x.s.decrypt, uintptr(unsafe.Pointer(&x.handle)), uintptr(unsafe.Pointer(desc)), 0,
			uintptr(unsafe.Pointer(&quality)))
	case Sign:
		status = call(x.s.sign, uintptr(unsafe.Pointer(&x.handle)), 0, uintptr(unsafe.Pointer(desc)), 0)
	case Verify:
		status = call(x.s.verify, uintptr(unsafe.Pointer(&x.handle)), uintptr(unsafe.Pointer(desc)), 0,
			uintptr(unsafe.Pointer(&quality)))
	}
	if status != statusOK {
		return 0, status
	}
	if op == Decrypt && quality == wrapNoEncrypt {
		return 0, statusMessageAltered // signed, but not encrypted
	}
	buffers := unsafe.Slice(desc.buffers, len(parts))
	for i, p := range parts {
		if p.Type == PartToken {
			return int(buffers[i].size), nil
		}
	}
	return 0, nil
}

// wrapNoEncrypt is SECQOP_WRAP_NO_ENCRYPT: a message that only looks like an encrypted one.
const wrapNoEncrypt = 0x80000001

// Sizes are those of SecPkgContext_Sizes.
func (x *context) Sizes() (signature, trailer int, err error) {
	var sizes struct{ maxToken, maxSignature, blockSize, trailer uint32 }
	status := call(x.s.query, uintptr(unsafe.Pointer(&x.handle)), attrSizes, uintptr(unsafe.Pointer(&sizes)))
	if status != statusOK {
		return 0, 0, status
	}
	return int(sizes.maxSignature), int(sizes.trailer), nil
}

// packageInfo is SecPkgInfoW.
type packageInfo struct {
	capabilities  uint32
	version, rpc  uint16
	maxToken      uint32
	name, comment *uint16
}

// Package is that of SecPkgContext_NegotiationInfo.
func (x *context) Package() Package {
	var info struct {
		info  *packageInfo
		state uint32
	}
	status := call(x.s.query, uintptr(unsafe.Pointer(&x.handle)), attrNegotiationInfo, uintptr(unsafe.Pointer(&info)))
	if status != statusOK || info.info == nil {
		return ""
	}
	defer call(x.s.freeBuffer, uintptr(unsafe.Pointer(info.info)))
	return Package(windows.UTF16PtrToString(info.info.name))
}

// maxKey bounds session keys.
const maxKey = 1024

// SessionKey is that of SecPkgContext_SessionKey.
func (x *context) SessionKey() ([]byte, error) {
	var key struct {
		length uint32
		key    *byte
	}
	status := call(x.s.query, uintptr(unsafe.Pointer(&x.handle)), attrSessionKey, uintptr(unsafe.Pointer(&key)))
	if status != statusOK {
		return nil, status
	}
	if key.key == nil {
		return nil, Status(statusUnsupported)
	}
	defer call(x.s.freeBuffer, uintptr(unsafe.Pointer(key.key)))
	if key.length > maxKey {
		return nil, Status(statusUnsupported)
	}
	return bytes.Clone(unsafe.Slice(key.key, key.length)), nil
}
