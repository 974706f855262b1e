package pkcs12

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// Limits of what a file can ask for before its MAC is verified, or in the open behind it.
const (
	// MaxIterations is the number of iterations of all derivations of a file together: some seconds at most. Firefox,
	// which asks for the most, needs 1.2 million.
	MaxIterations = 2_000_000
	// maxKey bounds a private key in bytes, since checking an RSA key takes longer the longer it is. That of a 4096-bit
	// key has about 2500, encrypted.
	maxKey = 4096
)

// The structures of RFC 7292, RFC 5652 and RFC 8018 as far as work is asked for in them. They are those of go-pkcs12,
// read by the same decoder, so that both see the same numbers.
type (
	pfx struct {
		Version  int
		AuthSafe contentInfo
		MacData  macData `asn1:"optional"`
	}
	contentInfo struct {
		ContentType asn1.ObjectIdentifier
		Content     asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Mac        digestInfo
		MacSalt    []byte
		Iterations int `asn1:"optional,default:1"`
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	encryptedData struct {
		Version int
		Info    struct {
			ContentType asn1.ObjectIdentifier
			Algorithm   pkix.AlgorithmIdentifier
			Content     []byte `asn1:"tag:0,optional"`
		}
	}
	safeBag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue   `asn1:"tag:0,explicit"`
		Attributes []asn1.RawValue `asn1:"set,optional"`
	}
	shroudedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbeParams struct {
		Salt       []byte
		Iterations int
	}
	pbes2Params struct{ KDF, Scheme pkix.AlgorithmIdentifier } // those of PBMAC1 have the same shape
	kdfParams   struct {
		Salt       asn1.RawValue
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// work adds up what a file asks for.
type work struct{ left int }

// parse returns the outside of a file, which must have a MAC, and its safes.
func parse(file []byte) (p pfx, safes []contentInfo, err error) {
	if err := unmarshal(file, &p); err != nil {
		return p, nil, err
	}
	if len(p.MacData.Mac.Algorithm.Algorithm) == 0 {
		return p, nil, fmt.Errorf("%w: a file that no password protects", ErrUnsupported)
	}
	var octets []byte
	if err := unmarshal(p.AuthSafe.Content.Bytes, &octets); err != nil {
		return p, nil, err
	}
	return p, safes, unmarshal(octets, &safes)
}

// checkWork returns an error that matches ErrLimit if opening the file takes more than it may.
func checkWork(file []byte) error {
	p, safes, err := parse(file)
	if err != nil {
		return err
	}
	w := &work{left: MaxIterations}
	if err := w.mac(p.MacData); err != nil {
		return err
	}
	for _, safe := range safes {
		if err := w.safe(safe); err != nil {
			return err
		}
	}
	return nil
}

func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: it is not PKCS#12 in DER", ErrMalformed)
	}
	return nil
}

func (w *work) spend(iterations int) error {
	if iterations < 1 || iterations > w.left {
		return fmt.Errorf("%w: %d iterations; a file may ask for 1 to %d in all", ErrLimit, iterations, MaxIterations)
	}
	w.left -= iterations
	return nil
}

func (w *work) mac(mac macData) error {
	if mac.Mac.Algorithm.Algorithm.String() == oidPBMAC1 {
		return w.algorithm(mac.Mac.Algorithm) // MacData.Iterations means nothing then
	}
	return w.spend(mac.Iterations)
}

// safe looks at an encrypted safe, and at the encrypted keys in one that is not.
func (w *work) safe(safe contentInfo) error {
	switch safe.ContentType.String() {
	case oidEncryptedData:
		var data encryptedData
		if err := unmarshal(safe.Content.Bytes, &data); err != nil {
			return err
		}
		return w.algorithm(data.Info.Algorithm)
	case oidData:
		var octets []byte
		if err := unmarshal(safe.Content.Bytes, &octets); err != nil {
			return err
		}
		var bags []safeBag
		if err := unmarshal(octets, &bags); err != nil {
			return err
		}
		for _, bag := range bags {
			if err := w.bag(bag); err != nil {
				return err
			}
		}
	}
	return nil // go-pkcs12 refuses other types
}

// bag looks at a private key, encrypted or not.
func (w *work) bag(bag safeBag) error {
	id := bag.ID.String()
	if id != oidKeyBag && id != oidShroudedKeyBag {
		return nil
	}
	if n := len(bag.Value.Bytes); n > maxKey {
		return fmt.Errorf("%w: a private key of %d bytes, at most %d", ErrLimit, n, maxKey)
	}
	if id == oidKeyBag {
		return nil
	}
	var key shroudedKey
	if err := unmarshal(bag.Value.Bytes, &key); err != nil {
		return err
	}
	return w.algorithm(key.Algorithm)
}

// algorithm spends the iterations of an encryption or MAC. Algorithms that go-pkcs12 does not know cost nothing.
func (w *work) algorithm(a pkix.AlgorithmIdentifier) error {
	switch a.Algorithm.String() {
	case oid3DES, oidRC2, oidRC2x40:
		var p pbeParams
		if err := unmarshal(a.Parameters.FullBytes, &p); err != nil {
			return err
		}
		return w.spend(p.Iterations)
	case oidPBES2, oidPBMAC1:
		var p pbes2Params
		if err := unmarshal(a.Parameters.FullBytes, &p); err != nil {
			return err
		}
		var kdf kdfParams
		if err := unmarshal(p.KDF.Parameters.FullBytes, &kdf); err != nil {
			return err
		}
		return w.spend(kdf.Iterations)
	}
	return nil
}
