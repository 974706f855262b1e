package adcs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// ticketClient is a client that logs on to a server with tickets that another, or the same, has made. It does not ask
// for any KDC, and NTLM is not allowed.
func ticketClient(t testing.TB, s, kdc *adcstest.Server, r adcstest.TicketRequest, o adcs.Options) *adcs.Client {
	t.Helper()
	cache, err := kdc.Ticket(r)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "ccache")
	require.NoError(t, os.WriteFile(path, cache, 0o600))
	o.DialContext, o.KRB5Conf, o.Timeout = s.DialContext, kdc.KRB5Config(), 20*time.Second
	c, err := adcs.New(s.Host(), s.Name(), adcs.CCache("", path), &o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// TestKerberosTicket gets certificates with tickets of the server, of every encryption type, in every form of the
// calls.
func TestKerberosTicket(t *testing.T) {
	s := newServer(t, nil)
	small := newServer(t, &adcstest.Options{Wire: adcstest.Wire{MaxFragment: 1432, NoHeaderSigning: true}})
	for name, encryption := range map[string]adcstest.Encryption{
		"aes256": adcstest.AES256, "aes128": adcstest.AES128, "rc4": adcstest.RC4,
	} {
		for _, auth := range []adcs.Auth{adcs.AuthKerberos, adcs.AuthNegotiate} {
			for form, o := range map[string]*adcs.Options{"ndr": {Auth: auth}, "ndr64": adcs.Options{Auth: auth}.WithNDR64()} {
				for wire, s := range map[string]*adcstest.Server{"whole": s, "fragments": small} {
					t.Run(fmt.Sprintf("%s/%s/%s/%s", name, auth, form, wire), func(t *testing.T) {
						r := adcstest.TicketRequest{User: `CORP\alice`, Encryption: encryption}
						c := ticketClient(t, s, s, r, *o)
						require.NoError(t, c.Ping(t.Context()))
						for _, size := range []int{10, 20_000} {
							got, err := c.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, size), Template: "WebServer"})
							require.NoError(t, err)
							assert.Equal(t, adcs.Issued, got.Disposition)
						}
						rows := s.Requests()
						assert.Equal(t, `CORP\alice`, rows[len(rows)-1].Requester)
					})
				}
			}
		}
	}
}

// TestKerberosTicketRefused is what the client makes of a server's refusals, each of which reaches it as a KRB-ERROR.
func TestKerberosTicketRefused(t *testing.T) {
	s, other := newServer(t, nil), newServer(t, nil)
	fast := newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{ClockSkew: time.Hour}})
	closed := newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{ListedOnly: true}})
	day := adcs.Options{}.WithClock(func() time.Time { return time.Now().Add(4 * time.Minute) })
	for name, c := range map[string]struct {
		s, kdc *adcstest.Server
		r      adcstest.TicketRequest
		o      *adcs.Options
		want   error
		text   string
	}{
		"key of another server": {s: s, kdc: other, want: adcs.ErrTicketRefused, text: "KRB_AP_ERR_MODIFIED"},
		"fast clock":            {s: fast, kdc: fast, want: adcs.ErrClockSkew, text: "KRB_AP_ERR_SKEW"},
		"expired": {
			s: s, kdc: s, r: adcstest.TicketRequest{Start: time.Now().Add(-2 * time.Hour), Lifetime: time.Hour},
			want: adcs.ErrTicketExpired,
		},
		"not yet valid": {
			s: s, kdc: s, r: adcstest.TicketRequest{Start: time.Now().Add(20 * time.Minute)}, want: adcs.ErrClockSkew,
		},
		"skew within bounds": {s: s, kdc: s, o: day},
		"not listed":         {s: closed, kdc: closed, r: adcstest.TicketRequest{User: "bob"}, want: adcs.ErrTicketRefused},
		"no ticket for it": {
			s: s, kdc: s, r: adcstest.TicketRequest{SPNs: []string{"cifs/ca.corp.test"}}, want: adcs.ErrNoTicket,
		},
	} {
		for _, auth := range []adcs.Auth{adcs.AuthKerberos, adcs.AuthNegotiate} {
			t.Run(name+"/"+string(auth), func(t *testing.T) {
				if c.o == nil {
					c.o = &adcs.Options{}
				}
				c.o.Auth = auth
				err := ticketClient(t, c.s, c.kdc, c.r, *c.o).Ping(t.Context())
				if c.want == nil {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, c.want)
				require.NotErrorIs(t, err, adcs.ErrLogon, "nothing that could lock the account")
				assert.ErrorContains(t, err, c.text)
				assert.NotEmpty(t, adcs.Explain(err).Remedy)
			})
		}
	}
}

