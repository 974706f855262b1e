package adcstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

const (
	caRSABits    = 2048
	clockSkew    = 10 * time.Minute // how far certificates are dated back
	rootValidity = 20 * 365 * 24 * time.Hour
	caValidity   = 10 * 365 * 24 * time.Hour
	crlValidity  = 7 * 24 * time.Hour
)

// oidCAVersion is the CA version extension (MS-WCCE section 2.2.2.7.7 and MS-CSRA); its value counts renewals.
func oidCAVersion() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 1} }

// oidPreviousCA is the extension of a renewed CA with the SHA-1 of the certificate before.
func oidPreviousCA() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 2}
}

// caVersion says which of a CA's certificates one is.
type caVersion struct {
	cert uint16 // its index in the table of signing certificates
	key  uint16 // the index of the first certificate with its key
	// previous is the DER of the certificate before; nil for the first one.
	previous []byte
}

// number is how the two are written together (MS-CSRA section 3.1.4.1.6): the key in the upper 16 bits.
func (v caVersion) number() int { return int(v.key)<<16 | int(v.cert) }

func (v caVersion) extensions() ([]pkix.Extension, error) {
	number, err := asn1.Marshal(v.number())
	if err != nil {
		return nil, err
	}
	list := []pkix.Extension{{Id: oidCAVersion(), Value: number}}
	if v.previous == nil {
		return list, nil
	}
	sum := sha1.Sum(v.previous)
	hash, err := asn1.Marshal(sum[:])
	return append(list, pkix.Extension{Id: oidPreviousCA(), Value: hash}), err
}

// tier is one CA of the hierarchy.
type tier struct {
	key  crypto.Signer
	cert *x509.Certificate
}

// pki is the hierarchy of CAs: the issuing one first, the root last. It is not written to once made.
type pki struct {
	tiers   []tier
	profile Profile
	version caVersion // of the issuing CA
	// Cross certificates of a root CA that was renewed with a new key: of this key by the key before, and of the key
	// before by this one. Nil if there are none.
	crossFromPrevious, crossOfPrevious []byte
}

func (p *pki) issuing() tier { return p.tiers[0] }

// newPKI makes keys and certificates of a hierarchy whose issuing CA has the given common name. The names of the CAs
// end in the components of the host's domain, as those of an enterprise CA do.
func newPKI(name, host string, profile Profile, now time.Time) (*pki, error) {
	labels := []string{name}
	for i := range profile.Intermediates {
		labels = append(labels, fmt.Sprintf("%s Intermediate %d", name, profile.Intermediates-i))
	}
	if !profile.SelfSigned {
		labels = append(labels, name+" Root")
	}
	p := &pki{tiers: make([]tier, len(labels)), profile: profile}
	for i := len(labels) - 1; i >= 0; i-- {
		key, err := newCAKey(profile)
		if err != nil {
			return nil, err
		}
		parent := (*tier)(nil)
		if i+1 < len(labels) {
			parent = &p.tiers[i+1]
		}
		if p.tiers[i], err = newTier(key, caName(labels[i], host), parent, profile, now, caVersion{}); err != nil {
			return nil, fmt.Errorf("certificate of CA %q: %v", labels[i], err)
		}
	}
	return p, nil
}

func newCAKey(profile Profile) (crypto.Signer, error) {
	if profile.RSA {
		return rsa.GenerateKey(rand.Reader, caRSABits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// caName is DC=test, DC=corp, CN=label for a host in corp.test.
func caName(label, host string) pkix.RDNSequence {
	var seq pkix.RDNSequence
	if _, domain, ok := strings.Cut(host, "."); ok {
		parts := strings.Split(domain, ".")
		for i := len(parts) - 1; i >= 0; i-- {
			seq = append(seq, rdn(oidDomainComponent(), parts[i]))
		}
	}
	return append(seq, rdn(oidCommonName(), label))
}

func newTier(
	key crypto.Signer, name pkix.RDNSequence, parent *tier, profile Profile, now time.Time, version caVersion,
) (tier, error) {
	subject, err := asn1.Marshal(name)
	if err != nil {
		return tier{}, err
	}
	keyID, err := subjectKeyID(key.Public())
	if err != nil {
		return tier{}, err
	}
	kind := "SubCA"
	if parent == nil {
		kind = "CA"
	}
	identity, err := adcsasn1.TemplateNameExtension(kind)
	if err != nil {
		return tier{}, err
	}
	history, err := version.extensions()
	if err != nil {
		return tier{}, err
	}
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] = serial[0]&0x7F | 0x40
	c := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), RawSubject: subject,
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(rootValidity),
		IsCA: true, BasicConstraintsValid: true, SubjectKeyId: keyID,
		KeyUsage:        x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtraExtensions: append([]pkix.Extension{identity}, history...),
	}
	signer, issuer := key, c
	if parent != nil {
		c.NotAfter = now.Add(caValidity)
		c.CRLDistributionPoints, c.IssuingCertificateURL = profile.CDP, profile.AIA
		signer, issuer = parent.key, parent.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), signer)
	if err != nil {
		return tier{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return tier{key: key, cert: cert}, err
}

// subjectKeyID is the SHA-1 of the key's bit string, which is what AD CS uses (RFC 5280, section 4.2.1.2, method 1).
func subjectKeyID(publicKey any) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(publicKey)
	if err != nil {
		return nil, err
	}
	s := cryptobyte.String(spki)
	var info, bits cryptobyte.String
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !info.SkipASN1(cbasn1.SEQUENCE) ||
		!info.ReadASN1(&bits, cbasn1.BIT_STRING) || !bits.Skip(1) {
		return nil, fmt.Errorf("public key of type %T has no bit string", publicKey)
	}
	sum := sha1.Sum(bits)
	return sum[:], nil
}

// revocationList signs an empty CRL of a tier above the issuing CA, which never revokes anything.
func (t tier) revocationList(now time.Time) ([]byte, error) {
	return x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: now.Add(-clockSkew), NextUpdate: now.Add(crlValidity),
	}, t.cert, t.key)
}
