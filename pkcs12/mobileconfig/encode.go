package mobileconfig

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/micromdm/plist"
)

// dict is a dictionary of a property list. Its keys are written in order, so that the same profile is the same file.
type dict = map[string]any

// roleIdentity is the one payload that others name.
const roleIdentity = "identity"

// Encode returns the profile as an XML property list: the content of a file NAME.mobileconfig, media type
// application/x-apple-aspen-config. The same Profile gives the same bytes.
//
// It opens the .p12 to see that Apple's systems can use it, and wipes what it saw. A certificate whose key usages are
// not those of a client is refused if the profile has networks: no RADIUS server would take it.
//
// Errors match [ErrField], [ErrIdentity] or [ErrCA]. Under FIPS 140-3 enforcement no .p12 can be opened: the error then
// matches [pkcs12.ErrFIPS] too.
func Encode(p Profile) ([]byte, error) {
	e := &encoder{profile: &p, used: map[string]bool{}}
	top, err := e.top()
	if err != nil {
		return nil, err
	}
	if err := e.payloads(); err != nil {
		return nil, err
	}
	if err := e.removal(top); err != nil {
		return nil, err
	}
	top["PayloadContent"] = e.content
	out, err := plist.MarshalIndent(top, "\t")
	if err != nil {
		// %v: the cause is another package's and not part of our contract.
		return nil, fmt.Errorf("mobileconfig: encode: %v", err)
	}
	return out, nil
}

// encoder collects the payloads of a profile.
type encoder struct {
	profile *Profile
	content []dict
	used    map[string]bool // roles of the payloads in content
	cas     int
	leaf    *x509.Certificate
}

// top makes the dictionary of the profile itself, without its payloads.
func (e *encoder) top() (dict, error) {
	p := e.profile
	if err := checkIdentifier(p.Identifier); err != nil {
		return nil, err
	}
	if err := checkText("DisplayName", p.DisplayName, MaxText, required); err != nil {
		return nil, err
	}
	if err := checkText("Organization", p.Organization, MaxText, optional); err != nil {
		return nil, err
	}
	if err := checkText("Description", p.Description, MaxDescription, lines); err != nil {
		return nil, err
	}
	top := dict{
		"PayloadType": "Configuration", "PayloadVersion": 1, "PayloadIdentifier": p.Identifier,
		"PayloadUUID": nameUUID(namespace, "profile "+p.Identifier), "PayloadDisplayName": p.DisplayName,
	}
	if p.Organization != "" {
		top["PayloadOrganization"] = p.Organization
	}
	if p.Description != "" {
		top["PayloadDescription"] = p.Description
	}
	switch p.Scope {
	case ScopeDefault:
	case ScopeUser, ScopeSystem:
		top["PayloadScope"] = string(p.Scope)
	default:
		return nil, refuse("Scope", "it is none of the constants")
	}
	return top, nil
}

// removal says in the dictionary of the profile who may remove it, and when the device does.
func (e *encoder) removal(top dict) error {
	p := e.profile
	if p.RemovalDisallowed {
		top["PayloadRemovalDisallowed"] = true
	}
	if p.RemovalDate.IsZero() {
		return nil
	}
	date := p.RemovalDate.UTC().Truncate(time.Second)
	switch {
	case date.Year() > 9999: // RFC 3339
		return refuse("RemovalDate", "it is after the year 9999")
	case !date.After(e.leaf.NotBefore):
		return refuse("RemovalDate", "it is not after the beginning of the certificate")
	}
	top["RemovalDate"] = date
	return nil
}

// payloads adds every payload of the profile.
func (e *encoder) payloads() error {
	p := e.profile
	if err := e.identity(p.Identity); err != nil {
		return err
	}
	for i, cert := range p.CAs {
		if _, err := e.ca(fmt.Sprintf("CAs, number %d", i+1), cert); err != nil {
			return err
		}
	}
	if len(p.WiFi) > MaxNetworks {
		return refuse("WiFi", fmt.Sprintf("there are %d, at most %d", len(p.WiFi), MaxNetworks))
	}
	for i, network := range p.WiFi {
		if err := e.wifi(fmt.Sprintf("WiFi, number %d", i+1), network); err != nil {
			return err
		}
	}
	for i, network := range p.Ethernet { // as many as there are interfaces: each only once
		if err := e.ethernet(fmt.Sprintf("Ethernet, number %d", i+1), network); err != nil {
			return err
		}
	}
	return nil
}

// uuid returns the UUID of the payload with this role.
func (e *encoder) uuid(role string) string {
	return nameUUID(namespace, "payload "+e.profile.Identifier+"."+role)
}

// add appends a payload.
func (e *encoder) add(role, kind, name string, payload dict) {
	payload["PayloadType"] = kind
	payload["PayloadVersion"] = 1
	payload["PayloadIdentifier"] = e.profile.Identifier + "." + role
	payload["PayloadUUID"] = e.uuid(role)
	payload["PayloadDisplayName"] = name
	e.content = append(e.content, payload)
	e.used[role] = true
}

// ca adds a CA certificate if it is not there yet, and returns the UUID of its payload.
func (e *encoder) ca(field string, cert *x509.Certificate) (string, error) {
	switch {
	case cert == nil || len(cert.Raw) == 0:
		return "", fmt.Errorf("%w: %s: it is missing", ErrCA, field)
	case len(cert.Raw) > maxCertificate:
		return "", fmt.Errorf("%w: %s: it has %d bytes, at most %d", ErrCA, field, len(cert.Raw), maxCertificate)
	case !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return "", fmt.Errorf("%w: %s: the certificate may not sign others", ErrCA, field)
	}
	sum := sha256.Sum256(cert.Raw)
	role := "ca." + hex.EncodeToString(sum[:16])
	if e.used[role] {
		return e.uuid(role), nil
	}
	if e.cas++; e.cas > MaxCAs {
		return "", fmt.Errorf("%w: %s: more than %d of them", ErrCA, field, MaxCAs)
	}
	kind := "com.apple.security.pkcs1"
	if selfSigned(cert) {
		kind = "com.apple.security.root"
	}
	e.add(role, kind, nameOf(cert), dict{"PayloadContent": cert.Raw, "PayloadCertificateFileName": "ca.cer"})
	return e.uuid(role), nil
}

// selfSigned tells a root from the certificate that the old key of a renewed CA signed for the new one: that has the
// same issuer and subject, and another authority key. The signature is not the question; who gives the certificate
// trusts it.
func selfSigned(cert *x509.Certificate) bool {
	return slices.Equal(cert.RawIssuer, cert.RawSubject) &&
		(len(cert.AuthorityKeyId) == 0 || slices.Equal(cert.AuthorityKeyId, cert.SubjectKeyId))
}

// nameOf returns the common name of a certificate, or a part of its fingerprint if that cannot be shown.
func nameOf(cert *x509.Certificate) string {
	name := cert.Subject.CommonName
	if checkText("", name, MaxText, required) == nil {
		return name
	}
	sum := sha256.Sum256(cert.Raw)
	return "Certificate " + hex.EncodeToString(sum[:8])
}
