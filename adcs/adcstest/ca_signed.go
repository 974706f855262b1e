package adcstest

import (
	"bytes"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/internal/cms"
)

// flagFormatPKCS7 is PKCS#10 in CMS (MS-WCCE section 3.2.1.4.3.1.1).
const flagFormatPKCS7 uint32 = 0x00000300

// oidRequestAgent is the usage of certificates that request for others.
const oidRequestAgent = "1.3.6.1.4.1.311.20.2.1"

// signedBy is what the CMS around a request says, all of it verified.
type signedBy struct {
	// renewed is the certificate to be renewed, which has signed first; nil for a new request.
	renewed *x509.Certificate
	// others are the certificates of the other signers: registration authorities and enrollment agents.
	others []*x509.Certificate
	// account is whose certificate it will be, DOMAIN\name, if an enrollment agent says so; else "".
	account string
}

// openRequest reads a request in any format that this CA takes: PKCS#10, alone or in CMS (MS-WCCE sections
// 3.2.1.4.2.1.4.1.2, 3.2.1.4.2.1.4.2.1 and 3.2.2.6.2.1.2.1.1). What it could read is returned along with a refusal.
func (a *authority) openRequest(flags uint32, der []byte) (*certRequest, *refusal) {
	format := flags & flagFormatMask
	if flags&flagUnsupported != 0 || !cms.IsContentInfo(der) || format != flagFormatAny && format != flagFormatPKCS7 {
		return parseRequest(flags, der)
	}
	sd, err := cms.Parse(der)
	switch {
	case err != nil:
		return nil, parseError(malformed(der))
	case sd.ContentType.Equal(cms.OIDPKIData()): // CMC
		return nil, parseError(hrInvalidMsgType)
	case !sd.ContentType.Equal(cms.OIDData()) || sd.Content == nil:
		return nil, parseError(hrInvalidData)
	case len(sd.Signers) == 0:
		return nil, parseError(hrNoSigner)
	}
	req, why := parseRequest(flagFormatPKCS10, sd.Content)
	if why != nil {
		if req == nil {
			why.code = hrInvalidData
		}
		return req, why
	}
	req.signed, why = a.verifySigners(sd)
	return req, why
}

// verifySigners finds out who has signed a request, and for what.
func (a *authority) verifySigners(sd *cms.SignedData) (*signedBy, *refusal) {
	by := new(signedBy)
	old, why := renewalOf(sd)
	if why != nil {
		return nil, why
	}
	for i, der := range sd.Signers {
		cert, info, why := verifySigner(sd, der)
		if why != nil {
			return nil, why
		}
		if i == 0 && old != nil {
			if !bytes.Equal(cert.Raw, old.Raw) {
				return nil, &refusal{code: hrBadSignature, stage: stageVerify}
			}
			by.renewed = old
		} else {
			by.others = append(by.others, cert)
		}
		if why := a.checkSigner(cert); why != nil {
			return nil, why
		}
		if i > 0 {
			continue
		}
		if by.account, why = requesterName(info, cert); why != nil {
			return nil, why
		}
	}
	if by.renewed != nil && by.account == "" && a.rowOf(by.renewed) == nil {
		return nil, &refusal{code: hrBadRenewalCert, stage: stageVerify}
	}
	return by, nil
}

// renewalOf returns the certificate that a request is to renew, or nil for a new one. It has to be among those of the
// message.
func renewalOf(sd *cms.SignedData) (*x509.Certificate, *refusal) {
	csr, err := x509.ParseCertificateRequest(sd.Content)
	if err != nil {
		return nil, parseError(hrInvalidData)
	}
	values, err := cms.Attributes(csr, cms.OIDRenewalCertificate())
	if err != nil {
		return nil, parseError(hrASN1BadTag)
	}
	if len(values) == 0 {
		return nil, nil
	}
	bad := &refusal{code: hrBadRenewalCert, stage: stageVerify}
	old, err := x509.ParseCertificate(values[0])
	if err != nil || len(values) > 1 ||
		!slices.ContainsFunc(sd.Certificates, func(der []byte) bool { return bytes.Equal(der, old.Raw) }) {
		return nil, bad
	}
	return old, nil
}

// verifySigner checks one signature with the certificate that it names. As with Windows, the content type among the
// signed attributes may be missing.
func verifySigner(sd *cms.SignedData, der []byte) (*x509.Certificate, *cms.SignerInfo, *refusal) {
	info, err := cms.ParseSigner(der)
	if err != nil {
		return nil, nil, parseError(hrASN1BadTag)
	}
	for _, raw := range sd.Certificates {
		cert, err := x509.ParseCertificate(raw)
		if err != nil || !info.Names(cert) {
			continue
		}
		switch err := info.VerifyLenient(sd, cert); {
		case errors.Is(err, cms.ErrAlgorithm):
			return nil, nil, &refusal{code: hrUnknownAlgorithm, stage: stageVerify}
		case err != nil:
			return nil, nil, &refusal{code: hrBadSignature, stage: stageVerify}
		}
		return cert, info, nil
	}
	return nil, nil, &refusal{code: hrSignerNotFound, stage: stageVerify}
}

// checkSigner refuses certificates that are not of this CA's hierarchy, are not valid now, or were revoked.
func (a *authority) checkSigner(cert *x509.Certificate) *refusal {
	roots := x509.NewCertPool()
	for _, ca := range slices.Concat(a.chain(), a.certificates()) {
		roots.AddCert(ca)
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: a.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	r := a.rowOf(cert)
	switch {
	case ok && invalid.Reason == x509.Expired:
		return &refusal{code: hrCertExpired, stage: stageVerify}
	case err != nil:
		return &refusal{code: hrUntrustedRoot, stage: stageVerify}
	case r != nil && r.disposition != dispIssued:
		return &refusal{code: hrCertRevoked, stage: stageVerify}
	}
	return nil
}

// rowOf returns a copy of the row of a certificate that this CA has issued, or nil.
func (a *authority) rowOf(cert *x509.Certificate) *row {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.rows {
		if bytes.Equal(r.cert.der, cert.Raw) {
			found := *r
			return &found
		}
	}
	return nil
}

// requesterName reads for whom the first signer requests, and refuses one who may not do that for anybody.
func requesterName(info *cms.SignerInfo, cert *x509.Certificate) (string, *refusal) {
	pairs, err := info.Pairs()
	if err != nil {
		return "", parseError(hrASN1BadTag)
	}
	account := ""
	for _, p := range pairs {
		if strings.EqualFold(p.Name, "requestername") {
			account = p.Value
		}
	}
	if account != "" && !hasUsage(cert, oidRequestAgent) {
		return "", &refusal{code: hrWrongUsage, stage: stageVerify}
	}
	return account, nil
}

// hasUsage reports whether a certificate names an extended key usage.
func hasUsage(cert *x509.Certificate, dotted string) bool {
	for _, oid := range cert.UnknownExtKeyUsage {
		if oid.String() == dotted {
			return true
		}
	}
	for _, usage := range cert.ExtKeyUsage {
		if oid := usage.OID(); oid.String() == dotted {
			return true
		}
	}
	return false
}
