package issuer_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// outcome orders something and waits for the end.
func (p *path) outcome(t *testing.T, change func(*wsproto.Order)) wsproto.Outcome {
	t.Helper()
	order := p.device("p256")
	if change != nil {
		change(&order)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	id, err := p.gateway.Order(ctx, pathTenant, order, &gateway.OrderOptions{Life: 2 * time.Second})
	require.NoError(t, err)
	o, err := p.gateway.Wait(ctx, pathTenant, id)
	require.NoError(t, err)
	assert.NotContains(t, o.Message, order.Password)
	return o
}

func TestPathDeliversWhatWasOrdered(t *testing.T) {
	p := startPath(t, 2)
	for _, algorithm := range []string{"p256", "rsa2048"} {
		for profile, certificates := range map[string]int{"": 2, "compat": 2, "modern": 2, "ios-17.4": 1, "windows-11": 2, "android": 3} {
			o := p.outcome(t, func(o *wsproto.Order) { o.Key, o.Profile = algorithm, profile })
			require.Equal(t, wsproto.Issued, o.Kind, "%s %s", o.Reason, o.Message)
			_, certs, err := pkcs12.Decode(o.PKCS12, p.device("").Password)
			require.NoError(t, err)
			require.Equal(t, []string{"bench.devices.corp.test"}, certs[0].DNSNames)
			require.Len(t, certs, certificates, "without the root, unless the platform wants it")
		}
	}
	require.Len(t, p.ca.Requests(), 12)
}

func TestPathTellsWhyNothingWasDelivered(t *testing.T) {
	templates := append(adcstest.DefaultTemplates(), adcstest.Template{Name: "Strong", MinimumKeySize: 4096})
	for _, c := range []struct {
		name    string
		change  func(*wsproto.Order)
		fault   *adcstest.Fault
		kind    wsproto.OutcomeKind
		reason  wsproto.Reason
		hresult adcs.HResult
		rows    int
	}{
		{name: "unknown template", change: func(o *wsproto.Order) { o.Template = "Nowhere" },
			kind: wsproto.Denied, reason: wsproto.ReasonCATemplate, hresult: adcs.ErrUnsupportedCertType, rows: 1},
		{name: "denied", change: func(o *wsproto.Order) { o.Template = "DeviceDenied" },
			kind: wsproto.Denied, reason: wsproto.ReasonCATemplate, hresult: adcs.ErrTemplateDenied, rows: 1},
		{name: "weak key", change: func(o *wsproto.Order) { o.Template = "Strong" },
			kind: wsproto.Denied, reason: wsproto.ReasonCARequest, hresult: adcs.ErrKeyLength, rows: 1},
		{name: "profile", change: func(o *wsproto.Order) { o.Profile = "unheard-of" },
			kind: wsproto.Failed, reason: wsproto.ReasonOrderUnsupported},
		{name: "password of a person", change: func(o *wsproto.Order) { o.Password = "x" },
			kind: wsproto.Failed, reason: wsproto.ReasonOrderUnsupported},
		{name: "name that cannot be encoded", change: func(o *wsproto.Order) { o.Subject = "CN=bench\\00" },
			kind: wsproto.Expired, reason: wsproto.ReasonPolicySubject},
		{name: "local policy", change: func(o *wsproto.Order) { o.DNS = []string{"a.elsewhere.test"} },
			kind: wsproto.Expired, reason: wsproto.ReasonPolicyName},
		{name: "answer lost", fault: &adcstest.Fault{Cut: adcstest.CutBeforeAnswer},
			kind: wsproto.Unknown, reason: wsproto.ReasonAnswerLost, rows: 1},
		{name: "another key", fault: &adcstest.Fault{Forge: adcstest.Forgery{OtherKey: true}},
			kind: wsproto.Rejected, reason: wsproto.ReasonCertificateKey, rows: 1},
		{name: "another subject", fault: &adcstest.Fault{Forge: adcstest.Forgery{Subject: "administrator"}},
			kind: wsproto.Rejected, reason: wsproto.ReasonCertificateName, rows: 1},
		{name: "another CA", fault: &adcstest.Fault{Forge: adcstest.Forgery{OtherIssuer: true}},
			kind: wsproto.Rejected, reason: wsproto.ReasonCertificateChain, rows: 1},
		{name: "answer that contradicts itself", fault: &adcstest.Fault{Forge: adcstest.Forgery{OtherLeaf: true}},
			kind: wsproto.Unknown, reason: wsproto.ReasonAnswerLost, rows: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := startPathWith(t, 1, &adcstest.Options{Templates: templates}, "")
			if c.fault != nil {
				p.ca.InjectFault(*c.fault)
			}
			o := p.outcome(t, c.change)
			assert.Equal(t, c.kind, o.Kind, o.Message)
			assert.Equal(t, c.reason, o.Reason, o.Message)
			assert.Equal(t, uint32(c.hresult), o.HResult)
			assert.NotEmpty(t, o.Message)
			if c.kind == wsproto.Denied {
				assert.Regexp(t, `[^. ]\. The CA refused`, o.Message, "what the CA says ends where the explanation begins")
			}
			assert.Empty(t, o.PKCS12)
			assert.Equal(t, c.kind == wsproto.Rejected, o.Serial != "", "only a certificate that exists has a serial number")
			assert.Len(t, p.ca.Requests(), c.rows)
		})
	}
}

func TestPathStopsAtAWrongPassword(t *testing.T) {
	p := startPathWith(t, 1, nil, "not the password")
	o := p.outcome(t, nil)
	require.Equal(t, wsproto.Failed, o.Kind, o.Message)
	require.Equal(t, wsproto.ReasonCALogon, o.Reason, o.Message)
	again := p.outcome(t, nil)
	require.Equal(t, wsproto.Expired, again.Kind, "the account is left alone: %s", again.Message)
	require.Equal(t, wsproto.ReasonCredential, again.Reason, again.Message)
	require.Empty(t, p.ca.Requests())
}

func TestPathEndsAHeldRequestAsTheManagerSays(t *testing.T) {
	for _, approve := range []bool{true, false} {
		p := startPath(t, 1)
		id, err := p.gateway.Order(t.Context(), pathTenant, func() wsproto.Order {
			o := p.device("p256")
			o.Template = "DeviceHeld"
			return o
		}(), nil)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			job, err := p.gateway.Job(t.Context(), pathTenant, id)
			return err == nil && job.Outcome != nil && job.Outcome.Kind == wsproto.Pending
		}, 30*time.Second, 5*time.Millisecond)
		want := wsproto.Issued
		if decide := p.ca.Approve; approve {
			require.NoError(t, decide(p.ca.Requests()[0].ID))
		} else {
			want = wsproto.Denied
			require.NoError(t, p.ca.Deny(p.ca.Requests()[0].ID))
		}
		o, err := p.gateway.Wait(t.Context(), pathTenant, id)
		require.NoError(t, err)
		require.Equal(t, want, o.Kind, "%s %s", o.Reason, o.Message)
		require.Equal(t, p.ca.Requests()[0].ID, o.RequestID)
		require.Len(t, p.ca.Requests(), 1)
	}
}
