package adcstest

import (
	"crypto/sha256"
	"time"
)

// RequestInfo is a row of the CA's request table.
type RequestInfo struct {
	// ID is the request id, counted from 1.
	ID uint32
	// Requester is the account that the request is for, DOMAIN\name: the one that submitted it, or the one whose name an
	// enrollment agent has signed.
	Requester string
	// Caller is the account that submitted the request, DOMAIN\name.
	Caller string
	// Template is the common name of the certificate template, "" if the request named none that the CA knows.
	Template string
	// Disposition is the state of the request: 0 being processed, 3 issued, 6 revoked, 5 held for the manager, 2 denied,
	// 1 failed (MS-WCCE section 3.2.1.4.2.1).
	Disposition uint32
	// Status is the HRESULT behind a refusal (or 2, from a template that denies so), 0 if there was none.
	Status uint32
	// Message is the disposition message, as a caller sees it.
	Message string
	// Serial is the serial number of the issued certificate in lower-case hexadecimal, "" if none was issued.
	Serial string
	// Subject is the subject of the issued certificate, or else of the request, as an RFC 4514 string.
	Subject string
	// PublicKeyHash is the SHA-256 of the SubjectPublicKeyInfo in the request; zero if it could not be parsed.
	PublicKeyHash [sha256.Size]byte
	// Submitted is when the request came in.
	Submitted time.Time
	// Resolved is when it was decided; zero while it is held.
	Resolved time.Time
	// Attributes are the attributes that it came with, "Name:Value" lines.
	Attributes string
	// Issuer is which of [Server.CACertificates] issued the certificate.
	Issuer int
	// Revocation is what the CA knows about the revocation of the certificate; nil if nobody has revoked it.
	Revocation *Revocation
	// Raw is the request as it came in.
	Raw []byte
	// Certificate is the issued certificate, DER; nil if none was issued.
	Certificate []byte
}

// Revocation says when and why a certificate was revoked, or released from hold.
type Revocation struct {
	// When is when the manager asked for it.
	When time.Time
	// Effective is from when on the certificate counts as revoked; a time in the future keeps it out of CRLs until then.
	Effective time.Time
	// Reason is the reason of RFC 5280, section 5.3.1, or 0xffffffff after a release from hold.
	Reason uint32
}
