package adcstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"time"
)

// issued is a signed certificate and the hierarchy that signed it.
type issued struct {
	der    []byte
	serial *big.Int
	// notAfter is the end of its validity.
	notAfter time.Time
	issuer   *pki
	// handed is the leaf that encodedCert shows when it shall not be the one in the chain; nil for der.
	handed []byte
}

// sign makes the certificate (MS-WCCE section 3.2.1.4.2.1.4.7). It costs one signature and its check, which is what
// x509.CreateCertificate does.
func (a *authority) sign(is *issuance, id uint32) (issued, error) {
	hierarchy, err := a.signer(is.tampering)
	if err != nil {
		return issued{}, err
	}
	if err := is.tamper(); err != nil {
		return issued{}, err
	}
	keyID, err := subjectKeyID(is.publicKey)
	if err != nil {
		return issued{}, err
	}
	ca := hierarchy.issuing()
	now := a.now()
	t := is.template
	serial := newSerial(id, hierarchy.version.cert)
	c := &x509.Certificate{
		SerialNumber: serial, RawSubject: is.subject, SubjectKeyId: keyID,
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(t.Validity),
		KeyUsage:        keyUsage(t.KeyUsage, is.algorithm),
		ExtraExtensions: slices.Concat(t.extensions, is.extensions),
	}
	p := a.cfg.profile
	c.CRLDistributionPoints, c.IssuingCertificateURL, c.OCSPServer = p.CDP, p.AIA, p.OCSP
	if c.NotAfter.After(ca.cert.NotAfter) {
		c.NotAfter = ca.cert.NotAfter
	}
	if is.tampering.expired {
		c.NotBefore, c.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca.cert, is.publicKey, ca.key)
	if err != nil {
		return issued{}, err
	}
	out := issued{der: der, serial: serial, notAfter: c.NotAfter, issuer: hierarchy}
	if is.tampering.otherLeaf {
		c.SerialNumber = newSerial(id, hierarchy.version.cert)
		if out.handed, err = x509.CreateCertificate(rand.Reader, c, ca.cert, is.publicKey, ca.key); err != nil {
			return issued{}, err
		}
	}
	return out, nil
}

// tamper changes what is certified, for a test that asked for it.
func (is *issuance) tamper() error {
	if is.tampering.otherKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		is.publicKey, is.algorithm = key.Public(), "ECDSA_P256"
	}
	if is.tampering.subject == "" {
		return nil
	}
	subject, err := asn1.Marshal(pkix.RDNSequence{rdn(oidCommonName(), is.tampering.subject)})
	is.subject = subject
	return err
}

// signer returns the hierarchy that signs: the CA's, or one of the same names that nobody trusts.
func (a *authority) signer(t tampering) (*pki, error) {
	if !t.otherIssuer {
		return a.current(), nil
	}
	return a.impostor()
}

// keyUsage adapts the template's key usage to the key: only RSA keys can encipher keys.
func keyUsage(usage x509.KeyUsage, algorithm string) x509.KeyUsage {
	if usage == 0 {
		usage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	}
	if algorithm != keyRSA {
		usage &^= x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment
	}
	return usage
}

// newSerial makes a serial number of 19 bytes as MS-WCCE section 3.2.1.4.2.1.4.6.2 says, from high to low: a byte, the
// request id, eight random bytes, the index of the CA's certificate, the request id.
func newSerial(id uint32, certIndex uint16) *big.Int {
	const high = 0x5B // Config_High_Serial_Number; not zero in its high nibble, so that it needs no mending
	b := append(make([]byte, 0, 19), high)
	b = binary.BigEndian.AppendUint32(b, id)
	b = b[:13]
	_, _ = rand.Read(b[5:]) // never fails
	b = binary.BigEndian.AppendUint16(b, certIndex)
	return new(big.Int).SetBytes(binary.BigEndian.AppendUint32(b, id))
}
