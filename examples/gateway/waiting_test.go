package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// TestWhy: a job that the CA holds waits for nobody, unless whoever can go on with it is away.
func TestWhy(t *testing.T) {
	ca := wsproto.CAAssignment{Host: "h", Name: "n"}
	connectors := func(a, b bool) []gateway.ConnectorInfo {
		return []gateway.ConnectorInfo{
			{ID: "a", State: wsproto.StateActive, Connected: a, CAs: []wsproto.CAAssignment{ca}},
			{ID: "b", State: wsproto.StateActive, Connected: b, CAs: []wsproto.CAAssignment{ca}},
		}
	}
	held := &gateway.JobInfo{
		State: gateway.JobQueued, CA: ca, Connector: "a", Outcome: &wsproto.Outcome{Kind: wsproto.Pending, RequestID: 5},
	}
	require.Empty(t, why(connectors(true, true), held), "it is asked for when it is time")
	require.Empty(t, why(connectors(true, false), held))
	require.Equal(t, "no connected connector has this CA assigned; connector a has it and is not connected; "+
		"connector b has it and is not connected", why(connectors(false, false), held))
	require.Contains(t, why(connectors(false, true), held), "connector a, which had it, is not connected")
	require.Contains(t, why(nil, held), "no connected connector")
	rotated := append(connectors(false, true), gateway.ConnectorInfo{ID: "0", State: wsproto.StateRevoked, Successor: "b"})
	held.Connector = "0"
	require.Empty(t, why(rotated, held), "it has other keys")
	held.Connector = "deleted"
	require.Empty(t, why(rotated, held))

	fresh := &gateway.JobInfo{State: gateway.JobQueued, CA: ca}
	require.Contains(t, why(connectors(true, true), fresh), "has room")
	require.Contains(t, why(connectors(false, false), fresh), "no connected connector")
	fresh.LastRefusal = &gateway.Refusal{Connector: "a"}
	require.Contains(t, why(connectors(true, true), fresh), "refused")
}
