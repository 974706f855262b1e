package keygen

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// attributes returns the attributes of the request (RFC 2986, section 4.1), each in DER, in the order of a SET OF in DER.
func (r *Request) attributes() ([]asn1.RawValue, error) {
	var list []asn1.RawValue
	add := func(id asn1.ObjectIdentifier, value []byte, err error) error {
		if err != nil {
			return err
		}
		der, err := encodeAttribute(id, value)
		list = append(list, asn1.RawValue{FullBytes: der})
		return err
	}
	if r.OSVersion != nil {
		value, err := r.OSVersion.encode()
		if err := add(oidOSVersion(), value, err); err != nil {
			return nil, err
		}
	}
	if r.ClientInfo != nil {
		value, err := r.ClientInfo.encode()
		if err := add(oidClientInfo(), value, err); err != nil {
			return nil, err
		}
	}
	extensions, err := r.extensions()
	if err != nil {
		return nil, err
	}
	if len(extensions) > 0 {
		value, err := encodeExtensions(extensions)
		// The form of PKCS #9, which Windows uses too, and not Microsoft's own.
		if err := add(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}, value, err); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b asn1.RawValue) int { return bytes.Compare(a.FullBytes, b.FullBytes) })
	return list, nil
}

// encodeAttribute writes an attribute with one value, which is DER. Here and for the extensions encoding/asn1 would take a
// tenth of the time that a P-256 signature takes.
func encodeAttribute(id asn1.ObjectIdentifier, value []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(value) })
	})
	return b.Bytes()
}

// encodeExtensions writes a list of extensions (RFC 5280, section 4.1).
func encodeExtensions(list []pkix.Extension) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, ext := range list {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(ext.Id)
				if ext.Critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(ext.Value)
			})
		}
	})
	return b.Bytes()
}

// signRequest signs a certification request. The standard library's function for it writes no attributes but the
// extensions; the signature is the standard library's, and it checks it.
func signRequest(key crypto.Signer, pss bool, subject []byte, attributes []asn1.RawValue) ([]byte, error) {
	public := key.Public()
	form, err := signatureOf(public, pss)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrAlgorithm, err)
	}
	info, err := asn1.Marshal(struct {
		Version            int
		Subject, PublicKey asn1.RawValue
		Attributes         []asn1.RawValue `asn1:"tag:0"`
	}{0, asn1.RawValue{FullBytes: subject}, asn1.RawValue{FullBytes: spki}, attributes})
	if err != nil {
		return nil, fmt.Errorf("keygen: certification request: %w", err)
	}
	signature, err := crypto.SignMessage(key, rand.Reader, info, form.opts)
	if err != nil {
		return nil, fmt.Errorf("keygen: certification request: %w", err)
	}
	check := &x509.CertificateRequest{
		RawTBSCertificateRequest: info, PublicKey: public, SignatureAlgorithm: form.algorithm, Signature: signature,
	}
	if err := check.CheckSignature(); err != nil {
		return nil, fmt.Errorf("keygen: certification request: the signature that the key made is invalid: %w", err)
	}
	return asn1.Marshal(struct {
		Info      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: info}, form.identifier, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
}

// signatureForm is how a request is signed: as the standard library names it, asks a signer for it, and writes it.
type signatureForm struct {
	algorithm  x509.SignatureAlgorithm
	opts       crypto.SignerOpts
	identifier pkix.AlgorithmIdentifier
}

func signatureOf(public crypto.PublicKey, pss bool) (signatureForm, error) {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if pss {
			return pssForm()
		}
		return signatureForm{x509.SHA256WithRSA, crypto.SHA256, pkix.AlgorithmIdentifier{
			Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue,
		}}, nil
	case *ecdsa.PublicKey:
		if pss {
			return signatureForm{}, fmt.Errorf("%w: PSS is a signature of RSA keys", ErrAlgorithm)
		}
		form := signatureForm{algorithm: x509.ECDSAWithSHA256, opts: crypto.SHA256}
		last := 2
		switch public.Params().BitSize {
		case 384:
			form.algorithm, form.opts, last = x509.ECDSAWithSHA384, crypto.SHA384, 3
		case 521:
			form.algorithm, form.opts, last = x509.ECDSAWithSHA512, crypto.SHA512, 4
		}
		form.identifier.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, last}
		return form, nil
	}
	return signatureForm{}, fmt.Errorf("%w: %T", ErrAlgorithm, public)
}

// pssForm is RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 4055, section 3.1).
func pssForm() (signatureForm, error) {
	sha256 := pkix.AlgorithmIdentifier{
		Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, Parameters: asn1.NullRawValue,
	}
	hash, err := asn1.Marshal(sha256)
	if err != nil {
		return signatureForm{}, err
	}
	parameters, err := asn1.Marshal(struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
		Salt int                      `asn1:"explicit,tag:2"`
	}{sha256, pkix.AlgorithmIdentifier{
		Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}, Parameters: asn1.RawValue{FullBytes: hash},
	}, 32})
	if err != nil {
		return signatureForm{}, err
	}
	return signatureForm{
		algorithm: x509.SHA256WithRSAPSS,
		opts:      &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256},
		identifier: pkix.AlgorithmIdentifier{
			Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, Parameters: asn1.RawValue{FullBytes: parameters},
		},
	}, nil
}
