package adcstest

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// issuance is what the policy has decided to certify; everything but the signature.
type issuance struct {
	template  *template
	publicKey any
	algorithm string
	subject   []byte // Name, DER
	// extensions are those of this certificate alone: names and SID.
	extensions []pkix.Extension
	tampering  tampering
	account    string // whose certificate it is, DOMAIN\name
}

// decide is the policy module (MS-WCCE section 3.2.2.6.2.1.4). A template that holds or denies does so in the caller,
// after everything else was found right.
func (a *authority) decide(c caller, req *certRequest, attrs []attribute) (*issuance, *refusal) {
	t, r := a.templates.resolve(req, attrs)
	if r != nil {
		return nil, r
	}
	is := &issuance{template: t, publicKey: req.publicKey, algorithm: req.algorithm}
	if !t.enroll.has(a.directory.lookup(c)) {
		return is, policyError(hrTemplateDenied)
	}
	if req.bits < t.MinimumKeySize || t.KeyAlgorithms != nil && !slices.Contains(t.KeyAlgorithms, req.algorithm) {
		return is, policyError(hrKeyLength)
	}
	who, r := a.endEntity(c, req)
	if r != nil {
		return is, r
	}
	is.account = who.Account
	if r := a.checkSigned(c, req, t, who); r != nil {
		return is, r
	}
	if t.Directory != nil {
		return is, is.fromDirectory(who)
	}
	return is, is.fromRequest(req)
}

// fromRequest takes subject, names and SID from the request (CT_FLAG_ENROLLEE_SUPPLIES_SUBJECT, MS-WCCE section
// 3.2.2.6.2.1.4.5.9): without a subject there is no certificate, and the SID extension only if the request has one.
func (is *issuance) fromRequest(req *certRequest) *refusal {
	if len(req.names) == 0 || !namesFit(req.names) {
		return policyError(hrBadRequestSubject)
	}
	is.subject = req.subject
	if req.san != nil {
		is.extensions = append(is.extensions, pkix.Extension{Id: adcsasn1.OIDSubjectAltName(), Value: req.san})
	}
	if req.sid == "" || is.template.NoSecurityExtension {
		return nil
	}
	return is.addSID(req.sid)
}

// namesFit enforces the upper bounds of RFC 5280 as a CA does by default.
func namesFit(names []pkix.AttributeTypeAndValue) bool {
	for _, n := range names {
		text, ok := n.Value.(string)
		if most := upperBound(n.Type); ok && most > 0 && utf8.RuneCountInString(text) > most {
			return false
		}
	}
	return true
}

// fromDirectory builds subject, names and SID from the requester's account, whatever the request says.
func (is *issuance) fromDirectory(who *record) *refusal {
	if r := is.directorySubject(who); r != nil {
		return r
	}
	if r := is.directoryNames(who); r != nil {
		return r
	}
	if is.template.NoSecurityExtension {
		return nil
	}
	if who.SID == "" {
		return policyError(hrSIDRequired)
	}
	return is.addSID(who.SID)
}

func (is *issuance) directorySubject(who *record) *refusal {
	var err error
	from := is.template.Directory
	switch {
	case from.NoSubject:
		is.subject, err = asn1.Marshal(pkix.RDNSequence{})
	case from.DN:
		is.subject = who.dn
		if who.dn == nil {
			return policyError(hrBadRequestSubject)
		}
	case from.Machine && who.DNSName == "":
		return policyError(hrDNSRequired)
	case from.Machine:
		is.subject, err = asn1.Marshal(pkix.RDNSequence{rdn(oidCommonName(), who.DNSName)})
	default:
		is.subject, err = asn1.Marshal(pkix.RDNSequence{rdn(oidCommonName(), who.CommonName)})
	}
	if err != nil {
		return &refusal{code: hrBadRequestSubject, stage: stageBuild}
	}
	return nil
}

func (is *issuance) directoryNames(who *record) *refusal {
	var names adcsasn1.SAN
	for _, want := range []struct {
		asked bool
		name  string
		into  *[]string
		code  uint32
	}{
		{is.template.Directory.UPN, who.UPN, &names.UPN, hrUPNRequired},
		{is.template.Directory.DNS, who.DNSName, &names.DNS, hrDNSRequired},
		{is.template.Directory.Email, who.Email, &names.Email, hrEmailRequired},
	} {
		if !want.asked {
			continue
		}
		if want.name == "" {
			return policyError(want.code)
		}
		*want.into = append(*want.into, want.name)
	}
	if names.Count() == 0 {
		if is.template.Directory.NoSubject { // neither subject nor names: MS-WCCE section 3.2.1.4.2.1.4.7
			return &refusal{code: hrBadRequestSubject, stage: stageBuild}
		}
		return nil
	}
	ext, err := names.Extension()
	if err != nil {
		return &refusal{code: hrBadRequestSubject, stage: stageBuild}
	}
	ext.Critical = is.template.Directory.NoSubject // RFC 5280, section 4.2.1.6
	is.extensions = append(is.extensions, ext)
	return nil
}

func (is *issuance) addSID(sid string) *refusal {
	ext, err := adcsasn1.SIDExtension(sid)
	if err != nil {
		return &refusal{code: hrSIDRequired, stage: stageBuild}
	}
	is.extensions = append(is.extensions, ext)
	return nil
}
