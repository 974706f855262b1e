package adcstest

import (
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The OIDs of a CMC full response (MS-WCCE section 3.2.1.4.2.1.4.8.2).
func oidPKIResponse() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 12, 3} }
func oidStatusInfo() asn1.ObjectIdentifier  { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 7, 1} }
func oidAddAttributes() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 10, 1}
}
func oidIssuedCertHash() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 17}
}
func oidContentType() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3} }
func oidMessageDigest() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
}
func oidSHA256() asn1.ObjectIdentifier      { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1} }
func oidRSA() asn1.ObjectIdentifier         { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} }
func oidECDSASHA256() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2} }

// Statuses of CMCStatusInfo (RFC 2797, section 5.1).
const (
	cmcSuccess = 0
	cmcFailed  = 2
	cmcPending = 3
)

// cmcStatus is what a full response says about a request.
type cmcStatus struct {
	status   int64
	text     string
	id       uint32
	received time.Time
	leaf     []byte // DER; nil if none is returned
}

// fullResponse is pctbCert with the Y flag: a CMC full PKI response that the CA signs.
func (a *authority) fullResponse(s cmcStatus, cert issued, flags uint32, t tampering) ([]byte, error) {
	content, err := s.responseBody()
	if err != nil {
		return nil, err
	}
	hierarchy := a.current()
	d := signedData{version: 3, contentType: oidPKIResponse(), content: content}
	if s.leaf != nil {
		hierarchy = cert.issuer
		d.certs = append(d.certs, s.leaf)
		if d.crls, err = a.revocationLists(hierarchy, flags); err != nil {
			return nil, err
		}
	}
	if !t.omitChain {
		d.certs = append(d.certs, hierarchy.certificates()...)
	}
	signer, err := hierarchy.issuing().signerInfo(content)
	if err != nil {
		return nil, err
	}
	d.signers = [][]byte{signer}
	d.digests = [][]byte{algorithmIdentifier(oidSHA256(), false)}
	return d.marshal()
}

// responseBody encodes ResponseBody (RFC 2797, section 3.2) with the two controls of MS-WCCE.
func (s cmcStatus) responseBody() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addControl(b, 1, oidStatusInfo(), s.addStatusInfo)
			addControl(b, 2, oidAddAttributes(), s.addAttributes)
		})
		b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
		b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
	})
	return b.Bytes()
}

// addControl adds a TaggedAttribute with one value.
func addControl(b *cryptobyte.Builder, bodyPart int64, oid asn1.ObjectIdentifier, value cryptobyte.BuilderContinuation) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(bodyPart)
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, value) })
	})
}

// addBodyList adds the list that names the one request of the message.
func addBodyList(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(1) })
}

func (s cmcStatus) addStatusInfo(b *cryptobyte.Builder) {
	b.AddASN1Int64(s.status)
	addBodyList(b)
	b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s.text)) })
	if s.status != cmcPending {
		return
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { // PendInfo
		b.AddASN1OctetString(binary.LittleEndian.AppendUint32(nil, s.id))
		b.AddASN1GeneralizedTime(s.received.UTC())
	})
}

func (s cmcStatus) addAttributes(b *cryptobyte.Builder) {
	b.AddASN1Int64(0)
	addBodyList(b)
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
		if s.leaf == nil {
			return
		}
		hash := sha1.Sum(s.leaf)
		addAttribute(b, oidIssuedCertHash(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(hash[:]) })
	})
}

func addAttribute(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, value cryptobyte.BuilderContinuation) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, value)
	})
}

// signerInfo signs content as RFC 5652, section 5.4, says: over the attributes, encoded as a SET.
func (t tier) signerInfo(content []byte) ([]byte, error) {
	digest := sha256.Sum256(content)
	attributes, err := signedAttributes(digest[:])
	if err != nil {
		return nil, err
	}
	var set cryptobyte.Builder
	addSet(&set, cbasn1.SET, attributes)
	toSign, err := set.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(toSign)
	signature, err := t.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	algorithm := algorithmIdentifier(oidECDSASHA256(), false)
	if t.cert.PublicKeyAlgorithm == x509.RSA {
		algorithm = algorithmIdentifier(oidRSA(), true)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(t.cert.RawIssuer)
			b.AddASN1BigInt(t.cert.SerialNumber)
		})
		b.AddBytes(algorithmIdentifier(oidSHA256(), false))
		addSet(b, cbasn1.Tag(0).ContextSpecific().Constructed(), attributes)
		b.AddBytes(algorithm)
		b.AddASN1OctetString(signature)
	})
	return b.Bytes()
}

// signedAttributes are the content type and the message digest.
func signedAttributes(digest []byte) ([][]byte, error) {
	var kind, hash cryptobyte.Builder
	addAttribute(&kind, oidContentType(), func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidPKIResponse()) })
	addAttribute(&hash, oidMessageDigest(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) })
	first, err := kind.Bytes()
	if err != nil {
		return nil, err
	}
	second, err := hash.Bytes()
	return [][]byte{first, second}, err
}

// algorithmIdentifier encodes an AlgorithmIdentifier, with NULL or absent parameters. It cannot fail: its arguments
// are constants.
func algorithmIdentifier(oid asn1.ObjectIdentifier, null bool) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if null {
			b.AddASN1NULL()
		}
	})
	return b.BytesOrPanic()
}
