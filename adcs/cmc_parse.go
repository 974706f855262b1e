package adcs

import (
	"encoding/asn1"
	"errors"
	"math"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidStatusInfo     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 7, 1}
	oidStatusInfoV2   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 7, 25}
	oidAddAttributes  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 10, 1}
	oidIssuedCertHash = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 17}
)

var errCMC = errors.New("not a CMC full response in DER")

// Limits on a response. A CA sends two controls, each about one body part.
const (
	maxControls   = 16
	maxBodyParts  = 32
	maxPendToken  = 1024
	maxIssuedHash = 64
)

// cmcExtendedFailure is the tag of extendedFailInfo, [1] IMPLICIT SEQUENCE.
const cmcExtendedFailure = cbasn1.Tag(1 | 0x80 | 0x20)

// parseCMCResponse parses a ResponseBody (RFC 5272, section 4.2), the content of a full response.
func parseCMCResponse(content []byte) (*CMCResponse, error) {
	in := cryptobyte.String(content)
	var body, controls cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() ||
		!body.ReadASN1(&controls, cbasn1.SEQUENCE) ||
		!body.SkipASN1(cbasn1.SEQUENCE) || // cmsSequence
		!body.SkipASN1(cbasn1.SEQUENCE) || // otherMsgSequence
		!body.Empty() {
		return nil, errCMC
	}
	r := &CMCResponse{Status: noCMCStatus}
	for n := 0; !controls.Empty(); n++ {
		var control cryptobyte.String
		if n == maxControls || !controls.ReadASN1(&control, cbasn1.SEQUENCE) || !r.parseControl(control) {
			return nil, errCMC
		}
	}
	return r, nil
}

// parseControl reads a TaggedAttribute and keeps what it knows; other controls are skipped.
func (r *CMCResponse) parseControl(control cryptobyte.String) bool {
	var oid asn1.ObjectIdentifier
	var values cryptobyte.String
	if _, ok := readBodyPart(&control); !ok || !control.ReadASN1ObjectIdentifier(&oid) ||
		!control.ReadASN1(&values, cbasn1.SET) || !control.Empty() {
		return false
	}
	switch {
	case oid.Equal(oidStatusInfo), oid.Equal(oidStatusInfoV2):
		return r.parseStatus(values)
	case oid.Equal(oidAddAttributes):
		return r.parseAddAttributes(values)
	}
	return true
}

// readBodyPart reads a BodyPartID: INTEGER (0..4294967295).
func readBodyPart(in *cryptobyte.String) (uint32, bool) {
	var id int64
	ok := in.ReadASN1Integer(&id) && id >= 0 && id <= math.MaxUint32
	return uint32(id), ok
}

// parseStatus reads a CMCStatusInfo or CMCStatusInfoV2. Of two that differ the message would say nothing, so one is all
// it may have.
func (r *CMCResponse) parseStatus(values cryptobyte.String) bool {
	var info, parts, text cryptobyte.String
	var status int
	if r.Status != noCMCStatus || !values.ReadASN1(&info, cbasn1.SEQUENCE) || !values.Empty() ||
		!info.ReadASN1Integer(&status) || status < 0 ||
		!info.ReadASN1(&parts, cbasn1.SEQUENCE) || !r.parseBodyParts(parts) ||
		!info.ReadOptionalASN1(&text, nil, cbasn1.UTF8String) {
		return false
	}
	r.Status = CMCStatus(status)
	r.Text = cleanText(strings.ToValidUTF8(boundedTo(string(text), maxMessage), ""))
	return r.parseOtherInfo(&info) && info.Empty()
}

// parseBodyParts reads a bodyList. Paths into nested messages (RFC 5272, section 3.2.2), which AD CS does not have, are
// skipped.
func (r *CMCResponse) parseBodyParts(list cryptobyte.String) bool {
	for n := 0; !list.Empty(); n++ {
		if n == maxBodyParts {
			return false
		}
		if list.PeekASN1Tag(cbasn1.SEQUENCE) {
			if !list.SkipASN1(cbasn1.SEQUENCE) {
				return false
			}
			continue
		}
		id, ok := readBodyPart(&list)
		if !ok {
			return false
		}
		r.BodyParts = append(r.BodyParts, id)
	}
	return true
}

// parseOtherInfo reads OtherStatusInfo, which may be absent: RFC 5272, section 6.1.1.
func (r *CMCResponse) parseOtherInfo(info *cryptobyte.String) bool {
	switch {
	case info.PeekASN1Tag(cbasn1.INTEGER):
		var reason int64
		if !info.ReadASN1Integer(&reason) {
			return false
		}
		if r.Failure = cmcFailures[reason]; r.Failure == "" {
			r.Failure = strconv.FormatInt(reason, 10)
		}
	case info.PeekASN1Tag(cbasn1.SEQUENCE):
		var pending cryptobyte.String
		return info.ReadASN1(&pending, cbasn1.SEQUENCE) &&
			pending.ReadASN1Bytes(&r.PendToken, cbasn1.OCTET_STRING) && len(r.PendToken) <= maxPendToken &&
			pending.ReadASN1GeneralizedTime(&r.PendTime) && pending.Empty()
	case info.PeekASN1Tag(cmcExtendedFailure):
		var extended cryptobyte.String
		return info.ReadASN1(&extended, cmcExtendedFailure) && extended.ReadASN1ObjectIdentifier(&r.ExtendedFailure)
	}
	return true
}

// parseAddAttributes reads SEQUENCE { INTEGER, SEQUENCE OF INTEGER, SET OF Attribute } and keeps the issued
// certificate's hash.
func (r *CMCResponse) parseAddAttributes(values cryptobyte.String) bool {
	var add, attributes cryptobyte.String
	if !values.ReadASN1(&add, cbasn1.SEQUENCE) || !values.Empty() {
		return false
	}
	if _, ok := readBodyPart(&add); !ok || !add.SkipASN1(cbasn1.SEQUENCE) ||
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
		if r.IssuedHash != nil || !set.ReadASN1(&hash, cbasn1.OCTET_STRING) || !set.Empty() ||
			len(hash) == 0 || len(hash) > maxIssuedHash {
			return false
		}
		r.IssuedHash = hash
	}
	return true
}
