package adcstest

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/adcskit/adcskit/internal/adcsasn1"
	"github.com/adcskit/adcskit/internal/x500"
)

// Dispositions in the database of a Windows CA. MS-CSRA (section 3.1.1.1.1, note 5) has those of requests in their
// place, and these where it speaks of messages (section 3.1.4.1.3).
const (
	dbActive  = 8
	dbPending = 9
	dbIssued  = 20
	dbRevoked = 21
	dbError   = 30
	dbDenied  = 31
)

// Flags of a request (MS-CSRA section 3.1.1.1.2).
const (
	requestRenewal    = 0x02
	requestForceUTF8  = 0x04
	requestOnBehalfOf = 0x10
)

// timeValue is a time in a cell.
type timeValue struct{ time.Time }

// tableRow is a row of a table as views see it.
type tableRow interface {
	rowID() uint32
	cell(column uint32) any // nil for NULL
}

// requestRow is a copy of a row of the request table.
type requestRow struct {
	row
	templateOID string
	cert        *x509.Certificate // parsed when first needed
}

func (r *requestRow) rowID() uint32 { return r.id }

// parsed is the certificate; nil if there is none.
func (r *requestRow) parsed() *x509.Certificate {
	if r.cert == nil && r.row.cert.der != nil {
		r.cert, _ = x509.ParseCertificate(r.row.cert.der) // this CA made it
	}
	return r.cert
}

func (r *requestRow) cell(column uint32) any {
	const requestNames, certificateNames = 0x1017, 0x2014 // the first columns of the parts of names
	switch {
	case column >= requestNames && column < requestNames+uint32(len(nameParts())):
		return namePart(r.requested, int(column-requestNames))
	case column >= certificateNames && column < certificateNames+uint32(len(nameParts())):
		if cert := r.parsed(); cert != nil {
			return namePart(cert.RawSubject, int(column-certificateNames))
		}
		return nil
	case column >= 0x2000:
		return r.certificateCell(column)
	}
	return r.requestCell(column)
}

// requestCell is what there is to say about a request (MS-CSRA sections 3.1.1.1.1 and 3.1.1.1.2).
func (r *requestRow) requestCell(column uint32) any {
	switch column {
	case 0x1000:
		return r.id
	case 0x1001:
		return r.raw
	case 0x1004:
		return r.renewed
	case 0x1005:
		return r.attributes
	case 0x1006:
		return r.flags
	case 0x1007:
		return r.requestFlags()
	case 0x1008:
		return r.status
	case 0x1009:
		return r.dbDisposition()
	case 0x100a:
		return r.message
	case 0x100b:
		return timeValue{r.submitted}
	case 0x100c:
		return timeValue{r.resolved}
	case 0x1010:
		return r.requester
	case 0x1011:
		return r.caller.account()
	case 0x1015:
		return x500.String(r.requested)
	case 0x1016:
		return r.requested
	}
	return r.revocationCell(column)
}

func (r *requestRow) revocationCell(column uint32) any {
	if r.revocation.when.IsZero() {
		return nil
	}
	switch column {
	case 0x100d:
		return timeValue{r.revocation.when}
	case 0x100e:
		return timeValue{r.revocation.effective}
	case 0x100f:
		return r.revocation.reason
	}
	return nil
}

func (r *requestRow) requestFlags() int {
	flags := requestForceUTF8
	if r.renewed != nil {
		flags |= requestRenewal
	}
	if r.requester != r.caller.account() {
		flags |= requestOnBehalfOf
	}
	return flags
}

func (r *requestRow) dbDisposition() int {
	switch r.disposition {
	case dispPending:
		return dbPending
	case dispIssued:
		return dbIssued
	case dispRevoked:
		return dbRevoked
	case dispDenied:
		return dbDenied
	case dispError:
		return dbError
	}
	return dbActive
}

// certificateCell is what there is to say about an issued certificate. RequestID and SerialNumber are answered without
// looking into it.
func (r *requestRow) certificateCell(column uint32) any {
	if column == 0x2003 { // the template of requests that became no certificate is known too
		if r.templateOID != "" {
			return r.templateOID
		}
		return r.template
	}
	if r.row.cert.der == nil {
		return nil
	}
	switch column {
	case 0x2000:
		return r.id
	case 0x2001:
		return r.row.cert.der
	case 0x2002:
		return spaced(sha1.Sum(r.row.cert.der))
	case 0x2004, 0x2005, 0x2006:
		return 0
	case 0x2007:
		return r.row.cert.serialText()
	case 0x2008:
		return r.row.cert.issuer.version.number()
	case 0x2010:
		if r.revocation.publishExpired {
			return 1
		}
		return 0
	}
	return parsedCell(r.parsed(), column)
}

