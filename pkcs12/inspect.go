package pkcs12

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"unicode/utf16"
)

// Info is what [Inspect] finds in a file. It holds no key, so that it can be printed and logged; names in it are those
// of the file, and can hold any character.
type Info struct {
	// MAC, Certificates and Key say how each is protected. If there are several encrypted safes, Certificates is for the
	// first. A key inside an encrypted safe shows only once the file is opened.
	MAC, Certificates, Key Protection

	// Opened reports whether the password was tried, and fits. What follows is there only then.
	Opened bool
	// KeyType is that of the private key, such as "RSA-2048" or "ECDSA P-256".
	KeyType string
	// KeyName is the friendlyName of the private key, empty if it has none.
	KeyName string
	// Chain is what [Decode] returns: the certificate of the key first.
	Chain []NamedCertificate
}

// NamedCertificate is a certificate of a file.
type NamedCertificate struct {
	*x509.Certificate
	// FriendlyName is empty if there is none, or if it is behind RC2, which Inspect does not decrypt.
	FriendlyName string
}

// Protection is an encryption or a MAC.
type Protection struct {
	// Algorithm is "none" for what is not protected, empty for what was not found, and otherwise a name such as
	// "3DES-CBC with SHA-1", "AES-256-CBC with PBKDF2 and HMAC-SHA256", "RC2-40-CBC with SHA-1", "HMAC-SHA1" or "PBMAC1
	// with PBKDF2 and HMAC-SHA256", or an object identifier.
	Algorithm string
	// Iterations of the key derivation.
	Iterations int
}

// String returns "HMAC-SHA1, 2048 iterations".
func (p Protection) String() string {
	if p.Iterations == 0 {
		return p.Algorithm
	}
	return fmt.Sprintf("%s, %d iterations", p.Algorithm, p.Iterations)
}

// Inspect says how a file was made, and, if the password is not empty, opens it with [Decode] and says what is in it
// besides the key. Without a password it reads what stands in the clear, which nobody vouches for: it is there to find
// out why a device refuses a file and calls the password wrong.
//
// The limits are those of Decode, and so are the errors; without a password only [ErrMalformed], [ErrUnsupported] (no
// MAC) and [ErrLimit]. Opening takes up to twice the work that Decode needs.
func Inspect(file []byte, password string) (*Info, error) {
	if len(file) > MaxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(file), MaxFile)
	}
	r := &reader{password: password, names: map[string]string{}}
	if password != "" {
		key, chain, err := Decode(file, password)
		if err != nil {
			return nil, err
		}
		r.info.Opened, r.info.KeyType = true, keyType(key)
		for _, cert := range chain {
			r.info.Chain = append(r.info.Chain, NamedCertificate{Certificate: cert})
		}
	}
	if err := checkWork(file); err != nil {
		return nil, err
	}
	p, safes, err := parse(file)
	if err != nil {
		return nil, err
	}
	r.info.MAC = macProtection(p.MacData)
	for _, safe := range safes {
		if err := r.safe(safe); err != nil {
			return nil, err
		}
	}
	for i, cert := range r.info.Chain {
		r.info.Chain[i].FriendlyName = r.names[string(cert.Raw)]
	}
	return &r.info, nil
}

func keyType(key crypto.Signer) string {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return fmt.Sprintf("RSA-%d", key.N.BitLen())
	case *ecdsa.PrivateKey:
		return "ECDSA " + key.Params().Name
	}
	return fmt.Sprintf("%T", key)
}

// reader collects what the safes hold.
type reader struct {
	password string
	info     Info
	names    map[string]string // by the DER of the certificate
}

func (r *reader) safe(safe contentInfo) error {
	if safe.ContentType.String() == oidData {
		var octets []byte
		if err := unmarshal(safe.Content.Bytes, &octets); err != nil {
			return err
		}
		return r.bags(octets, Protection{Algorithm: "none"})
	}
	var data encryptedData
	if safe.ContentType.String() != oidEncryptedData {
		return nil
	}
	if err := unmarshal(safe.Content.Bytes, &data); err != nil {
		return err
	}
	how := protection(data.Info.Algorithm)
	if r.info.Certificates.Algorithm == "" {
		r.info.Certificates = how
	}
	if r.password == "" {
		return nil
	}
	plain, err := decrypt(data.Info.Algorithm, data.Info.Content, r.password)
	if err != nil || plain == nil {
		return err
	}
	return r.bags(plain, how)
}

