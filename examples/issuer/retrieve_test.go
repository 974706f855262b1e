package issuer_test

import (
	"crypto/x509"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// refusal is the stub of an answer without a certificate: [MS-ICPR], section 3.2.4.1.1.
func refusal(disposition, returned adcs.HResult) adcstest.Fault {
	stub := make([]byte, 8+3*8, 8+3*8+4) // request id, disposition, three empty blobs
	binary.LittleEndian.PutUint32(stub[0:], 1)
	binary.LittleEndian.PutUint32(stub[4:], uint32(disposition))
	stub = binary.LittleEndian.AppendUint32(stub, uint32(returned))
	return adcstest.Fault{Stub: func([]byte) []byte { return stub }}
}

// TestRetrieveTellsDecisionsFromFailures: a job ends by the CA's decision about its request, not by a bad day of the
// CA. The same answers to a submission are refusals, unless the CA may have issued.
func TestRetrieveTellsDecisionsFromFailures(t *testing.T) {
	ca, err := adcstest.NewServer(nil)
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	i, err := issuer.New(issuer.CA{
		Host: ca.Host(), Name: ca.Name(), Roots: x509.NewCertPool(),
		Credential: adcs.Password(ca.User().Account(), ca.User().Password),
		Options:    &adcs.Options{Transport: adcs.TransportTCP, AllowNTLM: true, DialContext: ca.DialContext},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	order := &connector.Order{Order: wsproto.Order{
		CA: wsproto.CAAssignment{Host: ca.Host(), Name: ca.Name()}, Template: "Device", Subject: "CN=bench", Key: "p256",
		Password: "correct-horse-battery-staple",
	}}
	prepared, err := i.Prepare(t.Context(), order)
	require.NoError(t, err)
	for _, c := range []struct {
		name                  string
		disposition, returned adcs.HResult
		kind                  connector.CAErrorKind
	}{
		{"denied", adcs.HResult(adcs.Denied), 0, connector.CARefused},
		{"denied, with a return value", adcs.HResult(adcs.Denied), adcs.ErrAdminDeniedRequest, connector.CARefused},
		{"failed", adcs.HResult(adcs.Failed), 0, connector.CARefused},
		{"incomplete", 0, 0, connector.CAUnavailable},
		{"revoked", adcs.HResult(adcs.Revoked), 0, connector.CARefused},
		{"an HRESULT as disposition", adcs.ErrKeyLength, 0, connector.CARefused},
		{"no such request", 0, adcs.ErrPropertyEmpty, connector.CARefused},
		{"no such request, in the other spelling", 0, 0x80074004, connector.CARefused},
		{"suspended", 0, adcs.ErrServerSuspended, connector.CAFailed},
		{"suspended, as disposition", adcs.ErrServerSuspended, 0, connector.CAFailed},
		{"no database sessions", 0, adcs.ErrNoDBSessions, connector.CAFailed},
		{"unavailable", 0, adcs.ErrServerUnavailable, connector.CAFailed},
		{"no access", 0, adcs.ErrAccessDenied, connector.CAFailed},
		{"not shown", 0, adcs.ErrAdminDeniedRequest, connector.CAFailed},
		{"not shown, with the code as disposition too", adcs.ErrAdminDeniedRequest, adcs.ErrAdminDeniedRequest, connector.CAFailed},
		{"denied, as disposition alone", adcs.ErrAdminDeniedRequest, 0, connector.CARefused},
		{"unheard of", 0, 0x80041234, connector.CAFailed},
		{"a contradiction", adcs.HResult(adcs.Issued), adcs.ErrInvalidArg, connector.CAFailed},
		{"a disposition that is no failure", 0x40000000, 0, connector.CAFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind := func(err error) connector.CAErrorKind {
				e, ok := errors.AsType[*connector.CAError](err)
				require.True(t, ok, "%v", err)
				return e.Kind
			}
			ca.InjectFault(refusal(c.disposition, c.returned))
			_, err := i.Retrieve(t.Context(), order, 1)
			assert.Equal(t, c.kind, kind(err), "%v", err)
			ca.InjectFault(refusal(c.disposition, c.returned))
			_, err = i.Submit(t.Context(), order, prepared)
			want := connector.CARefused
			if c.disposition == adcs.HResult(adcs.Issued) || c.disposition == 0 && c.returned == 0 {
				want = connector.CAUnknown
			}
			assert.Equal(t, want, kind(err), "%v", err)
		})
	}
}

// TestRetrieveOfAnotherAccount: a job whose request the CA does not show to this account stays pending, and says why.
// One that was denied ends.
func TestRetrieveOfAnotherAccount(t *testing.T) {
	ca, err := adcstest.NewServer(&adcstest.Options{Users: []adcstest.User{
		{Name: "alice", Password: "alice's password"}, {Name: "bob", Password: "bob's password"},
	}})
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	as := func(user string) *issuer.Issuer {
		i, err := issuer.New(issuer.CA{
			Host: ca.Host(), Name: ca.Name(), Roots: x509.NewCertPool(),
			Credential: adcs.Password(`CORP\`+user, user+"'s password"),
			Options:    &adcs.Options{Transport: adcs.TransportTCP, AllowNTLM: true, DialContext: ca.DialContext},
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, i.Close()) })
		return i
	}
	alice, bob := as("alice"), as("bob")
	order := &connector.Order{Order: wsproto.Order{
		CA: wsproto.CAAssignment{Host: ca.Host(), Name: ca.Name()}, Template: "DeviceHeld", Subject: "CN=device", Key: "p256",
		Password: "correct-horse-battery-staple",
	}}
	prepared, err := alice.Prepare(t.Context(), order)
	require.NoError(t, err)
	held, err := alice.Submit(t.Context(), order, prepared)
	require.NoError(t, err)
	require.True(t, held.Pending)
	for range 2 { // the second time it has been denied, of which bob is told nothing
		_, err = bob.Retrieve(t.Context(), order, held.RequestID)
		e, ok := errors.AsType[*connector.CAError](err)
		require.True(t, ok, "%v", err)
		assert.ErrorIs(t, err, adcs.ErrNotOwner)
		assert.Equal(t, connector.CAFailed, e.Kind)
		assert.Equal(t, wsproto.ReasonCAAccess, e.Reason)
		assert.Equal(t, uint32(0x80094014), e.HResult)
		assert.Contains(t, e.Message, "another account")
		if held.Pending {
			held.Pending = false
			require.NoError(t, ca.Deny(held.RequestID))
		}
	}
	_, err = alice.Retrieve(t.Context(), order, held.RequestID)
	e, ok := errors.AsType[*connector.CAError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, connector.CARefused, e.Kind)
	assert.Equal(t, uint32(2), e.Disposition)
}
