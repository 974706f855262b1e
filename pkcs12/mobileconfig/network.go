package mobileconfig

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// WiFi is a wireless network: payload com.apple.wifi.managed.
type WiFi struct {
	SSID       string // 1 to 32 bytes; required
	Hidden     bool   // the network does not tell its name
	ManualJoin bool   // a person decides when to join it; else the device does when it is in reach
	Security   Security
	EAP        EAPTLS

	// FixedMAC makes the device use its own MAC address, for networks that look at it, instead of one for this network
	// alone: iOS 14, watchOS 7, macOS 15, visionOS. A person can undo that unless MDM installed the profile, and a user
	// enrollment does not allow it.
	FixedMAC bool
}

// Security is the encryption that a wireless network must have. Older systems (before iOS 16, macOS 13) want exactly
// this one, or any WPA.
type Security string

// The kinds of security. There is none for WEP and open networks, which know no EAP.
const (
	SecurityDefault Security = ""     // SecurityWPA2
	SecurityWPA2    Security = "WPA2" // WPA2 or WPA3
	SecurityWPA3    Security = "WPA3" // WPA3 only
)

// Ethernet is a wired interface with 802.1X.
type Ethernet struct {
	Interface Interface
	EAP       EAPTLS
}

// Interface says which wired interface is meant.
type Interface string

// The interfaces. "Active" is one that works when the profile is installed; the others count in service order. The
// names are those of Apple's schema and its example; its reference of 2019 said AnyEthernet for GlobalEthernet.
const (
	InterfaceAny          Interface = "GlobalEthernet" // any: iOS 17, tvOS 17, macOS 10.13. The empty text is the same.
	InterfaceFirst        Interface = "FirstEthernet"  // this and the following ones: macOS only
	InterfaceFirstActive  Interface = "FirstActiveEthernet"
	InterfaceSecond       Interface = "SecondEthernet"
	InterfaceSecondActive Interface = "SecondActiveEthernet"
	InterfaceThird        Interface = "ThirdEthernet"
	InterfaceThirdActive  Interface = "ThirdActiveEthernet"
)

// EAPTLS is how the device authenticates to a network, and the network to the device. Anchors and ServerNames have no
// defaults: without them the device asks a person whether to trust a stranger, or trusts whoever has any
// certificate of the CA.
type EAPTLS struct {
	// Anchors are the CAs that the certificate of the RADIUS server must lead to. They become payloads too. Required.
	Anchors []*x509.Certificate

	// ServerNames are the DNS names in the certificates of the RADIUS servers, or their common names where there are
	// none; "*.radius.example.com" stands for any one label in front. Required.
	//
	// Apple's documents show "wpa.*.example.com" too, which Apple's code does not match (SecDNSMatch in
	// SecPolicyLeafCallbacks.c, Security-57740 of macOS 10.12 and later): a "*" anywhere else is refused here, since a
	// device with it would trust no server, and ask nobody.
	ServerNames []string

	// UserName is what the device calls itself to the network before it shows its certificate, in the open. Optional.
	UserName string

	// OuterIdentity hides UserName. Apple demands it where MinTLS is 1.3. Optional otherwise.
	OuterIdentity string

	// MinTLS and MaxTLS are tls.VersionTLS12 or tls.VersionTLS13; 0 is 1.2 for both, since many RADIUS servers do not
	// speak EAP-TLS with 1.3 (RFC 9190). Apple's own minimum would be 1.0.
	MinTLS, MaxTLS uint16
}

// wifi makes the payload of a wireless network.
func (e *encoder) wifi(field string, w WiFi) error {
	if err := checkText(field+": SSID", w.SSID, MaxSSID, required); err != nil {
		return err
	}
	security := w.Security
	switch security {
	case SecurityDefault:
		security = SecurityWPA2
	case SecurityWPA2, SecurityWPA3:
	default:
		return refuse(field+": Security", "it is none of the constants")
	}
	payload := dict{
		"SSID_STR": w.SSID, "HIDDEN_NETWORK": w.Hidden, "AutoJoin": !w.ManualJoin, "EncryptionType": string(security),
	}
	if w.FixedMAC {
		payload["DisableAssociationMACRandomization"] = true
	}
	name := sha256.Sum256([]byte(w.SSID))
	role := "wifi." + hex.EncodeToString(name[:16])
	return e.network(field, w.EAP, role, "com.apple.wifi.managed", "Wi-Fi "+w.SSID, payload)
}

