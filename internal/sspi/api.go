package sspi

import "fmt"

// Package is a security package.
type Package string

// The packages that servers of RPC know.
const (
	Negotiate Package = "Negotiate" // SPNEGO
	Kerberos  Package = "Kerberos"
	NTLM      Package = "NTLM"
)

// API is the part of the Security Support Provider Interface that a client uses. Handles are released by Free, which
// every object has exactly one of.
type API interface {
	// Acquire takes the credential of this process. With noNTLM, Negotiate does not choose NTLM.
	Acquire(p Package, noNTLM bool) (Credential, error)
}

// Credential is a credential handle.
type Credential interface {
	// Begin makes a security context with a service, by its service principal name, and the first token.
	Begin(target string, flags uint32) (Context, Leg)
	Free()
}

// Context is a security context.
type Context interface {
	// Continue takes the token of the server.
	Continue(token []byte) Leg
	// Sizes are the lengths of a signature, and of what is added to a sealed message, in bytes.
	Sizes() (signature, trailer int, err error)
	// Package is the one that was chosen; empty if the system does not say.
	Package() Package
	// SessionKey is the key of the context.
	SessionKey() ([]byte, error)
	// Protect runs one of the four functions on the parts of a message, in place. It returns the length of what it has
	// written to the part of type token.
	Protect(op Operation, parts []Part) (token int, err error)
	Free()
}

// Leg is what a step of the authentication has brought.
type Leg struct {
	Token  []byte
	Done   bool   // nothing of the server is awaited any more
	Flags  uint32 // ISC_RET_*, of the context as it is now
	Status Status // an error, or zero
}

// Operation is what is done to a message.
type Operation int

// The operations.
const (
	Encrypt Operation = iota
	Decrypt
	Sign
	Verify
)

// Part is a SecBuffer.
type Part struct {
	Type uint32
	Data []byte
}

// The types of SecBuffers, and what can be added to that of data which is not encrypted.
const (
	PartData             uint32 = 1
	PartToken            uint32 = 2
	ReadOnly             uint32 = 0x80000000 // left alone
	ReadOnlyWithChecksum uint32 = 0x10000000 // signed
)

// What is asked of a context (ISC_REQ_*), and, as the same bits, what it has (ISC_RET_*).
const (
	flagMutual          uint32 = 0x00000002
	flagReplayDetect    uint32 = 0x00000004
	flagSequenceDetect  uint32 = 0x00000008
	flagConfidentiality uint32 = 0x00000010
	flagDCEStyle        uint32 = 0x00000200
	flagConnection      uint32 = 0x00000800
	flagIntegrity       uint32 = 0x00010000
)

// Status is a SECURITY_STATUS ([MS-ERREF], section 2.1.1).
type Status uint32

// Error is the name of the code, or its number.
func (s Status) Error() string {
	if name := statusNames[s]; name != "" {
		return fmt.Sprintf("%s (0x%08x)", name, uint32(s))
	}
	return fmt.Sprintf("SECURITY_STATUS 0x%08x", uint32(s))
}
