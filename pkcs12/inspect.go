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

	"github.com/adcskit/adcskit/internal/wipe"
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
	// FriendlyName is empty if there is none.
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

// Inspect says how a file was made, and, if the password is not empty, opens it as [Decode] does and says what is in it
// besides the key. Without a password it reads what stands in the clear, which nobody vouches for: it is there to find
// out why a device refuses a file and calls the password wrong.
//
// The limits are those of Decode, and so are the errors; without a password only [ErrMalformed], [ErrUnsupported] (no
// MAC), [ErrLimit] and [ErrFIPS].
func Inspect(file []byte, password string) (*Info, error) {
	return inspect(file, password, MaxIterations)
}

func inspect(file []byte, password string, iterations int) (*Info, error) {
	if err := checkFIPS(); err != nil {
		return nil, err
	}
	if password == "" {
		o, _, err := bounded(file, iterations)
		if err != nil {
			return nil, err
		}
		return describe(o, nil)
	}
	o, key, chain, err := open(file, password, iterations)
	if err != nil {
		return nil, err
	}
	defer wipe.Key(key)
	info, err := describe(o, chain)
	if err != nil {
		return nil, err
	}
	info.Opened, info.KeyType = true, keyType(key)
	return info, nil
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

// describe says what an outline shows. The chain is nil for a file that was not opened: then it shows no names, since
// anybody could have written them.
func describe(o *outline, chain []*x509.Certificate) (*Info, error) {
	info := &Info{MAC: macProtection(o.mac)}
	names := map[string]string{} // by the DER of the certificate
	for _, safe := range o.safes {
		how := Protection{Algorithm: "none"}
		if safe.encrypted {
			how = protection(safe.algorithm)
			if info.Certificates.Algorithm == "" {
				info.Certificates = how
			}
		}
		for _, bag := range safe.bags {
			if err := info.add(bag, how, names); err != nil {
				return nil, err
			}
		}
	}
	if chain == nil {
		info.KeyName = ""
	}
	for _, cert := range chain {
		info.Chain = append(info.Chain, NamedCertificate{Certificate: cert, FriendlyName: names[string(cert.Raw)]})
	}
	return info, nil
}

// add notes how a bag is protected, and its name.
func (i *Info) add(bag safeBag, how Protection, names map[string]string) error {
	switch bag.ID.String() {
	case oidKeyBag:
		i.Key, i.KeyName = how, friendlyName(bag)
	case oidShroudedKeyBag:
		var key shroudedKey
		if err := unmarshal(bag.Value.Bytes, &key); err != nil {
			return err
		}
		i.Key, i.KeyName = protection(key.Algorithm), friendlyName(bag)
	case oidCertBag:
		var cert struct {
			ID   asn1.ObjectIdentifier
			Data []byte `asn1:"tag:0,explicit"`
		}
		if err := unmarshal(bag.Value.Bytes, &cert); err != nil {
			return err
		}
		names[string(cert.Data)] = friendlyName(bag)
		if i.Certificates.Algorithm == "" {
			i.Certificates = how
		}
	}
	return nil
}

// friendlyName returns that of a bag, or nothing if there is none that RFC 2985, 5.5.1, allows.
func friendlyName(bag safeBag) string {
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

// protection names an encryption, or PBMAC1, as far as its parameters can be read.
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
	oidRC4: "RC4-128 with SHA-1", oidRC4x40: "RC4-40 with SHA-1", oid2DES: "2-key 3DES-CBC with SHA-1",
	oidPBES2: "PBES2", oidPBMAC1: "PBMAC1",
	oidAES128CBC: "AES-128-CBC", oidAES192CBC: "AES-192-CBC", oidAES256CBC: "AES-256-CBC",
	oidHMACSHA1: "HMAC-SHA1", oidHMACSHA224: "HMAC-SHA224", oidHMACSHA256: "HMAC-SHA256", oidHMACSHA384: "HMAC-SHA384",
	oidHMACSHA512: "HMAC-SHA512", oidSHA1: "HMAC-SHA1", oidSHA224: "HMAC-SHA224", oidSHA256: "HMAC-SHA256",
	oidSHA384: "HMAC-SHA384", oidSHA512: "HMAC-SHA512",
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
