package adcstest

import "time"

// Roles of a caller (MS-CSRA section 3.1.1.7).
const (
	roleAdministrator uint32 = 0x001
	roleOfficer       uint32 = 0x002
	roleRead          uint32 = 0x100
	roleEnroll        uint32 = 0x200
)

// rolesOf are the roles that a caller has: managers are officers and administrators, and all of these read. Other than
// in MS-CSRA section 3.1.1.7, who may enroll may not read the database for that alone: a test of access would test
// nothing.
func (a *authority) rolesOf(c caller) uint32 {
	var roles uint32
	who := a.directory.lookup(c)
	if a.managers.has(who) {
		roles |= roleAdministrator | roleOfficer | roleRead
	}
	if a.officers.has(who) {
		roles |= roleOfficer | roleRead
	}
	if a.readers.has(who) {
		roles |= roleRead
	}
	if a.enrollers.has(who) {
		roles |= roleEnroll
	}
	return roles
}

// resubmit does ResubmitRequest (MS-CSRA section 3.1.4.1.3): it processes a held or denied request once more, and does
// not hold it. Denied requests are for administrators.
func (a *authority) resubmit(c caller, id uint32) (disposition, hr uint32) {
	r, hr := a.beginResubmit(id, a.rolesOf(c)&roleAdministrator != 0)
	if r == nil {
		if hr == hrPropertyEmpty {
			return 0, hr // as Windows has done since Server 2008
		}
		return hr, 0
	}
	o := outcome{approved: true, issuance: r.held}
	if r.held == nil {
		if o.request, o.refusal = a.openRequest(r.flags, r.raw); o.refusal == nil {
			o.issuance, o.refusal = a.decide(r.caller, o.request, parseAttributes(r.attributes))
		}
	}
	if o.refusal == nil {
		o.cert, o.refusal = a.concludeApproved(o.issuance, id)
	}
	settled := a.settle(r, o)
	switch settled.disposition {
	case dispIssued:
		a.annotate(r, "Issued  Resubmitted by "+c.account())
		return dispIssued, 0
	case dispDenied:
		return dispDenied, 0
	}
	return settled.status, 0
}

// beginResubmit takes a row for processing, so that nobody else decides on it meanwhile.
func (a *authority) beginResubmit(id uint32, denied bool) (*row, uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.findRow(id)
	switch {
	case r == nil:
		return nil, hrPropertyEmpty
	case r.disposition != dispPending && (r.disposition != dispDenied || !denied):
		return nil, hrBadRequestStatus
	}
	r.disposition = dispIncomplete
	return r, 0
}

// annotate replaces the message of a row.
func (a *authority) annotate(r *row, message string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r.message = message
}

// denyBy does DenyRequest (MS-CSRA section 3.1.4.1.4).
func (a *authority) denyBy(by string, id uint32) uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.findRow(id)
	switch {
	case r == nil:
		return hrPropertyEmpty
	case r.disposition != dispPending:
		return hrBadRequestStatus
	}
	r.disposition, r.status, r.message, r.resolved = dispDenied, hrAdminDenied, "Denied by "+by, a.now()
	return 0
}

// Flags of PublishCRLs (MS-CSRA section 3.1.4.2.1).
const (
	publishBase      = 0x01
	publishDelta     = 0x02
	publishRepublish = 0x10
)

// publishCRLs does PublishCRL and PublishCRLs (MS-CSRA sections 3.1.4.1.6 and 3.1.4.2.1). A next update of zero means
// the usual periods. There is no place to publish to again, so that republishing does nothing.
func (a *authority) publishCRLs(by string, next time.Time, flags uint32) uint32 {
	const known = publishBase | publishDelta | publishRepublish
	switch {
	case flags&(publishBase|publishDelta) == 0 || flags&^known != 0:
		return hrInvalidArg
	case flags&publishRepublish != 0:
		return 0
	case !next.IsZero() && next.Before(a.now()):
		return hrInvalidArg
	}
	o := crlOrder{base: flags&publishBase != 0, delta: flags&publishDelta != 0, next: next, publisher: by}
	if a.publish(o) != nil { // only signing can fail, and only with a broken random source
		return hrUnexpected
	}
	return 0
}
