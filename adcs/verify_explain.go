package adcs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/internal/x500"
)

// explainChain says why there is no chain. What crypto/x509 returns is about the last candidate that it tried, which is
// seldom the one that an administrator has to look at.
func explainChain(leaf *x509.Certificate, e *Expect, options x509.VerifyOptions, err error) string {
	if detail := expiredCA(leaf, options); detail != "" {
		return detail
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch invalid.Reason {
		case x509.CANotAuthorizedForThisName:
			return "a CA of its chain is constrained to other names: " + invalid.Detail
		case x509.TooManyIntermediates:
			return fmt.Sprintf("the path length constraint of %s does not allow a CA below", caName(invalid.Cert))
		case x509.NotAuthorizedToSign:
			return fmt.Sprintf("the certificate of %s is not that of a CA", caName(invalid.Cert))
		}
	}
	if _, ok := errors.AsType[x509.UnhandledCriticalExtension](err); ok {
		return unhandled(leaf, e) + err.Error()
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok && unknown.Cert != nil {
		return unknownAuthority(unknown, e)
	}
	return err.Error()
}

// caName names a CA by what its certificate says, bounded.
func caName(cert *x509.Certificate) string {
	return fmt.Sprintf("CA %q (serial number %s)", bounded(x500.String(cert.RawSubject)), serial(cert))
}

// expiredCA finds out whether there was a chain when the certificate was issued, and names the CA whose certificate was
// valid then and is not now.
func expiredCA(leaf *x509.Certificate, options x509.VerifyOptions) string {
	now := options.CurrentTime
	options.CurrentTime = leaf.NotBefore.Add(time.Second)
	chains, err := leaf.Verify(options)
	if err != nil {
		return ""
	}
	for _, ca := range chains[0][1:] {
		if now.After(ca.NotAfter) || now.Before(ca.NotBefore) {
			return fmt.Sprintf("the certificate of %s is valid from %s to %s, and it is %s here; if the CA was renewed, its new "+
				"certificate has to be among the roots, or in the answer of the CA", caName(ca),
				ca.NotBefore.UTC().Format(time.RFC3339), ca.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		}
	}
	return ""
}

// unhandled names the certificate with a critical extension that nobody here understands, which crypto/x509 does not.
func unhandled(leaf *x509.Certificate, e *Expect) string {
	if oids := leaf.UnhandledCriticalExtensions; len(oids) > 0 {
		return fmt.Sprintf("it has the critical extension %v, which cannot be judged: ", oids[0])
	}
	for _, ca := range e.Intermediates {
		if oids := ca.UnhandledCriticalExtensions; len(oids) > 0 {
			what := ""
			if oids[0].Equal(oidNameConstraints) {
				what = " (name constraints of a kind that cannot be judged)"
			}
			return fmt.Sprintf("the certificate of %s has the critical extension %v%s: ", caName(ca), oids[0], what)
		}
	}
	return "a CA of its chain has a critical extension that cannot be judged: "
}

var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// unknownAuthority says where the chain breaks off.
func unknownAuthority(unknown x509.UnknownAuthorityError, e *Expect) string {
	last := unknown.Cert
	if bytes.Equal(last.RawSubject, last.RawIssuer) && last.IsCA {
		sum := sha256.Sum256(last.Raw)
		return fmt.Sprintf("its chain leads to %s, SHA-256 %x, which is not among the roots that are trusted; if the CA was "+
			"renewed and this is its new root, it has to be added to them: %v", caName(last), sum, unknown)
	}
	for _, ca := range e.Intermediates {
		if bytes.Equal(ca.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(ca) != nil {
			return fmt.Sprintf("of the certificates of its issuer %q, none has the key that signed it: %v",
				bounded(x500.String(last.RawIssuer)), unknown)
		}
	}
	return fmt.Sprintf("the certificate of the issuer %q is neither among the roots nor in the answer of the CA: %v",
		bounded(x500.String(last.RawIssuer)), unknown)
}
