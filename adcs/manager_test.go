package adcs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// on has an operation answer, and keeps what it was asked.
func (d *database) on(op csra.Opnum, question interface{ Read(*ndr.Reader) }, answer interface{ Write(*ndr.Writer) }) {
	d.instead[op] = func(stub []byte) ([]byte, error) {
		decode(d.t, stub, question)
		return encode(answer), nil
	}
}

// fails has an operation fail.
func (d *database) fails(op csra.Opnum, err error) {
	d.instead[op] = func([]byte) ([]byte, error) { return nil, err }
}

// held is a database with a request that is held, and those that are not.
func held(t *testing.T) *database { return newDatabase(t, someRows()...) }

const heldID = 3

func TestApprove(t *testing.T) {
	for name, test := range map[string]struct {
		id     uint32
		answer csra.Number
		want   adcs.Disposition
		err    error
		asked  bool
	}{
		"issued":           {heldID, csra.Number{Number: 3}, adcs.Issued, nil, true},
		"held again":       {heldID, csra.Number{Number: 5}, adcs.Pending, nil, true},
		"denied by policy": {heldID, csra.Number{Number: 2}, adcs.Denied, errAny, true},
		"a failure as disposition": {heldID, csra.Number{Number: uint32(adcs.ErrKeyLength)}, 0, adcs.ErrKeyLength,
			true},
		"no right": {heldID, csra.Number{Return: 0x80070005}, 0, adcs.ErrAccessDenied, true},
		"restricted": {heldID, csra.Number{Return: uint32(adcs.ErrRestrictedOfficer)}, 0,
			adcs.ErrRestrictedOfficer, true},
		"decided in between": {heldID, csra.Number{Number: 0x80094003}, 0, adcs.ErrBadRequestStatus, true},
		"deleted in between": {heldID, csra.Number{Number: 0, Return: 0x80094004}, 0, adcs.ErrPropertyEmpty,
			true},
		"deleted, Server 2003":         {heldID, csra.Number{Number: 0x80094004}, 0, adcs.ErrPropertyEmpty, true},
		"denied before":                {1, csra.Number{Number: 3}, 0, adcs.ErrBadRequestStatus, false},
		"issued before":                {2, csra.Number{Number: 3}, 0, adcs.ErrBadRequestStatus, false},
		"no such request":              {99, csra.Number{Number: 3}, 0, adcs.ErrPropertyEmpty, false},
		"request id 0":                 {0, csra.Number{Number: 3}, 0, adcs.ErrInvalidRequest, false},
		"nothing, which means trouble": {heldID, csra.Number{}, 0, errAny, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := held(t)
			var question csra.ByRequest
			d.on(csra.OpResubmitRequest, &question, &test.answer)
			got, err := adcs.ManagerOn(d.object()).Approve(t.Context(), test.id)
			if test.asked {
				assert.Equal(t, csra.ByRequest{Authority: "Corp CA", RequestID: test.id}, question)
			} else {
				assert.NotContains(t, d.called, csra.OpResubmitRequest)
			}
			checkAction(t, err, test.err)
			if test.err == nil {
				assert.Equal(t, test.want, got)
			}
		})
	}
}

// checkAction checks the error of an action: nil, any one, or a certain one, and that it can be explained.
func checkAction(t *testing.T, err, want error) {
	t.Helper()
	switch want {
	case nil:
		require.NoError(t, err)
		return
	case errAny:
		require.Error(t, err)
	default:
		require.ErrorIs(t, err, want)
	}
	require.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	checkExplanation(t, adcs.Explain(err))
}

func TestDeny(t *testing.T) {
	for name, test := range map[string]struct {
		id       uint32
		returned uint32
		err      error
		asked    bool
	}{
		"denied":        {heldID, 0, nil, true},
		"no right":      {heldID, 0x80070005, adcs.ErrAccessDenied, true},
		"denied before": {1, 0, adcs.ErrBadRequestStatus, false},
		"no request":    {99, 0, adcs.ErrPropertyEmpty, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := held(t)
			var question csra.ByRequest
			d.on(csra.OpDenyRequest, &question, &csra.Result{Return: test.returned})
			checkAction(t, adcs.ManagerOn(d.object()).Deny(t.Context(), test.id), test.err)
			if test.asked {
				assert.Equal(t, csra.ByRequest{Authority: "Corp CA", RequestID: test.id}, question)
			} else {
				assert.NotContains(t, d.called, csra.OpDenyRequest)
			}
		})
	}
}

