package adcs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/x500"
)

// Mismatch is how a certificate differs from what was ordered. It is an error, for errors.Is:
//
//	if errors.Is(err, adcs.MismatchKey) { … }
type Mismatch string

// The mismatches, in the order in which Verify looks for them.
const (
	MismatchKey      Mismatch = "public key"         // another key than that of the request
	MismatchCA       Mismatch = "CA certificate"     // a certificate that could issue others
	MismatchLeaf     Mismatch = "second certificate" // the CA sent more than one certificate that is not a CA's
	MismatchValidity Mismatch = "validity"           // not valid at the expected time
	MismatchSubject  Mismatch = "subject"            // another subject
	MismatchNames    Mismatch = "names"              // other subject alternative names
	MismatchSID      Mismatch = "SID"                // another SID, none, or one that was not ordered
	MismatchUsage    Mismatch = "extended key usage" // a usage is missing
	MismatchTemplate Mismatch = "template"           // made from another template
	MismatchChain    Mismatch = "certificate chain"  // no valid chain to the roots
)

// Error names the mismatch.
func (m Mismatch) Error() string { return "adcs: certificate differs in: " + string(m) }

// VerifyError is returned by [Verify] for a certificate that is not what was ordered. The certificate was issued: it
// exists in the CA's database, and may have to be revoked there.
type VerifyError struct {
	// Mismatch is what differs; errors.Is finds it.
	Mismatch Mismatch

	// Detail says how. Text out of the certificate is quoted and bounded.
	Detail string

	// Err is the cause, for MismatchChain an error of crypto/x509, or nil; errors.As finds it.
	Err error
}

// Error says what differs, and how.
func (e *VerifyError) Error() string {
	return fmt.Sprintf("adcs: issued, but not what was ordered: %s: %s", string(e.Mismatch), e.Detail)
}

// Unwrap returns Mismatch and Err.
func (e *VerifyError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Mismatch}
	}
	return []error{e.Mismatch, e.Err}
}

func mismatch(m Mismatch, format string, args ...any) error {
	return &VerifyError{Mismatch: m, Detail: fmt.Sprintf(format, args...)}
}

// Verify checks that a CA issued what was ordered, and by whom it was issued: a hostile or careless CA, or a template
// that was changed, may answer with anything. It returns the verified chain from the certificate to a root of expect;
// with InsecureSkipChain, the certificate alone. Where there are several chains, since the CA was renewed or
// cross-certified, it is one that does not end before the certificate, and of these the shortest.
//
// The first thing that differs is returned as a [*VerifyError]. Other errors mean that expect itself is unusable, or
// that issued is nil. Revocation is not checked: the certificate is new.
func Verify(issued *x509.Certificate, expect Expect) ([]*x509.Certificate, error) {
	if issued == nil || len(issued.Raw) == 0 {
		return nil, errors.New("adcs: Verify: no parsed certificate")
	}
	if err := expect.check(); err != nil {
		return nil, err
	}
	if expect.Now.IsZero() {
		expect.Now = time.Now()
	}
	checks := []func(*x509.Certificate, *Expect) error{
		checkKey, checkNotCA, checkOneLeaf, checkValidity, checkSubject, checkNames, checkUsages, checkTemplate,
	}
	for _, check := range checks {
		if err := check(issued, &expect); err != nil {
			return nil, err
		}
	}
	if expect.InsecureSkipChain {
		return []*x509.Certificate{issued}, nil
	}
	return verifyChain(issued, &expect)
}

func checkKey(issued *x509.Certificate, e *Expect) error {
	if !e.PublicKey.(comparableKey).Equal(issued.PublicKey) {
		return mismatch(MismatchKey, "it is for a key of type %T that is not the request's", issued.PublicKey)
	}
	return nil
}

func checkNotCA(issued *x509.Certificate, _ *Expect) error {
	if issued.IsCA {
		return mismatch(MismatchCA, "its basic constraints make it a CA")
	}
	if issued.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return mismatch(MismatchCA, "its key usage allows it to sign certificates or revocation lists")
	}
	return nil
}

