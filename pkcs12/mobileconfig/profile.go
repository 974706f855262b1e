package mobileconfig

import (
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Limits of a profile.
const (
	MaxCAs         = 32   // CA certificates, trust anchors of networks included
	MaxNetworks    = 32   // Wi-Fi networks
	MaxServerNames = 32   // of one network
	MaxIdentifier  = 200  // bytes of Profile.Identifier
	MaxText        = 255  // bytes of a name
	MaxDescription = 4096 // bytes of Profile.Description
	MaxSSID        = 32   // bytes of an SSID (IEEE 802.11)
)

// maxCertificate bounds a CA certificate, in bytes of DER.
const maxCertificate = 64 << 10

// Profile is what a device is given. It redacts itself when it is printed.
//
// Texts are UTF-8 without control characters, line separators, noncharacters, and the characters that change the
// direction of what follows (U+202A to U+202E, U+2066 to U+2069), which could make one name look like another when a
// person decides about it. Right-to-left letters and marks are fine.
type Profile struct {
	// Identifier names the profile on the device, which has one with this name: letters of ASCII, digits, "-", "_" and
	// dots between them, like com.example.wifi.alice; see Renewal in the package comment. Required.
	Identifier string

	// DisplayName is what the person sees who installs the profile. Required.
	DisplayName string

	// Organization is who provides the profile, Description what it is good for, with line breaks if need be. Optional.
	Organization, Description string

	// Scope says for whom macOS installs the profile. Other systems have no users.
	Scope Scope

	// RemovalDisallowed keeps a person from removing the profile from a supervised iPhone, iPad or Apple TV, and lets
	// only an administrator remove it from a Mac (macOS 10.15). What MDM installed nobody removes by hand anyway.
	RemovalDisallowed bool

	// RemovalDate is when the device removes the profile by itself, with its identity, CAs and networks: for guests, or
	// the end of a certificate that nobody renews. It is written to the second, and must be later than the beginning of
	// the certificate. Zero is never.
	RemovalDate time.Time

	// Identity is the key and its certificate.
	Identity Identity

	// CAs are root and intermediate CA certificates that the device will trust and use. The anchors of networks need
	// not be here.
	CAs []*x509.Certificate

	// WiFi are networks, each with another SSID. Optional.
	WiFi []WiFi

	// Ethernet are wired interfaces, each another one. Optional.
	Ethernet []Ethernet
}

// Scope is for whom macOS installs a profile: key PayloadScope.
type Scope string

// The scopes. With ScopeSystem the networks are used by the Mac itself, also while nobody is logged on.
const (
	ScopeDefault Scope = "" // what macOS takes by itself: the user's
	ScopeUser    Scope = "User"
	ScopeSystem  Scope = "System"
)

// Identity is a .p12: payload com.apple.security.pkcs12. It redacts itself.
type Identity struct {
	// PKCS12 is the file: one key, RSA or ECDSA, and its certificate alone ("Only one certificate may be included"). Its
	// algorithms must be what the oldest of the devices can read, which package pkcs12 knows; here only those are
	// refused that none can.
	PKCS12 []byte

	// Password opens it. It is needed to look inside.
	Password string

	// IncludePassword writes the password into the profile, for MDM. Without it the device asks a person.
	IncludePassword bool

	// AllowAllAppsAccess lets all programs of a Mac use the key without asking. Other systems do not have that.
	AllowAllAppsAccess bool
}

// String tells which profile it is, and nothing of the identity.
func (p Profile) String() string { return fmt.Sprintf("configuration profile %q", p.Identifier) }

// Format writes what String returns, whatever the verb.
func (p Profile) Format(f fmt.State, _ rune) { io.WriteString(f, p.String()) }

// LogValue returns what String returns.
func (p Profile) LogValue() slog.Value { return slog.StringValue(p.String()) }

// String tells nothing.
func (i Identity) String() string { return "identity (redacted)" }

// Format writes what String returns, whatever the verb.
func (i Identity) Format(f fmt.State, _ rune) { io.WriteString(f, i.String()) }

// LogValue returns what String returns.
func (i Identity) LogValue() slog.Value { return slog.StringValue(i.String()) }
