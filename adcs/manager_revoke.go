package adcs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/ndr"
)

// Reason is why a certificate is revoked (RFC 5280, section 5.3.1).
type Reason uint32

// The reasons that a CA takes ([MS-CSRA], section 3.1.4.1.8). A certificate on hold can be released or revoked
// for good.
const (
	ReasonUnspecified          Reason = 0
	ReasonKeyCompromise        Reason = 1
	ReasonCACompromise         Reason = 2
	ReasonAffiliationChanged   Reason = 3
	ReasonSuperseded           Reason = 4
	ReasonCessationOfOperation Reason = 5
	ReasonCertificateHold      Reason = 6
)

// String returns the reason's name in RFC 5280, or the number of one that is not among the constants.
func (r Reason) String() string {
	names := [...]string{
		"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation",
		"certificateHold",
	}
	if r < Reason(len(names)) {
		return names[r]
	}
	return fmt.Sprintf("reason %d", uint32(r))
}

// Revocation says how [Manager.Revoke] revokes. Nil and the zero value of each field mean the defaults.
type Revocation struct {
	Reason Reason

	// Effective is when the certificate ceased to be valid, or when it will. Zero means now, by this host's clock.
	Effective time.Time

	// Replace gives a certificate that is revoked already another reason and effective date. Without it such a
	// certificate stays as it is, unless it is on hold.
	Replace bool
}

// Revoke revokes the certificate with a serial number, in hexadecimal, as x509.Certificate.SerialNumber.Text(16) is. It
// is idempotent: a certificate that is revoked for the same reason already is left alone, and there is no error. One
// that is revoked for another reason is left alone too, with an error that matches [ErrAlreadyRevoked]; but one on hold
// is revoked. A serial number under which the CA has issued nothing matches [ErrUnknownSerial].
//
// A revocation with an effective date to come counts from then on: until then it can be changed by another one. Clients
// learn of it with the next CRL: see [Manager.PublishCRL].
func (m *Manager) Revoke(ctx context.Context, serial string, opts *Revocation) error {
	var r Revocation
	if opts != nil {
		r = *opts
	}
	if r.Reason > ReasonCertificateHold {
		return fmt.Errorf("%w: revocation with %v", ErrInvalidRequest, r.Reason)
	}
	what := ActionError{Action: ActionRevoke, Serial: serial}
	return m.onCertificate(ctx, what, csra.Reason(r.Reason), r.Effective, func(v *csra.Validity) (bool, error) {
		switch {
		case v.State != csra.StateRevoked, r.Replace:
			return true, nil
		case v.Reason == csra.Reason(r.Reason):
			return false, nil
		case v.Reason == csra.ReasonHold:
			return true, nil
		}
		return false, fmt.Errorf("%w (%v)", ErrAlreadyRevoked, Reason(v.Reason))
	})
}

// Release takes a certificate off hold: it is valid again. It is idempotent: nothing is done about a certificate that
// is not revoked. One that was revoked for good matches [ErrAlreadyRevoked]. Other errors are those of
// [Manager.Revoke].
func (m *Manager) Release(ctx context.Context, serial string) error {
	what := ActionError{Action: ActionRelease, Serial: serial}
	valid := false
	err := m.onCertificate(ctx, what, csra.ReasonReleaseOfHold, time.Time{}, func(v *csra.Validity) (bool, error) {
		valid = v.State != csra.StateRevoked
		if valid || v.Reason == csra.ReasonHold {
			return true, nil // also if it is valid: the hold may be one that has not begun yet
		}
		return false, fmt.Errorf("%w (%v)", ErrAlreadyRevoked, Reason(v.Reason))
	})
	if valid && errors.Is(err, ErrInvalidData) {
		return nil // there is no hold
	}
	return err
}

// onCertificate revokes in some way, if decide says so about the state of the certificate.
func (m *Manager) onCertificate(ctx context.Context, what ActionError, reason csra.Reason, effective time.Time,
	decide func(*csra.Validity) (bool, error)) error {
	serial, err := databaseSerial(what.Serial)
	if err != nil {
		return err
	}
	if effective.IsZero() {
		effective = time.Now()
	}
	request := csra.Revoke{Authority: m.ca, Serial: serial, Reason: reason, Effective: csra.FileTime(effective)}
	return m.act(ctx, what, func(ctx context.Context, a *admin) error {
		state, err := a.validity(ctx, &what, serial)
		if err != nil {
			return err
		}
		act, err := decide(state)
		if err != nil {
			return what.because(err)
		}
		if !act {
			return nil
		}
		var answer csra.Result
		if err := a.do(ctx, csra.OpRevokeCertificate, &request, &answer); err != nil {
			return what.unknown(a.ca, err)
		}
		return what.result(answer.Return)
	})
}

// validity asks in which state a certificate is ([MS-CSRA], section 3.1.4.1.5). RevokeCertificate itself has the same
// code for a wrong serial number and for a wrong name of the CA.
func (a *admin) validity(ctx context.Context, what *ActionError, serial string) (*csra.Validity, error) {
	var v csra.Validity
	if err := a.do(ctx, csra.OpIsValidCertificate, &csra.BySerial{Authority: a.ca, Serial: serial}, &v); err != nil {
		return nil, what.failed(err)
	}
	if err := what.result(v.Return); err != nil {
		return nil, err
	}
	if v.State != csra.StateRevoked && v.State != csra.StateValid {
		return nil, what.because(ErrUnknownSerial)
	}
	return &v, nil
}

// maxSerial bounds a serial number in hexadecimal digits. RFC 5280 allows 40; Windows allows more.
const maxSerial = 128

// databaseSerial is a serial number as a CA's database has it: an even number of lower-case hexadecimal digits, with
// one leading zero at most ([MS-CSRA], section 3.1.4.1.5). The CA compares texts.
func databaseSerial(serial string) (string, error) {
	digits := strings.TrimLeft(strings.ToLower(serial), "0")
	if digits == "" || len(digits) > maxSerial || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%w: serial number %q is not one in hexadecimal", ErrInvalidRequest, bounded(serial))
	}
	if len(digits)%2 != 0 {
		digits = "0" + digits
	}
	return digits, nil
}

// publishCRLs is the request of PublishCRLs.
type publishCRLs struct{ csra.Publish }

func (p *publishCRLs) Write(w *ndr.Writer) { p.Publish.Write(w, true) }