// parsedCell is what is inside of a certificate.
func parsedCell(cert *x509.Certificate, column uint32) any {
	if cert == nil {
		return nil
	}
	switch column {
	case 0x2009:
		return timeValue{cert.NotBefore}
	case 0x200a:
		return timeValue{cert.NotAfter}
	case 0x200b:
		return spacedHex(cert.SubjectKeyId)
	case 0x200c, 0x200d, 0x200e, 0x200f:
		return publicKeyCell(cert.RawSubjectPublicKeyInfo, column)
	case 0x2011:
		return upnOf(cert)
	case 0x2012:
		return x500.String(cert.RawSubject)
	case 0x2013:
		return cert.RawSubject
	}
	return nil
}

// publicKeyCell is a part of a SubjectPublicKeyInfo.
func publicKeyCell(spki []byte, column uint32) any {
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &key); err != nil {
		return nil
	}
	switch column {
	case 0x200c:
		return key.Key.Bytes
	case 0x200d:
		if pub, err := x509.ParsePKIXPublicKey(spki); err == nil {
			return keyBits(pub)
		}
		return nil
	case 0x200e:
		return key.Algorithm.Algorithm.String()
	}
	return key.Algorithm.Parameters.FullBytes
}

// keyBits is the length of a public key of the CA's kinds.
func keyBits(pub any) any {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return pub.N.BitLen()
	case *ecdsa.PublicKey:
		return pub.Params().BitSize
	}
	return nil
}

// upnOf is the user principal name of a certificate.
func upnOf(cert *x509.Certificate) any {
	for _, e := range cert.Extensions {
		if !e.Id.Equal(adcsasn1.OIDSubjectAltName()) {
			continue
		}
		if san, err := adcsasn1.SANFromExtension(e.Value); err == nil && len(san.UPN) > 0 {
			return strings.Join(san.UPN, "\n")
		}
	}
	return nil
}

// nameParts are the parts of a name that have columns, in the order of the columns.
func nameParts() []asn1.ObjectIdentifier {
	return []asn1.ObjectIdentifier{
		{2, 5, 4, 6}, {2, 5, 4, 10}, {2, 5, 4, 11}, {2, 5, 4, 3}, {2, 5, 4, 7}, {2, 5, 4, 8}, // C, O, OU, CN, L, ST
		{2, 5, 4, 12}, {2, 5, 4, 42}, {2, 5, 4, 43}, {2, 5, 4, 4}, // title, given name, initials, surname
		{0, 9, 2342, 19200300, 100, 1, 25}, {1, 2, 840, 113549, 1, 9, 1}, // domain component, email
		{2, 5, 4, 9}, {1, 2, 840, 113549, 1, 9, 2}, {1, 2, 840, 113549, 1, 9, 8}, // street, unstructured name and address
		{2, 5, 4, 5}, // serial number of a device
	}
}

// namePart is one part of a name; several of a kind are lines.
func namePart(name []byte, part int) any {
	var seq pkix.RDNSequence
	if _, err := asn1.Unmarshal(name, &seq); err != nil {
		return nil
	}
	oid := nameParts()[part]
	var values []string
	for _, set := range seq {
		for _, a := range set {
			if a.Type.Equal(oid) {
				values = append(values, fmt.Sprint(a.Value))
			}
		}
	}
	return strings.Join(values, "\n")
}

// spaced is a hash as the database has it: lower-case hexadecimal with a blank after every byte but the last.
func spaced(sum [sha1.Size]byte) string { return spacedHex(sum[:]) }

func spacedHex(b []byte) string {
	var parts []string
	for _, v := range b {
		parts = append(parts, hex.EncodeToString([]byte{v}))
	}
	return strings.Join(parts, " ")
}

// crlTableRow is a row of the CRL table (MS-CSRA section 3.1.1.4).
type crlTableRow struct{ *crlRow }

func (r crlTableRow) rowID() uint32 { return r.id }

func (r crlTableRow) cell(column uint32) any {
	numbers := map[uint32]uint32{
		0x5000: r.id, 0x5001: r.number, 0x5002: r.minBase, 0x5003: uint32(r.key), 0x5004: uint32(r.count),
		0x500c: 1, 0x500d: r.flags, 0x500e: 0, 0x5011: 0,
	}
	if v, ok := numbers[column]; ok {
		return v
	}
	times := map[uint32]time.Time{
		0x5005: r.thisUpdate, 0x5006: r.nextUpdate, 0x5007: r.thisPublish, 0x5008: r.nextPublish, 0x5009: r.effective,
		0x500a: r.propagated, 0x500b: r.thisPublish,
	}
	if v, ok := times[column]; ok {
		return timeValue{v}
	}
	switch column {
	case 0x500f:
		if r.publisher == "" {
			return "-" // a timer, in the words of Windows
		}
		return r.publisher
	case 0x5010:
		return r.list.Raw
	}
	return nil
}
