package connector_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// TestRefusedIsTold: whoever runs the connector learns what it refuses, with the reason that the tenant gets.
func TestRefusedIsTold(t *testing.T) {
	var told []connector.RefusedOffer // Offers are answered one after the other here.
	prepare := func(s *script) {
		s.opts.OnRefused = func(r connector.RefusedOffer) { told = append(told, r) }
		s.policy = func(connector.Order) error { return &connector.PolicyError{Rule: "templates", Detail: "no"} }
	}
	scripted(t, prepare, func(s *script, l *line) {
		o := s.job(1)
		assert.Equal(t, wsproto.OfferRefused, l.offer(o).Answer)
		require.Len(t, told, 1)
		r := told[0]
		assert.Equal(t, o.Job, r.Job)
		assert.Equal(t, o.Attempt, r.Attempt)
		assert.Equal(t, caName(), r.Order.CA)
		assert.Empty(t, r.Order.Password)
		assert.Equal(t, wsproto.RefusedElsewhere, r.Scope)
		assert.Equal(t, wsproto.ReasonPolicyTemplate, r.Reason)
		assert.Contains(t, r.Message, "templates")

		o.Order = []byte(`{"subject":7}`)
		assert.Equal(t, wsproto.OfferRefused, l.offer(o).Answer)
		require.Len(t, told, 2)
		assert.Equal(t, wsproto.ReasonOrderInvalid, told[1].Reason)
		assert.Equal(t, wsproto.RefusedNever, told[1].Scope)
		assert.Empty(t, told[1].Order)
	})
}

// TestRestingCredentialIsInTheStatus: the tenant sees that a credential is not used, for every CA that it is for.
func TestRestingCredentialIsInTheStatus(t *testing.T) {
	scripted(t, nil, func(s *script, l *line) {
		newest := func() (cas []wsproto.CAHealth) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if n := len(s.statuses); n > 0 {
				cas = s.statuses[n-1].CAs
			}
			return cas
		}
		require.NoError(t, l.peer.Call(s.ctx, wsproto.MethodConfigure,
			wsproto.Configure{Revision: 1, CAs: []wsproto.CAAssignment{caName()}}, nil))
		s.ca.password(false)
		assert.Equal(t, wsproto.ReasonCALogon, l.finishOne(s.job(1)).Reason)
		s.until("a resting credential", func() bool { return len(newest()) == 1 })
		assert.Equal(t, wsproto.ReasonCredential, newest()[0].Reason)
		assert.False(t, newest()[0].Healthy)
		assert.Contains(t, newest()[0].Message, "or for 1h0m0s")

		s.running[0].Reload("")
		s.until("nothing known about the new one", func() bool { return len(newest()) == 0 })

		assert.Equal(t, wsproto.ReasonCALogon, l.finishOne(s.job(2)).Reason)
		time.Sleep(time.Hour + 2*time.Minute)
		require.Len(t, newest(), 1)
		assert.Equal(t, wsproto.ReasonCALogon, newest()[0].Reason, "it may be tried again, and has failed last")
		s.ca.password(true)
		assert.Equal(t, wsproto.Issued, l.finishOne(s.job(3)).Kind)
		s.until("healthy", func() bool { return len(newest()) == 1 && newest()[0].Healthy })
	})
}
