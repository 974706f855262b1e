package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// site is a CA and a gateway, with a folder that configures a connector between them.
type site struct {
	t       testing.TB
	ca      *adcstest.Server
	gateway *gateway.Gateway
	folder  string
	config  *config
}

// newSite starts both. The gateway's configuration can be changed before.
func newSite(t testing.TB, changes ...func(*gateway.Config)) *site {
	ca, err := adcstest.NewServer(&adcstest.Options{Host: "localhost"})
	require.NoError(t, err)
	t.Cleanup(ca.Close)
	s := &site{t: t, ca: ca, folder: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.gateway.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	url := "wss" + server.URL[len("https"):]
	authority, err := wsproto.Authority(url)
	require.NoError(t, err)
	gc := gateway.Config{
		Tenant:    func(*http.Request) (string, error) { return "acme", nil },
		TenantKey: func(context.Context, string) (crypto.Signer, error) { return key, nil },
		Authority: authority, Store: gateway.NewMemoryStore(),
	}
	for _, change := range changes {
		change(&gc)
	}
	s.gateway, err = gateway.New(gc)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.gateway.Close()) })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.gateway.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })

	s.code()
	s.write("password", []byte(ca.User().Password+"\n"))
	chain := ca.Chain()
	s.write("ca.pem", cli.EncodeCertificates(chain[len(chain)-1]))
	s.write("gateway.pem", cli.EncodeCertificates(server.Certificate()))
	s.config = &config{
		State: "state", TPM: tpmNone, Capacity: 2, GraceSeconds: 10, // not the TPM of the machine that runs the test
		Gateway: gatewayConfig{URL: url, Tenant: "acme", EnrollmentCodeFile: "code", Roots: "gateway.pem"},
		CAs: []caConfig{{
			Host: ca.Host(), Name: ca.Name(), User: ca.User().Account(), PasswordFile: "password", Roots: "ca.pem", Auth: "ntlm",
			EndpointMapper: ca.EndpointMapper(),
		}},
		Policy: connector.Policy{
			CAs: []wsproto.CAAssignment{s.served()}, Templates: []string{"Device"}, Keys: []string{"p256"}, Subjects: []string{"CN=*"},
			DNS: []string{".devices.corp.test"}, OrdersPerHour: 10, Passwords: true,
		},
	}
	return s
}

// code has a new enrollment code made.
func (s *site) code() {
	s.t.Helper()
	code, _, err := s.gateway.NewEnrollmentCode(s.t.Context(), "acme", &gateway.CodeOptions{CAs: []wsproto.CAAssignment{s.served()}})
	require.NoError(s.t, err)
	s.write("code", []byte(code.Reveal()))
}

func (s *site) served() wsproto.CAAssignment {
	return wsproto.CAAssignment{Host: s.ca.Host(), Name: s.ca.Name()}
}

func (s *site) write(name string, content []byte) {
	require.NoError(s.t, os.WriteFile(filepath.Join(s.folder, name), content, 0o600))
}

func (s *site) read(name string) string {
	text, err := os.ReadFile(filepath.Join(s.folder, name))
	require.NoError(s.t, err)
	return string(text)
}

// loaded writes the configuration, and reads it as the command does.
func (s *site) loaded() *config {
	s.t.Helper()
	raw, err := json.Marshal(s.config)
	require.NoError(s.t, err)
	s.write("connector.json", raw)
	c, err := loadConfig(filepath.Join(s.folder, "connector.json"))
	require.NoError(s.t, err)
	c.TPM = cmp.Or(c.TPM, tpmAuto)
	return c
}

// run runs the command until stop is called, which returns its error.
func (s *site) run(log *slog.Logger, args ...string) (stop func() error) {
	s.loaded()
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, append([]string{"-config", filepath.Join(s.folder, "connector.json")}, args...), os.Stdout, log)
	}()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	s.t.Cleanup(func() { _ = stop() })
	return stop
}

func (s *site) order() wsproto.Outcome {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	id, err := s.gateway.Order(ctx, "acme", wsproto.Order{
		CA: s.served(), Template: "Device", Subject: "CN=printer", DNS: []string{"printer.devices.corp.test"}, Key: "p256",
		Password: "correct-horse-battery",
	}, nil)
	require.NoError(s.t, err)
	o, err := s.gateway.Wait(ctx, "acme", id)
	require.NoError(s.t, err)
	return o
}

