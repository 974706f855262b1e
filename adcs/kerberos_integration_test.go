//go:build integration

package adcs_test

import (
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adtest"
)

// domainCA is a CA on a computer of the domain. It has its keys, and knows none of the users.
func domainCA(t *testing.T, d *adtest.Domain, name string, now func() time.Time) *adcstest.Server {
	host := strings.ToLower(name) + "." + adtest.DNSDomain
	account := d.AddComputer(t, name, "host/"+host)
	keys, err := os.ReadFile(d.Keytab(t, account.Name))
	require.NoError(t, err)
	return newServer(t, &adcstest.Options{
		Host: host, Kerberos: adcstest.Kerberos{Keytab: keys}, NTLM: adcstest.NTLMAbsent, Now: now,
	})
}

func domainClient(t *testing.T, d *adtest.Domain, s *adcstest.Server, cred adcs.Credential, o adcs.Options) *adcs.Client {
	o.Timeout, o.EndpointMapper = 20*time.Second, s.EndpointMapper()
	if o.KRB5Conf == "" {
		o.KRB5Conf = d.KRB5Config()
	}
	c, err := adcs.New(s.Host(), s.Name(), cred, &o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// TestDomainEnrolls gets certificates from a CA in a real domain, with every credential.
func TestDomainEnrolls(t *testing.T) {
	d := adtest.Start(t)
	s := domainCA(t, d, "KRBCA", nil)
	u := d.AddUser(t, "enrolling", "password")
	const hash = "8846f7eaee8fb117ad06bdd830b7586c" // of "password"
	for name, cred := range map[string]adcs.Credential{
		"password": adcs.Password(u.Principal(), u.Password), "NetBIOS": adcs.Password(u.Logon(), u.Password),
		"UPN": adcs.Password(u.Name+"@"+adtest.DNSDomain, u.Password), "keytab": adcs.Keytab(u.Principal(), d.Keytab(t, u.Name)),
		"ccache": adcs.CCache(u.Principal(), "FILE:"+d.Kinit(t, u)), "hash": adcs.NTHash(u.Principal(), hash),
	} {
		for _, o := range []adcs.Options{
			{Auth: adcs.AuthKerberos}, {Auth: adcs.AuthNegotiate}, {AllowNTLM: true}, {KRB5Conf: os.DevNull, KDC: d.Host},
		} {
			t.Run(name+"/"+string(o.Auth), func(t *testing.T) {
				c := domainClient(t, d, s, cred, o)
				_, csr := newCSR(t, "www.corp.test")
				got, err := c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})
				require.NoError(t, err)
				assert.Equal(t, adcs.Issued, got.Disposition)
				rows := s.Requests()
				assert.True(t, strings.EqualFold(u.Logon(), rows[len(rows)-1].Requester), rows[len(rows)-1].Requester)
				request, err := x509.ParseCertificateRequest(csr)
				require.NoError(t, err)
				roots := x509.NewCertPool()
				roots.AddCert(s.Chain()[len(s.Chain())-1])
				_, err = adcs.Verify(got.Certificate, adcs.Expect{
					PublicKey: request.PublicKey, Roots: roots, Intermediates: got.Chain, Subject: request.RawSubject,
					DNSNames: request.DNSNames,
				})
				require.NoError(t, err)
			})
		}
	}
}

// TestDomainRefuses has the mistakes that a domain tells, each with its own error. None but a wrong password pauses the
// credential.
func TestDomainRefuses(t *testing.T) {
	d := adtest.Start(t)
	s := domainCA(t, d, "KRBNO", nil)
	u := d.AddUser(t, "enrolling", "Enr0lling-user")
	d.AddComputer(t, "OTHERKEY", "host/alias.corp.test")
	cache := d.Kinit(t, u)
	for name, tc := range map[string]struct {
		cred  adcs.Credential
		o     adcs.Options
		ahead time.Duration
		want  error
		logon bool
	}{
		"wrong password":  {cred: adcs.Password(u.Principal(), "wrong"), want: adcs.ErrWrongPassword, logon: true},
		"unknown user":    {cred: adcs.Password("nobody@CORP.TEST", "wrong"), want: adcs.ErrUnknownPrincipal},
		"unknown service": {cred: adcs.CCache("", cache), o: adcs.Options{SPN: "host/none.corp.test"}, want: adcs.ErrUnknownService},
		"another's key":   {cred: adcs.CCache("", cache), o: adcs.Options{SPN: "host/alias.corp.test"}, want: adcs.ErrTicketRefused},
		"clock":           {cred: adcs.Password(u.Principal(), u.Password), ahead: time.Hour, want: adcs.ErrClockSkew},
		"clock, cache":    {cred: adcs.CCache("", cache), ahead: time.Hour, want: adcs.ErrClockSkew},
		"ended":           {cred: adcs.CCache("", cache), ahead: 240 * time.Hour, want: adcs.ErrTicketExpired},
		"no KDC":          {cred: adcs.Password(u.Principal(), u.Password), o: adcs.Options{KDC: "127.0.0.9"}, want: adcs.ErrNoKDC},
		"no keytab":       {cred: adcs.Keytab(u.Principal(), "none"), want: adcs.ErrNoTicket},
		"another realm": {
			cred: adcs.Password("a@OTHER.TEST", "x"), o: adcs.Options{KRB5Conf: "[libdefaults]\ndns_lookup_kdc=no\n"},
			want: adcs.ErrUnknownRealm,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := tc.o.WithClock(func() time.Time { return time.Now().Add(tc.ahead) })
			err := domainClient(t, d, s, tc.cred, *o).Ping(t.Context())
			require.ErrorIs(t, err, tc.want)
			assert.Equal(t, tc.logon, errors.Is(err, adcs.ErrLogon), "%v", err)
			assert.NotEmpty(t, adcs.Explain(err).Remedy)
		})
	}
	assert.Empty(t, s.Requests())
}

// TestDomainTicketEnds has the domain's tickets end for a client that works on: it logs on again.
func TestDomainTicketEnds(t *testing.T) {
	d := adtest.Start(t)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := domainCA(t, d, "KRBDAYS", now)
	u := d.AddUser(t, "enrolling", "Enr0lling-user")
	c := domainClient(t, d, s, adcs.Password(u.Principal(), u.Password), *adcs.Options{}.WithClock(now))
	c.SetClock(now)
	require.NoError(t, c.Ping(t.Context()))
	ahead.Store(int64(4 * time.Minute)) // as much as clocks may differ
	require.NoError(t, c.Ping(t.Context()))
	ahead.Store(int64(11 * time.Hour))
	require.ErrorIs(t, c.Ping(t.Context()), adcs.ErrClockSkew, "it asks the KDC again, whose clock has not gone on")
	ahead.Store(0)
	require.NoError(t, c.Ping(t.Context()))
}
