package pkcs12

import (
	"bytes"
	stdasn1 "encoding/asn1"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const tagBMPString asn1.Tag = 30

func sequenceOf(content cryptobyte.BuilderContinuation) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, content)
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("pkcs12: encode: %v", err)
	}
	return der, nil
}

// addOID adds one of the constants of this package.
func addOID(b *cryptobyte.Builder, dotted string) {
	var oid stdasn1.ObjectIdentifier
	for arc := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(arc)
		if err != nil {
			b.SetError(fmt.Errorf("the object identifier %s: %v", dotted, err))
			return
		}
		oid = append(oid, n)
	}
	b.AddASN1ObjectIdentifier(oid)
}

func addNull(b *cryptobyte.Builder) { b.AddASN1(asn1.NULL, func(*cryptobyte.Builder) {}) }

func addExplicit(b *cryptobyte.Builder, value cryptobyte.BuilderContinuation) {
	b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), value)
}

// addContent adds a ContentInfo.
func addContent(b *cryptobyte.Builder, oid string, value cryptobyte.BuilderContinuation) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oid)
		addExplicit(b, value)
	})
}

func addAlgorithm(b *cryptobyte.Builder, oid string, parameters cryptobyte.BuilderContinuation) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oid)
		parameters(b)
	})
}

func algorithmIdentifier(oid string, parameters cryptobyte.BuilderContinuation) ([]byte, error) {
	return sequenceOf(func(b *cryptobyte.Builder) {
		addOID(b, oid)
		parameters(b)
	})
}

// addPBKDF2 adds the identifier of PBKDF2 with HMAC-SHA256 (RFC 8018, A.2). A length of 0 is left out, as it may be
// where the cipher has one key length; PBMAC1 demands it. The NULL of the PRF is not optional (RFC 8018, B.1.2).
func addPBKDF2(b *cryptobyte.Builder, salt []byte, iterations, length int) {
	addAlgorithm(b, oidPBKDF2, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(salt)
			b.AddASN1Int64(int64(iterations))
			if length > 0 {
				b.AddASN1Int64(int64(length))
			}
			addAlgorithm(b, oidHMACSHA256, addNull)
		})
	})
}

// attribute is a PKCS12Attribute with one value.
func attribute(oid string, value cryptobyte.BuilderContinuation) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) {
		addAlgorithm(b, oid, func(b *cryptobyte.Builder) { b.AddASN1(asn1.SET, value) })
	}
}

// addSetOf adds two elements of a SET OF in the order that DER asks for.
func addSetOf(b *cryptobyte.Builder, one, other cryptobyte.BuilderContinuation) {
	var first, second cryptobyte.Builder
	one(&first)
	other(&second)
	x, err := first.Bytes()
	if err != nil {
		b.SetError(err)
	}
	y, err := second.Bytes()
	if err != nil {
		b.SetError(err)
	}
	if bytes.Compare(x, y) > 0 {
		x, y = y, x
	}
	b.AddBytes(x)
	b.AddBytes(y)
}
