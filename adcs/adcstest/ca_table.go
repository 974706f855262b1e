package adcstest

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/adcskit/adcskit/internal/x500"
)

// maxSerialDigits bounds pwszSerialNumber (MS-WCCE section 3.2.1.4.3.1: range(1, 64)).
const maxSerialDigits = 64

// row is a row of the request table (MS-CSRA section 3.1.1.1). It is written under the lock of the authority.
type row struct {
	id          uint32
	requester   string // DOMAIN\name
	submitted   time.Time
	raw         []byte
	spki        []byte
	subject     []byte // of the request, later of the certificate; Name, DER
	requested   []byte // the subject of the request, Name, DER
	renewed     []byte // the certificate that the request renews, DER; nil if there is none
	template    string
	disposition uint32 // incomplete, failed (1), denied, issued or pending
	status      uint32 // the HRESULT of a refusal, or 2
	message     string
	held        *issuance // what a request becomes when the manager approves of it; nil if that is to be found anew
	cert        issued
	revocation  revocation
	resolved    time.Time // when the disposition was last decided; zero while it is pending

	// What the request was submitted with, to process it once more.
	caller     caller
	flags      uint32
	attributes string
}

// addRow makes the row of a new request. Its disposition is incomplete until settle is called.
func (a *authority) addRow(c caller, in certServerRequest, attributes string) *row {
	r := &row{
		requester: c.account(), submitted: a.now(), raw: in.request, caller: c, flags: in.flags, attributes: attributes,
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows = append(a.rows, r)
	r.id = uint32(len(a.rows))
	return r
}

// outcome is what became of a new request; what was not reached is nil.
type outcome struct {
	request  *certRequest
	issuance *issuance
	refusal  *refusal
	cert     issued
	approved bool // a manager has approved of it, so that it is not held
}

// settle writes an outcome into its row and returns a copy of it.
func (a *authority) settle(r *row, o outcome) row {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o.request != nil {
		r.spki, r.subject, r.requested = o.request.spki, o.request.subject, o.request.subject
		if by := o.request.signed; by != nil && by.renewed != nil {
			r.renewed = by.renewed.Raw
		}
		if by := o.request.signed; by != nil && by.account != "" && o.issuance != nil && o.issuance.account != "" {
			r.requester = o.issuance.account
		}
	}
	if o.issuance != nil {
		r.template = o.issuance.template.Name
		if o.issuance.subject != nil {
			r.subject = o.issuance.subject
		}
	}
	switch {
	case o.refusal != nil:
		r.refuse(o.refusal)
	case o.issuance.template.Hold && !o.approved:
		r.disposition, r.message, r.held = dispPending, "Taken Under Submission", o.issuance
	default:
		r.issue(o.cert)
	}
	if r.disposition != dispPending {
		r.resolved = a.now()
	}
	return *r
}

// find returns a copy of the row with a request id, or, if serial is not "", of the one whose certificate has that
// serial number in hexadecimal.
func (a *authority) find(id uint32, serial string) (row, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.findRow(id)
	if serial != "" {
		r = a.findSerial(serial)
	}
	if r == nil {
		return row{}, false
	}
	return *r, true
}

// findRow returns the row of a request id, or nil. The caller holds the lock.
func (a *authority) findRow(id uint32) *row {
	if id == 0 || uint64(id) > uint64(len(a.rows)) {
		return nil
	}
	return a.rows[id-1]
}

// findSerial returns the row of a certificate by its serial number, or nil. The caller holds the lock.
func (a *authority) findSerial(text string) *row {
	text = strings.TrimSpace(text)
	if len(text) > maxSerialDigits {
		return nil
	}
	serial, ok := new(big.Int).SetString(text, 16)
	if !ok || serial.Sign() <= 0 {
		return nil
	}
	for _, r := range a.rows {
		if r.cert.serial != nil && r.cert.serial.Cmp(serial) == 0 {
			return r
		}
	}
	return nil
}

// refuse settles a row with a refusal. The caller holds the lock.
func (r *row) refuse(why *refusal) {
	r.disposition, r.status, r.message = dispError, why.code, why.message()
	if why.denied() {
		r.disposition = dispDenied
	}
	r.held = nil
}

// issue settles a row with its certificate. The caller holds the lock.
func (r *row) issue(cert issued) {
	r.disposition, r.status, r.message = dispIssued, 0, "Issued"
	r.cert, r.held = cert, nil
}

// info is the row for a test. The caller holds the lock.
func (r *row) info() RequestInfo {
	i := RequestInfo{
		ID: r.id, Requester: r.requester, Caller: r.caller.account(), Template: r.template, Disposition: r.disposition, Status: r.status,
		Message: r.message, Subject: x500.String(r.subject), Submitted: r.submitted,
		Raw: append([]byte(nil), r.raw...), Certificate: append([]byte(nil), r.cert.der...),
	}
	if r.spki != nil {
		i.PublicKeyHash = sha256.Sum256(r.spki)
	}
	i.Serial, i.Attributes, i.Resolved = r.cert.serialText(), r.attributes, r.resolved
	if r.cert.issuer != nil {
		i.Issuer = int(r.cert.issuer.version.cert)
	}
	if v := r.revocation; !v.when.IsZero() {
		i.Revocation = &Revocation{When: v.when, Effective: v.effective, Reason: v.reason}
	}
	return i
}

// requests returns a copy of every row of the request table, oldest first.
func (a *authority) requests() []RequestInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]RequestInfo, len(a.rows))
	for i, r := range a.rows {
		list[i] = r.info()
	}
	return list
}

// approve issues a request that is held for the manager.
func (a *authority) approve(id uint32) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.heldRow(id)
	if err != nil {
		return err
	}
	is := r.held
	cert, err := a.sign(is, id)
	if err != nil {
		return fmt.Errorf("adcstest: issuing request %d: %v", id, err)
	}
	r.subject = is.subject
	r.issue(cert)
	r.resolved = a.now()
	return nil
}

// deny refuses a request that is held for the manager.
func (a *authority) deny(id uint32) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.heldRow(id)
	if err != nil {
		return err
	}
	r.disposition, r.status, r.message, r.resolved = dispDenied, hrAdminDenied, describe(hrAdminDenied), a.now()
	return nil
}

func (a *authority) heldRow(id uint32) (*row, error) {
	r := a.findRow(id)
	if r == nil {
		return nil, fmt.Errorf("adcstest: there is no request %d", id)
	}
	if r.disposition != dispPending {
		return nil, fmt.Errorf("adcstest: request %d is not held for the manager: it %s", id, state(r.disposition))
	}
	return r, nil
}
