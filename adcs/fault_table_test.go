package adcs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// faultTable is every kind of fault that a CA of the tests can have, and what becomes of a call that meets it. The
// fault stays for as long as the operation lasts, so that it meets every repetition too.
func faultTable() []faultRow {
	flip := func(_ int, pdu []byte) []byte {
		pdu = bytes.Clone(pdu)
		pdu[len(pdu)/2] ^= 1
		return pdu
	}
	silence := func(ctx context.Context) { <-ctx.Done() }
	return []faultRow{
		{name: "no answer, nothing executed", fault: adcstest.Fault{Before: silence}, silent: true, unknown: true,
			err: context.DeadlineExceeded},
		{name: "no answer, executed", fault: adcstest.Fault{After: silence}, silent: true, unknown: true,
			err: context.DeadlineExceeded},
		{name: "the answer's PDUs are dropped", fault: adcstest.Fault{PDU: func(int, []byte) []byte { return nil }},
			silent: true, unknown: true, err: context.DeadlineExceeded},
		{name: "unsigned fault", fault: adcstest.Fault{Status: 0x1c000012}, unknown: true, err: adcs.RPCStatus(0x1c000012)},
		{name: "unsigned fault, not executed", fault: adcstest.Fault{Status: 0x1c010014, NotExecuted: true}, unknown: true,
			err: adcs.ErrServerTooBusy},
		{name: "signed fault", fault: adcstest.Fault{Status: 0x1c000012, Signed: true}, unknown: true,
			err: adcs.RPCStatus(0x1c000012)},
		{name: "signed fault, not executed", fault: adcstest.Fault{Status: 0x1c010014, NotExecuted: true, Signed: true},
			err: adcs.ErrServerTooBusy},
		{name: "bad NDR", fault: adcstest.Fault{BadNDR: true}, unknown: true, err: errAny},
		{name: "empty stub", fault: adcstest.Fault{Stub: func([]byte) []byte { return []byte{} }}, unknown: true,
			err: errAny},
		{name: "a PDU is altered", fault: adcstest.Fault{PDU: flip}, unknown: true, err: errAny},
		{name: "cut before the last fragment", fault: adcstest.Fault{Cut: adcstest.CutBeforeLastFragment}, race: true,
			err: errAny},
		{name: "cut after the request", fault: adcstest.Fault{Cut: adcstest.CutAfterRequest}, unknown: true, err: errAny},
		{name: "cut before the answer", fault: adcstest.Fault{Cut: adcstest.CutBeforeAnswer}, unknown: true, err: errAny},
		{name: "cut in the answer", fault: adcstest.Fault{Cut: adcstest.CutInAnswer}, unknown: true, err: errAny},
		{name: "two certificates", fault: forged(adcstest.Forgery{OtherLeaf: true}), issuing: true, unknown: true,
			err: errAnswer},
		{name: "another request id", fault: forged(adcstest.Forgery{RequestIDOffset: 7}), certificate: true,
			honestSubmit: true, err: errAnswer},
		{name: "another key", fault: forged(adcstest.Forgery{OtherKey: true}), issuing: true, err: adcs.MismatchKey},
		{name: "another subject", fault: forged(adcstest.Forgery{Subject: "root"}), issuing: true,
			err: adcs.MismatchSubject},
		{name: "expired", fault: forged(adcstest.Forgery{Expired: true}), issuing: true, err: adcs.MismatchValidity},
		{name: "another issuer", fault: forged(adcstest.Forgery{OtherIssuer: true}), issuing: true,
			err: adcs.MismatchChain},
		{name: "no chain", fault: forged(adcstest.Forgery{OmitChain: true}), certificate: true, err: adcs.MismatchChain},
		{name: "interface off", off: true, unknown: true, err: adcs.ErrUnknownInterface,
			cold: map[adcs.Transport]error{
				adcs.TransportTCP: adcs.ErrNotRegistered, adcs.TransportDCOM: adcs.HResult(0x80080005),
				adcs.TransportNamedPipe: adcs.ContextRejection(1),
			}},
	}
}

// faultRow is a fault and how it ends. Errors are matched by errors.Is.
type faultRow struct {
	name  string
	fault adcstest.Fault
	off   bool // the interface is off, in place of the fault

	err  error                    // of every operation, or of Verify after it
	cold map[adcs.Transport]error // in place of err where the client has no connection yet

	unknown      bool // a submit matches ErrOutcomeUnknown as well
	race         bool // it may: whether the last fragment left before the connection was gone is not determined
	silent       bool // only the deadline ends it
	issuing      bool // it is in what is issued: a retrieval gets the truth, which the CA's table holds
	certificate  bool // it is in how a certificate is answered
	honestSubmit bool // a submit cannot notice
}

func forged(f adcstest.Forgery) adcstest.Fault { return adcstest.Fault{Forge: f} }

// Errors that are not told apart by a value of their own.
var (
	errAny    = errors.New("any error")
	errAnswer = errors.New("an AnswerError")
)

// operation is one call of a client. It returns the certificate, if there is one.
type operation func(ctx context.Context, b *faultBench) (*adcs.Result, error)

