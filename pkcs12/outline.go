package pkcs12

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// The structures of RFC 7292, RFC 5652 and RFC 8018, as far as limits and Inspect need them. They are those of
// go-pkcs12, read by the same decoder, so that both see the same numbers.
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

// outline is a file as everybody can read it, and, once it was revealed, with its encrypted safes open.
type outline struct {
	mac   macData
	safes []safe
}

// safe is a part of a file.
type safe struct {
	encrypted bool
	algorithm pkix.AlgorithmIdentifier // of the encryption
	data      []byte                   // encrypted
	bags      []safeBag                // nil as long as they are encrypted
}

// parse returns the outline of a file, which must have a MAC.
func parse(file []byte) (*outline, error) {
	if len(file) > 1 && file[1] == 0x80 {
		return nil, fmt.Errorf("%w: its lengths are indefinite (BER); openssl pkcs12 can write it anew", ErrMalformed)
	}
	var p pfx
	if err := unmarshal(file, &p); err != nil {
		return nil, err
	}
	if len(p.MacData.Mac.Algorithm.Algorithm) == 0 {
		return nil, fmt.Errorf("%w: a file that no password protects", ErrUnsupported)
	}
	var octets []byte
	if err := unmarshal(p.AuthSafe.Content.Bytes, &octets); err != nil {
		return nil, err
	}
	var contents []contentInfo
	if err := unmarshal(octets, &contents); err != nil {
		return nil, err
	}
	o := &outline{mac: p.MacData}
	for _, content := range contents {
		if err := o.add(content); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// add appends a safe, unless it is of a type that go-pkcs12 refuses.
func (o *outline) add(content contentInfo) error {
	switch content.ContentType.String() {
	case oidEncryptedData:
		var data encryptedData
		if err := unmarshal(content.Content.Bytes, &data); err != nil {
			return err
		}
		o.safes = append(o.safes, safe{encrypted: true, algorithm: data.Info.Algorithm, data: data.Info.Content})
	case oidData:
		var octets []byte
		if err := unmarshal(content.Content.Bytes, &octets); err != nil {
			return err
		}
		s := safe{}
		if err := unmarshal(octets, &s.bags); err != nil {
			return err
		}
		o.safes = append(o.safes, s)
	}
	return nil
}

// reveal opens the encrypted safes, and adds up what the keys in them ask for. The work for the safes themselves was
// added up before. One that cannot be opened stays closed: the password is wrong or the cipher unknown, and go-pkcs12,
// which is asked next, says which.
func (o *outline) reveal(password string, w *work) error {
	for i := range o.safes {
		s := &o.safes[i]
		if !s.encrypted {
			continue
		}
		plain, ok := decrypt(s.algorithm, s.data, password)
		if !ok {
			continue
		}
		var bags []safeBag
		if unmarshal(plain, &bags) != nil {
			continue
		}
		if err := w.keys(bags); err != nil {
			return err
		}
		s.bags = bags
	}
	return nil
}

// passwordBased reads the parameters of PBES2 or PBMAC1.
func passwordBased(a pkix.AlgorithmIdentifier) (p pbes2Params, kdf kdfParams, err error) {
	if err = unmarshal(a.Parameters.FullBytes, &p); err != nil {
		return p, kdf, err
	}
	err = unmarshal(p.KDF.Parameters.FullBytes, &kdf)
	return p, kdf, err
}

func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: it is not PKCS#12 in DER", ErrMalformed)
	}
	return nil
}
