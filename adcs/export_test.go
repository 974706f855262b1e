package adcs

import (
	"maps"
	"slices"

	"github.com/adcskit/adcskit/internal/cms"
	"github.com/adcskit/adcskit/internal/sspi"
)

// Answer is the answer of a CA, for tests.
type Answer struct {
	Returned, RequestID, Disposition uint32
	Chain, Leaf, Message             []byte
}

// ParseAnswer calls parseAnswer.
func ParseAnswer(a Answer, asked uint32) (*Result, error) {
	return parseAnswer(&answer{a.Returned, a.RequestID, a.Disposition, a.Chain, a.Leaf, a.Message}, asked)
}

// ParseSignedData parses CMS and returns what it found.
func ParseSignedData(data []byte) (contentType string, content []byte, certificates [][]byte, signers int, err error) {
	sd, err := cms.Parse(data)
	if err != nil {
		return "", nil, nil, 0, err
	}
	return sd.ContentType.String(), sd.Content, sd.Certificates, len(sd.Signers), nil
}

// ParseCMCResponse calls parseCMCResponse.
func ParseCMCResponse(data []byte) (*CMCResponse, error) { return parseCMCResponse(data) }

// EncodeAttributes calls encodeAttributes.
func EncodeAttributes(template string, a Attributes) ([]byte, error) {
	return encodeAttributes(template, &a)
}

// DecodeMessage calls decodeMessage.
func DecodeMessage(b []byte) string { return decodeMessage(b) }

// Prepare calls prepare.
func (r *Request) Prepare() (attributes []byte, publicKeyHash [32]byte, err error) {
	p, err := r.prepare()
	if err != nil {
		return nil, [32]byte{}, err
	}
	return p.attributes, p.publicKeyHash, nil
}

// MaxMessage and MaxCertificates are limits that tests go to.
const (
	MaxMessage      = maxMessage
	MaxCertificates = cms.MaxCertificates
	MaxLeaf         = maxLeaf
	MaxChain        = maxChain
)

// KnownCodes returns every code of every table as an error.
func KnownCodes() []error {
	var all []error
	for _, code := range slices.Sorted(maps.Keys(hresults)) {
		all = append(all, code)
	}
	for _, status := range slices.Sorted(maps.Keys(rpcStatuses)) {
		all = append(all, status)
	}
	for _, reason := range slices.Sorted(maps.Keys(bindNaks)) {
		all = append(all, reason)
	}
	for _, reason := range slices.Sorted(maps.Keys(contextRejections)) {
		all = append(all, reason)
	}
	for _, status := range slices.Sorted(maps.Keys(ntStatuses)) {
		all = append(all, status)
	}
	return all
}

// Mismatches are all of them.
func Mismatches() []Mismatch {
	return []Mismatch{
		MismatchKey, MismatchCA, MismatchLeaf, MismatchValidity, MismatchSubject, MismatchNames, MismatchSID,
		MismatchUsage, MismatchTemplate, MismatchChain,
	}
}

// RequestFlags returns the dwFlags that a request is sent with.
func (r *Request) RequestFlags() (uint32, error) {
	p, err := r.prepare()
	if err != nil {
		return 0, err
	}
	return p.flags, nil
}

// SystemCredential is a credential of the account of this process, with another system.
func SystemCredential(user string, api sspi.API) Credential {
	c := account(user)
	c.system = func() sspi.API { return api }
	return c
}
