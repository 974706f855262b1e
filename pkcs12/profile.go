package pkcs12

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// Profile says how a file is made so that its target reads it: with which algorithms, and which certificates of the
// chain are in it. There are plain ones ([Compat], [Modern], [PBMAC1]), which take the chain as it is given, and one
// for each platform ([ForPlatform]). The zero Profile is [Compat]. Profiles can be compared with ==.
type Profile struct {
	set      algorithms
	shape    Shape
	platform string // empty for a plain profile
	version  string // of the platform; empty: any
}

// algorithms are a set that is written together.
type algorithms uint8

const (
	compat algorithms = iota
	modern
	pbmac1
)

func (a algorithms) String() string { return [...]string{"compat", "modern", "pbmac1"}[a] }

// Shape says which certificates of the chain are in a file.
type Shape uint8

const (
	// AsGiven takes all of them.
	AsGiven Shape = iota
	// LeafOnly takes the certificate of the key alone.
	LeafOnly
	// WithoutRoot takes all but the root: the target does not trust it for being in the file, and as part of a chain
	// to be sent it only makes handshakes longer (RFC 8446, 4.4.2).
	WithoutRoot
	// WholeChain takes all of them, and the target makes use of the root.
	WholeChain
)

// String returns "as given", "leaf only", "without root" or "whole chain".
func (s Shape) String() string {
	if s > WholeChain {
		return fmt.Sprintf("Shape(%d)", uint8(s))
	}
	return [...]string{"as given", "leaf only", "without root", "whole chain"}[s]
}

// Compat is the profile for devices, and the default: 3DES, HMAC-SHA1.
func Compat() Profile { return Profile{} }

// Modern is the profile for targets of recent years: AES-256-CBC, PBKDF2 and HMAC with SHA-256.
func Modern() Profile { return Profile{set: modern} }

// PBMAC1 is [Modern] with the MAC of RFC 9579. It is there for those who ask for it: OpenSSL reads it from 3.4, Java
// from 26, and no device of today. No platform's profile uses it.
func PBMAC1() Profile { return Profile{set: pbmac1} }

// ParseProfile returns the profile of this name: "compat", "modern", "pbmac1", or a platform with or without a version,
// such as "ios" or "ios-17.4" (see [ForPlatform]). The empty name is the default, [Compat]. The error matches
// [ErrUnsupported].
func ParseProfile(name string) (Profile, error) {
	if name == "" {
		return Compat(), nil
	}
	for _, set := range []algorithms{compat, modern, pbmac1} {
		if name == set.String() {
			return Profile{set: set}, nil
		}
	}
	if platform, version, ok := splitPlatform(name); ok {
		return ForPlatform(platform, version)
	}
	return Profile{}, fmt.Errorf("%w: nothing is called %q; there are the platforms %s, in lower case, with a version (ios-17.4) "+
		"or without, and the profiles compat, modern and pbmac1", ErrUnsupported, shorten(name), strings.Join(Platforms(), ", "))
}

func shorten(s string) string {
	if len(s) > 32 {
		return s[:32] + "…"
	}
	return s
}

// String returns the name that ParseProfile takes.
func (p Profile) String() string {
	switch {
	case p.platform == "":
		return p.set.String()
	case p.version == "":
		return p.platform
	}
	return p.platform + "-" + p.version
}

// Shape returns which certificates of the chain a file of the profile holds.
func (p Profile) Shape() Shape { return p.shape }

// Platform returns what [ForPlatform] was asked for, or two empty texts for a plain profile.
func (p Profile) Platform() (name, version string) { return p.platform, p.version }

// Algorithms returns the plain profile with the algorithms of this one: [Compat], [Modern] or [PBMAC1].
func (p Profile) Algorithms() Profile { return Profile{set: p.set} }

// pick returns the certificates of the chain that go into the file. The chain was checked.
func (p Profile) pick(chain []*x509.Certificate) []*x509.Certificate {
	switch p.shape {
	case LeafOnly:
		return chain[:1]
	case WithoutRoot:
		picked := chain[:1:1]
		for _, cert := range chain[1:] {
			if !isRoot(cert) {
				picked = append(picked, cert)
			}
		}
		return picked
	}
	return chain
}

// namesKey reports whether the key gets the friendly name too. Windows makes it the name of the key's container:
// programs fail at spaces in that (github.com/OctopusDeploy/Issues/issues/3689), and of two that import at the same
// time the first one deletes the container of both (github.com/dotnet/runtime-assets/pull/9). Without a name Windows
// makes up one.
func (p Profile) namesKey() bool { return p.platform != "windows" && p.platform != "windows-server" }

// isRoot reports whether a certificate is signed with its own key. A CA with a new key issues certificates to its own
// name that are not: their key identifiers differ, or else the signature says so. Go no longer verifies the SHA-1 of
// old roots; one without identifiers is taken for a root.
func isRoot(cert *x509.Certificate) bool {
	if !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		return false
	}
	if len(cert.AuthorityKeyId) > 0 && len(cert.SubjectKeyId) > 0 {
		return bytes.Equal(cert.AuthorityKeyId, cert.SubjectKeyId)
	}
	err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
	var insecure x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &insecure)
}
