package adcstest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestServerCA is what a test does with the CA of a server, without a client.
func TestServerCA(t *testing.T) {
	s := newServer(t, nil)
	p := newRequestPeer(t, s, s.User())
	first := s.Certificate()
	p.submit(t, newCSR(t, "one"), "CertificateTemplate:Device")
	require.NoError(t, s.RenewCA(true))
	p.submit(t, newCSR(t, "two"), "CertificateTemplate:Device")
	assert.Equal(t, first, s.CACertificates()[0])
	assert.Equal(t, s.Certificate(), s.CACertificates()[1])
	rows := s.Requests()
	assert.Equal(t, [2]int{0, 1}, [2]int{rows[0].Issuer, rows[1].Issuer})
	require.NoError(t, parse(t, rows[0].Certificate).CheckSignatureFrom(first))
	require.NoError(t, parse(t, rows[1].Certificate).CheckSignatureFrom(s.Certificate()))

	require.NoError(t, s.Revoke(rows[0].Serial, 6, time.Now()))
	require.NoError(t, s.PublishCRLs())
	lists, err := s.CRLs()
	require.NoError(t, err)
	require.Len(t, lists, 3, "of both keys, and of the root")
	assert.Equal(t, map[string]int{rows[0].Serial: 6}, reasons(lists[0]))
	require.NoError(t, s.Revoke(rows[0].Serial, 0xffffffff, time.Now()))
	require.NoError(t, s.PublishCRLs())
	deltas, err := s.DeltaCRLs()
	require.NoError(t, err)
	require.Len(t, deltas, 2)
	assert.Equal(t, map[string]int{rows[0].Serial: 8}, reasons(deltas[0]))
	assert.ErrorContains(t, s.Revoke("5b", 1, time.Now()), "ERROR_INVALID_PARAMETER")
	assert.ErrorContains(t, s.Revoke(rows[1].Serial, 7, time.Now()), "reason 7")
}