// TestConnector runs the command against a real gateway and a CA over DCE/RPC, twice with the same state folder: the
// second time the enrollment code is used up, and gone.
func TestConnector(t *testing.T) {
	s := newSite(t)
	var log safeBuffer
	for range 2 {
		stop := s.run(slog.New(slog.NewTextHandler(&log, nil)))
		o := s.order()
		require.Equal(t, wsproto.Issued, o.Kind, "%+v", o)
		_, chain, err := pkcs12.Decode(o.PKCS12, "correct-horse-battery")
		require.NoError(t, err)
		assert.Equal(t, []string{"printer.devices.corp.test"}, chain[0].DNSNames)
		require.NoError(t, stop())
		require.NoError(t, os.Remove(filepath.Join(s.folder, "code")), "only there the first time")
		s.write("code", []byte("used up"))
	}
	text := log.String()
	assert.Contains(t, text, "outcome=issued")
	for _, secret := range []string{s.ca.User().Password, "correct-horse-battery", "PRIVATE"} {
		assert.NotContains(t, text, secret)
	}
	require.Len(t, s.ca.Requests(), 2)
}

// TestKerberos logs on to the CA with a credential cache, which NTLM could do nothing with.
func TestKerberos(t *testing.T) {
	s := newSite(t)
	cache, err := s.ca.Ticket(adcstest.TicketRequest{})
	require.NoError(t, err)
	s.write("ccache", cache)
	s.write("krb5.conf", []byte(s.ca.KRB5Config()))
	ca := &s.config.CAs[0]
	ca.PasswordFile, ca.CCache, ca.KRB5Conf, ca.Auth = "", "ccache", "krb5.conf", ""
	stop := s.run(slog.New(slog.DiscardHandler))
	o := s.order()
	assert.Equal(t, wsproto.Issued, o.Kind, "%+v", o)
	require.NoError(t, stop())
	rows := s.ca.Requests()
	require.Len(t, rows, 1)
	assert.Equal(t, s.ca.User().Account(), rows[0].Requester)
}

func TestShow(t *testing.T) {
	s := newSite(t)
	raw, err := json.Marshal(s.config)
	require.NoError(t, err)
	s.write("connector.json", raw)
	var out [2]wholeWrites
	for i := range out {
		require.NoError(t, run(t.Context(), []string{"-config", filepath.Join(s.folder, "connector.json"), "show"}, &out[i], slog.New(slog.DiscardHandler)))
	}
	assert.Equal(t, out[0].String(), out[1].String(), "the identity is the same the second time")
	assert.Regexp(t, `fingerprint    [0-9a-f]{64}\n`, out[0].String())
	assert.Equal(t, 1, out[0].count, "a reader that hangs up after a line would end the process before the TPM is emptied")
}

// wholeWrites counts what is written to it.
type wholeWrites struct {
	bytes.Buffer
	count int
}

func (w *wholeWrites) Write(p []byte) (int, error) {
	w.count++
	return w.Buffer.Write(p)
}

// TestCheck: every mistake in the configuration is an error that names it.
func TestCheck(t *testing.T) {
	s := newSite(t)
	good, err := json.Marshal(s.config)
	require.NoError(t, err)
	check := func(c config) error {
		raw, err := json.Marshal(c)
		require.NoError(t, err)
		s.write("connector.json", raw)
		return run(t.Context(), []string{"-config", filepath.Join(s.folder, "connector.json"), "check"}, os.Stdout, slog.New(slog.DiscardHandler))
	}
	require.NoError(t, check(*s.config))
	for want, spoil := range map[string]func(*config){
		"cas is missing":             func(c *config) { c.CAs = nil },
		"gateway.url":                func(c *config) { c.Gateway.URL = "" },
		"roots":                      func(c *config) { c.CAs[0].Roots = "missing.pem" },
		"password":                   func(c *config) { c.CAs[0].PasswordFile = "missing" },
		"authentication":             func(c *config) { c.CAs[0].Auth = "basic" },
		"give one of them":           func(c *config) { c.CAs[0].Keytab = "keytab" },
		"auth ntlm needs":            func(c *config) { c.CAs[0].PasswordFile, c.CAs[0].CCache = "", "cache" },
		"keytab: open":               func(c *config) { c.CAs[0].Auth, c.CAs[0].PasswordFile, c.CAs[0].Keytab = "", "", "missing" },
		"ccache: open":               func(c *config) { c.CAs[0].Auth, c.CAs[0].PasswordFile, c.CAs[0].CCache = "", "", "missing" },
		"krb5Conf: open":             func(c *config) { c.CAs[0].KRB5Conf = "missing" },
		"is not service/host":        func(c *config) { c.CAs[0].SPN = "ca" },
		"neither host nor host:port": func(c *config) { c.CAs[0].KDC = "a/b" },
		"or keytab or ccache":        func(c *config) { c.CAs[0].PasswordFile = "" },
		"currentAccount has no user": func(c *config) { c.CAs[0].CurrentAccount = true },
		"on Windows only": func(c *config) {
			c.CAs[0].CurrentAccount, c.CAs[0].User, c.CAs[0].PasswordFile = true, "", ""
		},
		"gateway.pins":                  func(c *config) { c.Gateway.Pins = []string{"zz"} },
		"gateway.enrollmentCodeFile":    func(c *config) { c.Gateway.EnrollmentCodeFile = "missing" },
		"not an enrollment code":        func(c *config) { c.Gateway.EnrollmentCodeFile = "password" },
		"gateway.tenantKey":             func(c *config) { c.Gateway.TenantKey = "12" },
		"tenant key":                    func(c *config) { c.Gateway.TenantKey = wsproto.Fingerprint{1}.String() },
		"gateway.url is not wss":        func(c *config) { c.Gateway.URL = "https://localhost" },
		"policy.keys":                   func(c *config) { c.Policy.Keys = []string{"p265"} },
		"cas[0]":                        func(c *config) { c.CAs[0].User = "" },
		"connector.json: cas[0]":        func(c *config) { c.CAs[0].EndpointMapper = "nonsense" },
		`transport "carrier pigeon"`:    func(c *config) { c.CAs[0].Transport = "carrier pigeon" },
		"subjects":                      func(c *config) { c.Policy.Subjects = []string{"nonsense"} },
		"ordersPerHour":                 func(c *config) { c.Policy.OrdersPerHour = -1 },
		"the tenant's key must be pinn": func(c *config) { c.Gateway.EnrollmentCodeFile = "" },
	} {
		var c config
		require.NoError(t, json.Unmarshal(good, &c))
		spoil(&c)
		assert.ErrorContains(t, check(c), want)
	}
	s.write("connector.json", bytes.Replace(good, []byte(`"capacity"`), []byte(`"capacty"`), 1))
	assert.ErrorContains(t, run(t.Context(), []string{"-config", filepath.Join(s.folder, "connector.json"), "check"}, os.Stdout, nil), "capacty")
	assert.Error(t, run(t.Context(), []string{"-config", filepath.Join(s.folder, "none.json")}, os.Stdout, nil))
}