// operations are what a client can do.
func operations() map[string]operation {
	return map[string]operation{
		"Submit": func(ctx context.Context, b *faultBench) (*adcs.Result, error) {
			return b.client.Submit(ctx, adcs.Request{CSR: b.csr, Template: "Device"})
		},
		"Retrieve": func(ctx context.Context, b *faultBench) (*adcs.Result, error) {
			return b.client.Retrieve(ctx, b.issued)
		},
		"Describe": func(ctx context.Context, b *faultBench) (*adcs.Result, error) {
			_, err := b.client.Describe(ctx)
			return nil, err
		},
		"Wait": func(ctx context.Context, b *faultBench) (*adcs.Result, error) {
			return b.client.Wait(ctx, b.issued, &adcs.WaitOptions{First: time.Millisecond, Longest: time.Millisecond})
		},
	}
}

// TestFaultTable has each fault for each operation over each transport: in a call to the CA on a connection at rest and
// on a new one, and in what comes before that. It ends in the documented error before the deadline; after it the client
// works again, and nothing is left of it when it is closed.
func TestFaultTable(t *testing.T) {
	for _, row := range faultTable() {
		for name, operation := range operations() {
			for _, transport := range []adcs.Transport{adcs.TransportTCP, adcs.TransportDCOM} {
				for _, where := range []meeting{atRest, afresh, before} {
					m := encounter{row, name, transport, where}
					if m.possible() {
						t.Run(m.String(), func(t *testing.T) { m.run(t, operation, loopback()) })
					}
				}
			}
		}
	}
}

// encounter is one cell of the table.
type encounter struct {
	faultRow
	operation string
	transport adcs.Transport
	where     meeting
}

func (m *encounter) String() string {
	return fmt.Sprintf("%s/%s/%s/%s", m.name, m.operation, m.transport, m.where)
}

// possible leaves out what there is not: certificates before the CA is reached, and Describe over anything but DCOM, on
// a connection of its own.
func (m *encounter) possible() bool {
	if m.where == before && (m.off || m.certificate || m.issuing) {
		return false
	}
	return m.operation != "Describe" || m.transport == adcs.TransportDCOM && m.where != atRest
}

// run runs an operation that meets the fault, and judges how it ends. Where only the deadline ends it, that is as short
// as this machine allows: one that comes before the fault proves nothing.
func (m *encounter) run(t *testing.T, op operation, site faultSite) {
	limit := 20 * time.Second
	if m.silent {
		limit = 50 * time.Millisecond
	}
	for !m.try(t, op, site, limit) {
		limit *= 2
		require.Less(t, limit, time.Minute, "the fault does not happen")
	}
}

// try is one run; it is false if the fault was not met.
func (m *encounter) try(t *testing.T, op operation, site faultSite, limit time.Duration) bool {
	b := newFaultBench(t, &m.fault, m.transport, m.where, site)
	rows := b.rows(t, b.csr)
	b.arm(true, m.off)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	result, err := op(ctx, b)
	b.arm(false, m.off)
	if !m.off && !b.met.Load() {
		require.NoError(t, b.client.Close()) // what is left of it would be found by the next try
		b.server.Close()
		return false
	}
	if !m.silent {
		require.NoError(t, ctx.Err(), "not by the deadline")
	}
	assert.LessOrEqual(t, b.rows(t, b.csr)-rows, 1, "submitted once")
	m.judge(t, b, result, err)
	b.recovers(t)
	return true
}

func (m *encounter) judge(t *testing.T, b *faultBench, result *adcs.Result, err error) {
	submit := m.operation == "Submit"
	if m.certificate || m.issuing {
		if err == nil && result != nil {
			err = b.verify(t, result)
		}
		if m.operation == "Describe" || m.issuing && !submit || m.honestSubmit && submit {
			require.NoError(t, err)
			return
		}
	}
	want := m.err
	if m.cold != nil && (m.where == afresh || m.operation == "Wait") { // which asks again, on a new connection
		want = m.cold[m.transport]
	}
	switch want {
	case errAny:
		require.Error(t, err)
	case errAnswer:
		_, ok := errors.AsType[*adcs.AnswerError](err)
		require.True(t, ok, "%v", err)
	default:
		require.ErrorIs(t, err, want)
	}
	unknown := submit && m.unknown && want == m.err && m.where != before
	if !submit || !m.race {
		assert.Equal(t, unknown, errors.Is(err, adcs.ErrOutcomeUnknown), "%v", err)
	}
	checkExplanation(t, adcs.Explain(err))
}

// recovers shows that the client works again, and that nothing is left of it once it is closed.
func (b *faultBench) recovers(t *testing.T) {
	_, csr := newCSR(t, "after.corp.test")
	b.submitHonestly(t, b.client, csr)
	assert.Equal(t, 1, b.rows(t, csr))
	require.NoError(t, b.client.Close())
	assert.Zero(t, b.network.open.Load(), "connections that are left")
	b.server.Close()
	assert.Empty(t, leftGoroutines())
}
