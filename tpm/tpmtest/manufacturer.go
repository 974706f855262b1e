package tpmtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Manufacturer is a maker of TPMs: a root, an intermediate CA under it, and certificates for endorsement keys. Several
// TPMs of a test can share one.
type Manufacturer struct {
	tb                    testing.TB
	rootKey, issuingKey   *ecdsa.PrivateKey
	root, issuing         *x509.Certificate
	notBefore, notAfterCA time.Time
}

// Object identifiers of the TCG (TCG EK Credential Profile for TPM Family 2.0, version 2.5, section 3).
var (
	oidEKCertificate     = asn1.ObjectIdentifier{2, 23, 133, 8, 1}
	oidTPMManufacturer   = asn1.ObjectIdentifier{2, 23, 133, 2, 1}
	oidTPMModel          = asn1.ObjectIdentifier{2, 23, 133, 2, 2}
	oidTPMVersion        = asn1.ObjectIdentifier{2, 23, 133, 2, 3}
	oidTPMSpecification  = asn1.ObjectIdentifier{2, 23, 133, 2, 16}
	oidSubjectAltName    = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidSubjectAttributes = asn1.ObjectIdentifier{2, 5, 29, 9}
)

// NewManufacturer makes a manufacturer, whose certificates are valid from an hour ago on, for ten years.
func NewManufacturer(tb testing.TB) *Manufacturer {
	tb.Helper()
	now := time.Now()
	m := &Manufacturer{tb: tb, notBefore: now.Add(-time.Hour), notAfterCA: now.AddDate(10, 0, 0)}
	m.rootKey, m.issuingKey = newKey(tb), newKey(tb)
	root := m.authority("TPM Test Manufacturer Root CA")
	m.root = m.sign(root, root, &m.rootKey.PublicKey, m.rootKey)
	issuing := m.authority("TPM Test Manufacturer EK CA 1")
	issuing.MaxPathLenZero = true
	m.issuing = m.sign(issuing, m.root, &m.issuingKey.PublicKey, m.rootKey)
	return m
}

// Root is the manufacturer's root certificate.
func (m *Manufacturer) Root() *x509.Certificate { return m.root }

// Intermediate is the certificate of the CA that issues those of endorsement keys.
func (m *Manufacturer) Intermediate() *x509.Certificate { return m.issuing }

// Roots is a pool of the root alone.
func (m *Manufacturer) Roots() *x509.CertPool { return pool(m.root) }

// Intermediates is a pool of the intermediate alone.
func (m *Manufacturer) Intermediates() *x509.CertPool { return pool(m.issuing) }

func pool(cert *x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(cert)
	return p
}

// Issue returns the DER of a certificate for an endorsement key, of the TCG's profile: no subject, but a critical
// alternative name that says what the TPM is, the extended key usage for endorsement keys, and the key usage that an
// RSA or an ECC key of this kind has. It has expired if notAfter is in the past.
func (m *Manufacturer) Issue(key crypto.PublicKey, notAfter time.Time) []byte {
	return m.IssueFrom(m.Template(key, notAfter), key)
}

// IssueFrom issues a certificate from a template, which the caller may have made wrong on purpose.
func (m *Manufacturer) IssueFrom(template *x509.Certificate, key crypto.PublicKey) []byte {
	m.tb.Helper()
	return m.sign(template, m.issuing, key, m.issuingKey).Raw
}

// Template is what Issue signs.
func (m *Manufacturer) Template(key crypto.PublicKey, notAfter time.Time) *x509.Certificate {
	m.tb.Helper()
	usage := x509.KeyUsageKeyAgreement
	if _, isRSA := key.(*rsa.PublicKey); isRSA {
		usage = x509.KeyUsageKeyEncipherment
	}
	notBefore := m.notBefore
	if notAfter.Before(notBefore) {
		notBefore = notAfter.Add(-time.Hour)
	}
	return &x509.Certificate{
		SerialNumber:          m.serial(),
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              usage,
		BasicConstraintsValid: true,
		UnknownExtKeyUsage:    []asn1.ObjectIdentifier{oidEKCertificate},
		ExtraExtensions:       []pkix.Extension{m.alternativeName(), m.specification()},
	}
}

// alternativeName says who made the TPM and which it is: a directoryName of three attributes (TCG EK Credential
// Profile, section 3.2.9). The manufacturer's id is that of swtpm's maker, IBM.
func (m *Manufacturer) alternativeName() pkix.Extension {
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value string `asn1:"utf8"`
	}
	var names []asn1.RawValue
	for _, a := range []attribute{
		{oidTPMManufacturer, "id:49424D00"}, {oidTPMModel, "swtpm"}, {oidTPMVersion, "id:20191023"},
	} {
		names = append(names, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: m.der(a)})
	}
	directory := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: m.der(names)}
	return pkix.Extension{Id: oidSubjectAltName, Critical: true, Value: m.der([]asn1.RawValue{directory})}
}

// specification says which specification the TPM follows: family, level and revision (section 3.2.10).
func (m *Manufacturer) specification() pkix.Extension {
	type specification struct {
		Family          string `asn1:"utf8"`
		Level, Revision int
	}
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []specification `asn1:"set"`
	}
	value := []attribute{{oidTPMSpecification, []specification{{"2.0", 0, 164}}}}
	return pkix.Extension{Id: oidSubjectAttributes, Value: m.der(value)}
}

func (m *Manufacturer) authority(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: m.serial(),
		Subject: pkix.Name{
			CommonName: name, Organization: []string{"TPM Test Manufacturer"}, Country: []string{"CH"},
		},
		NotBefore:             m.notBefore,
		NotAfter:              m.notAfterCA,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func (m *Manufacturer) sign(
	template, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer,
) *x509.Certificate {
	m.tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	require.NoError(m.tb, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(m.tb, err)
	return cert
}

func (m *Manufacturer) serial() *big.Int {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	require.NoError(m.tb, err)
	return serial.Add(serial, big.NewInt(1))
}

func (m *Manufacturer) der(value any) []byte {
	m.tb.Helper()
	der, err := asn1.Marshal(value)
	require.NoError(m.tb, err)
	return der
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	return key
}