// bags looks at the contents of a safe.
func (r *reader) bags(der []byte, how Protection) error {
	var bags []safeBag
	if err := unmarshal(der, &bags); err != nil {
		return err
	}
	for _, bag := range bags {
		switch bag.ID.String() {
		case oidKeyBag:
			r.info.Key, r.info.KeyName = how, r.name(bag)
		case oidShroudedKeyBag:
			var key shroudedKey
			if err := unmarshal(bag.Value.Bytes, &key); err != nil {
				return err
			}
			r.info.Key, r.info.KeyName = protection(key.Algorithm), r.name(bag)
		case oidCertBag:
			var cert struct {
				ID   asn1.ObjectIdentifier
				Data []byte `asn1:"tag:0,explicit"`
			}
			if err := unmarshal(bag.Value.Bytes, &cert); err != nil {
				return err
			}
			r.names[string(cert.Data)] = r.name(bag)
			if r.info.Certificates.Algorithm == "" {
				r.info.Certificates = how
			}
		}
	}
	return nil
}

// name returns the friendlyName of a bag. One that is not opened has none: anybody could have written it.
func (r *reader) name(bag safeBag) string {
	if !r.info.Opened {
		return ""
	}
	for _, raw := range bag.Attributes {
		var a struct {
			ID     asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		}
		if unmarshal(raw.FullBytes, &a) != nil || a.ID.String() != oidFriendlyName || len(a.Values) != 1 {
			continue
		}
		if v := a.Values[0]; v.Class == asn1.ClassUniversal && v.Tag == asn1.TagBMPString {
			return textOfBMP(v.Bytes)
		}
	}
	return ""
}

// textOfBMP reads a BMPString, with pairs of surrogates as Windows writes them.
func textOfBMP(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return string(utf16.Decode(units))
}

// macProtection names the MAC of a file.
func macProtection(mac macData) Protection {
	if mac.Mac.Algorithm.Algorithm.String() == oidPBMAC1 {
		return protection(mac.Mac.Algorithm)
	}
	return Protection{Algorithm: algorithmName(mac.Mac.Algorithm), Iterations: mac.Iterations}
}

// protection names an encryption, or PBMAC1. checkWork has read its parameters before.
func protection(a pkix.AlgorithmIdentifier) Protection {
	name := algorithmName(a)
	var pbe pbeParams
	if unmarshal(a.Parameters.FullBytes, &pbe) == nil {
		return Protection{Algorithm: name, Iterations: pbe.Iterations}
	}
	p, kdf, err := passwordBased(a)
	if err != nil {
		return Protection{Algorithm: name}
	}
	prf := "HMAC-SHA1" // the default of RFC 8018, A.2
	if len(kdf.PRF.Algorithm) > 0 {
		prf = algorithmName(kdf.PRF)
	}
	switch scheme := algorithmName(p.Scheme); {
	case name == "PBMAC1" && scheme != prf:
		name += " with PBKDF2, " + prf + " and " + scheme
	case name == "PBMAC1":
		name += " with PBKDF2 and " + prf
	default:
		name = scheme + " with PBKDF2 and " + prf
	}
	return Protection{Algorithm: name, Iterations: kdf.Iterations}
}

// passwordBased reads the parameters of PBES2 or PBMAC1.
func passwordBased(a pkix.AlgorithmIdentifier) (p pbes2Params, kdf kdfParams, err error) {
	if err = unmarshal(a.Parameters.FullBytes, &p); err != nil {
		return p, kdf, err
	}
	err = unmarshal(p.KDF.Parameters.FullBytes, &kdf)
	return p, kdf, err
}

func algorithmName(a pkix.AlgorithmIdentifier) string {
	oid := a.Algorithm.String()
	if name, ok := algorithmNames[oid]; ok {
		return name
	}
	if len(oid) > 64 {
		return "unknown"
	}
	return oid
}

var algorithmNames = map[string]string{
	oid3DES: "3DES-CBC with SHA-1", oidRC2: "RC2-128-CBC with SHA-1", oidRC2x40: "RC2-40-CBC with SHA-1",
	oidPBES2: "PBES2", oidPBMAC1: "PBMAC1",
	oidAES128CBC: "AES-128-CBC", oidAES192CBC: "AES-192-CBC", oidAES256CBC: "AES-256-CBC",
	oidHMACSHA1: "HMAC-SHA1", oidHMACSHA256: "HMAC-SHA256", oidHMACSHA512: "HMAC-SHA512",
	oidSHA1: "HMAC-SHA1", oidSHA256: "HMAC-SHA256", oidSHA512: "HMAC-SHA512",
}

// Profile returns the plain profile ([Compat], [Modern] or [PBMAC1]) whose algorithms the file has, whatever the
// iterations are, or false if it has others.
func (i *Info) Profile() (Profile, bool) {
	const aes, des = "AES-256-CBC with PBKDF2 and HMAC-SHA256", "3DES-CBC with SHA-1"
	if i.Key.Algorithm != i.Certificates.Algorithm {
		return Profile{}, false
	}
	switch [2]string{i.Key.Algorithm, i.MAC.Algorithm} {
	case [2]string{des, "HMAC-SHA1"}:
		return Compat(), true
	case [2]string{aes, "HMAC-SHA256"}:
		return Modern(), true
	case [2]string{aes, "PBMAC1 with PBKDF2 and HMAC-SHA256"}:
		return PBMAC1(), true
	}
	return Profile{}, false
}