// checkOneLeaf refuses certificates beside the leaf that are not a CA's: nobody ordered them, and a reader that goes by
// position or by key could take one for the leaf. Version 1 certificates cannot say that they are a CA's.
func checkOneLeaf(issued *x509.Certificate, e *Expect) error {
	for _, cert := range e.Intermediates {
		switch {
		case cert == nil:
			return errors.New("adcs: Verify: Expect.Intermediates holds nil")
		case bytes.Equal(cert.Raw, issued.Raw):
		case e.PublicKey.(comparableKey).Equal(cert.PublicKey):
			return mismatch(MismatchLeaf, "another certificate of the chain is for the request's key")
		case cert.Version >= 3 && !cert.IsCA:
			return mismatch(MismatchLeaf, "the chain holds a certificate, serial number %s, that is not a CA's", serial(cert))
		}
	}
	return nil
}

// serial bounds what is printed of a serial number, which is as long as its maker likes.
func serial(cert *x509.Certificate) string {
	if cert.SerialNumber == nil {
		return "none"
	}
	return bounded(cert.SerialNumber.Text(16))
}

func checkValidity(issued *x509.Certificate, e *Expect) error {
	if e.Now.Before(issued.NotBefore) {
		return mismatch(MismatchValidity, "it is valid from %s, and it is %s here: do the clocks agree?",
			issued.NotBefore.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
	}
	if e.Now.After(issued.NotAfter) {
		return mismatch(MismatchValidity, "it was valid until %s, and it is %s here",
			issued.NotAfter.UTC().Format(time.RFC3339), e.Now.UTC().Format(time.RFC3339))
	}
	return nil
}

func checkSubject(issued *x509.Certificate, e *Expect) error {
	if e.Subject == nil || bytes.Equal(e.Subject, issued.RawSubject) {
		return nil
	}
	want, err := parseName(e.Subject)
	if err != nil {
		return fmt.Errorf("adcs: Verify: Expect.Subject: %w", err)
	}
	got, err := parseName(issued.RawSubject)
	if err != nil {
		return mismatch(MismatchSubject, "it has a malformed subject")
	}
	if !slices.EqualFunc(want, got, slices.Equal) {
		return mismatch(MismatchSubject, "it is for %q, not for %q",
			bounded(x500.String(issued.RawSubject)), bounded(x500.String(e.Subject)))
	}
	return nil
}

func checkNames(issued *x509.Certificate, e *Expect) error {
	got, err := namesOf(issued.Extensions)
	if err != nil {
		return &VerifyError{MismatchNames, "its names are malformed: " + err.Error(), err}
	}
	if difference := compareNames(e, &got.san, e.FromDirectory); difference != "" {
		return mismatch(MismatchNames, "%s", difference)
	}
	return checkSID(got, e)
}

// checkSID makes sure that the SID is where it was ordered, and that no reader finds another one anywhere.
func checkSID(got *names, e *Expect) error {
	sid, _, err := got.singleSID()
	switch {
	case err != nil:
		return mismatch(MismatchSID, "it has %v", err)
	case e.SID == "" && sid != "" && !e.FromDirectory:
		return mismatch(MismatchSID, "it carries %s, and none was ordered", sid)
	case e.SID == "":
		return nil
	case sid != "" && sid != e.SID:
		return mismatch(MismatchSID, "it carries %s, not %s", sid, e.SID)
	case e.SIDForm != SIDInURI && got.extensionSID == "":
		return mismatch(MismatchSID, "it does not carry %s in the security extension", e.SID)
	case e.SIDForm != SIDInExtension && len(got.uriSIDs) == 0:
		return mismatch(MismatchSID, "it does not carry %s in a URI", e.SID)
	}
	return nil
}

func checkTemplate(issued *x509.Certificate, e *Expect) error {
	var oid asn1.ObjectIdentifier
	for _, ext := range issued.Extensions {
		switch {
		case ext.Id.Equal(adcsasn1.OIDTemplateName()) && e.Template != "":
			name, err := adcsasn1.TemplateNameFromExtension(ext.Value)
			if err != nil {
				return &VerifyError{MismatchTemplate, "its template name is malformed", err}
			}
			if !strings.EqualFold(name, e.Template) {
				return mismatch(MismatchTemplate, "it was made from template %q", bounded(name))
			}
		case ext.Id.Equal(adcsasn1.OIDTemplate()) && e.TemplateOID != nil:
			template, err := adcsasn1.TemplateFromExtension(ext.Value)
			if err != nil {
				return &VerifyError{MismatchTemplate, "its template extension is malformed", err}
			}
			oid = template.OID
		}
	}
	if e.TemplateOID != nil && !oid.Equal(e.TemplateOID) {
		return mismatch(MismatchTemplate, "it was made from template %q, not %v", bounded(oid.String()), e.TemplateOID)
	}
	return nil
}