// TestCheckPrintsWhatItComesTo, with what is allowed and most likely not meant.
func TestCheckPrintsWhatItComesTo(t *testing.T) {
	s := newSite(t)
	check := func() string {
		raw, err := json.Marshal(s.config)
		require.NoError(t, err)
		s.write("connector.json", raw)
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), []string{"-config", filepath.Join(s.folder, "connector.json"), "check"}, &out,
			slog.New(slog.DiscardHandler)))
		assert.NotContains(t, out.String(), s.ca.User().Password)
		return out.String()
	}
	s.config.Gateway.URL += "/connect/acme"
	good := check()
	assert.Regexp(t, `^configuration ok: tenant acme at wss://\S+, not registered yet; 2 jobs at once\n`, good)
	assert.Contains(t, good, "1 templates, keys p256, 10 orders an hour")
	other := wsproto.CAAssignment{Host: "other", Name: "Other CA"}
	s.config.Policy = connector.Policy{CAs: []wsproto.CAAssignment{other}}
	s.config.Gateway.Tenant = "ACME"
	bad := check()
	for _, want := range []string{
		"templates is empty", "keys is empty", "subjects is empty", "ordersPerHour is 0", "passwords is false",
		"Other CA on other is not in cas", "is not in policy.cas", `does not end in the tenant's name, "ACME"`,
		"configuration ok", "8 warnings",
	} {
		assert.Contains(t, bad, want)
	}
}

// TestPendingAndRefusedAreSaid: whoever runs the connector reads what a person has to do, and what is refused.
func TestPendingAndRefusedAreSaid(t *testing.T) {
	s := newSite(t)
	code, err := wsproto.ParseEnrollmentCode(s.read("code"))
	require.NoError(t, err)
	s.config.Gateway.TenantKey, s.config.Gateway.EnrollmentCodeFile = code.TenantKey().String(), ""
	var log safeBuffer
	s.run(slog.New(slog.NewTextHandler(&log, nil)))
	said := func(what string) func() bool {
		return func() bool { return strings.Contains(log.String(), what) }
	}
	require.Eventually(t, said("state=pending"), time.Minute, time.Millisecond)
	all, err := s.gateway.Connectors(t.Context(), "acme")
	require.NoError(t, err)
	id := all[0].ID
	require.Contains(t, log.String(), "fingerprint="+id)
	require.Contains(t, log.String(), "gateway approve acme "+id)
	require.NoError(t, s.gateway.Assign(t.Context(), "acme", id, []wsproto.CAAssignment{s.served()}))
	require.NoError(t, s.gateway.Approve(t.Context(), "acme", id))
	_, err = s.gateway.Order(t.Context(), "acme", wsproto.Order{
		CA: s.served(), Template: "Administrator", Subject: "CN=printer", Key: "p256", Password: "correct-horse-battery",
	}, nil)
	require.NoError(t, err)
	require.Eventually(t, said("level=WARN msg=refused"), time.Minute, time.Millisecond)
	require.Contains(t, log.String(), "reason=policy-template")
	require.NotContains(t, log.String(), "correct-horse")
}