func TestRevoke(t *testing.T) {
	valid := csra.Validity{State: csra.StateValid}
	revoked := func(r adcs.Reason) csra.Validity {
		return csra.Validity{State: csra.StateRevoked, Reason: csra.Reason(r)}
	}
	for name, test := range map[string]struct {
		serial   string
		state    csra.Validity
		how      *adcs.Revocation
		returned uint32
		err      error
		asked    bool
		reason   csra.Reason
	}{
		"now":           {"A1B", valid, nil, 0, nil, true, 0},
		"later":         {"0a1b", valid, &adcs.Revocation{Effective: clock(5)}, 0, nil, true, 0},
		"with a reason": {"0a1b", valid, &adcs.Revocation{Reason: adcs.ReasonKeyCompromise}, 0, nil, true, 1},
		"again":         {"0a1b", revoked(4), &adcs.Revocation{Reason: adcs.ReasonSuperseded}, 0, nil, false, 0},
		"hold again": {"0a1b", revoked(6), &adcs.Revocation{Reason: adcs.ReasonCertificateHold}, 0, nil,
			false, 0},
		"for another reason": {"0a1b", revoked(4), nil, 0, adcs.ErrAlreadyRevoked, false, 0},
		"replaced":           {"0a1b", revoked(4), &adcs.Revocation{Reason: 1, Replace: true}, 0, nil, true, 1},
		"on hold, for good":  {"0a1b", revoked(6), &adcs.Revocation{Reason: 1}, 0, nil, true, 1},
		"hold of a revoked":  {"0a1b", revoked(1), &adcs.Revocation{Reason: 6}, 0, adcs.ErrAlreadyRevoked, false, 0},
		"never issued": {"0a1b", csra.Validity{State: csra.StateNeverIssued}, nil, 0, adcs.ErrUnknownSerial,
			false, 0},
		"wrong name of the CA": {"0a1b", csra.Validity{Return: 0x80070057}, nil, 0, adcs.ErrInvalidArg, false, 0},
		"no right to read":     {"0a1b", csra.Validity{Return: 0x80070005}, nil, 0, adcs.ErrAccessDenied, false, 0},
		"no right to revoke":   {"0a1b", valid, nil, 0x80070005, adcs.ErrAccessDenied, true, 0},
		"no serial number":     {"0x1b", valid, nil, 0, adcs.ErrInvalidRequest, false, 0},
		"no reason":            {"0a1b", valid, &adcs.Revocation{Reason: 8}, 0, adcs.ErrInvalidRequest, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := held(t)
			var state csra.BySerial
			var question csra.Revoke
			d.on(csra.OpIsValidCertificate, &state, &test.state)
			d.on(csra.OpRevokeCertificate, &question, &csra.Result{Return: test.returned})
			before := time.Now().Truncate(100)
			checkAction(t, adcs.ManagerOn(d.object()).Revoke(t.Context(), test.serial, test.how), test.err)
			if !test.asked {
				assert.NotContains(t, d.called, csra.OpRevokeCertificate)
				return
			}
			assert.Equal(t, csra.BySerial{Authority: "Corp CA", Serial: "0a1b"}, state)
			if when := csra.Time(question.Effective); test.how == nil || test.how.Effective.IsZero() {
				assert.WithinRange(t, when, before, time.Now())
			} else {
				assert.Equal(t, test.how.Effective, when)
			}
			question.Effective = 0
			assert.Equal(t, csra.Revoke{Authority: "Corp CA", Serial: "0a1b", Reason: test.reason}, question)
		})
	}
}

func TestRelease(t *testing.T) {
	for name, test := range map[string]struct {
		state    csra.Validity
		returned uint32
		err      error
		asked    bool
	}{
		"off hold":               {csra.Validity{State: csra.StateRevoked, Reason: csra.ReasonHold}, 0, nil, true},
		"before the hold begins": {csra.Validity{State: csra.StateValid}, 0, nil, true},
		"not on hold":            {csra.Validity{State: csra.StateValid}, 0x8007000d, nil, true},
		"released in between": {csra.Validity{State: csra.StateRevoked, Reason: csra.ReasonHold}, 0x8007000d,
			adcs.ErrInvalidData, true},
		"revoked for good": {csra.Validity{State: csra.StateRevoked, Reason: 1}, 0, adcs.ErrAlreadyRevoked,
			false},
		"never issued":            {csra.Validity{State: csra.StateNeverIssued}, 0, adcs.ErrUnknownSerial, false},
		"no right, and not valid": {csra.Validity{State: csra.StateValid}, 0x80070005, adcs.ErrAccessDenied, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := held(t)
			var question csra.Revoke
			d.on(csra.OpIsValidCertificate, new(csra.BySerial), &test.state)
			d.on(csra.OpRevokeCertificate, &question, &csra.Result{Return: test.returned})
			checkAction(t, adcs.ManagerOn(d.object()).Release(t.Context(), "0a1b"), test.err)
			if test.asked {
				assert.Equal(t, csra.ReasonReleaseOfHold, question.Reason)
			} else {
				assert.NotContains(t, d.called, csra.OpRevokeCertificate)
			}
		})
	}
}

// publishQuestion reads the request of PublishCRLs.
type publishQuestion struct{ csra.Publish }

func (p *publishQuestion) Read(r *ndr.Reader) { p.Publish.Read(r, true) }