// ethernet makes the payload of a wired interface.
func (e *encoder) ethernet(field string, w Ethernet) error {
	which := w.Interface
	switch which {
	case "":
		which = InterfaceAny
	case InterfaceAny, InterfaceFirst, InterfaceFirstActive, InterfaceSecond, InterfaceSecondActive, InterfaceThird,
		InterfaceThirdActive:
	default:
		return refuse(field+": Interface", "it is none of the constants")
	}
	name := "Ethernet"
	if which != InterfaceAny {
		name = string(which)
	}
	lower := strings.ToLower(string(which))
	return e.network(field, w.EAP, "ethernet."+lower, "com.apple."+lower+".managed", name, dict{
		"Interface": string(which),
	})
}

// network adds the payload of a network, with what wireless and wired ones have in common.
func (e *encoder) network(field string, eap EAPTLS, role, kind, name string, payload dict) error {
	client, err := e.eap(field, eap)
	if err != nil {
		return err
	}
	if e.used[role] {
		return refuse(field, "the profile has it twice")
	}
	payload["EAPClientConfiguration"] = client
	payload["PayloadCertificateUUID"] = e.uuid(roleIdentity)
	if e.profile.Scope == ScopeSystem {
		payload["SetupModes"] = []string{"System"}
	}
	e.add(role, kind, name, payload)
	return nil
}

// eap makes the dictionary EAPClientConfiguration.
func (e *encoder) eap(field string, eap EAPTLS) (dict, error) {
	const methodTLS = 13
	client := dict{"AcceptEAPTypes": []int{methodTLS}, "TLSCertificateIsRequired": true}
	if err := checkNames(field, eap.ServerNames); err != nil {
		return nil, err
	}
	client["TLSTrustedServerNames"] = eap.ServerNames
	if len(eap.Anchors) == 0 {
		return nil, refuse(field+": Anchors", "there is none")
	}
	var anchors []string
	for _, anchor := range eap.Anchors {
		uuid, err := e.ca(field+": Anchors", anchor)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(anchors, uuid) {
			anchors = append(anchors, uuid)
		}
	}
	client["PayloadCertificateAnchorUUID"] = anchors
	for _, name := range []struct{ key, text string }{{"UserName", eap.UserName}, {"OuterIdentity", eap.OuterIdentity}} {
		if err := checkText(field+": "+name.key, name.text, MaxText, optional); err != nil {
			return nil, err
		}
		if name.text != "" {
			client[name.key] = name.text
		}
	}
	return client, setTLS(client, field, eap)
}

// setTLS sets the versions of TLS.
func setTLS(client dict, field string, eap EAPTLS) error {
	lowest, highest := tlsVersion(eap.MinTLS), tlsVersion(eap.MaxTLS)
	if eap.MaxTLS == 0 && lowest != "" {
		highest = lowest
	}
	switch {
	case lowest == "" || highest == "":
		return refuse(field+": MinTLS and MaxTLS", "they are neither 1.2 nor 1.3")
	case lowest > highest:
		return refuse(field+": MinTLS", "it is above MaxTLS")
	case lowest == "1.3" && eap.OuterIdentity == "":
		return refuse(field+": OuterIdentity", "with TLS 1.3 alone there must be one")
	}
	client["TLSMinimumVersion"], client["TLSMaximumVersion"] = lowest, highest
	return nil
}

// tlsVersion returns Apple's name of a version of package tls, or nothing for another one.
func tlsVersion(version uint16) string {
	switch version {
	case 0, 0x0303:
		return "1.2"
	case 0x0304:
		return "1.3"
	}
	return ""
}

func checkNames(field string, names []string) error {
	field += ": ServerNames"
	if len(names) == 0 || len(names) > MaxServerNames {
		return refuse(field, fmt.Sprintf("there must be 1 to %d", MaxServerNames))
	}
	for _, name := range names {
		if err := checkText(field, name, MaxText, required); err != nil {
			return err
		}
		// Whole labels are compared, from the end of both names.
		labels := strings.Split(name, ".")
		rest := strings.Join(labels[1:], ".")
		switch {
		case slices.Contains(labels, ""):
			return refuse(field, "a name has an empty part between dots")
		case strings.Contains(rest, "*") || labels[0] != "*" && strings.Contains(labels[0], "*"):
			return refuse(field, `"*" can only be the whole first part of a name, as in *.radius.example.com`)
		case labels[0] == "*" && len(labels) < 3:
			return refuse(field, `"*" needs two more parts behind it, as in *.example.com`)
		}
	}
	return nil
}
