package gateway_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// What checks a code is as good as the code, and does not show when a record of it is printed.
func TestCodesRedactThemselves(t *testing.T) {
	code := gateway.Code{Tenant: "acme", ID: "0123456789abcdef", Verifier: bytes.Repeat([]byte("v"), 32)}
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("m", "code", code, "pointer", &code)
	}
	shown := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		shown += fmt.Sprintf(verb+verb, code, &code) + fmt.Sprintf(verb, []any{code})
	}
	for _, verb := range []string{"%s", "%d", "%x", "%v"} {
		require.NotContains(t, shown, strings.Trim(fmt.Sprintf(verb, code.Verifier[:8]), "[]"))
	}
	require.NotContains(t, shown, "dnZ2") // the base64 of it
	require.Contains(t, shown, code.ID)
}
