package adcs

import (
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidPKIResponse    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 12, 3}
	oidStatusInfo     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 7, 1}
	oidAddAttributes  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 10, 1}
	oidIssuedCertHash = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 17}
)

var errCMC = errors.New("not a CMC full response in DER")

// The CMCStatus values that a CA sends: RFC 2797, section 5.1.1; [MS-WCCE], section 3.2.1.4.2.1.4.8.2.
const (
	cmcSuccess = 0
	cmcFailed  = 2
	cmcPending = 3
)

// maxControls bounds the controls of a response; a CA sends two.
const maxControls = 16

// cmcResponse is what a client needs of a CMC full PKI response: [MS-WCCE], section 3.2.1.4.2.1.4.8.2.
type cmcResponse struct {
	status     int    // -1 if the response has none
	issuedHash []byte // SHA-1 of the issued certificate, or nil
}

// parseCMCResponse parses a ResponseBody (RFC 2797, section 3.2), the content of a full response.
func parseCMCResponse(content []byte) (*cmcResponse, error) {
	in := cryptobyte.String(content)
	var body, controls cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() ||
		!body.ReadASN1(&controls, cbasn1.SEQUENCE) ||
		!body.SkipASN1(cbasn1.SEQUENCE) || // cmsSequence
		!body.SkipASN1(cbasn1.SEQUENCE) || // otherMsgSequence
		!body.Empty() {
		return nil, errCMC
	}
	r := &cmcResponse{status: -1}
	for n := 0; !controls.Empty(); n++ {
		var control cryptobyte.String
		if n == maxControls || !controls.ReadASN1(&control, cbasn1.SEQUENCE) || !r.parseControl(control) {
			return nil, errCMC
		}
	}
	return r, nil
}

// parseControl reads a TaggedAttribute and keeps what it knows; other controls are skipped.
func (r *cmcResponse) parseControl(control cryptobyte.String) bool {
	var bodyPartID int64
	var oid asn1.ObjectIdentifier
	var values cryptobyte.String
	if !control.ReadASN1Integer(&bodyPartID) || !control.ReadASN1ObjectIdentifier(&oid) ||
		!control.ReadASN1(&values, cbasn1.SET) || !control.Empty() {
		return false
	}
	switch {
	case oid.Equal(oidStatusInfo):
		return r.parseStatus(values)
	case oid.Equal(oidAddAttributes):
		return r.parseAddAttributes(values)
	}
	return true
}

// parseStatus reads a CMCStatusInfo. Of two that differ the message would say nothing, so one is all it may have.
func (r *cmcResponse) parseStatus(values cryptobyte.String) bool {
	var info cryptobyte.String
	return r.status == -1 && values.ReadASN1(&info, cbasn1.SEQUENCE) && values.Empty() &&
		info.ReadASN1Integer(&r.status) && r.status >= 0
}

// parseAddAttributes reads SEQUENCE { INTEGER, SEQUENCE OF INTEGER, SET OF Attribute } and keeps the issued
// certificate's hash.
func (r *cmcResponse) parseAddAttributes(values cryptobyte.String) bool {
	var add, attributes cryptobyte.String
	var dataReference int64
	if !values.ReadASN1(&add, cbasn1.SEQUENCE) || !values.Empty() ||
		!add.ReadASN1Integer(&dataReference) || !add.SkipASN1(cbasn1.SEQUENCE) ||
		!add.ReadASN1(&attributes, cbasn1.SET) || !add.Empty() {
		return false
	}
	for n := 0; !attributes.Empty(); n++ {
		var attribute, set cryptobyte.String
		var oid asn1.ObjectIdentifier
		if n == maxControls || !attributes.ReadASN1(&attribute, cbasn1.SEQUENCE) ||
			!attribute.ReadASN1ObjectIdentifier(&oid) || !attribute.ReadASN1(&set, cbasn1.SET) || !attribute.Empty() {
			return false
		}
		if !oid.Equal(oidIssuedCertHash) {
			continue
		}
		var hash cryptobyte.String
		if r.issuedHash != nil || !set.ReadASN1(&hash, cbasn1.OCTET_STRING) || !set.Empty() || len(hash) == 0 {
			return false
		}
		r.issuedHash = hash
	}
	return true
}
