package adcs_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// known is a directory that knows one CA.
type known struct {
	adcs.DirectoryFacts
	err   error
	asked atomic.Int32
}

func (d *known) LookUp(_ context.Context, q adcs.DirectoryQuery) (*adcs.DirectoryFacts, error) {
	d.asked.Add(1)
	f := d.DirectoryFacts
	f.TemplateExists = f.TemplateExists || q.Template == "Device" || q.Template == "Hidden"
	return &f, d.err
}

func directoryOf(s *adcstest.Server) *known {
	return &known{DirectoryFacts: adcs.DirectoryFacts{
		CAs: []string{s.Name()}, Templates: []string{"Device", "WebServer"}, Account: "alice", MayEnroll: true,
		MayEnrollAtCA: true, Certificates: s.Chain(),
	}}
}

func rootsOf(s *adcstest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range s.Chain() {
		if c.CheckSignatureFrom(c) == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func statuses(r *adcs.Report) map[adcs.CheckName]adcs.CheckStatus {
	all := map[adcs.CheckName]adcs.CheckStatus{}
	for _, s := range r.Steps {
		all[s.Name] = s.Status
	}
	return all
}

// faultyCA is a server whose CA, but not its endpoint mapper, has a fault.
func faultyCA(t *testing.T, f adcstest.Fault) *adcstest.Server {
	return newServer(t, &adcstest.Options{Fault: func(c adcstest.Call) *adcstest.Fault {
		if c.EndpointMapper {
			return nil
		}
		return &f
	}})
}

// TestCheck makes each fault for real, and expects the step that it belongs to, its cause and its remedy.
func TestCheck(t *testing.T) {
	s := newServer(t, nil)
	off := newServer(t, nil)
	off.SetInterface(false)
	mute := newServer(t, nil)
	mute.SetDCOM(false)
	blocked := newServer(t, &adcstest.Options{NTLM: adcstest.NTLMBlocked})
	absent := newServer(t, &adcstest.Options{NTLM: adcstest.NTLMAbsent})
	noPrivacy := faultyCA(t, adcstest.Fault{Status: uint32(adcs.ErrUnsupportedAuthnLevel), NotExecuted: true})
	denied := faultyCA(t, adcstest.Fault{Status: 5, NotExecuted: true, Signed: true})
	silent := faultyCA(t, adcstest.Fault{Before: func(ctx context.Context) { <-ctx.Done() }})
	for name, c := range map[string]struct {
		server    *adcstest.Server
		host, ca  string
		password  string
		options   adcs.Options
		check     func(*adcs.CheckOptions, *known)
		step      adcs.CheckName // that fails; empty if none does
		want      error
		remedy    string
		unreached adcs.CheckStatus // of the CA's name
	}{
		"all is well": {},
		"wrong CA name, and nobody says which is right": {
			server: mute, ca: "Another CA", check: alone, step: adcs.CheckCAName, remedy: "common name",
		},
		"wrong CA name, says the directory": {server: mute, ca: "Another CA", step: adcs.CheckCAName, remedy: `"Test CA"`},
		"no such host": {
			host: "ca.nowhere.invalid", options: adcs.Options{DialContext: new(net.Dialer).DialContext},
			step: adcs.CheckHost, want: new(net.DNSError), remedy: "DNS",
		},
		"port 135 closed": {
			options: adcs.Options{DialContext: new(net.Dialer).DialContext, EndpointMapper: closedPort(t)},
			step:    adcs.CheckPort, remedy: "port 135",
		},
		"the CA's own port closed": {
			options: adcs.Options{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if !strings.HasSuffix(addr, ":135") {
					return closedPorts(ctx, network, addr)
				}
				return s.DialContext(ctx, network, addr)
			}},
			step: adcs.CheckPort, remedy: "49152",
		},
		"ICertPassage not registered": {
			server: off, step: adcs.CheckInterface, want: adcs.ErrNotRegistered, remedy: "np (port 445), dcom (",
		},
		"wrong password": {
			password: "wrong", step: adcs.CheckLogon, want: adcs.ErrLogon, remedy: "password",
		},
		"wrong password, NTLM by itself": {
			password: "wrong", options: adcs.Options{Auth: adcs.AuthNTLM}, step: adcs.CheckLogon, want: adcs.ErrLogon,
			remedy: "password",
		},
		"NTLM refused":          {server: blocked, step: adcs.CheckLogon, want: adcs.ErrLogon, remedy: "NTLM"},
		"NTLM unknown":          {server: absent, step: adcs.CheckLogon},
		"NTLM unknown, by name": {server: absent, options: adcs.Options{Auth: adcs.AuthNTLM}, step: adcs.CheckLogon, remedy: "Kerberos"},
		"privacy refused": {
			server: noPrivacy, step: adcs.CheckPrivacy, want: adcs.ErrUnsupportedAuthnLevel, remedy: "privacy",
		},
		"no right to call":                  {server: denied, step: adcs.CheckAnswer, want: adcs.ErrAccessDenied, remedy: "account"},
		"no answer":                         {server: silent, options: adcs.Options{Timeout: 300 * time.Millisecond}, step: adcs.CheckAnswer, want: context.DeadlineExceeded},
		"wrong CA name":                     {ca: "Another CA", step: adcs.CheckCAName, want: adcs.ErrInvalidArg, remedy: `"Test CA"`},
		"wrong CA name, and the CA says it": {ca: "Another CA", check: alone, step: adcs.CheckCAName, want: adcs.ErrInvalidArg, remedy: `"Test CA"`},
		"not published, says the CA": {
			check: func(o *adcs.CheckOptions, _ *known) { o.Template, o.Directory = "Hidden", nil }, step: adcs.CheckTemplate,
			want: adcs.ErrUnsupportedCertType, remedy: `"WebServer"`,
		},
		"template not published":   {check: template("Hidden"), step: adcs.CheckTemplate, want: adcs.ErrUnsupportedCertType, remedy: `"WebServer"`},
		"template does not exist":  {check: template("Nonesuch"), step: adcs.CheckTemplate, want: adcs.ErrUnsupportedCertType, remedy: "display name"},
		"no right on the template": {check: rights(false, true), step: adcs.CheckEnroll, want: adcs.ErrTemplateDenied, remedy: "Enroll"},
		"no right at the CA":       {check: rights(true, false), step: adcs.CheckEnroll, want: adcs.ErrEnrollDenied, remedy: "Request Certificates"},
		"untrusted chain": {
			check: func(o *adcs.CheckOptions, _ *known) { o.Roots = rootsOf(off) },
			step:  adcs.CheckChain, want: x509.UnknownAuthorityError{}, remedy: "roots",
		},
		"expired chain": {
			options: *adcs.Options{}.WithClock(func() time.Time { return time.Now().AddDate(50, 0, 0) }),
			step:    adcs.CheckChain, want: x509.CertificateInvalidError{}, remedy: "Renew",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := c.server
			if server == nil {
				server = s
			}
			o := *c.options.WithoutKDC()
			o.Transport, o.AllowNTLM = adcs.TransportTCP, true
			if o.DialContext == nil {
				o.DialContext = server.DialContext
			}
			host, ca, password := server.Host(), server.Name(), server.User().Password
			if c.host != "" {
				host = c.host
			}
			if c.ca != "" {
				ca = c.ca
			}
			if c.password != "" {
				password = c.password
			}
			client, err := adcs.New(host, ca, adcs.Password(server.User().Account(), password), &o)
			require.NoError(t, err)
			defer client.Close()
			d := directoryOf(server)
			check := &adcs.CheckOptions{Template: "Device", Roots: rootsOf(server), Directory: d}
			if c.check != nil {
				c.check(check, d)
			}
			report := client.Check(t.Context(), check)
			require.Len(t, report.Steps, 11)
			assert.Empty(t, server.Requests(), "a check submits nothing")
			failed := report.Failed()
			if c.step == "" {
				require.NoError(t, report.Err())
				for _, step := range report.Steps {
					assert.Equal(t, adcs.CheckPassed, step.Status, "%s: %s", step.Name, step.Detail)
				}
				assert.Equal(t, adcs.TransportTCP, report.Transport)
				return
			}
			require.NotNil(t, failed)
			assert.Equal(t, c.step, failed.Name)
			require.Error(t, failed.Err)
			require.ErrorIs(t, report.Err(), failed.Err)
			switch want := c.want.(type) {
			case nil:
			case *net.DNSError:
				assert.ErrorAs(t, failed.Err, &want)
			case x509.UnknownAuthorityError:
				assert.ErrorAs(t, failed.Err, &want)
			case x509.CertificateInvalidError:
				assert.ErrorAs(t, failed.Err, &want)
			default:
				assert.ErrorIs(t, failed.Err, want)
			}
			assert.NotEmpty(t, failed.Summary)
			assert.Contains(t, failed.Remedy, c.remedy)
			for _, step := range report.Steps {
				if step.Status == adcs.CheckSkipped {
					assert.NotEmpty(t, step.Detail, "a reason for skipping %s", step.Name)
				}
			}
			if errors.Is(failed.Err, adcs.ErrLogon) {
				assert.Zero(t, d.asked.Load(), "the directory would see the same password")
				again := client.Check(t.Context(), check)
				assert.ErrorContains(t, again.Err(), "not tried again")
			}
		})
	}
}

