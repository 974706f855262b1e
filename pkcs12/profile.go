package pkcs12

import (
	"fmt"

	gopkcs12 "software.sslmate.com/src/go-pkcs12"
)

// Profile names the algorithms of a file by the targets that read them. The zero Profile is [Compat].
type Profile struct{ modern bool }

// Compat is the profile for devices, and the default: 3DES, HMAC-SHA1.
func Compat() Profile { return Profile{} }

// Modern is the profile for targets of recent years: AES-256-CBC, PBKDF2 and HMAC with SHA-256.
func Modern() Profile { return Profile{modern: true} }

// ParseProfile returns the profile of this name: "compat" or "modern". The empty name is the default, [Compat].
func ParseProfile(name string) (Profile, error) {
	switch name {
	case "", "compat":
		return Compat(), nil
	case "modern":
		return Modern(), nil
	}
	if len(name) > 32 {
		name = name[:32] + "…"
	}
	return Profile{}, fmt.Errorf("%w: the profile %q is neither compat nor modern", ErrUnsupported, name)
}

// String returns the name that ParseProfile takes.
func (p Profile) String() string {
	if p.modern {
		return "modern"
	}
	return "compat"
}

func (p Profile) encoder() *gopkcs12.Encoder {
	if p.modern {
		return gopkcs12.Modern2023
	}
	return gopkcs12.LegacyDES
}
