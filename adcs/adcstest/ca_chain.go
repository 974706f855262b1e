package adcstest

import (
	"bytes"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func oidData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }

func oidSignedData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} }

// signedData is what differs between the two SignedData that a CA answers with (RFC 5652, section 5.1).
type signedData struct {
	version     int64
	digests     [][]byte // AlgorithmIdentifier, DER
	contentType asn1.ObjectIdentifier
	content     []byte // nil for none
	certs, crls [][]byte
	signers     [][]byte // SignerInfo, DER
}

// marshal encodes a ContentInfo around the SignedData.
func (d signedData) marshal() ([]byte, error) {
	tag0, tag1 := cbasn1.Tag(0).ContextSpecific().Constructed(), cbasn1.Tag(1).ContextSpecific().Constructed()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData())
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(d.version)
				addSet(b, cbasn1.SET, d.digests)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(d.contentType)
					if d.content != nil {
						b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(d.content) })
					}
				})
				if len(d.certs) > 0 {
					addSet(b, tag0, d.certs)
				}
				if len(d.crls) > 0 {
					addSet(b, tag1, d.crls)
				}
				addSet(b, cbasn1.SET, d.signers)
			})
		})
	})
	return b.Bytes()
}

// addSet adds a SET OF in the order of DER.
func addSet(b *cryptobyte.Builder, tag cbasn1.Tag, elements [][]byte) {
	sorted := slices.SortedFunc(slices.Values(elements), bytes.Compare)
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, e := range sorted {
			b.AddBytes(e)
		}
	})
}

// certificates is what the certificates field holds besides the leaf: every CA of the chain.
func (p *pki) certificates() [][]byte {
	out := make([][]byte, len(p.tiers))
	for i, t := range p.tiers {
		out[i] = t.cert.Raw
	}
	return out
}

// chainBlob is pctbCert without the Y flag: SignedData without content and signers (MS-WCCE section
// 3.2.1.4.2.1.4.8.1). X adds a CRL of every CA.
func (a *authority) chainBlob(cert issued, flags uint32, t tampering) ([]byte, error) {
	d := signedData{version: 1, contentType: oidData(), certs: [][]byte{cert.der}}
	if !t.omitChain {
		d.certs = append(d.certs, cert.issuer.certificates()...)
	}
	var err error
	if d.crls, err = a.revocationLists(cert.issuer, flags); err != nil {
		return nil, err
	}
	return d.marshal()
}

func (a *authority) revocationLists(p *pki, flags uint32) ([][]byte, error) {
	if flags&flagCRLs == 0 {
		return nil, nil
	}
	crls := make([][]byte, len(p.tiers))
	for i, t := range p.tiers {
		var err error
		if i == 0 {
			crls[i], err = a.baseCRL(t)
		} else {
			crls[i], err = t.revocationList(a.now())
		}
		if err != nil {
			return nil, err
		}
	}
	return crls, nil
}
