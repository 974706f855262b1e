package adcs

import (
	"bytes"
	"crypto/sha1" // #nosec G505 -- the hash that MS-WCCE defines to name a certificate; nothing is trusted by it
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/adcskit/adcskit/internal/cms"
)

// Limits on the parts of an answer. A chain of a dozen certificates has some 20 KB.
const (
	maxLeaf  = 64 << 10
	maxChain = 1 << 20
)

// Disposition is how a CA disposed of a request: [MS-WCCE], section 3.2.1.4.2.1.2.1, and the CR_DISP values of
// certcli.h. A CA may send an HRESULT in its place.
type Disposition uint32

// The dispositions.
const (
	Incomplete      Disposition = 0 // not finished, or a certificate of another CA
	Failed          Disposition = 1 // an error
	Denied          Disposition = 2 // by the policy or by the CA's manager
	Issued          Disposition = 3 // the certificate is in the answer
	IssuedOutOfBand Disposition = 4 // issued; the certificate may have to be fetched elsewhere
	Pending         Disposition = 5 // held until the CA's manager decides
	Revoked         Disposition = 6 // issued and revoked since
)

// String returns the disposition's name, or the number of one that has none.
func (d Disposition) String() string {
	switch d {
	case Incomplete:
		return "incomplete"
	case Failed:
		return "failed"
	case Denied:
		return "denied"
	case Issued:
		return "issued"
	case IssuedOutOfBand:
		return "issued out of band"
	case Pending:
		return "pending"
	case Revoked:
		return "revoked"
	}
	return fmt.Sprintf("0x%08X", uint32(d))
}

// Result is an answer of a CA that is not a refusal.
type Result struct {
	// Disposition is Issued, IssuedOutOfBand or Pending. With Pending there is no certificate yet: keep RequestID and
	// ask again with [Client.Retrieve] or [Client.Wait].
	Disposition Disposition

	// RequestID is the CA's id of the request; never zero.
	RequestID uint32

	// Message is the CA's text, cleaned as in [RequestError].
	Message string

	// Certificate is the issued certificate. Nothing about it was checked, not even its key: call [Verify].
	Certificate *x509.Certificate

	// Chain holds the other certificates that the CA sent, in no particular order. They are not trusted: use them as
	// intermediates only. Certificates that crypto/x509 cannot parse are left out.
	Chain []*x509.Certificate

	// CMC is the CA's full response, if one was asked for and the CA sent one; else nil. See [Request.FullResponse].
	CMC *CMCResponse
}

// answer is what CertServerRequest returned: [MS-ICPR], section 3.2.4.1.1.
type answer struct {
	returned    uint32 // the call's return value
	requestID   uint32 // pdwRequestId
	disposition uint32 // pdwDisposition
	chain       []byte // pctbCert: CMS with certificates, or CMC full response; empty if none
	leaf        []byte // pctbEncodedCert: DER; empty if none
	message     []byte // pctbDispositionMessage: UTF-16LE
}

// parseAnswer turns an answer into a result, or into a *RequestError if the CA refused, or into an *AnswerError if it
// cannot be used. asked is the request id that the call was about; zero for a new request.
//
// The order is that of [MS-WCCE], section 3.2.1.4.2.1: first the return value, then the disposition.
func parseAnswer(a *answer, asked uint32) (*Result, error) {
	message, disposition := decodeMessage(a.message), Disposition(a.disposition)
	if a.returned != 0 {
		code := hresultFromWin32(a.returned)
		if asked != 0 && notOwner(code, disposition) {
			return nil, &notOwnerError{asked, code, message}
		}
		if asked == 0 && a.requestID != 0 && (disposition == Issued || disposition == IssuedOutOfBand ||
			disposition == Pending) {
			return nil, &AnswerError{a.requestID, fmt.Sprintf("disposition %v with %v", disposition, code)}
		}
		return nil, a.refusal(asked, code)
	}
	switch disposition {
	case Issued:
	case IssuedOutOfBand:
		if len(a.leaf) == 0 { // not a refusal: there is a certificate, but not here
			return nil, &AnswerError{a.refusedID(asked), "the certificate was issued out of band and is not in the answer"}
		}
	case Pending:
	case Incomplete:
		if id := a.refusedID(asked); id != 0 && id != pingID { // not among the answers of MS-WCCE: it may still be issued
			return nil, &AnswerError{id, "the CA has not finished with the request"}
		}
		return nil, a.refusal(asked, 0)
	case Failed, Denied, Revoked:
		return nil, a.refusal(asked, 0)
	default:
		return nil, a.refusal(asked, hresultFromWin32(a.disposition))
	}
	if a.requestID == 0 {
		return nil, &AnswerError{0, fmt.Sprintf("disposition %v without a request id", disposition)}
	}
	if asked != 0 && a.requestID != asked {
		return nil, &AnswerError{a.requestID, fmt.Sprintf("the question was about request %d", asked)}
	}
	result := &Result{Disposition: disposition, RequestID: a.requestID, Message: message}
	if disposition == Pending {
		result.CMC = a.fullResponse(CMCPending)
		return result, nil
	}
	if err := a.certificates(result); err != nil {
		return nil, &AnswerError{a.requestID, err.Error()}
	}
	return result, nil
}

