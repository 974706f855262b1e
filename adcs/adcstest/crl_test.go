package adcstest_test

import (
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// crlOf returns the only base or delta CRL of a CA's issuing key.
func crlOf(t testing.TB, ca *adcstest.Authority, delta bool) *x509.RevocationList {
	t.Helper()
	lists, err := ca.CRLs(delta)
	require.NoError(t, err)
	require.NoError(t, lists[0].CheckSignatureFrom(ca.Certificates()[0]))
	return lists[0]
}

// reasons are the entries of a CRL by their serial number.
func reasons(l *x509.RevocationList) map[string]int {
	m := map[string]int{}
	for _, e := range l.RevokedCertificateEntries {
		m[e.SerialNumber.Text(16)] = e.ReasonCode
	}
	return m
}

func deltaBase(t testing.TB, l *x509.RevocationList) int64 {
	t.Helper()
	for _, e := range l.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 27}) {
			var n int64
			_, err := asn1.Unmarshal(e.Value, &n)
			require.NoError(t, err)
			assert.True(t, e.Critical)
			return n
		}
	}
	return 0
}

// TestCRL revokes, holds and releases, and reads base and delta CRLs in between.
func TestCRL(t *testing.T) {
	ca, now := newRevoker(t, adcstest.Profile{})
	_, gone := issueOne(t, ca)
	_, held := issueOne(t, ca)
	_, later := issueOne(t, ca)
	_, plain := issueOne(t, ca)
	assert.Empty(t, crlOf(t, ca, false).RevokedCertificateEntries)

	*now = now.Add(time.Hour)
	effective := now.Add(-30 * time.Minute)
	require.Zero(t, ca.Revoke(gone, 1, effective))
	require.Zero(t, ca.Revoke(held, 6, *now))
	require.Zero(t, ca.Revoke(later, 4, now.Add(24*time.Hour)))
	require.Zero(t, ca.Revoke(plain, 0, *now))
	assert.Empty(t, crlOf(t, ca, false).RevokedCertificateEntries, "nobody has published since")

	require.Zero(t, ca.PublishCRLs(time.Time{}, 1))
	base := crlOf(t, ca, false)
	assert.Equal(t, map[string]int{gone: 1, held: 6, plain: 0}, reasons(base))
	assert.Equal(t, big.NewInt(2), base.Number)
	assert.Equal(t, ca.Certificates()[0].SubjectKeyId, base.AuthorityKeyId)
	assert.Zero(t, deltaBase(t, base))
	for _, e := range base.RevokedCertificateEntries {
		if e.SerialNumber.Text(16) == gone {
			assert.True(t, e.RevocationTime.Equal(effective), "the date that the manager gave")
		}
		if e.SerialNumber.Text(16) == plain {
			assert.Empty(t, e.Extensions, "reason 0 is not written (RFC 5280, section 5.3.1)")
		}
	}

	*now = now.Add(time.Hour)
	require.Zero(t, ca.Revoke(held, released, *now))
	require.Zero(t, ca.PublishCRLs(time.Time{}, 2))
	delta := crlOf(t, ca, true)
	assert.Equal(t, 8, reasons(delta)[held], "removeFromCRL")
	assert.EqualValues(t, 1, deltaBase(t, delta), "the oldest base CRL, since none has got around yet")
	assert.Equal(t, big.NewInt(3), delta.Number)
	assert.Equal(t, big.NewInt(2), crlOf(t, ca, false).Number, "a delta CRL alone leaves the base CRL as it is")

	*now = now.Add(30 * time.Hour)
	delta = crlOf(t, ca, true)
	assert.Equal(t, 4, reasons(delta)[later], "its time has come, and the timer has published")
	assert.EqualValues(t, 2, deltaBase(t, delta), "the newest base CRL that has got around")

	*now = now.Add(7 * 24 * time.Hour)
	base = crlOf(t, ca, false)
	assert.Equal(t, map[string]int{gone: 1, later: 4, plain: 0}, reasons(base),
		"a base CRL does not speak of what was released")
	assert.True(t, base.NextUpdate.After(*now))
}

// TestCRLOfFuture is a revocation that takes effect when every base CRL of the day it was asked for has expired.
func TestCRLOfFuture(t *testing.T) {
	ca, now := newRevoker(t, adcstest.Profile{})
	_, serial := issueOne(t, ca)
	require.Zero(t, ca.Revoke(serial, 4, now.Add(10*24*time.Hour)))
	*now = now.Add(9 * 24 * time.Hour)
	assert.Empty(t, crlOf(t, ca, false).RevokedCertificateEntries)
	*now = now.Add(25 * time.Hour)
	assert.Equal(t, map[string]int{serial: 4}, reasons(crlOf(t, ca, true)))
	assert.Empty(t, crlOf(t, ca, false).RevokedCertificateEntries, "the base CRL is not due yet")
}

