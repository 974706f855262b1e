package adcstest

import (
	"encoding/hex"
	"time"
)

// Reasons of a revocation beside those of RFC 5280, section 5.3.1 (MS-CSRA section 3.1.4.1.8).
const (
	reasonCertificateHold uint32 = 6
	reasonRemoveFromCRL          = 8
	reasonNotWhenExpired  uint32 = 0xfffffffd // keep it out of CRLs once it has expired
	reasonWhenExpired     uint32 = 0xfffffffe // have it in CRLs even then
	reasonReleased        uint32 = 0xffffffff // release from hold
)

// revocation is what a row knows about the revocation of its certificate.
type revocation struct {
	when           time.Time // of the last call that changed it; zero if there was none
	effective      time.Time // from when on it is in CRLs; may be in the future
	reason         uint32
	publishExpired bool
}

// serialText is the serial number as the request table has it: lower-case hexadecimal, two digits a byte.
func (c issued) serialText() string {
	if c.serial == nil {
		return ""
	}
	return hex.EncodeToString(c.serial.Bytes())
}

// bySerial returns the row of a certificate, or nil. Other than a retrieval, administration compares serial numbers as
// text (MS-CSRA sections 3.1.4.1.5 and 3.1.4.1.8). The caller holds the lock.
func (a *authority) bySerial(text string) *row {
	if text == "" {
		return nil
	}
	for _, r := range a.rows {
		if r.cert.serialText() == text {
			return r
		}
	}
	return nil
}

// revoke does RevokeCertificate (MS-CSRA section 3.1.4.1.8), rule by rule. It returns an HRESULT.
func (a *authority) revoke(by, serial string, reason uint32, effective time.Time) uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.bySerial(serial)
	if r == nil {
		return hrInvalidArg
	}
	switch {
	case reason == reasonNotWhenExpired || reason == reasonWhenExpired:
		r.revocation.publishExpired = reason == reasonWhenExpired
		return 0
	case reason == reasonReleased:
		if r.disposition != dispRevoked || r.revocation.reason != reasonCertificateHold {
			return hrInvalidData
		}
	case reason > reasonRemoveFromCRL || reason == 7: // RFC 5280 does not use 7
		return hrInvalidArg
	}
	switch {
	case reason == reasonReleased:
		r.disposition, r.message = dispIssued, "Unrevoked by "+by
	case r.disposition == dispIssued:
		r.disposition, r.message = dispRevoked, "Revoked by "+by
	case r.disposition != dispRevoked:
		return hrInvalidData
	case r.revocation.reason != reasonCertificateHold && reason == reasonCertificateHold:
		return hrInvalidData // what is revoked for good cannot be put on hold
	}
	r.revocation.reason, r.revocation.effective, r.revocation.when = reason, effective, a.now()
	return 0
}

// Answers of IsValidCertificate (MS-CSRA section 3.1.4.1.5).
const (
	validityRevoked     = 2
	validityValid       = 3
	validityNeverIssued = 4
)

// validity does IsValidCertificate.
func (a *authority) validity(serial string) (reason, disposition uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.bySerial(serial)
	switch {
	case r == nil:
		return 0, validityNeverIssued
	case r.disposition == dispRevoked && !r.revocation.effective.After(a.now()):
		return r.revocation.reason, validityRevoked
	}
	return 0, validityValid
}
