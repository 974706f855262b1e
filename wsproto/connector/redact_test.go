package connector_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/connector"
)

// What an issuer is given and returns does not show keys or bundles, however it is printed.
func TestIssuerTypesRedactThemselves(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	prepared := connector.Prepared{Key: key, Request: []byte("a request")}
	bundle := connector.Bundle{PKCS12: []byte("the bundle")}
	raw, err := key.Bytes()
	require.NoError(t, err)
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("m", "prepared", prepared, "pointer", &prepared, "bundle", bundle, "bundles", &bundle)
	}
	shown := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		shown += fmt.Sprintf(verb+verb+verb+verb, prepared, &prepared, bundle, &bundle)
		shown += fmt.Sprintf(verb, []any{prepared, bundle})
	}
	for _, verb := range []string{"%s", "%d", "%x", "%v"} {
		for _, secret := range [][]byte{raw, bundle.PKCS12, prepared.Request} {
			assert.NotContains(t, shown, strings.Trim(fmt.Sprintf(verb, secret), "[]"))
		}
	}
	assert.NotContains(t, shown, new(big.Int).SetBytes(raw).String(), "as encoding/json writes it")
	assert.Contains(t, shown, "10 bytes")
}
