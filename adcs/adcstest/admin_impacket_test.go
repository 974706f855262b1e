//go:build integration

package adcstest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestImpacketAdministration has impacket read the CA's database, revoke a certificate and publish CRLs.
func TestImpacketAdministration(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.dcomrt")
	s := newAdministered(t)
	for range 3 {
		submitAs(t, s, "alice", "Device")
	}
	rows := s.Requests()
	a := runPeer(t, s, "impacket_admin.py", "CORP/manager", "pw", nil, rows[1].Serial, "4")
	require.Empty(t, a.Error)
	assert.Equal(t, []map[string]any{
		{"row": 3., "1000": 3., "1009": 20., "1010": `CORP\alice`, "2007": rows[2].Serial},
		{"row": 2., "1000": 2., "1009": 20., "1010": `CORP\alice`, "2007": rows[1].Serial},
	}, a.Rows)
	lists, err := s.CRLs()
	require.NoError(t, err)
	assert.Equal(t, map[string]int{rows[1].Serial: 4}, reasons(lists[0]))
	assert.Equal(t, 3, s.Objects(), "those of the three submissions: this one was released")

	a = runPeer(t, s, "impacket_admin.py", "CORP/alice", "pw", nil, rows[0].Serial, "4")
	assert.Contains(t, a.Error, "0x80070005")
	assert.Nil(t, s.Requests()[0].Revocation)
}