// refusal is the error for a refused request.
func (a *answer) refusal(asked uint32, code HResult) error {
	return &RequestError{
		RequestID: a.refusedID(asked), Disposition: Disposition(a.disposition), Code: code,
		Message: decodeMessage(a.message), CMC: a.fullResponse(CMCFailed),
	}
}

// fullResponse is the CMC full response of an answer without a certificate. The rest of the answer says all that is
// acted on, so that one that cannot be read, or says something else, is none.
func (a *answer) fullResponse(want CMCStatus) *CMCResponse {
	if len(a.chain) == 0 || len(a.chain) > maxChain {
		return nil
	}
	sd, err := cms.Parse(a.chain)
	if err != nil || !sd.ContentType.Equal(cms.OIDPKIResponse()) {
		return nil
	}
	response, err := parseCMCResponse(sd.Content)
	if err != nil || response.Status != want {
		return nil
	}
	return response
}

// refusedID is the id of a refused request. Refusals of a retrieval may come without it.
func (a *answer) refusedID(asked uint32) uint32 {
	if asked != 0 {
		return asked
	}
	return a.requestID
}

// certificates puts the leaf and the chain of an answer into result.
func (a *answer) certificates(result *Result) error {
	if len(a.leaf) == 0 {
		return fmt.Errorf("%v without a certificate", result.Disposition)
	}
	if len(a.leaf) > maxLeaf {
		return fmt.Errorf("a certificate of %d bytes", len(a.leaf))
	}
	leaf, err := x509.ParseCertificate(a.leaf)
	if err != nil {
		return fmt.Errorf("the certificate cannot be parsed: %v", err)
	}
	result.Certificate = leaf
	if result.Chain, result.CMC, err = parseChain(a.chain, leaf); err != nil {
		return fmt.Errorf("the chain cannot be used: %v", err)
	}
	return nil
}

// parseChain parses pctbCert, in either of its forms, and returns its certificates without the leaf and without
// doubles. Where they are says nothing, since they are a SET. A CA need not send a chain with a retrieval, it may send
// only its own certificates, and some servers put the certificate alone into both places. None of it is trusted: Verify
// looks for a chain, and refuses what does not belong in one.
func parseChain(data []byte, leaf *x509.Certificate) ([]*x509.Certificate, *CMCResponse, error) {
	if len(data) == 0 || bytes.Equal(data, leaf.Raw) {
		return nil, nil, nil
	}
	if len(data) > maxChain {
		return nil, nil, fmt.Errorf("%d bytes", len(data))
	}
	sd, err := cms.Parse(data)
	if err != nil {
		return nil, nil, err
	}
	var response *CMCResponse
	switch {
	case sd.ContentType.Equal(cms.OIDData()):
		// A degenerate SignedData holds certificates only. What else one might hold is nobody's to interpret.
		if sd.Content != nil || len(sd.Signers) != 0 {
			return nil, nil, fmt.Errorf("%w: a chain with content or signers", cms.ErrMalformed)
		}
	case sd.ContentType.Equal(cms.OIDPKIResponse()):
		if response, err = checkFullResponse(sd.Content, leaf); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, fmt.Errorf("%w: eContentType %v", cms.ErrMalformed, sd.ContentType)
	}
	others, err := otherCertificates(sd.Certificates, leaf)
	return others, response, err
}

// checkFullResponse refuses a CMC full response that contradicts the rest of the answer.
func checkFullResponse(content []byte, leaf *x509.Certificate) (*CMCResponse, error) {
	response, err := parseCMCResponse(content)
	if err != nil {
		return nil, err
	}
	if response.Status != CMCSuccess {
		return nil, fmt.Errorf("the CMC status is %v, the disposition says issued", response.Status)
	}
	sum := sha1.Sum(leaf.Raw) // #nosec G401
	if response.IssuedHash != nil && !bytes.Equal(response.IssuedHash, sum[:]) {
		return nil, fmt.Errorf("the CMC response is about another certificate")
	}
	return response, nil
}

// otherCertificates leaves out the leaf and doubles. Where the leaf is missing, the others must be those of CAs:
// another certificate in its place would contradict the rest of the answer.
func otherCertificates(all [][]byte, leaf *x509.Certificate) ([]*x509.Certificate, error) {
	found := slices.ContainsFunc(all, func(der []byte) bool { return bytes.Equal(der, leaf.Raw) })
	seen := map[string]bool{string(leaf.Raw): true}
	var others []*x509.Certificate
	for _, der := range all {
		if seen[string(der)] {
			continue
		}
		seen[string(der)] = true
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			continue
		}
		if !found && cert.Version >= 3 && !cert.IsCA {
			return nil, errors.New("it holds another certificate in place of the issued one")
		}
		others = append(others, cert)
	}
	return others, nil
}
