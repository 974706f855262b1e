package keygen

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// Limits of a list of usages or policies.
const (
	maxUsages  = 100
	maxOIDArcs = 64
)

// usages returns the extensions that say what the certificate is for.
func (r *Request) usages() ([]pkix.Extension, error) {
	var list []pkix.Extension
	if len(r.ExtKeyUsages) > 0 {
		value, err := encodeOIDs(r.ExtKeyUsages, func(b *cryptobyte.Builder, id asn1.ObjectIdentifier) {
			b.AddASN1ObjectIdentifier(id)
		})
		if err != nil {
			return nil, fmt.Errorf("extended key usage: %w", err)
		}
		list = append(list, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: value})
	}
	if r.KeyUsage != 0 {
		value, err := encodeKeyUsage(r.KeyUsage)
		if err != nil {
			return nil, err
		}
		list = append(list, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: value})
	}
	if len(r.ApplicationPolicies) > 0 {
		value, err := encodeOIDs(r.ApplicationPolicies, func(b *cryptobyte.Builder, id asn1.ObjectIdentifier) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(id) })
		})
		if err != nil {
			return nil, fmt.Errorf("application policy: %w", err)
		}
		list = append(list, pkix.Extension{Id: adcsasn1.OIDApplicationPolicies(), Value: value})
	}
	return list, nil
}

// encodeOIDs writes a sequence of what add writes for each identifier. Every identifier must be one that a reader gives
// back, and none may stand twice.
func encodeOIDs(ids []asn1.ObjectIdentifier, add func(*cryptobyte.Builder, asn1.ObjectIdentifier)) ([]byte, error) {
	if len(ids) > maxUsages {
		return nil, fmt.Errorf("%d object identifiers, at most %d", len(ids), maxUsages)
	}
	seen := make(map[string]bool, len(ids))
	for i, id := range ids {
		if !validOID(id) {
			return nil, fmt.Errorf("number %d is not an object identifier that can be written", i)
		}
		if text := id.String(); seen[text] {
			return nil, fmt.Errorf("%s stands there twice", text)
		}
		seen[id.String()] = true
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, id := range ids {
			add(b, id)
		}
	})
	return b.Bytes()
}

// validOID reports whether an identifier can be written, and read again.
func validOID(id asn1.ObjectIdentifier) bool {
	if len(id) > maxOIDArcs {
		return false
	}
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(id)
	der, err := b.Bytes()
	if err != nil {
		return false
	}
	var back asn1.ObjectIdentifier
	s := cryptobyte.String(der)
	return s.ReadASN1ObjectIdentifier(&back) && back.Equal(id) // a second arc near 2^63 overflows, and is left out
}

// encodeKeyUsage writes the named bits of RFC 5280, section 4.2.1.3: digitalSignature is the first, and x509's lowest.
// As DER has it (X.690, section 11.2.2), no zero bits follow the last one.
func encodeKeyUsage(usage x509.KeyUsage) ([]byte, error) {
	if usage < 0 || usage >= x509.KeyUsageDecipherOnly<<1 {
		return nil, errors.New("key usage: there are nine, and another bit is set")
	}
	reversed := bits.Reverse16(uint16(usage))
	text := []byte{byte(reversed >> 8), byte(reversed)}
	length := bits.Len16(uint16(usage))
	return asn1.Marshal(asn1.BitString{Bytes: text[:(length+7)/8], BitLength: length})
}
