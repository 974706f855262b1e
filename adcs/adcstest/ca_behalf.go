package adcstest

import (
	"crypto/x509"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// endEntity is the account that a certificate is for: the caller, or the one whose name an enrollment agent has signed.
// It has to exist.
func (a *authority) endEntity(c caller, req *certRequest) (*record, *refusal) {
	if req.signed == nil || req.signed.account == "" {
		return a.directory.lookup(c), nil
	}
	account := req.signed.account
	known := a.directory.records[strings.ToLower(account)] != nil ||
		slices.ContainsFunc(a.cfg.accounts, func(name string) bool { return strings.EqualFold(name, account) })
	domain, name, ok := strings.Cut(account, `\`)
	if !known || !ok {
		return nil, policyError(hrNoneMapped)
	}
	return a.directory.lookup(caller{domain: domain, user: name}), nil
}

// checkSigned does what the policy module does about signatures (MS-WCCE sections 3.2.2.6.2.1.2.1, 3.2.2.6.2.1.2.3,
// 3.2.2.6.2.1.4.5.1 to 3.2.2.6.2.1.4.5.4). A renewal's own signature is none of a registration authority.
func (a *authority) checkSigned(c caller, req *certRequest, t *template, who *record) *refusal {
	by := req.signed
	if by == nil {
		by = new(signedBy)
	}
	if by.account != "" && !t.onBehalfOf.has(who) {
		return policyError(hrRestrictedOfficer)
	}
	if by.renewed != nil {
		if why := a.checkRenewal(c, by, t); why != nil {
			return why
		}
	}
	switch {
	case len(by.others) < t.Signatures && len(by.others) == 0:
		return policyError(hrSignaturePolicy)
	case len(by.others) < t.Signatures:
		return policyError(hrSignatureCount)
	case t.Signatures == 0:
		return nil
	}
	for _, usage := range t.SignatureUsages {
		if !slices.ContainsFunc(by.others, func(cert *x509.Certificate) bool { return hasUsage(cert, usage) }) {
			return policyError(hrSignatureRejected)
		}
	}
	return nil
}

// checkRenewal makes sure that the old certificate is from the same template, and, where the subject comes from the
// directory, that it is the caller's.
func (a *authority) checkRenewal(c caller, by *signedBy, t *template) *refusal {
	for _, e := range by.renewed.Extensions {
		same := true
		switch {
		case e.Id.Equal(adcsasn1.OIDTemplateName()):
			name, err := adcsasn1.TemplateNameFromExtension(e.Value)
			same = err == nil && strings.EqualFold(name, t.Name)
		case e.Id.Equal(adcsasn1.OIDTemplate()):
			id, err := adcsasn1.TemplateFromExtension(e.Value)
			same = err == nil && id.OID.Equal(t.oid)
		}
		if !same {
			return policyError(hrTemplateConflict)
		}
	}
	old := a.rowOf(by.renewed)
	if t.Directory != nil && by.account == "" && (old == nil || !strings.EqualFold(old.requester, c.account())) {
		return policyError(hrBadRenewalSubject)
	}
	return nil
}

// belongsTo reports whether a caller has submitted the request, or it was submitted for the caller.
func (r *row) belongsTo(c caller) bool {
	return r.requester == c.account() || r.caller.account() == c.account()
}
