package adcs

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

var oidAnyUsage = asn1.ObjectIdentifier{2, 5, 29, 37, 0}

var oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

func checkUsages(issued *x509.Certificate, e *Expect) error {
	if len(e.EKUs) == 0 {
		return nil
	}
	usages, present, err := usagesOf(issued)
	if err != nil {
		return &VerifyError{MismatchUsage, err.Error(), err}
	}
	if !present {
		return mismatch(MismatchUsage, "it has none, and is good for any purpose")
	}
	for _, want := range e.EKUs {
		if !containsOID(usages, want) {
			return mismatch(MismatchUsage, "it is not good for %v", want)
		}
	}
	return nil
}

// usagesOf returns the extended key usages of a certificate: those of the standard extension, and, of these, only those
// that Microsoft's application policies, where present, allow too.
func usagesOf(cert *x509.Certificate) (usages []asn1.ObjectIdentifier, present bool, err error) {
	var policies []asn1.ObjectIdentifier
	hasPolicies := false
	for _, ext := range cert.Extensions {
		switch {
		case ext.Id.Equal(oidExtKeyUsage):
			present = true
			usages, err = parseOIDs(ext.Value, false)
		case ext.Id.Equal(adcsasn1.OIDApplicationPolicies()):
			hasPolicies = true
			policies, err = parseOIDs(ext.Value, true)
		}
		if err != nil {
			return nil, false, err
		}
	}
	if !present || !hasPolicies {
		return append(usages, policies...), present || hasPolicies, nil
	}
	return slices.DeleteFunc(usages, func(oid asn1.ObjectIdentifier) bool { return !containsOID(policies, oid) }), true, nil
}

// parseOIDs reads SEQUENCE OF OID, or, if wrapped, SEQUENCE OF SEQUENCE { OID, … }.
func parseOIDs(value []byte, wrapped bool) ([]asn1.ObjectIdentifier, error) {
	in := cryptobyte.String(value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, errors.New("malformed key usages")
	}
	var oids []asn1.ObjectIdentifier
	for !list.Empty() {
		item := &list
		if wrapped {
			item = new(cryptobyte.String)
			if !list.ReadASN1(item, cbasn1.SEQUENCE) {
				return nil, errors.New("malformed application policies")
			}
		}
		var oid asn1.ObjectIdentifier
		if !item.ReadASN1ObjectIdentifier(&oid) {
			return nil, errors.New("malformed key usages")
		}
		oids = append(oids, oid)
	}
	return oids, nil
}

func containsOID(list []asn1.ObjectIdentifier, want asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(list, want.Equal)
}

// maxKeyBits bounds the RSA keys that signatures are verified with. The time that it takes grows with the square of the
// size, and certificates of a CA have room for keys with which one signature takes a quarter of a minute.
const maxKeyBits = 16384

// keyBits is the size of an RSA key; the others that crypto/x509 knows have few sizes, all of them small.
func keyBits(public any) int {
	if key, ok := public.(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}

// verifyChain builds the chains with crypto/x509, which checks signatures, validity, basic and name constraints, and
// chooses one.
func verifyChain(issued *x509.Certificate, e *Expect) ([]*x509.Certificate, error) {
	pool := x509.NewCertPool()
	for _, cert := range e.Intermediates {
		if keyBits(cert.PublicKey) <= maxKeyBits {
			pool.AddCert(cert)
		}
	}
	leaf := withoutKnownCriticals(issued)
	options := x509.VerifyOptions{
		Roots:         e.Roots,
		Intermediates: pool,
		CurrentTime:   e.Now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	chains, err := leaf.Verify(options)
	if err != nil {
		detail := explainChain(leaf, e, options, err)
		return nil, &VerifyError{MismatchChain, "it cannot be verified: " + boundedTo(detail, 400), err}
	}
	chains = slices.DeleteFunc(chains, func(chain []*x509.Certificate) bool { return !allowsUsages(chain[1:], e.EKUs) })
	if len(chains) == 0 {
		return nil, mismatch(MismatchUsage, "no CA of its chain may issue for all of %v", e.EKUs)
	}
	chain := slices.Clone(slices.MinFunc(chains, compareChains))
	chain[0] = issued
	return chain, nil
}

// compareChains orders chains, the best first. A CA that was renewed with its key, or cross-certified, has several
// certificates that the signature fits. Best are those that are valid until the certificate itself ends, then the short
// ones, then those whose CAs have certificates that end last or, ending together, are newest, the nearest CA first.
func compareChains(a, b []*x509.Certificate) int {
	if lastsA, lastsB := lasts(a), lasts(b); lastsA != lastsB {
		if lastsA {
			return -1
		}
		return 1
	}
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	for i := 1; i < len(a); i++ {
		if c := b[i].NotAfter.Compare(a[i].NotAfter); c != 0 {
			return c
		}
	}
	return b[1].NotBefore.Compare(a[1].NotBefore)
}

// lasts reports whether no CA certificate of a chain ends before the certificate does.
func lasts(chain []*x509.Certificate) bool {
	return !slices.ContainsFunc(chain[1:], func(ca *x509.Certificate) bool { return ca.NotAfter.Before(chain[0].NotAfter) })
}

// withoutKnownCriticals returns a copy for crypto/x509 without the critical extensions that Verify itself has judged:
// alternative names, of which crypto/x509 does not know user principal names, and those of AD CS.
func withoutKnownCriticals(cert *x509.Certificate) *x509.Certificate {
	clone := *cert
	clone.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(cert.UnhandledCriticalExtensions),
		func(oid asn1.ObjectIdentifier) bool {
			return oid.Equal(adcsasn1.OIDSubjectAltName()) || oid.Equal(adcsasn1.OIDApplicationPolicies()) ||
				oid.Equal(adcsasn1.OIDSIDExtension()) || oid.Equal(adcsasn1.OIDTemplate()) ||
				oid.Equal(adcsasn1.OIDTemplateName())
		})
	return &clone
}

// allowsUsages reports whether no CA of the chain is restricted to other usages. A root is trusted for whatever it is
// put among the roots for.
func allowsUsages(cas []*x509.Certificate, want []asn1.ObjectIdentifier) bool {
	for i, ca := range cas {
		usages, present, err := usagesOf(ca)
		if err != nil {
			return false
		}
		if !present || i == len(cas)-1 || containsOID(usages, oidAnyUsage) {
			continue
		}
		for _, oid := range want {
			if !containsOID(usages, oid) {
				return false
			}
		}
	}
	return true
}
