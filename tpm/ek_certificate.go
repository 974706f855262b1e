package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of the TCG (TCG EK Credential Profile for TPM Family 2.0, version 2.5, section 3) and PKIX. They
// are texts because variables could be changed.
const (
	oidEKCertificate  = "2.23.133.8.1"
	oidManufacturer   = "2.23.133.2.1"
	oidAlternative    = "2.5.29.17"
	oidRSAESOAEP      = "1.2.840.113549.1.1.7"
	tagDirectoryName  = 4
	manufacturerBytes = 4
)

// isDER is true for exactly one SEQUENCE.
func isDER(b []byte) bool {
	s := cryptobyte.String(b)
	var element cryptobyte.String
	return s.ReadASN1Element(&element, cbasn1.SEQUENCE) && s.Empty()
}

// certifies is true if a certificate is of an endorsement key. Older certificates name the key's algorithm RSAES-OAEP
// (RFC 4055, 4.1), of which crypto/x509 reads nothing.
func certifies(cert *x509.Certificate, ek *endorsementKey) bool {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.Equal(ek.key)
	case *ecdsa.PublicKey:
		point, err := key.ECDH()
		return err == nil && point.Equal(ek.key)
	case nil:
		oaep, ok := oaepKey(cert.RawSubjectPublicKeyInfo)
		return ok && oaep.Equal(ek.key)
	}
	return false
}

// oaepKey reads a SubjectPublicKeyInfo of the algorithm RSAES-OAEP.
func oaepKey(spki []byte) (*rsa.PublicKey, bool) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	rest, err := asn1.Unmarshal(spki, &info)
	if err != nil || len(rest) > 0 || info.Algorithm.Algorithm.String() != oidRSAESOAEP {
		return nil, false
	}
	key, err := x509.ParsePKCS1PublicKey(info.Key.RightAlign())
	return key, err == nil
}

// isEKCertificate checks what makes a certificate one of an endorsement key: its extended key usage, and that it is no
// CA's and no signing key's. A certificate of another kind by the same manufacturer vouches for something else.
func isEKCertificate(cert *x509.Certificate) bool {
	usage := x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	return !cert.IsCA && (cert.KeyUsage == 0 || cert.KeyUsage&usage != 0) && forEK(cert)
}

// forEK is true if the extended key usages hold that of endorsement keys.
func forEK(cert *x509.Certificate) bool {
	return slices.ContainsFunc(cert.UnknownExtKeyUsage, func(oid asn1.ObjectIdentifier) bool {
		return oid.String() == oidEKCertificate
	})
}

// mayIssueEK is true for a CA whose certificate does not restrict it to other usages.
func mayIssueEK(ca *x509.Certificate) bool {
	return len(ca.ExtKeyUsage)+len(ca.UnknownExtKeyUsage) == 0 ||
		slices.Contains(ca.ExtKeyUsage, x509.ExtKeyUsageAny) || forEK(ca)
}

// understood returns the certificate without the critical alternative name that says what the TPM is: a certificate
// without a subject has it, and crypto/x509 understands no directoryName. If it is not what the profile describes, it
// stays critical and the chain does not verify.
func understood(cert *x509.Certificate) *x509.Certificate {
	if _, ok := alternativeName(cert); !ok {
		return cert
	}
	c := *cert
	c.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(cert.UnhandledCriticalExtensions),
		func(oid asn1.ObjectIdentifier) bool { return oid.String() == oidAlternative })
	return &c
}

// alternativeName reads the directoryName that names manufacturer, model and version of the TPM.
func alternativeName(cert *x509.Certificate) (pkix.RDNSequence, bool) {
	i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.String() == oidAlternative })
	if i < 0 {
		return nil, false
	}
	s := cryptobyte.String(cert.Extensions[i].Value)
	var names cryptobyte.String
	if !s.ReadASN1(&names, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, false
	}
	for !names.Empty() {
		var name cryptobyte.String
		var tag cbasn1.Tag
		if !names.ReadAnyASN1(&name, &tag) {
			return nil, false
		}
		var directory pkix.RDNSequence
		if tag != directoryTag() {
			continue
		}
		if rest, err := asn1.Unmarshal(name, &directory); err == nil && len(rest) == 0 && manufacturer(directory) != "" {
			return directory, true
		}
	}
	return nil, false
}

func directoryTag() cbasn1.Tag { return cbasn1.Tag(tagDirectoryName).ContextSpecific().Constructed() }

// manufacturer returns the vendor id in a name (TCG TPM Vendor ID Registry), four letters or fewer; or its digits if
// they are no letters.
func manufacturer(directory pkix.RDNSequence) string {
	for _, set := range directory {
		for _, attribute := range set {
			value, isText := attribute.Value.(string)
			digits, hasPrefix := strings.CutPrefix(value, "id:")
			id, err := hex.DecodeString(digits)
			if attribute.Type.String() != oidManufacturer || !isText || !hasPrefix ||
				err != nil || len(id) != manufacturerBytes {
				continue
			}
			letters := bytes.TrimRight(id, "\x00 ")
			if len(letters) > 0 && !bytes.ContainsFunc(letters, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return string(letters)
			}
			return strings.ToUpper(hex.EncodeToString(id))
		}
	}
	return ""
}
