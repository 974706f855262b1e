package main

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

func TestDelivery(t *testing.T) {
	recipients, keys := []connector.PinnedRecipient{{ID: "mdm"}}, [][]byte{nil, nil}
	for want, c := range map[string]struct {
		policy  connector.Policy
		warning string
	}{
		"none":                                 {connector.Policy{}, "every order is refused"},
		"under a password of the tenant's":     {connector.Policy{Passwords: true}, ""},
		"sealed for 1 recipients":              {connector.Policy{Recipients: recipients}, ""},
		"sealed for whom 2 ordering keys sign": {connector.Policy{OrderingKeys: keys}, ""},
		"under a password of the tenant's, sealed for 1 recipients, sealed for whom 2 ordering keys sign": {
			connector.Policy{Passwords: true, Recipients: recipients, OrderingKeys: keys}, "whoever runs the gateway"},
	} {
		assert.Equal(t, want, delivery(&c.policy))
		warnings := deliveryWarnings(&c.policy)
		if c.warning == "" {
			assert.Empty(t, warnings, want)
			continue
		}
		assert.Len(t, warnings, 1)
		assert.Contains(t, warnings[0], c.warning)
	}
}

// TestLogNamesTheRecipient: whoever runs a connector sees for whom it has sealed.
func TestLogNamesTheRecipient(t *testing.T) {
	var log safeBuffer
	s := &service{log: slog.New(slog.NewTextHandler(&log, nil))}
	r := connector.JobReport{Job: "job-1", Outcome: wsproto.Outcome{Kind: wsproto.Issued}}
	s.job(r)
	assert.NotContains(t, log.String(), "recipient")
	r.Order.Recipient = &wsproto.Recipient{ID: "mdm\nlevel=ERROR"}
	s.job(r)
	assert.Contains(t, log.String(), `recipient="mdm\nlevel=ERROR"`)
}
