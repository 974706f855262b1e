// Package mobileconfig writes Apple configuration profiles: one file that gives a Mac, iPhone, iPad, Apple TV, Watch or
// Vision the identity in a .p12, the CAs to trust, and the Wi-Fi and Ethernet networks (802.1X, EAP-TLS) to use it for.
//
//	file, err := pkcs12.Encode(profile, key, []*x509.Certificate{leaf}, password) // the leaf alone
//	config, err := mobileconfig.Encode(mobileconfig.Profile{ … })
//
// Payload types and keys are those of Apple's Device Management schema (github.com/apple/device-management,
// mdm/profiles). Every text is written exactly as given, or refused.
//
// # Who can read the profile
//
// A profile is not encrypted. Apple warns that who gets hold of one has the password and the identity; so the password
// of the .p12 is left out of it unless [Identity.IncludePassword] says otherwise, and the person who installs the
// profile is asked for it. An MDM server installs without a person and needs it; such a profile goes over the MDM
// channel and nowhere else. The key is marked as not extractable where the system knows that (macOS).
//
// The profile is not signed either, and the device says so. Whoever distributes it can sign it (CMS, enveloping, DER)
// with a certificate that devices trust, and look at what was signed:
//
//	openssl cms -sign -nodetach -binary -outform DER -signer signer.pem -inkey signer.key -certfile issuing.pem \
//		-in NAME.mobileconfig -out SIGNED.mobileconfig
//	openssl cms -verify -binary -inform DER -CAfile root.pem -purpose any -in SIGNED.mobileconfig -out READ.mobileconfig
//
// # What the CAs are trusted for
//
// The anchors of a network are all that the device trusts there, with the server names. Beyond that, CAs in a profile
// from an MDM server or Apple Configurator are trusted for TLS. In one that a person installs on iOS or iPadOS they are
// not, until that is turned on in Settings, General, About, Certificate Trust Settings (Apple's article "Trust manually
// installed certificate profiles").
//
// # Renewal
//
// A device replaces the installed profile that has the same identifier, and updates the payloads in it whose identifier
// and UUID are the same. Both are made from [Profile.Identifier] and from what a payload is for (UUID version 8 of RFC
// 9562, over SHA-256): a CA's also from its certificate, a network's from its SSID or interface. So the profile with
// the renewed certificate takes the place of the old one, and the networks go on with it; another CA or SSID is another
// payload, and what the new profile does not have is removed. Two identities of one device need two identifiers.
//
// # The plist library
//
// The XML is that of github.com/micromdm/plist: kept by people who write MDM servers (v0.2.2 is of December 2025),
// built on encoding/xml, and without dependencies. howett.net/plist, from which it comes, had its last release in 2023,
// is twice as long, and brings in modules for a command and its tests.
//
// All functions are safe for concurrent use. No error holds a password or a part of the .p12.
package mobileconfig
