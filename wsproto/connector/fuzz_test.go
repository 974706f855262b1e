package connector_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// FuzzOffer decides about offers with any order, and with a checkpoint of any content.
func FuzzOffer(f *testing.F) {
	good, err := wsproto.EncodeOrder(anOrder())
	require.NoError(f, err)
	f.Add([]byte(good), "CORP\\svc-adcs", uint32(0))
	f.Add([]byte(strings.Replace(string(good), `"template"`, `"critical":["x"],"template"`, 1)), "other", uint32(7))
	f.Add([]byte(strings.Replace(string(good), "host.corp.test", `*.corp.test","dns":["a"],"x":"`, 1)), "", uint32(1))
	f.Add([]byte(`{"ca":{"host":"h","name":"n"},"template":"t","key":"p256","subjectSource":"directory","password":"hunter2hunter2"}`), "", uint32(0))
	f.Add([]byte(`{"recipient":{"id":"r"},"ca":null}`), "", uint32(0))
	f.Fuzz(func(t *testing.T, order []byte, account string, requestID uint32) {
		s := newScript(t)
		rules, err := somePolicy().Compile()
		require.NoError(t, err)
		s.cfg.Policy, s.cfg.Options = rules.Allow, &s.opts
		c, err := connector.New(s.cfg)
		require.NoError(t, err)
		o := s.job(1)
		o.Order = order
		if account != "" {
			o.Checkpoint = &wsproto.Checkpoint{
				Account: account, RequestID: requestID, CA: caName(), Tenant: tenantName, Job: o.Job, Attempt: 1, Sequence: 1,
				OrderDigest: wsproto.OrderDigest(order),
			}
		}
		j := connector.NewJob(t.Context(), c, &o)
		defer j.Stop()
		r := j.Admit(t.Context(), &o)
		if r == nil {
			require.Empty(t, account, "a forged checkpoint was taken")
			decoded, err := wsproto.DecodeOrder(order)
			require.NoError(t, err)
			require.NoError(t, rules.Allow(t.Context(), connector.Order{Order: *decoded}))
			return
		}
		require.NoError(t, r.Validate())
		assert.NotEmpty(t, r.Reason)
		if decoded, err := wsproto.DecodeOrder(order); err == nil && len(decoded.Password) > 8 {
			assert.NotContains(t, r.Message, decoded.Password)
		}
	})
}
