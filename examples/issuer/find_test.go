package issuer_test

import (
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// enroller is the account of the path's connector.
const enroller = `CORP\enroller`

// TestPathFindsLostAnswers: an answer that is lost after the CA has decided is looked up in its database, and nothing
// is submitted a second time.
func TestPathFindsLostAnswers(t *testing.T) {
	lost := adcstest.Fault{Cut: adcstest.CutBeforeAnswer}
	cases := []struct {
		name     string
		template string
		fault    adcstest.Fault
		reader   string
		kind     wsproto.OutcomeKind
		reason   wsproto.Reason
		rows     int
	}{
		{"issued", "Device", lost, enroller, wsproto.Issued, "", 1},
		{"denied", "DeviceDenied", lost, enroller, wsproto.Denied, wsproto.ReasonCATemplate, 1},
		{"a CA that contradicts itself, in its answer and when it is asked again", "Device",
			adcstest.Fault{Forge: adcstest.Forgery{OtherLeaf: true}}, enroller, wsproto.Unknown,
			wsproto.ReasonAnswerLost, 1},
		{"never executed", "Device", adcstest.Fault{Cut: adcstest.CutAfterRequest}, enroller,
			wsproto.Unknown, wsproto.ReasonAnswerLost, 0},
		{"no right to read", "Device", lost, `CORP\auditor`, wsproto.Unknown, wsproto.ReasonAnswerLost, 1},
	}
	paths, ids := make([]*path, len(cases)), make([]string, len(cases))
	for i, c := range cases { // all of them wait for the end of a lease, and so they wait together
		paths[i] = startPathWith(t, 1, &adcstest.Options{Readers: []string{c.reader}}, "")
		paths[i].ca.InjectFault(c.fault)
		order := paths[i].device("p256")
		order.Template = c.template
		var err error
		ids[i], err = paths[i].gateway.Order(t.Context(), pathTenant, order, nil)
		require.NoError(t, err)
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := paths[i]
			o, err := p.gateway.Wait(t.Context(), pathTenant, ids[i])
			require.NoError(t, err)
			require.Equal(t, c.kind, o.Kind, "%s %s", o.Reason, o.Message)
			assert.Equal(t, c.reason, o.Reason)
			rows := p.ca.Requests()
			require.Len(t, rows, c.rows)
			if c.kind != wsproto.Issued {
				return
			}
			assert.Equal(t, rows[0].ID, o.RequestID)
			_, certs, err := pkcs12.Decode(o.PKCS12, p.device("").Password)
			require.NoError(t, err)
			assert.Equal(t, rows[0].Certificate, certs[0].Raw)
			require.Len(t, certs, 2, "with the issuing CA")
		})
	}
}

// TestFindOfWhatCannotBeFetched: the database has the certificate, and the CA does not hand it out just now. Who looks it
// up learns that the request has arrived.
func TestFindOfWhatCannotBeFetched(t *testing.T) {
	var cut atomic.Bool
	ca, err := adcstest.NewServer(&adcstest.Options{Readers: []string{enroller}, Fault: func(c adcstest.Call) *adcstest.Fault {
		if c.Interface == "ICertPassage" && cut.Load() {
			return &adcstest.Fault{Cut: adcstest.CutBeforeAnswer}
		}
		return nil
	}})
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	i, err := issuer.New(issuer.CA{
		Host: ca.Host(), Name: ca.Name(), Roots: x509.NewCertPool(),
		Credential: adcs.Password(ca.User().Account(), ca.User().Password),
		Options:    &adcs.Options{Transport: adcs.TransportTCP, AllowNTLM: true, DialContext: ca.DialContext},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	order := &connector.Order{Order: wsproto.Order{
		CA: wsproto.CAAssignment{Host: ca.Host(), Name: ca.Name()}, Template: "Device", Subject: "CN=device", Key: "p256",
		Password: "correct-horse-battery-staple",
	}}
	prepared, err := i.Prepare(t.Context(), order)
	require.NoError(t, err)
	lookup := connector.Lookup{Account: ca.User().Account(), Time: time.Now(), Request: prepared.Request}
	found, err := i.Find(t.Context(), order, lookup)
	require.NoError(t, err)
	require.Nil(t, found, "no row")
	cut.Store(true)
	_, err = i.Submit(t.Context(), order, prepared)
	require.Error(t, err)
	_, err = i.Find(t.Context(), order, lookup)
	e, ok := errors.AsType[*connector.CAError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, connector.CAFailed, e.Kind)
	assert.Equal(t, ca.Requests()[0].ID, e.RequestID)
	cut.Store(false)
	found, err = i.Find(t.Context(), order, lookup)
	require.NoError(t, err)
	assert.Equal(t, ca.Requests()[0].Certificate, found.Certificate)
}

// TestPathFindsHeldRequests: a request that the CA holds, without anybody having been told so, is found, and delivered
// once it is approved.
func TestPathFindsHeldRequests(t *testing.T) {
	p := startPathWith(t, 1, &adcstest.Options{Readers: []string{enroller}}, "")
	p.ca.InjectFault(adcstest.Fault{Cut: adcstest.CutBeforeAnswer})
	order := p.device("p256")
	order.Template = "DeviceHeld"
	id, err := p.gateway.Order(t.Context(), pathTenant, order, nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		job, err := p.gateway.Job(t.Context(), pathTenant, id)
		return err == nil && job.Outcome != nil && job.Outcome.Kind == wsproto.Pending
	}, 30*time.Second, 5*time.Millisecond)
	require.Len(t, p.ca.Requests(), 1)
	require.NoError(t, p.ca.Approve(p.ca.Requests()[0].ID))
	o, err := p.gateway.Wait(t.Context(), pathTenant, id)
	require.NoError(t, err)
	require.Equal(t, wsproto.Issued, o.Kind, "%s %s", o.Reason, o.Message)
	require.Equal(t, p.ca.Requests()[0].ID, o.RequestID)
	require.Len(t, p.ca.Requests(), 1)
}