// TestCRLOfExpired leaves expired certificates out, unless a manager wants them in.
func TestCRLOfExpired(t *testing.T) {
	ca, now := newRevoker(t, adcstest.Profile{})
	_, first := issueOne(t, ca)
	_, second := issueOne(t, ca)
	require.Zero(t, ca.Revoke(first, 1, *now))
	require.Zero(t, ca.Revoke(second, 1, *now))
	require.Zero(t, ca.Revoke(second, 0xfffffffe, *now))
	*now = now.Add(3 * 365 * 24 * time.Hour)
	require.Zero(t, ca.PublishCRLs(time.Time{}, 1))
	require.Zero(t, ca.PublishCRLs(time.Time{}, 1))
	assert.Equal(t, map[string]int{second: 1}, reasons(crlOf(t, ca, false)))
}

// TestPublishCRLs is what PublishCRLs answers (MS-CSRA section 3.1.4.2.1).
func TestPublishCRLs(t *testing.T) {
	ca, now := newRevoker(t, adcstest.Profile{})
	for flags, want := range map[uint32]uint32{
		0: hrInvalidArg, 0x10: hrInvalidArg, 0x20: hrInvalidArg, 0x11: 0, 1: 0, 2: 0, 3: 0,
	} {
		assert.Equal(t, want, ca.PublishCRLs(time.Time{}, flags), "flags %#x", flags)
	}
	assert.Equal(t, hrInvalidArg, ca.PublishCRLs(now.Add(-time.Second), 1))
	require.Zero(t, ca.PublishCRLs(now.Add(time.Hour), 1))
	next := crlOf(t, ca, false).NextUpdate
	assert.True(t, next.After(now.Add(time.Hour)) && next.Before(now.Add(24*time.Hour)), "%v", next)
}

// TestRenew renews the CA with the same and with another key.
func TestRenew(t *testing.T) {
	for name, profile := range map[string]adcstest.Profile{"root": {SelfSigned: true}, "subordinate": {}} {
		t.Run(name, func(t *testing.T) {
			ca, now := newRevoker(t, profile)
			first, serial := issueOne(t, ca)
			*now = now.Add(time.Hour)
			require.NoError(t, ca.Renew(false))
			require.NoError(t, ca.Renew(true))
			certs := ca.Certificates()
			require.Len(t, certs, 3)
			assert.Equal(t, certs[0].PublicKey, certs[1].PublicKey)
			assert.NotEqual(t, certs[1].PublicKey, certs[2].PublicKey)
			assert.Equal(t, certs[0].RawSubject, certs[2].RawSubject)
			second, _ := issueOne(t, ca)

			require.NoError(t, parse(t, first).CheckSignatureFrom(certs[1]))
			require.NoError(t, parse(t, second).CheckSignatureFrom(certs[2]))
			require.Error(t, parse(t, second).CheckSignatureFrom(certs[0]))
			assert.EqualValues(t, []byte{2, 0, 0}, serialIndexes(t, first, second, ca))

			require.Zero(t, ca.Revoke(serial, 1, *now))
			require.Zero(t, ca.PublishCRLs(time.Time{}, 1))
			lists, err := ca.CRLs(false)
			require.NoError(t, err)
			require.NoError(t, lists[0].CheckSignatureFrom(certs[1]))
			require.NoError(t, lists[1].CheckSignatureFrom(certs[2]))
			assert.Equal(t, map[string]int{serial: 1}, reasons(lists[0]))
			assert.Empty(t, lists[1].RevokedCertificateEntries, "the key that issued it revokes it")
			assert.Equal(t, lists[0].Number, lists[1].Number)

			forward, backward := ca.CrossCertificates(1)
			assert.Empty(t, backward, "the first two have one key")
			if !profile.SelfSigned {
				assert.Empty(t, forward, "the CA above has signed both keys")
				return
			}
			require.NoError(t, parse(t, forward).CheckSignatureFrom(certs[1]))
			assert.Equal(t, certs[2].PublicKey, parse(t, forward).PublicKey)
			_, backward = ca.CrossCertificates(2)
			require.NoError(t, parse(t, backward).CheckSignatureFrom(certs[2]))
			assert.Equal(t, certs[1].PublicKey, parse(t, backward).PublicKey)
		})
	}
}

// serialIndexes are the indexes of the CA's certificates in two serial numbers, newest first, and how many forward
// cross certificates the oldest one has.
func serialIndexes(t testing.TB, first, second []byte, ca *adcstest.Authority) []byte {
	t.Helper()
	forward, _ := ca.CrossCertificates(0)
	index := func(der []byte) byte { return parse(t, der).SerialNumber.Bytes()[14] }
	return []byte{index(second), index(first), byte(len(forward))}
}