// alone leaves the directory out.
func alone(o *adcs.CheckOptions, _ *known) { o.Directory = nil }

func template(name string) func(*adcs.CheckOptions, *known) {
	return func(o *adcs.CheckOptions, _ *known) { o.Template = name }
}

func rights(onTemplate, atCA bool) func(*adcs.CheckOptions, *known) {
	return func(_ *adcs.CheckOptions, d *known) { d.MayEnroll, d.MayEnrollAtCA = onTemplate, atCA }
}

// TestCheckClock measures the difference of the clocks.
func TestCheckClock(t *testing.T) {
	fast := newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{ClockSkew: time.Hour}})
	cache, err := fast.Ticket(adcstest.TicketRequest{User: `CORP\alice`})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "ccache")
	require.NoError(t, os.WriteFile(path, cache, 0o600))
	client, err := adcs.New(fast.Host(), fast.Name(), adcs.CCache("", path), &adcs.Options{
		Transport: adcs.TransportTCP, DialContext: fast.DialContext, KRB5Conf: fast.KRB5Config(),
	})
	require.NoError(t, err)
	defer client.Close()
	failed := client.Check(t.Context(), nil).Failed()
	require.NotNil(t, failed)
	assert.Equal(t, adcs.CheckClock, failed.Name)
	assert.ErrorIs(t, failed.Err, adcs.ErrClockSkew)
	assert.Regexp(t, `^the other clock is (59m5\d|1h0m0)s ahead of this host's$`, failed.Detail)
	assert.Contains(t, failed.Remedy, "clock")
}

