package adcstest_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

const (
	revoked      = uint32(6)
	released     = uint32(0xffffffff)
	hrInvalidArg = uint32(0x80070057)
	hrInvalid    = uint32(0x8007000D)
)

// newRevoker is a CA whose clock stands still until the test moves it.
func newRevoker(t testing.TB, profile adcstest.Profile) (*adcstest.Authority, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ca, err := adcstest.NewAuthority(adcstest.AuthorityConfig{
		Name: caName, Host: "ca.corp.test", Templates: templates(), Directory: directory(), Profile: profile,
		Managers: []string{"Admins"}, Readers: []string{"Staff"}, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	return ca, &now
}

// issueOne returns the certificate and its serial number as administration writes it.
func issueOne(t testing.TB, ca *adcstest.Authority) (der []byte, serial string) {
	t.Helper()
	out := ca.Call(submission(t, "WebServer"))
	require.Equal(t, issued, out.Disposition, "%v", out)
	return out.EncodedCert, hex.EncodeToString(parse(t, out.EncodedCert).SerialNumber.Bytes())
}

func lastRow(ca *adcstest.Authority) adcstest.RequestInfo {
	rows := ca.Requests()
	return rows[len(rows)-1]
}

// TestRevoke goes through the rules of MS-CSRA section 3.1.4.1.8.
func TestRevoke(t *testing.T) {
	type step struct {
		reason      uint32
		want        uint32
		disposition uint32
	}
	tests := map[string][]step{
		"for good, and again for another reason": {{1, 0, revoked}, {4, 0, revoked}},
		"hold, released":                         {{6, 0, revoked}, {released, 0, issued}},
		"hold, then for good":                    {{6, 0, revoked}, {3, 0, revoked}, {released, hrInvalid, revoked}},
		"for good, then on hold":                 {{0, 0, revoked}, {6, hrInvalid, revoked}},
		"released without hold":                  {{released, hrInvalid, issued}},
		"removed from CRLs":                      {{8, 0, revoked}},
		"no reason of RFC 5280": {
			{7, hrInvalidArg, issued}, {9, hrInvalidArg, issued}, {11, hrInvalidArg, issued},
		},
		"in CRLs when expired, and not": {{0xfffffffe, 0, issued}, {0xfffffffd, 0, issued}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			ca, now := newRevoker(t, adcstest.Profile{})
			_, serial := issueOne(t, ca)
			for _, s := range steps {
				*now = now.Add(time.Hour)
				assert.Equal(t, s.want, ca.Revoke(serial, s.reason, *now), "reason %d", s.reason)
				row := lastRow(ca)
				assert.Equal(t, s.disposition, row.Disposition)
				if s.want == 0 && s.reason <= 8 || s.reason == released && s.want == 0 {
					require.NotNil(t, row.Revocation)
					assert.Equal(t, adcstest.Revocation{When: *now, Effective: *now, Reason: s.reason}, *row.Revocation)
				}
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		ca, now := newRevoker(t, adcstest.Profile{})
		_, serial := issueOne(t, ca)
		assert.Equal(t, hrInvalidArg, ca.Revoke("", 0, *now))
		assert.Equal(t, hrInvalidArg, ca.Revoke(serial[2:], 0, *now))
	})
	t.Run("never issued", func(t *testing.T) {
		ca, now := newRevoker(t, adcstest.Profile{})
		ca.Call(submission(t, "Held"))
		assert.Equal(t, hrInvalidArg, ca.Revoke("", 0, *now), "a row without a certificate has no serial number")
	})
}

// TestValidity is IsValidCertificate, MS-CSRA section 3.1.4.1.5.
func TestValidity(t *testing.T) {
	ca, now := newRevoker(t, adcstest.Profile{})
	_, serial := issueOne(t, ca)
	check := func(reason, disposition uint32) {
		t.Helper()
		r, d := ca.Validity(serial)
		assert.Equal(t, [2]uint32{reason, disposition}, [2]uint32{r, d})
	}
	check(0, 3)
	require.Zero(t, ca.Revoke(serial, 1, now.Add(time.Hour)))
	check(0, 3) // not yet
	*now = now.Add(2 * time.Hour)
	check(1, 2)
	_, d := ca.Validity("5b00")
	assert.EqualValues(t, 4, d)
}

// TestRetrieveRevoked asks for a certificate that was revoked (MS-WCCE section 3.2.1.4.2.1.3).
func TestRetrieveRevoked(t *testing.T) {
	ca, now := newRevoker(t, adcstest.Profile{})
	_, serial := issueOne(t, ca)
	require.Zero(t, ca.Revoke(serial, 1, *now))
	out := ca.Call(adcstest.AuthorityCall{Account: alice(), Authority: caName, RequestID: 1})
	assert.Equal(t, revoked, out.Disposition)
	assert.Empty(t, out.EncodedCert)
	assert.Equal(t, `Revoked by CORP\admin`, text(t, out.Message))
}

// TestResubmit is ResubmitRequest and DenyRequest, MS-CSRA sections 3.1.4.1.3 and 3.1.4.1.4.
func TestResubmit(t *testing.T) {
	ca, _ := newRevoker(t, adcstest.Profile{})
	hold := func() uint32 {
		t.Helper()
		out := ca.Call(submission(t, "Held"))
		require.Equal(t, pending, out.Disposition)
		return out.RequestID
	}
	result := func(d, hr uint32) [2]uint32 { return [2]uint32{d, hr} }

	id := hold()
	assert.Equal(t, result(issued, 0), result(ca.Resubmit(id)))
	row := lastRow(ca)
	assert.Equal(t, issued, row.Disposition)
	assert.Contains(t, row.Message, `Resubmitted by CORP\admin`)
	assert.False(t, row.Resolved.IsZero())
	assert.Equal(t, result(0x80094003, 0), result(ca.Resubmit(id)), "issued already")
	assert.EqualValues(t, 0x80094003, ca.DenyRequest(id))

	id = hold()
	assert.Zero(t, ca.DenyRequest(id))
	row = lastRow(ca)
	assert.Equal(t, []any{denied, uint32(0x80094014)}, []any{row.Disposition, row.Status})
	assert.Equal(t, result(issued, 0), result(ca.Resubmit(id)), "denied by the manager, and approved after all")

	require.EqualValues(t, 0x80094012, ca.Call(submission(t, "Denied")).Disposition)
	assert.Equal(t, result(denied, 0), result(ca.Resubmit(lastRow(ca).ID)), "the template still says no")
	assert.Equal(t, result(0, 0x80094004), result(ca.Resubmit(99)))
	assert.EqualValues(t, 0x80094004, ca.DenyRequest(99))

	c := submission(t, "WebServer")
	c.Raw = c.Raw[:40]
	ca.Call(c)
	assert.Equal(t, result(0x80094003, 0), result(ca.Resubmit(lastRow(ca).ID)), "a failed request is not processed again")
}

// TestRoles is who may do what (MS-CSRA section 3.1.1.7).
func TestRoles(t *testing.T) {
	ca, _ := newRevoker(t, adcstest.Profile{})
	assert.EqualValues(t, 0x303, ca.RolesOf("admin"), "administrator, officer, read, enroll")
	assert.EqualValues(t, 0x300, ca.RolesOf("alice"), "reads by her group")
	assert.EqualValues(t, 0x200, ca.RolesOf("bob"))
	other := adcstest.AuthorityCall{Account: [2]string{"CORP", "bob"}, Authority: caName, RequestID: 1}
	issueOne(t, ca)
	assert.EqualValues(t, 0x80094014, ca.Call(other).Return, "not bob's request")
	other.Account[1] = "admin"
	assert.Zero(t, ca.Call(other).Return)
}
