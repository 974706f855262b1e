package adcstest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"strings"
	"time"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/dcom"
)

// caType is the number of MS-WCCE section 2.2.2.4: an enterprise root CA, or one below another.
func (a *authority) caType() int32 {
	if a.cfg.profile.SelfSigned {
		return 0
	}
	return 1
}

// info is the CA in numbers (MS-WCCE section 2.2.2.4).
func (a *authority) info() *dcom.CAInfo {
	return &dcom.CAInfo{
		CAType: a.caType(), SignatureCerts: uint32(len(a.signingCerts())), ExchangeCerts: 1,
		PropIDMax: dcom.PropSubjectTemplate, AdvancedServer: 1,
	}
}

// parent is the name of the CA above: its host, which is an offline one, and its common name.
func (a *authority) parent(int) ([]byte, uint32) {
	tiers := a.current().tiers
	if len(tiers) == 1 {
		return nil, hrFileNotFound
	}
	host := "offline"
	if _, domain, ok := strings.Cut(a.cfg.host, "."); ok {
		host += "." + domain
	}
	return wireString(host + `\` + tiers[1].cert.Subject.CommonName), 0
}

// templateList is the names and OIDs of the templates, a line each.
func (a *authority) templateList() string {
	var list []string
	for _, t := range a.templates.list {
		list = append(list, t.Name, t.OID)
	}
	return lines(list)
}

// chainOf is a certificate of the CA with those above it, and with their CRLs if the flag says so.
func (a *authority) chainOf(index int, flags uint32) ([]byte, uint32) {
	p := a.signingCerts()[index]
	crls, err := a.revocationLists(p, flags)
	if err != nil {
		return nil, hrUnexpected
	}
	b, err := signedData{version: 1, contentType: oidData(), certs: p.certificates(), crls: crls}.marshal()
	if err != nil {
		return nil, hrUnexpected
	}
	return b, 0
}

// certState is whether a certificate of the CA is valid.
func (a *authority) certState(index int) byte {
	cert, now := a.signingCerts()[index].issuing().cert, a.now()
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return caDispInvalid
	}
	return caDispValid
}

// certStates has a byte for each certificate of the CA (MS-WCCE section 3.2.1.4.3.2.19).
func (a *authority) certStates(int) ([]byte, uint32) {
	states := make([]byte, len(a.signingCerts()))
	for i := range states {
		states[i] = a.certState(i)
	}
	return states, 0
}

// crossStates has a byte for each certificate of the CA: whether it has a cross certificate (MS-WCCE sections
// 3.2.1.4.3.2.37 and 3.2.1.4.3.2.38).
func (a *authority) crossStates(forward bool) []byte {
	states := make([]byte, len(a.signingCerts()))
	for i := range states {
		to, from := a.crossCertificates(i)
		if forward {
			from = to
		}
		if states[i] = caDispError; from != nil {
			states[i] = caDispValid
		}
	}
	return states
}

// certVersions has a number for each certificate of the CA (MS-WCCE section 3.2.1.4.3.2.39).
func (a *authority) certVersions(int) ([]byte, uint32) {
	var b []byte
	for _, p := range a.signingCerts() {
		b = binary.LittleEndian.AppendUint32(b, uint32(p.version.number()))
	}
	return b, 0
}

// crlStates has a byte for each certificate of the CA: whether CRLs go by its number (MS-WCCE section 3.2.1.4.3.2.20).
func (a *authority) crlStates(int) ([]byte, uint32) {
	var states []byte
	for i, p := range a.signingCerts() {
		state := byte(caDispError)
		if p.version.cert == p.version.key {
			state = a.certState(i)
		}
		states = append(states, state)
	}
	return states, 0
}

func crlBytes(r *crlRow) []byte { return r.list.Raw }

func crlStatus(r *crlRow) []byte { return longValue(r.flags) }

// crlProperty is something of the newest CRL that goes by the number of a certificate: that of the first one with a
// key. The newest certificate stands for its key, whichever it is.
func (a *authority) crlProperty(index int, delta bool, value func(*crlRow) []byte) ([]byte, uint32) {
	list := a.signingCerts()
	v := list[index].version
	if v.cert != v.key && index != len(list)-1 {
		return nil, hrFileNotFound
	}
	r, err := a.crl(v.key, delta)
	switch {
	case err != nil:
		return nil, hrUnexpected
	case r == nil:
		return nil, hrFileNotFound
	}
	return value(r), 0
}

const exchangeValidity = 7 * 24 * time.Hour // MS-WCCE section 3.2.1.4.3.2.15.1

// oidCAExchange is the extended key usage of an exchange certificate.
func oidCAExchange() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 5}
}

// exchange is the CA's exchange certificate. Other than on Windows it is not a row of the request table, where a test
// that counts requests would stumble over it, and nothing is ever decrypted with its key.
type exchange struct {
	cert   *x509.Certificate
	issuer *pki
}

// exchangeFor returns the current exchange certificate, or makes one.
func (a *authority) exchangeFor() (exchange, error) {
	a.exchangeMu.Lock()
	defer a.exchangeMu.Unlock()
	p, now := a.current(), a.now()
	if x := a.exchange; x.cert != nil && x.issuer == p && now.Before(x.cert.NotAfter) && !now.Before(x.cert.NotBefore) {
		return x, nil
	}
	key, err := rsa.GenerateKey(rand.Reader, caRSABits)
	if err != nil {
		return exchange{}, err
	}
	cert, err := a.newExchange(p, key, now)
	if err != nil {
		return exchange{}, err
	}
	a.exchange = exchange{cert, p}
	return a.exchange, nil
}

func (a *authority) newExchange(p *pki, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	subject, err := asn1.Marshal(caName(a.cfg.name+"-Xchg", a.cfg.host))
	if err != nil {
		return nil, err
	}
	kind, err := adcsasn1.TemplateNameExtension("CAExchange")
	if err != nil {
		return nil, err
	}
	ca := p.issuing()
	c := &x509.Certificate{
		SerialNumber: newSerial(0, p.version.cert), RawSubject: subject,
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(exchangeValidity),
		KeyUsage: x509.KeyUsageKeyEncipherment, UnknownExtKeyUsage: []asn1.ObjectIdentifier{oidCAExchange()},
		CRLDistributionPoints: a.cfg.profile.CDP, IssuingCertificateURL: a.cfg.profile.AIA,
		ExtraExtensions: []pkix.Extension{kind},
	}
	if c.NotBefore.Before(ca.cert.NotBefore) {
		c.NotBefore = ca.cert.NotBefore
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (a *authority) exchangeCert(int) ([]byte, uint32) {
	x, err := a.exchangeFor()
	if err != nil {
		return nil, hrUnexpected
	}
	return x.cert.Raw, 0
}

// exchangeChain is the exchange certificate with those of the CAs, and with their CRLs if the flag says so. The
// specification has it as the content of the CMS; it is among the certificates too, where chains are looked for.
func (a *authority) exchangeChain(flags uint32) ([]byte, uint32) {
	x, err := a.exchangeFor()
	if err != nil {
		return nil, hrUnexpected
	}
	certs := append([][]byte{x.cert.Raw}, x.issuer.certificates()...)
	crls, err := a.revocationLists(x.issuer, flags)
	if err != nil {
		return nil, hrUnexpected
	}
	d := signedData{version: 1, contentType: oidData(), content: x.cert.Raw, certs: certs, crls: crls}
	b, err := d.marshal()
	if err != nil {
		return nil, hrUnexpected
	}
	return b, 0
}

// caCert does GetCACert (MS-WCCE section 3.2.1.4.2.2), where properties have other numbers and no types.
func (a *authority) caCert(what uint32) ([]byte, uint32) {
	switch what {
	case dcom.CACertSignature:
		return a.property(dcom.PropCASigCert, dcom.PropertyNewest, dcom.TypeBinary)
	case dcom.CACertExchange:
		return a.property(dcom.PropCAXchgCert, 0, dcom.TypeBinary)
	case dcom.CACertCRL:
		return a.property(dcom.PropBaseCRL, dcom.PropertyNewest, dcom.TypeBinary)
	case dcom.CACertInfo:
		return a.property(dcom.PropCAType, 0, dcom.TypeLong)
	case dcom.CACertType: // section 3.2.1.4.2.2 says both: a CAINFO, and a number
		return longValue(uint32(a.caType())), 0
	}
	texts := map[uint32]int32{
		dcom.CACertName: dcom.PropCAName, dcom.CACertSanitized: dcom.PropSanitizedCAName,
		dcom.CACertFile: dcom.PropFileVersion, dcom.CACertProduct: dcom.PropProductVersion,
		dcom.CACertParent: dcom.PropParentCA, caCertPolicy: dcom.PropPolicyDescription,
		caCertShared: dcom.PropSharedFolder,
	}
	if id, ok := texts[what]; ok {
		return a.property(id, 0, dcom.TypeString)
	}
	index := int32(what & 0xffff)
	switch what & 0xffff0000 {
	case dcom.CACertIndexed:
		return a.property(dcom.PropCASigCert, index, dcom.TypeBinary)
	case caCertCRLIndexed:
		return a.property(dcom.PropBaseCRL, index, dcom.TypeBinary)
	case caCertExitIndexed:
		return a.property(dcom.PropExitDescription, index, dcom.TypeString)
	case caCertCRLState:
		return a.property(dcom.PropCRLState, index, dcom.TypeLong)
	case caCertState:
		return a.property(dcom.PropCACertState, index, dcom.TypeLong)
	}
	return nil, hrInvalidArg
}

// What GetCACert can be asked for beside what package dcom names.
const (
	caCertPolicy      uint32 = 0x706f6c69
	caCertShared      uint32 = 0x73686172
	caCertCRLIndexed  uint32 = 0x636c0000
	caCertExitIndexed uint32 = 0x65780000
	caCertCRLState    uint32 = 0x736c0000
	caCertState       uint32 = 0x73740000
)
