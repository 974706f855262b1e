package tpm

import (
	"crypto/rsa"
	"crypto/x509"
	"time"
)

// trust is what is known of an endorsement key.
type trust struct {
	reason EvidenceReason // "" if it is verified, else why not
	text   string         // for people
}

// Bounds of the RSA keys of CAs that the evidence brings.
const (
	maxHintBits     = 4096
	maxHintExponent = 65537
)

// chains says which certificates are trusted.
type chains struct {
	roots, intermediates *x509.CertPool
}

// check looks for a chain from the certificate of an endorsement key to a root. What it finds out about a certificate
// that is not trusted is only why not: nothing of its text is repeated.
func (c *chains) check(e *evidenceEK, now time.Time) trust {
	cert, err := x509.ParseCertificate(e.Certificate)
	if err != nil {
		return trust{EvidenceEKCertificate, "its certificate cannot be read as X.509"}
	}
	if !isEKCertificate(cert) {
		return trust{EvidenceEKCertificate, "its certificate is not one of an endorsement key " +
			"(extended key usage " + oidEKCertificate + ")"}
	}
	cert = understood(cert)
	options := c.options(e.Intermediates)
	if verifies(cert, options, now) {
		return trust{text: "certified" + by(cert)}
	}
	// Valid at another time means: expired, or not yet valid, and nothing else.
	if verifies(cert, options, cert.NotBefore) || verifies(cert, options, cert.NotAfter) {
		return trust{EvidenceEKExpired, "its certificate, or one above it, has expired or is not valid yet; " +
			"it is valid from " + cert.NotBefore.UTC().Format(time.DateOnly) + " to " + cert.NotAfter.UTC().Format(time.DateOnly)}
	}
	return trust{EvidenceEKUntrusted, "no chain leads from its certificate to a root that is trusted here: " +
		"add the manufacturer's root, and the CAs between if the TPM does not hold them"}
}

// options of a verification. Without roots nothing is trusted, in no case what the operating system trusts.
// Certificates of CAs that the evidence brings are hints only.
func (c *chains) options(hints [][]byte) x509.VerifyOptions {
	o := x509.VerifyOptions{
		Roots: c.roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	if o.Roots == nil {
		o.Roots = x509.NewCertPool()
	}
	if c.intermediates != nil {
		o.Intermediates = c.intermediates.Clone()
	}
	for _, der := range hints {
		if ca, err := x509.ParseCertificate(der); err == nil && quick(ca) {
			o.Intermediates.AddCert(ca)
		}
	}
	return o
}

// quick is true for a CA whose signatures are verified quickly. The hints are from somebody unknown: crypto/x509 verifies up to
// a hundred signatures, of which each takes ten milliseconds with the largest key that a certificate of this size has room for.
func quick(ca *x509.Certificate) bool {
	key, isRSA := ca.PublicKey.(*rsa.PublicKey)
	return !isRSA || key.N.BitLen() <= maxHintBits && key.E <= maxHintExponent
}

// verifies is true if there is a chain at that time, of CAs that may issue certificates of endorsement keys.
func verifies(cert *x509.Certificate, options x509.VerifyOptions, at time.Time) bool {
	options.CurrentTime = at
	found, err := cert.Verify(options)
	if err != nil {
		return false
	}
	for _, chain := range found {
		if allowed(chain[1:]) {
			return true
		}
	}
	return false
}

func allowed(cas []*x509.Certificate) bool {
	for _, ca := range cas {
		if !mayIssueEK(ca) {
			return false
		}
	}
	return true
}

// by names the manufacturer, if the verified certificate does.
func by(cert *x509.Certificate) string {
	directory, ok := alternativeName(cert)
	if !ok {
		return ""
	}
	return " by " + manufacturer(directory)
}

// mismatch is true if a certificate is one of another key. A text that is no certificate is of no key.
func mismatch(der []byte, ek *endorsementKey) bool {
	cert, err := x509.ParseCertificate(der)
	return err == nil && !certifies(cert, ek)
}
