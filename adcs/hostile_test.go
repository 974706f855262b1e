package adcs_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

// TestNothingPrintsThePassword prints a credential, and everything that holds one, in every way there is.
func TestNothingPrintsThePassword(t *testing.T) {
	cred := adcs.Password(`CORP\alice`, secret)
	client, err := adcs.New("ca.corp.test", "CA", cred, &adcs.Options{Transport: adcs.TransportTCP, AllowNTLM: true})
	require.NoError(t, err)
	defer client.Close()
	hidden := struct{ c adcs.Credential }{cred}
	shown := struct{ C adcs.Credential }{cred}
	for _, v := range []any{cred, &cred, []adcs.Credential{cred}, hidden, &hidden, shown, client, struct{ c *adcs.Client }{client}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(format, v)
			assert.NotContains(t, text, secret, "%s of %T", format, v)
			assert.NotContains(t, text, fmt.Sprintf("%x", secret), "%s of %T", format, v)
		}
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
		assert.NotContains(t, b.String(), secret, "%T", v)
	}
}
