package adcs_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/csra"
)

// office is a CA with a manager, somebody who may read its database, and somebody who may enroll.
type office struct {
	server                    *adcstest.Server
	manager, reader, enroller *adcs.Client
	fault                     atomic.Pointer[adcstest.Fault] // of the next call of an operation
	op                        atomic.Uint32
}

func newOffice(t *testing.T) *office {
	o := new(office)
	users := []adcstest.User{{Name: "boss", Password: "b-1"}, {Name: "reader", Password: "r-1"},
		{Name: "svc", Password: "s-1"}}
	o.server = newServer(t, &adcstest.Options{
		Users: users, Managers: []string{`CORP\boss`}, Readers: []string{`CORP\reader`},
		Fault: func(c adcstest.Call) *adcstest.Fault {
			if c.Interface == "ICertAdminD2" && uint32(c.OpNum) == o.op.Load() {
				return o.fault.Swap(nil)
			}
			return nil
		},
	})
	clients := []*adcs.Client{}
	for _, u := range users {
		clients = append(clients, newClientFor(t, o.server, adcs.Password(`CORP\`+u.Name, u.Password), nil))
	}
	o.manager, o.reader, o.enroller = clients[0], clients[1], clients[2]
	return o
}

// submit has somebody submit a request for a template.
func (o *office) submit(t *testing.T, template string) ([]byte, *adcs.Result) {
	_, csr := newCSR(t, "pc1.corp.test")
	r, err := o.enroller.Submit(t.Context(), adcs.Request{CSR: csr, Template: template})
	require.NoError(t, err)
	return csr, r
}

func TestManagerDecides(t *testing.T) {
	o := newOffice(t)
	m := o.manager.Manager()
	_, first := o.submit(t, "DeviceHeld")
	_, second := o.submit(t, "DeviceHeld")

	for _, c := range []*adcs.Client{o.reader, o.enroller} {
		_, err := c.Manager().Approve(t.Context(), first.RequestID)
		checkAction(t, err, adcs.ErrAccessDenied)
		checkAction(t, c.Manager().Deny(t.Context(), first.RequestID), adcs.ErrAccessDenied)
	}
	d, err := m.Approve(t.Context(), first.RequestID)
	require.NoError(t, err)
	assert.Equal(t, adcs.Issued, d)
	require.NoError(t, m.Deny(t.Context(), second.RequestID))

	issued, err := o.enroller.Retrieve(t.Context(), first.RequestID)
	require.NoError(t, err)
	assert.Equal(t, adcs.Issued, issued.Disposition)
	_, err = o.enroller.Retrieve(t.Context(), second.RequestID)
	require.ErrorIs(t, err, adcs.ErrAdminDeniedRequest)

	for _, id := range []uint32{first.RequestID, second.RequestID} {
		_, err = m.Approve(t.Context(), id)
		checkAction(t, err, adcs.ErrBadRequestStatus)
		checkAction(t, m.Deny(t.Context(), id), adcs.ErrBadRequestStatus)
	}
	_, err = m.Approve(t.Context(), 99)
	checkAction(t, err, adcs.ErrPropertyEmpty)
	rows := o.server.Requests()
	assert.Equal(t, uint32(adcs.Issued), rows[0].Disposition)
	assert.Equal(t, uint32(adcs.Denied), rows[1].Disposition, "an administrator has not approved it after all")
}

func TestManagerRevokes(t *testing.T) {
	o := newOffice(t)
	m := o.manager.Manager()
	_, r := o.submit(t, "Device")
	serial := r.Certificate.SerialNumber.Text(16)
	row := func() adcstest.RequestInfo { return o.server.Requests()[0] }

	checkAction(t, o.enroller.Manager().Revoke(t.Context(), serial, nil), adcs.ErrAccessDenied)
	checkAction(t, o.reader.Manager().Revoke(t.Context(), serial, nil), adcs.ErrAccessDenied)
	checkAction(t, m.Revoke(t.Context(), "0badcafe", nil), adcs.ErrUnknownSerial)
	require.Nil(t, row().Revocation)

	require.NoError(t, m.PublishCRL(t.Context(), nil))
	require.NoError(t, m.Release(t.Context(), serial), "it is not on hold")
	hold := &adcs.Revocation{Reason: adcs.ReasonCertificateHold}
	require.NoError(t, m.Revoke(t.Context(), serial, hold))
	require.Equal(t, uint32(6), row().Revocation.Reason)
	held := *row().Revocation
	require.NoError(t, m.Revoke(t.Context(), serial, hold), "again")
	assert.Equal(t, held, *row().Revocation)
	require.NoError(t, m.Release(t.Context(), serial))
	require.Equal(t, uint32(adcs.Issued), row().Disposition)

	effective := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	require.NoError(t, m.Revoke(t.Context(), serial,
		&adcs.Revocation{Reason: adcs.ReasonKeyCompromise, Effective: effective}))
	assert.Equal(t, effective, row().Revocation.Effective.UTC())
	checkAction(t, m.Revoke(t.Context(), serial, &adcs.Revocation{Reason: adcs.ReasonSuperseded}),
		adcs.ErrAlreadyRevoked)
	checkAction(t, m.Release(t.Context(), serial), adcs.ErrAlreadyRevoked)
	assert.Equal(t, uint32(1), row().Revocation.Reason)
	require.NoError(t, m.Revoke(t.Context(), serial, &adcs.Revocation{Reason: adcs.ReasonSuperseded, Replace: true}))
	assert.Equal(t, uint32(4), row().Revocation.Reason)

	checkAction(t, o.reader.Manager().PublishCRL(t.Context(), nil), adcs.ErrAccessDenied)
	before := listed(t, o.server, r.Certificate)
	require.NoError(t, m.PublishCRL(t.Context(), nil))
	assert.False(t, before)
	assert.True(t, listed(t, o.server, r.Certificate))

	rows, err := o.reader.Find(t.Context(), adcs.Lookup{Serial: serial})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	assert.Equal(t, adcs.Revoked, rows[0].Disposition)
	assert.Equal(t, adcs.ReasonSuperseded, rows[0].RevocationReason)
	assert.WithinDuration(t, time.Now(), rows[0].Revoked, time.Minute)
}

// listed reports whether a certificate is on the newest base CRL.
func listed(t *testing.T, s *adcstest.Server, cert *x509.Certificate) bool {
	crls, err := s.CRLs()
	require.NoError(t, err)
	return slices.ContainsFunc(crls, func(l *x509.RevocationList) bool {
		return slices.ContainsFunc(l.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
			return e.SerialNumber.Cmp(cert.SerialNumber) == 0
		})
	})
}

// TestManagerRepeats: an action whose answer was lost can be repeated.
func TestManagerRepeats(t *testing.T) {
	for _, cut := range []adcstest.Cut{adcstest.CutAfterRequest, adcstest.CutBeforeAnswer, adcstest.CutInAnswer} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			o := newOffice(t)
			m := o.manager.Manager()
			_, held := o.submit(t, "DeviceHeld")
			_, issued := o.submit(t, "Device")
			lose := func(op csra.Opnum, act func() error) {
				o.op.Store(uint32(op))
				o.fault.Store(&adcstest.Fault{Cut: cut})
				err := act()
				require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
				checkExplanation(t, adcs.Explain(err))
				require.Nil(t, o.fault.Load(), "it was met")
			}
			executed := cut != adcstest.CutAfterRequest
			approve := func() error { return second(m.Approve(t.Context(), held.RequestID)) }
			lose(csra.OpResubmitRequest, approve)
			if executed {
				checkAction(t, approve(), adcs.ErrBadRequestStatus)
			} else {
				require.NoError(t, approve())
			}
			revoke := func() error { return m.Revoke(t.Context(), issued.Certificate.SerialNumber.Text(16), nil) }
			lose(csra.OpRevokeCertificate, revoke)
			require.NoError(t, revoke())
			publish := func() error { return m.PublishCRL(t.Context(), nil) }
			lose(csra.OpPublishCRLs, publish)
			require.NoError(t, publish())

			rows := o.server.Requests()
			require.Len(t, rows, 2, "nothing was issued twice")
			assert.Equal(t, uint32(adcs.Issued), rows[0].Disposition)
			assert.NotNil(t, rows[1].Revocation)
			assert.True(t, listed(t, o.server, issued.Certificate))
		})
	}
}

func TestFindAtTheCA(t *testing.T) {
	o := newOffice(t)
	before := time.Now()
	_, issued := o.submit(t, "Device")
	csr, held := o.submit(t, "DeviceHeld")
	other, err := o.manager.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"}) // the same request
	require.NoError(t, err)

	_, err = o.enroller.Find(t.Context(), adcs.Lookup{RequestID: 1})
	checkAction(t, err, adcs.ErrAccessDenied)
	for _, test := range []struct {
		name   string
		lookup adcs.Lookup
		want   []uint32
	}{
		{"by id", adcs.Lookup{RequestID: held.RequestID}, []uint32{held.RequestID}},
		{"no such id", adcs.Lookup{RequestID: 77}, nil},
		{"by serial", adcs.Lookup{Serial: issued.Certificate.SerialNumber.Text(16)}, []uint32{issued.RequestID}},
		{"by request", adcs.Lookup{Request: csr}, []uint32{held.RequestID, other.RequestID}},
		{"by request and requester", adcs.Lookup{Request: csr, Requester: `CORP\svc`, Time: before},
			[]uint32{held.RequestID}},
		{"by request and another's name for the requester",
			adcs.Lookup{Request: csr, Requester: `corp\SVC`, Time: before},
			[]uint32{held.RequestID}},
		{"another time", adcs.Lookup{Request: csr, Time: before.Add(-time.Hour)}, nil},
	} {
		rows, err := o.reader.Find(t.Context(), test.lookup)
		require.NoError(t, err, test.name)
		assert.ElementsMatch(t, test.want, idsOf(rows), test.name)
	}
	rows, err := o.reader.Find(t.Context(), adcs.Lookup{RequestID: issued.RequestID})
	require.NoError(t, err)
	result, err := adcs.Settle(rows)
	require.NoError(t, err)
	assert.Equal(t, issued.Certificate.Raw, result.Certificate.Raw)
	table := o.server.Requests()[0]
	assert.Equal(t, []any{table.Requester, table.Raw, table.Serial},
		[]any{rows[0].Requester, rows[0].Request, rows[0].Serial})
	assert.WithinDuration(t, table.Submitted, rows[0].Submitted, time.Microsecond)
}

// TestManagerWithKerberos: objects are made and called with tickets as well.
func TestManagerWithKerberos(t *testing.T) {
	s := newServer(t, &adcstest.Options{Managers: []string{`CORP\alice`}})
	c := ticketClient(t, s, s, adcstest.TicketRequest{User: `CORP\alice`}, adcs.Options{Auth: adcs.AuthKerberos})
	_, csr := newCSR(t, "pc1.corp.test")
	held, err := c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "DeviceHeld"})
	require.NoError(t, err)
	_, err = c.Manager().Approve(t.Context(), held.RequestID)
	require.NoError(t, err)
	rows, err := c.Find(t.Context(), adcs.Lookup{Request: csr, Requester: "alice@CORP.TEST", Time: time.Now()})
	require.NoError(t, err)
	result, err := adcs.Settle(rows)
	require.NoError(t, err)
	assert.Equal(t, held.RequestID, result.RequestID)
	assert.Equal(t, adcs.Issued, result.Disposition)
}

// TestNoAccessToTheObject: a host that does not let the account make objects is asked for that right, and not to be
// reached in another way.
func TestNoAccessToTheObject(t *testing.T) {
	s := newServer(t, &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
		if c.Interface == "IActivation" || c.Interface == "IRemoteSCMActivator" {
			return &adcstest.Fault{Status: 5, NotExecuted: true}
		}
		return nil
	}})
	c := newClient(t, s, nil)
	m := c.Manager()
	for action, act := range map[adcs.Action]func() error{
		adcs.ActionFind:       func() error { return second(c.Find(t.Context(), adcs.Lookup{RequestID: 1})) },
		adcs.ActionApprove:    func() error { return second(m.Approve(t.Context(), 1)) },
		adcs.ActionRevoke:     func() error { return m.Revoke(t.Context(), "0a", nil) },
		adcs.ActionPublishCRL: func() error { return m.PublishCRL(t.Context(), nil) },
	} {
		err := act()
		checkAction(t, err, adcs.ErrAccessDenied)
		refused, ok := errors.AsType[*adcs.ActionError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, action, refused.Action)
		assert.NotContains(t, adcs.Explain(err).Remedy, "transport")
	}
}
