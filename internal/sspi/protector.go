package sspi

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"

	"github.com/adcskit/adcskit/internal/rpc"
)

// maxSignature bounds signatures; those of Kerberos with AES have 76 bytes.
const maxSignature = 1024

// protector is the security context as package rpc uses it.
type protector struct{ i *Initiator }

// SignatureSize is the length of every signature.
func (p *protector) SignatureSize(seal bool) int {
	if seal {
		return p.i.sizes.trailer
	}
	return p.i.sizes.signature
}

// SignatureFits lets the system judge signatures of other lengths, which it verifies: those of a server may differ.
func (p *protector) SignatureFits(n int, _ bool) bool { return n > 0 && n <= maxSignature }

// CoversHeader is true for NTLM, which signs every part that it is shown, whatever it is told about it.
func (p *protector) CoversHeader() bool { return p.i.chosen == NTLM }

// parts are the buffers in the order of the PDU. With header signing, header and trailer are signed and not encrypted;
// without it they are shown to the package only, as Windows does.
func (p *protector) parts(m *rpc.Message, token []byte) []Part {
	frame := PartData | ReadOnly
	if m.SignHeader {
		frame = PartData | ReadOnlyWithChecksum
	}
	return []Part{{frame, m.Header}, {PartData, m.Body}, {frame, m.Trailer}, {PartToken, token}}
}

// Wrap signs, and encrypts the body in place.
func (p *protector) Wrap(m *rpc.Message) ([]byte, error) {
	token := make([]byte, p.SignatureSize(m.Seal))
	op := Sign
	if m.Seal {
		op = Encrypt
	}
	n, err := p.i.handles.context.Protect(op, p.parts(m, token))
	runtime.KeepAlive(p.i) // and with it the handles
	if err != nil {
		return nil, fmt.Errorf("sspi: protecting a message: %w", err)
	}
	if n < 0 || n > len(token) {
		return nil, errors.New("sspi: the system wrote a signature of another length than it said")
	}
	return token[:n], nil
}

// Unwrap decrypts the body in place, and verifies.
func (p *protector) Unwrap(m *rpc.Message, signature []byte) error {
	op := Verify
	if m.Seal {
		op = Decrypt
	}
	_, err := p.i.handles.context.Protect(op, p.parts(m, bytes.Clone(signature)))
	runtime.KeepAlive(p.i)
	return err
}
