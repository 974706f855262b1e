package adcs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

// TestNothingPrintsThePassword prints a credential, and everything that holds one, in every way there is.
func TestNothingPrintsThePassword(t *testing.T) {
	const hash = "73656372657420736563726574202121"
	keys := []byte("\x05\x02\x00\x00\x00\x25\x00\x01\x00\x01R\x00\x01a\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x17\x00\x10" +
		"secret secret !!")
	for name, cred := range map[string]adcs.Credential{
		secret: adcs.Password(`CORP\alice`, secret), hash: adcs.NTHash(`CORP\alice`, hash),
		"secret secret !!": adcs.KeytabBytes("a@R", keys),
	} {
		printsNothing(t, cred, name)
	}
}

func printsNothing(t *testing.T, cred adcs.Credential, secret string) {
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
		if raw, err := json.Marshal(v); err == nil { // not for functions and channels, which a client has
			assert.NotContains(t, string(raw), secret, "%T", v)
		}
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
		assert.NotContains(t, b.String(), secret, "%T", v)
	}
}
