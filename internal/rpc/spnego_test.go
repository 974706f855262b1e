package rpc_test

import (
	"encoding/asn1"
	"testing"

	"github.com/oiweiwei/go-msrpc/ssp/spnego"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/rpc"
)

func TestNegTokenInit(t *testing.T) {
	want := &rpc.NegTokenInit{
		MechTypes: []asn1.ObjectIdentifier{rpc.OIDMSKerberos(), rpc.OIDKerberos(), rpc.OIDNTLM()},
		MechToken: []byte("token"), MechListMIC: []byte("mic"),
	}
	der, err := want.Marshal()
	require.NoError(t, err)
	got, err := rpc.ParseNegTokenInit(der)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	// go-msrpc's decoder, which others wrote, reads it too.
	other := &spnego.NegTokenInit{}
	require.NoError(t, other.Unmarshal(t.Context(), der))
	assert.Equal(t, want.MechToken, other.MechToken)
	assert.Equal(t, want.MechListMIC, other.MechTokenMIC)

	hints := &spnego.NegTokenInit{
		MechTypes: want.MechTypes, MechToken: want.MechToken, MechTokenMIC: want.MechListMIC, HintName: "not_defined_in_RFC4178",
	}
	der, err = hints.Marshal(t.Context())
	require.NoError(t, err)
	got, err = rpc.ParseNegTokenInit(der)
	require.NoError(t, err)
	assert.Equal(t, want, got, "NegTokenInit2 of Windows")
}

func TestNegTokenResp(t *testing.T) {
	done, more := rpc.NegAcceptCompleted, rpc.NegAcceptIncomplete
	for _, want := range []*rpc.NegTokenResp{
		{},
		{State: &done},
		{State: &more, SupportedMech: rpc.OIDNTLM(), ResponseToken: []byte("token")},
		{State: &done, MechListMIC: []byte("mic")},
	} {
		der, err := want.Marshal()
		require.NoError(t, err)
		got, err := rpc.ParseNegTokenResp(der)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		for n := range der {
			_, err := rpc.ParseNegTokenResp(der[:n])
			assert.ErrorIs(t, err, rpc.ErrMalformed, "%d bytes", n)
		}
	}
	// accept-completed is on the wire although it is zero, and the mechanism is not in a SEQUENCE of its own.
	der, err := (&rpc.NegTokenResp{State: &done, SupportedMech: rpc.OIDNTLM()}).Marshal()
	require.NoError(t, err)
	assert.Equal(t, unhex(t, "a115 3013 a003 0a0100 a10c 060a 2b06010401823702020a"), der)
	for _, bad := range []string{"", "30", "a102 3000 00", "a105 3003 a003 0a0104", "a105 3003 a0030a01ff", "6000"} {
		_, err := rpc.ParseNegTokenResp(unhex(t, bad))
		assert.ErrorIs(t, err, rpc.ErrMalformed, bad)
	}
}
