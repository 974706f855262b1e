package gateway_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// Requests that are no connectors must not use up the places for handshakes, also while somebody is connected.
func TestRefusedRequestsLeaveRoom(t *testing.T) {
	w, server := serve(t, func(c *gateway.Config) { c.Limits = &gateway.Limits{Handshakes: 3} })
	f := dial(t, server, newIdentity(t))
	_, err := f.prove(w.code(ca1()))
	require.NoError(t, err)
	<-f.configured
	for range 4 {
		resp, err := server.Client().Get(server.URL + "/acme")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, "no upgrade, but no lack of room either")
	}
	_, err = dial(t, server, newIdentity(t)).prove(w.code(ca1()))
	require.NoError(t, err)
}