// TestKerberosOff is a server that knows NTLM alone, or nothing at all: without permission the client does not use it.
func TestKerberosOff(t *testing.T) {
	for _, policy := range []adcstest.NTLMPolicy{adcstest.NTLMAllowed, adcstest.NTLMAbsent} {
		s := newServer(t, &adcstest.Options{NTLM: policy, Kerberos: adcstest.Kerberos{Off: true}})
		for _, auth := range []adcs.Auth{adcs.AuthKerberos, adcs.AuthNegotiate} {
			c := ticketClient(t, s, s, adcstest.TicketRequest{}, adcs.Options{Auth: auth})
			_, err := c.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
			require.ErrorContains(t, err, "bind", auth)
			require.NotErrorIs(t, err, adcs.ErrLogon)
			require.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
		}
		assert.Empty(t, s.Requests())
	}
}

// TestNTLMRefused is a server that does not let users of NTLM in, in either of the ways in which servers do that.
func TestNTLMRefused(t *testing.T) {
	blocked := newServer(t, &adcstest.Options{NTLM: adcstest.NTLMBlocked})
	absent := newServer(t, &adcstest.Options{NTLM: adcstest.NTLMAbsent})
	for _, auth := range auths() {
		require.ErrorIs(t, newClient(t, blocked, &adcs.Options{Auth: auth}).Ping(t.Context()), adcs.ErrLogon)
	}
	err := newClient(t, absent, &adcs.Options{Auth: adcs.AuthNTLM}).Ping(t.Context())
	require.ErrorContains(t, err, "authentication_type_not_recognized")
	require.Error(t, newClient(t, absent, nil).Ping(t.Context()))
	assert.Empty(t, append(blocked.Requests(), absent.Requests()...))
}

// TestKerberosTicketForget gets in again after the server has changed its keys and the cache has a new ticket.
func TestKerberosTicketForget(t *testing.T) {
	s, other := newServer(t, nil), newServer(t, nil)
	path := filepath.Join(t.TempDir(), "ccache")
	write := func(kdc *adcstest.Server) {
		cache, err := kdc.Ticket(adcstest.TicketRequest{})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, cache, 0o600))
	}
	write(other)
	c, err := adcs.New(s.Host(), s.Name(), adcs.CCache("", path), &adcs.Options{
		Auth: adcs.AuthKerberos, DialContext: s.DialContext, KRB5Conf: s.KRB5Config(), Timeout: 20 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.ErrorIs(t, c.Ping(t.Context()), adcs.ErrTicketRefused)
	write(s)
	require.NoError(t, c.Ping(t.Context()))
}

// TestKerberosTicketDCOM does with a ticket what takes several associations: activation and the object's own.
func TestKerberosTicketDCOM(t *testing.T) {
	s := newServer(t, nil)
	for _, auth := range []adcs.Auth{adcs.AuthKerberos, adcs.AuthNegotiate} {
		c := ticketClient(t, s, s, adcstest.TicketRequest{User: "alice"}, adcs.Options{Auth: auth, Transport: adcs.TransportDCOM})
		got, err := c.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
		require.NoError(t, err)
		assert.Equal(t, adcs.Issued, got.Disposition)
		info, err := c.Describe(t.Context())
		require.NoError(t, err)
		assert.Equal(t, s.Name(), info.Name)
	}
	assert.Equal(t, `CORP\alice`, s.Requests()[0].Requester)
}