func TestPublishCRL(t *testing.T) {
	for name, test := range map[string]struct {
		opts     *adcs.CRLOptions
		want     csra.Publish
		returned uint32
		err      error
	}{
		"base":      {nil, csra.Publish{Flags: 1}, 0, nil},
		"delta":     {&adcs.CRLOptions{Delta: true}, csra.Publish{Flags: 2}, 0, nil},
		"once more": {&adcs.CRLOptions{Again: true}, csra.Publish{Flags: 0x11}, 0, nil},
		"until then": {&adcs.CRLOptions{NextUpdate: clock(0)},
			csra.Publish{Flags: 1, NextUpdate: csra.FileTime(clock(0))}, 0, nil},
		"no right":     {nil, csra.Publish{Flags: 1}, 0x80070005, adcs.ErrAccessDenied},
		"cannot write": {nil, csra.Publish{Flags: 1}, 0x80070003, adcs.HResult(0x80070003)},
	} {
		t.Run(name, func(t *testing.T) {
			d := held(t)
			var question publishQuestion
			d.on(csra.OpPublishCRLs, &question, &csra.Result{Return: test.returned})
			err := adcs.ManagerOn(d.object()).PublishCRL(t.Context(), test.opts)
			checkAction(t, err, test.err)
			test.want.Authority = "Corp CA"
			assert.Equal(t, test.want, question.Publish)
			if test.err == adcs.ErrAccessDenied {
				assert.Contains(t, adcs.Explain(err).Remedy, "Manage CA")
			}
		})
	}
}

// TestActionOutcomes: of every action it is said when the CA may have done it, and only then.
func TestActionOutcomes(t *testing.T) {
	actions := map[csra.Opnum]func(*adcs.Manager) error{
		csra.OpResubmitRequest: func(m *adcs.Manager) error { return second(m.Approve(t.Context(), heldID)) },
		csra.OpDenyRequest:     func(m *adcs.Manager) error { return m.Deny(t.Context(), heldID) },
		csra.OpRevokeCertificate: func(m *adcs.Manager) error {
			return m.Revoke(t.Context(), "0a1b", &adcs.Revocation{Reason: adcs.ReasonSuperseded})
		},
		csra.OpPublishCRLs: func(m *adcs.Manager) error { return m.PublishCRL(t.Context(), nil) },
	}
	fault := func(f assoc.FaultError) error { return &assoc.CallError{Sent: true, Err: &f} }
	for name, test := range map[string]struct {
		err     error
		want    error
		unknown bool
	}{
		"broke before it was sent": {&assoc.CallError{Err: errRough}, errRough, false},
		"broke afterwards":         {&assoc.CallError{Sent: true, Err: errRough}, errRough, true},
		"a fault":                  {fault(assoc.FaultError{Status: 0x1c000012}), adcs.RPCStatus(0x1c000012), true},
		"access denied":            {fault(assoc.FaultError{Status: 5}), adcs.ErrAccessDenied, false},
		"too busy": {fault(assoc.FaultError{Status: rpc.Status(adcs.ErrServerTooBusy)}),
			adcs.ErrServerTooBusy, false},
		"not executed": {fault(assoc.FaultError{Status: 0x1c000012, DidNotExecute: true}),
			adcs.RPCStatus(0x1c000012), false},
	} {
		for op, act := range actions {
			d := held(t)
			d.on(csra.OpIsValidCertificate, new(csra.BySerial), &csra.Validity{State: csra.StateValid})
			d.fails(op, test.err)
			err := act(adcs.ManagerOn(d.object()))
			require.ErrorIs(t, err, test.want, "%s, operation %d", name, op)
			if test.unknown {
				require.ErrorIs(t, err, adcs.ErrOutcomeUnknown, "%s, operation %d", name, op)
			} else {
				require.NotErrorIs(t, err, adcs.ErrOutcomeUnknown, "%s, operation %d", name, op)
			}
			checkExplanation(t, adcs.Explain(err))
		}
	}
	t.Run("an answer that is none", func(t *testing.T) {
		for op, act := range actions {
			d := held(t)
			d.on(csra.OpIsValidCertificate, new(csra.BySerial), &csra.Validity{State: csra.StateValid})
			d.instead[op] = func([]byte) ([]byte, error) { return []byte{1}, nil }
			require.ErrorIs(t, act(adcs.ManagerOn(d.object())), adcs.ErrOutcomeUnknown, "operation %d", op)
		}
	})
}

func TestDatabaseSerial(t *testing.T) {
	for in, want := range map[string]string{
		"1": "01", "a1B": "0a1b", "0001": "01", "00ff": "ff", "80": "80", "610000000254f0": "610000000254f0",
	} {
		got, err := adcs.DatabaseSerial(in)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, in := range []string{"", "0", "-1", "0x1", "1:2", "１", string(make([]byte, 200))} {
		_, err := adcs.DatabaseSerial(in)
		require.ErrorIs(t, err, adcs.ErrInvalidRequest, "%q", in)
	}
}
