package adcs

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
)

// maxRequest bounds a certification request. Windows' own limit on a call is 4 MiB of stub data ([MS-RPCE], section
// 3.3.3.5.4); requests are a few kilobytes.
const maxRequest = 1 << 20

// Request is what [Client.Submit] sends to a CA.
type Request struct {
	// CSR is a PKCS#10 certification request, DER, at most 1 MiB, with an RSA key of at most 16384 bits. It must carry a
	// valid signature. It may be inside of CMS, as [RenewalRequest] and [OnBehalfOfRequest] make it: the CA is told so
	// (CR_IN_PKCS7), and the signatures around it must be valid too.
	CSR []byte

	// Template is the cn of the certificate template (not its display name), sent as the attribute CertificateTemplate.
	// It may be empty if the CSR names the template by an extension; if both do, they must agree, or the CA answers
	// [ErrTemplateConflict].
	Template string

	// Attributes are further request attributes. Most requests need none.
	Attributes Attributes

	// FullResponse asks for a CMC full response (CR_IN_FULLRESPONSE), which says the same as the rest of the answer, and
	// for a pending or refused request a little more: see [Result] and [RequestError]. A CA may ignore it.
	FullResponse bool
}

// preparedRequest is a Request that was checked and encoded.
type preparedRequest struct {
	flags         uint32
	csr           []byte   // as it is sent
	attributes    []byte   // UTF-16LE with a NUL, or nil if there are none
	publicKeyHash [32]byte // SHA-256 of the SubjectPublicKeyInfo
}

// prepare checks a request and encodes its attributes, without I/O. Its errors match ErrInvalidRequest.
func (r *Request) prepare() (*preparedRequest, error) {
	if len(r.CSR) == 0 {
		return nil, fmt.Errorf("%w: no CSR", ErrInvalidRequest)
	}
	if len(r.CSR) > maxRequest {
		return nil, fmt.Errorf("%w: the CSR has %d bytes, the limit is %d", ErrInvalidRequest, len(r.CSR), maxRequest)
	}
	pkcs10, flags, err := inner(r.CSR)
	if err != nil {
		return nil, err
	}
	csr, err := checkCSR(pkcs10)
	if err != nil {
		return nil, err
	}
	if r.FullResponse {
		flags |= flagFullResponse
	}
	attributes, err := encodeAttributes(r.Template, &r.Attributes)
	if err != nil {
		return nil, err
	}
	return &preparedRequest{
		flags:         flags,
		csr:           r.CSR,
		attributes:    attributes,
		publicKeyHash: sha256.Sum256(csr.RawSubjectPublicKeyInfo),
	}, nil
}

// checkCSR parses a PKCS#10 request and refuses what a CA would refuse after it has made a row for it.
func checkCSR(der []byte) (*x509.CertificateRequest, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: the CSR is not a PKCS#10 certification request in DER: %v", ErrInvalidRequest, err)
	}
	if bits := keyBits(csr.PublicKey); bits > maxKeyBits {
		return nil, fmt.Errorf("%w: the key of the CSR has %d bits, the limit is %d", ErrInvalidRequest, bits, maxKeyBits)
	}
	// An algorithm that this side does not know is the CA's to judge.
	if err := csr.CheckSignature(); err != nil && !errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		return nil, fmt.Errorf("%w: the signature of the CSR does not verify: %v", ErrInvalidRequest, err)
	}
	return csr, nil
}
