package adcs

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"unicode"

	"github.com/adcskit/adcskit/internal/cms"
)

// oidRequestAgent is szOID_ENROLLMENT_AGENT, the usage of certificates that request for others.
var oidRequestAgent = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 1}

// OnBehalfOfRequest makes the request for a certificate of another account: a PKCS#10 request in CMS that an enrollment
// agent has signed, with the account's name among the signed attributes ([MS-WCCE], section 3.1.1.4.3.3.2). It is for
// [Request.CSR], and [ExpectRequest] takes it; the subject comes from the directory then, in most templates.
//
// The csr is a PKCS#10 request, DER, which is not changed: the one whose certificate it will be may have made it, so
// that the key stays there. Account is DOMAIN\name. The agent's certificate must be good for certificate requests
// (1.3.6.1.4.1.311.20.2.1). For agentKey, what [RenewalRequest] says about keys holds.
//
// A CA refuses the request if it restricts agents to certain accounts and templates and this one is not allowed
// ([ErrRestrictedOfficer]), or if the template wants other signatures.
//
// Errors match [ErrInvalidRequest], or are those of the key.
func OnBehalfOfRequest(csr []byte, account string, agent *x509.Certificate, agentKey crypto.Signer) ([]byte, error) {
	const what = "request on behalf of another account"
	if agent == nil || len(agent.Raw) == 0 || agentKey == nil {
		return nil, fmt.Errorf("%w: %s: no agent's certificate or key", ErrInvalidRequest, what)
	}
	if err := checkAccount(account); err != nil {
		return nil, err
	}
	if len(csr) > maxRequest {
		return nil, fmt.Errorf("%w: the CSR has %d bytes, the limit is %d", ErrInvalidRequest, len(csr), maxRequest)
	}
	if cms.IsContentInfo(csr) {
		return nil, fmt.Errorf("%w: %s: the CSR is CMS already", ErrInvalidRequest, what)
	}
	if _, err := checkCSR(csr); err != nil {
		return nil, err
	}
	usages, present, err := usagesOf(agent)
	if err != nil || !present || !containsOID(usages, oidRequestAgent) {
		return nil, fmt.Errorf("%w: %s: the certificate of %q is not an enrollment agent's: it lacks the usage %v",
			ErrInvalidRequest, what, bounded(agent.Subject.String()), oidRequestAgent)
	}
	name, err := cms.NameValuePair("requestername", account)
	if err != nil {
		return nil, builderError(what, err)
	}
	signed, err := cms.Sign(csr, cms.Signer{Certificate: agent, Key: agentKey, Attributes: [][]byte{name}})
	if err != nil {
		return nil, builderError(what, err)
	}
	return signed, nil
}

// checkAccount accepts DOMAIN\name.
func checkAccount(account string) error {
	domain, name, ok := strings.Cut(account, `\`)
	if !ok || domain == "" || name == "" || strings.Contains(name, `\`) || len(account) > 2*maxName ||
		strings.ContainsFunc(account, unicode.IsControl) {
		return fmt.Errorf(`%w: account %q is not of the form DOMAIN\name`, ErrInvalidRequest, bounded(account))
	}
	return nil
}