// TestStopIsExplained: an error after which a person has to act is said once, with what to do.
func TestStopIsExplained(t *testing.T) {
	s := newSite(t)
	first := s.run(slog.New(slog.DiscardHandler))
	require.Equal(t, wsproto.Issued, s.order().Kind)
	require.NoError(t, first())
	s.config.State = "another" // an installation with a code that is used up
	var log safeBuffer
	stop := s.run(slog.New(slog.NewTextHandler(&log, nil)))
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "stopped until") }, time.Minute, time.Millisecond)
	require.ErrorIs(t, stop(), connector.ErrStopped)
	assert.Contains(t, log.String(), "have a new enrollment code made (gateway code acme")
	assert.Equal(t, strings.Count(log.String(), "state=disconnected"), strings.Count(log.String(), "error="), log.String())
}

// TestAdvice has something to say about every way to stop, and about a wrong tenant.
func TestAdvice(t *testing.T) {
	s := &service{config: new(config)}
	for _, err := range []error{
		wsproto.CodeEnrollment, wsproto.CodeRevoked, wsproto.ErrVersion, wsproto.CodeVersion, wsproto.ErrTenantKey, wsproto.ErrSignature,
		&wsproto.CloseError{Remote: true, Code: wsproto.CloseRevoked}, &wsproto.CloseError{Remote: true, Code: wsproto.CloseSuperseded},
		&wsproto.CloseError{Remote: true, Code: wsproto.CloseDuplicateKey}, &wsproto.CloseError{Remote: true, Code: wsproto.CloseVersion},
		tpm.ErrAuth,
	} {
		assert.NotEmpty(t, s.advice(fmt.Errorf("%w: %w", connector.ErrStopped, err)), "%v", err)
	}
	assert.Empty(t, s.advice(errors.New("network")))
}

// TestExample holds the example configuration to the code.
func TestExample(t *testing.T) {
	c, err := loadConfig("connector.example.json")
	require.NoError(t, err)
	_, err = c.Policy.Compile()
	require.NoError(t, err)
}

// TestFindIsConfigured: lost answers are looked up unless the configuration says otherwise.
func TestFindIsConfigured(t *testing.T) {
	s := newSite(t)
	no, yes := false, true
	for find, want := range map[*bool]bool{nil: true, &yes: true, &no: false} {
		s.config.CAs[0].Find = find
		raw, err := json.Marshal(s.config)
		require.NoError(t, err)
		s.write("connector.json", raw)
		c, err := loadConfig(filepath.Join(s.folder, "connector.json"))
		require.NoError(t, err)
		i, err := c.newIssuer()
		require.NoError(t, err)
		assert.Equal(t, want, i.Finds(s.served()))
		require.NoError(t, i.Close())
	}
}

// TestReload changes the password of the account while the connector runs.
func TestReload(t *testing.T) {
	s := newSite(t)
	right := s.ca.User().Password
	s.write("password", []byte("wrong"))
	k, err := openKeys(s.loaded())
	require.NoError(t, err)
	service, err := newService(s.loaded(), k, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	reload, done := make(chan os.Signal), make(chan struct{})
	running.Go(func() { assert.NoError(t, service.connector.Run(ctx)) })
	running.Go(func() { service.watch(reload, done) })
	defer func() { cancel(); close(done); running.Wait(); assert.NoError(t, service.issuer.Close()) }()

	o := s.order()
	require.Equal(t, wsproto.ReasonCALogon, o.Reason, "%+v", o)
	require.Equal(t, wsproto.RetryOperator, o.Retry)
	s.write("password", []byte(right))
	reload <- os.Interrupt
	reload <- os.Interrupt // the first one is done
	before := service.pool.Stats()[keygen.ECDSAP256].Taken
	require.Equal(t, wsproto.Issued, s.order().Kind)
	assert.Equal(t, before+1, service.pool.Stats()[keygen.ECDSAP256].Taken, "keys still come from the pool")
}

func TestExitStatus(t *testing.T) {
	assert.Equal(t, 0, exitStatus(nil))
	assert.Equal(t, 1, exitStatus(errors.New("anything")))
	assert.Equal(t, 2, exitStatus(cli.Usagef("x")))
	assert.Equal(t, 4, exitStatus(connector.ErrJobsCut))
	assert.Equal(t, 3, exitStatus(connector.ErrStopped))
}

// safeBuffer is written to by the goroutines of a connector.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