// TestCheckSkips: what is not known is skipped, and never taken for good.
func TestCheckSkips(t *testing.T) {
	s := newServer(t, nil)
	s.SetDCOM(false)
	client := newClient(t, s, nil)
	d := directoryOf(s)
	d.err = errors.New("closed\nfor today")
	report := client.Check(t.Context(), &adcs.CheckOptions{Template: "Device", Roots: rootsOf(s), Directory: d})
	require.NoError(t, report.Err())
	got := statuses(report)
	for _, name := range []adcs.CheckName{adcs.CheckTemplate, adcs.CheckEnroll, adcs.CheckChain} {
		assert.Equal(t, adcs.CheckSkipped, got[name], name)
	}
	assert.Contains(t, report.Steps[9].Detail, "closed for today")

	require.NoError(t, client.Close())
	report = client.Check(t.Context(), nil)
	require.ErrorIs(t, report.Err(), net.ErrClosed)
}

// TestCheckLadder finds the second transport, and asks nobody to mend the first.
func TestCheckLadder(t *testing.T) {
	s := newServer(t, nil)
	c, _, _ := climber(t, s, nil, closedPorts, s.DialContext)
	report := c.Check(t.Context(), nil)
	require.NoError(t, report.Err())
	require.Nil(t, report.Failed())
	assert.Equal(t, adcs.TransportNamedPipe, report.Transport)
	require.Len(t, report.Steps, 18)
	assert.Equal(t, adcs.CheckFailed, report.Steps[1].Status)
	assert.True(t, report.Steps[1].Bypassed)

	c, _, second := climber(t, s, nil, s.DialContext, s.DialContext)
	require.NoError(t, c.Check(t.Context(), nil).Err())
	assert.Zero(t, second.count(), "the first leads to the CA")

	c, _, _ = climber(t, s, nil, closedPorts, closedPorts)
	report = c.Check(t.Context(), nil)
	require.Error(t, report.Err())
	assert.Empty(t, report.Transport)
	assert.Len(t, report.Steps, 18)
}
