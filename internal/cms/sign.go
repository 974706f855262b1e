package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ErrSigning is matched when a key did not sign, or signed something else.
var ErrSigning = errors.New("the key did not sign")

// Signer is who signs a message.
type Signer struct {
	Certificate *x509.Certificate
	Key         crypto.Signer // that of the certificate
	Chain       []*x509.Certificate

	// Attributes are signed besides the content type and the digest of the content, which are then added. If nil, the
	// content itself is signed, which RFC 5652, section 5.3, allows for id-data only. Each is an Attribute in DER.
	Attributes [][]byte
}

// Sign makes a ContentInfo with a SignedData around content, of type id-data, that holds the certificates of the
// signers and is signed by them. Its version, and that of the signers, is 1: signers are named by issuer and serial
// number (RFC 5652, sections 5.1 and 5.3).
func Sign(content []byte, signers ...Signer) ([]byte, error) {
	if len(signers) == 0 || len(signers) > MaxSigners {
		return nil, fmt.Errorf("cms: %d signers", len(signers))
	}
	var digests, certificates, infos [][]byte
	for _, s := range signers {
		suite, info, err := s.info(content)
		if err != nil {
			return nil, err
		}
		digests = append(digests, algorithmIdentifier(oidHash(suite.hash), false))
		infos = append(infos, info)
		certificates = append(certificates, s.Certificate.Raw)
		for _, c := range s.Chain {
			certificates = append(certificates, c.Raw)
		}
	}
	if len(certificates) > MaxCertificates {
		return nil, fmt.Errorf("cms: %d certificates, at most %d", len(certificates), MaxCertificates)
	}
	return marshal(content, digests, certificates, infos)
}

func marshal(content []byte, digests, certificates, infos [][]byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(OIDSignedData())
		b.AddASN1(contextTag(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				addSet(b, cbasn1.SET, digests)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(OIDData())
					b.AddASN1(contextTag(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
				})
				addSet(b, contextTag(0), certificates)
				addSet(b, cbasn1.SET, infos)
			})
		})
	})
	return b.Bytes()
}

// info makes the SignerInfo.
func (s Signer) info(content []byte) (suite, []byte, error) {
	if s.Certificate == nil || len(s.Certificate.Raw) == 0 || s.Key == nil {
		return suite{}, nil, errors.New("cms: a signer without certificate or key")
	}
	suite, err := suiteOf(s.Certificate.PublicKey)
	if err != nil {
		return suite, nil, err
	}
	attributes := slices.Clone(s.Attributes)
	signed := content
	if s.Attributes != nil {
		digest := suite.sum(content)
		attributes = append(attributes,
			encodeAttribute(oidContentType(), func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(OIDData()) }),
			encodeAttribute(oidMessageDigest(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) }))
		if signed, err = encodeSet(attributes); err != nil {
			return suite, nil, err
		}
	}
	signature, err := suite.sign(s.Key, s.Certificate.PublicKey, signed)
	if err != nil {
		return suite, nil, err
	}
	if err := s.Certificate.CheckSignature(suite.algorithm, signed, signature); err != nil {
		return suite, nil, fmt.Errorf("cms: %w: its signature does not verify: %v", ErrSigning, err)
	}
	info, err := s.marshal(suite, attributes, signature)
	return suite, info, err
}

func (s Signer) marshal(suite suite, attributes [][]byte, signature []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(s.Certificate.RawIssuer)
			b.AddASN1BigInt(s.Certificate.SerialNumber)
		})
		b.AddBytes(algorithmIdentifier(oidHash(suite.hash), false))
		if attributes != nil {
			addSet(b, contextTag(0), attributes)
		}
		b.AddBytes(algorithmIdentifier(suite.signature, suite.null))
		b.AddASN1OctetString(signature)
	})
	return b.Bytes()
}

func (s suite) sum(data []byte) []byte {
	h := s.hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// sign signs data with a key that has to be that of public.
func (s suite) sign(key crypto.Signer, public crypto.PublicKey, data []byte) ([]byte, error) {
	same, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !same.Equal(key.Public()) {
		return nil, errors.New("cms: the key is not that of the certificate or request")
	}
	signature, err := key.Sign(rand.Reader, s.sum(data), s.hash)
	if err != nil {
		return nil, fmt.Errorf("cms: %w: %w", ErrSigning, err)
	}
	return signature, nil
}

// encodeAttribute encodes an Attribute with one value. The value must be one that cannot fail to be encoded.
func encodeAttribute(oid asn1.ObjectIdentifier, value cryptobyte.BuilderContinuation) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, value)
	})
	return b.BytesOrPanic()
}

// addSet adds a SET OF, or what is tagged like one, in the order of DER (X.690, section 11.6) and without doubles.
func addSet(b *cryptobyte.Builder, tag cbasn1.Tag, elements [][]byte) {
	sorted := slices.CompactFunc(slices.SortedFunc(slices.Values(elements), bytes.Compare), bytes.Equal)
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, e := range sorted {
			b.AddBytes(e)
		}
	})
}

func encodeSet(elements [][]byte) ([]byte, error) {
	var b cryptobyte.Builder
	addSet(&b, cbasn1.SET, elements)
	return b.Bytes()
}

// algorithmIdentifier encodes an AlgorithmIdentifier with NULL or absent parameters. Hashes have none (RFC 5754,
// section 2), nor has ECDSA; RSA has NULL.
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
