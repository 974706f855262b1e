//go:build integration

package discovery_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/discovery"
	"github.com/adcskit/adcskit/internal/adtest"
)

func TestMain(m *testing.M) { adtest.Main(m) }

// newCertificate is a self-signed certificate of a CA.
func newCertificate(t *testing.T, name string, notAfter time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

// lab is the domain with a CA, the connector's account, and some templates.
type lab struct {
	*adtest.Domain
	svc, team adtest.Account
	ca        *x509.Certificate
}

func newLab(t *testing.T) *lab {
	t.Helper()
	d := adtest.Start(t)
	l := &lab{Domain: d, svc: d.AddUser(t, "svc", "Pass-word1")}
	l.team = d.AddGroup(t, "PKI team", l.svc)
	all := d.AddGroup(t, "PKI everybody", l.team, d.AddUser(t, "bob", "Pass-word2"))
	l.ca = newCertificate(t, "Corp Issuing CA", time.Now().Add(time.Hour))
	d.AddTemplate(t, adtest.Template{
		Name: "Device", DisplayName: "Device of a customer", SchemaVersion: 4, NameFlags: 1, KeyFlags: 0x1010,
		MinKeySize: 3072, EKUs: []string{adtest.ClientAuth}, Validity: 365 * 24 * time.Hour, Renewal: 6 * 7 * 24 * time.Hour,
		SDDL: adtest.EnrollSDDL(l.team.SID),
		RAPolicies: "msPKI-Asymmetric-Algorithm`PZPWSTR`ECDSA_P256`msPKI-Hash-Algorithm`PZPWSTR`SHA256`" +
			"msPKI-Key-Usage`DWORD`16777215`",
		Attributes: map[string][]string{"pKIDefaultCSPs": {"1,Microsoft Software Key Storage Provider"}},
	})
	d.AddTemplate(t, adtest.Template{
		Name: "Open", SchemaVersion: 2, NameFlags: 1, EnrollmentFlags: 0x80000, MinKeySize: 2048,
		EKUs: []string{adtest.ClientAuth}, SDDL: adtest.EnrollSDDL(all.SID),
	})
	d.PublishCA(t, adtest.CA{
		Name: "Corp Issuing CA", Host: "ca.corp.test", Certificates: []*x509.Certificate{l.ca},
		Roots:     []*x509.Certificate{newCertificate(t, "Corp Root", time.Now().Add(time.Hour))},
		Templates: []string{"Device", "Open", "User"},
	})
	return l
}

// TestSamba runs everything against one domain.
func TestSamba(t *testing.T) {
	l := newLab(t)
	t.Run("read", l.testRead)
	t.Run("account", l.testAccount)
	t.Run("lookup", l.testLookup)
	t.Run("refusals", l.testRefusals)
	t.Run("sealed", l.testSealed)
}

// recorded is a connection that keeps what is on the wire.
type recorded struct {
	net.Conn
	mu   sync.Mutex
	wire []byte
}

func (r *recorded) note(b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wire = append(r.wire, b...)
}

func (r *recorded) seen() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.wire)
}

func (r *recorded) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.note(b[:n])
	return n, err
}

func (r *recorded) Write(b []byte) (int, error) {
	r.note(b)
	return r.Conn.Write(b)
}

// testSealed looks for what is asked and answered on the wire.
func (l *lab) testSealed(t *testing.T) {
	for _, o := range []discovery.Options{
		{KRB5Conf: l.KRB5Config()}, {Auth: adcs.AuthNTLM},
		{Protection: discovery.ProtectTLS, Roots: l.Roots()}, {Protection: discovery.ProtectStartTLS, Roots: l.Roots()},
	} {
		var all []*recorded
		o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			all = append(all, &recorded{Conn: c})
			return all[len(all)-1], err
		}
		c, err := discovery.New(l.Host, adcs.Password(l.svc.Logon(), l.svc.Password), &o)
		require.NoError(t, err)
		_, err = c.Read(t.Context())
		require.NoError(t, err)
		var wire []byte
		for _, r := range all {
			wire = append(wire, r.seen()...)
		}
		assert.Greater(t, len(wire), 10_000)
		for _, word := range []string{l.svc.Password, "Certificate Templates", "Device", "tokenGroups", "PKI team"} {
			assert.NotContains(t, string(wire), word, o.Protection)
		}
	}
}

// testRead reads the directory over each protection.
func (l *lab) testRead(t *testing.T) {
	password := adcs.Password(l.svc.Logon(), l.svc.Password)
	keytab := adcs.Keytab(l.svc.Principal(), l.Keytab(t, l.svc.Name))
	for name, c := range map[string]struct {
		cred adcs.Credential
		o    discovery.Options
	}{
		"tls":                {password, discovery.Options{Protection: discovery.ProtectTLS, Roots: l.Roots()}},
		"starttls":           {password, discovery.Options{Protection: discovery.ProtectStartTLS, Roots: l.Roots()}},
		"kerberos, password": {password, discovery.Options{Auth: adcs.AuthKerberos, KRB5Conf: l.KRB5Config()}},
		"kerberos, keytab":   {keytab, discovery.Options{Auth: adcs.AuthKerberos, KRB5Conf: l.KRB5Config()}},
		"kerberos, ccache":   {adcs.CCache("", l.Kinit(t, l.svc)), discovery.Options{KRB5Conf: l.KRB5Config()}},
		"kerberos, a KDC":    {adcs.Password(l.svc.Principal(), l.svc.Password), discovery.Options{KDC: l.Host}},
		"kerberos, AES 128":  {password, discovery.Options{KRB5Conf: l.krb5Conf(t, "aes128-cts-hmac-sha1-96")}},
		"kerberos, RC4":      {password, discovery.Options{KRB5Conf: l.krb5Conf(t, "arcfour-hmac")}},
		"ntlm":               {password, discovery.Options{Auth: adcs.AuthNTLM}},
		"ntlm as fallback":   {password, discovery.Options{AllowNTLM: true, KDC: l.Host, SPN: "ldap/unknown.corp.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := discovery.New(l.Host, c.cred, &c.o)
			require.NoError(t, err)
			s, err := c.Read(t.Context())
			require.NoError(t, err)
			checkLab(t, l, s)
		})
	}
}

// krb5Conf is the path of a krb5.conf that permits one encryption type.
func (l *lab) krb5Conf(t *testing.T, encryption string) string {
	t.Helper()
	text, err := os.ReadFile(l.KRB5Config())
	require.NoError(t, err)
	const section = "[libdefaults]\n"
	only := strings.Replace(string(text), section, section+"\tpermitted_enctypes = "+encryption+"\n", 1)
	require.NotEqual(t, string(text), only)
	path := filepath.Join(t.TempDir(), "krb5.conf")
	require.NoError(t, os.WriteFile(path, []byte(only), 0o600))
	return path
}

func checkLab(t *testing.T, l *lab, s *discovery.Snapshot) {
	require.Len(t, s.CAs, 1)
	ca := s.CAs[0]
	assert.Empty(t, ca.Problems)
	assert.Equal(t, "Corp Issuing CA", ca.Name)
	assert.Equal(t, "ca.corp.test", ca.Host)
	assert.Equal(t, "CN=Corp Issuing CA", ca.Subject)
	require.Len(t, ca.Certificates, 1)
	assert.True(t, ca.Certificates[0].Equal(l.ca))
	assert.True(t, ca.Trusted)
	assert.ElementsMatch(t, []string{"Device", "Open", "User"}, ca.Templates)
	assert.True(t, ca.Access.Allows(discovery.RightEnroll))
	require.Len(t, s.NTAuth, 1)
	require.Len(t, s.Roots, 1)
	assert.Equal(t, "Corp Root", s.Roots[0].Subject.CommonName)

	assert.Equal(t, "svc", s.Account.Name)
	assert.Equal(t, l.svc.SID, string(s.Account.SID))
	assert.Contains(t, s.Account.Token, discovery.SID(l.team.SID))

	device := s.Template("device")
	require.NotNil(t, device)
	assert.Empty(t, device.Problems)
	assert.Equal(t, "Device of a customer", device.DisplayName)
	assert.True(t, strings.HasPrefix(device.OID, "1.3.6.1.4.1.311.21.8."), device.OID)
	assert.Equal(t, 4, device.Schema)
	assert.Equal(t, 3072, device.MinKeySize)
	assert.Equal(t, "ECDSA_P256", device.KeyAlgorithm)
	assert.Equal(t, "SHA256", device.HashAlgorithm)
	assert.Equal(t, []string{"1,Microsoft Software Key Storage Provider"}, device.Providers)
	assert.Equal(t, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment, device.KeyUsage)
	assert.Equal(t, []string{discovery.PurposeClientAuth}, device.Purposes())
	assert.Equal(t, 365*24*time.Hour, device.Validity)
	assert.Equal(t, 42*24*time.Hour, device.Renewal)
	assert.True(t, device.KeyFlags.Has(discovery.KeyExportable|discovery.KeyAttestPreferred))
	assert.Equal(t, []string{"Corp Issuing CA"}, device.CAs)
	assert.True(t, s.MayEnroll(device))
	assert.Empty(t, s.Inspect(device), "only the connector may enroll, by way of a group")

	machine := s.Template("Machine")
	require.NotNil(t, machine)
	assert.Empty(t, machine.CAs)
	assert.False(t, s.MayEnroll(machine))
	assert.True(t, machine.Access.Allows(discovery.RightAutoEnroll, discovery.SID(l.SID+"-515")))
	assert.Equal(t, discovery.SubjectDNSAsCN|discovery.NameDNS, machine.NameFlags)

	codes := map[string][]discovery.Code{}
	for _, f := range s.Findings() {
		codes[f.Template] = append(codes[f.Template], f.Code)
		if f.Code == discovery.FindingSubject {
			assert.Equal(t, []string{"PKI everybody"}, f.Who)
		}
	}
	assert.Equal(t, map[string][]discovery.Code{
		"Open": {discovery.FindingSubject, discovery.FindingNoSID},
		"User": {discovery.FindingDirectorySubject},
	}, codes)
}

// testAccount judges the rights of another account than the one that reads.
func (l *lab) testAccount(t *testing.T) {
	for _, name := range []string{"bob", `CORP\bob`, "bob@corp.test", "BOB"} {
		c, err := discovery.New(l.Host, adcs.Password(l.svc.Logon(), l.svc.Password), &discovery.Options{
			Protection: discovery.ProtectTLS, Roots: l.Roots(), Account: name,
		})
		require.NoError(t, err)
		s, err := c.Read(t.Context())
		require.NoError(t, err, name)
		assert.Equal(t, "bob", s.Account.Name)
		assert.True(t, s.MayEnroll(s.Template("Open")))
		assert.False(t, s.MayEnroll(s.Template("Device")))
	}
}

// testLookup answers what a pre-flight asks.
func (l *lab) testLookup(t *testing.T) {
	c, err := discovery.New(l.Host, adcs.Password(l.svc.Logon(), l.svc.Password), &discovery.Options{
		Protection: discovery.ProtectTLS, Roots: l.Roots(),
	})
	require.NoError(t, err)
	for template, want := range map[string][2]bool{
		"Device": {true, true}, "User": {true, true}, "WebServer": {true, false}, "None": {}, "": {},
	} {
		f, err := c.LookUp(t.Context(), adcs.DirectoryQuery{
			Host: "CA.corp.test", CA: "corp issuing ca", Template: template,
		})
		require.NoError(t, err)
		assert.Equal(t, []string{"Corp Issuing CA"}, f.CAs)
		assert.ElementsMatch(t, []string{"Device", "Open", "User"}, f.Templates)
		assert.Equal(t, want, [2]bool{f.TemplateExists, f.MayEnroll}, template)
		assert.True(t, f.MayEnrollAtCA)
		assert.Equal(t, "svc", f.Account)
		require.Len(t, f.Certificates, 1)
		assert.True(t, f.Certificates[0].Equal(l.ca))
	}
	f, err := c.LookUp(t.Context(), adcs.DirectoryQuery{Host: "ca.corp.test", CA: "Another CA", Template: "Device"})
	require.NoError(t, err)
	assert.Equal(t, []string{"Corp Issuing CA"}, f.CAs, "the right name")
	assert.NotEmpty(t, f.Templates)
	f, err = c.LookUp(t.Context(), adcs.DirectoryQuery{Host: "other.corp.test", CA: "Another CA", Template: "Device"})
	require.NoError(t, err)
	assert.Empty(t, f.CAs)
	assert.Empty(t, f.Templates)
}

// testRefusals is what goes wrong with a real server.
func (l *lab) testRefusals(t *testing.T) {
	other := newCertificate(t, "other", time.Now().Add(time.Hour))
	roots := x509.NewCertPool()
	roots.AddCert(other)
	read := func(password string, o discovery.Options) error {
		t.Helper()
		c, err := discovery.New(l.Host, adcs.Password(l.svc.Logon(), password), &o)
		require.NoError(t, err)
		_, err = c.Read(t.Context())
		require.Error(t, err)
		assert.NotContains(t, err.Error(), l.svc.Password)
		return err
	}
	for _, p := range []discovery.Protection{discovery.ProtectTLS, discovery.ProtectStartTLS} {
		require.ErrorIs(t, read("wrong", discovery.Options{Protection: p, Roots: l.Roots()}), adcs.ErrLogon)
		var unknown x509.UnknownAuthorityError
		require.ErrorAs(t, read(l.svc.Password, discovery.Options{Protection: p, Roots: roots}), &unknown)
	}
	require.ErrorIs(t, read("wrong", discovery.Options{Auth: adcs.AuthNTLM}), adcs.ErrLogon)
	require.ErrorIs(t, read("wrong", discovery.Options{KRB5Conf: l.KRB5Config()}), adcs.ErrWrongPassword)
	require.ErrorIs(t, read("wrong", discovery.Options{KRB5Conf: l.KRB5Config(), AllowNTLM: true}), adcs.ErrLogon)
	err := read(l.svc.Password, discovery.Options{KRB5Conf: l.KRB5Config(), SPN: "ldap/unknown.corp.test"})
	require.ErrorIs(t, err, adcs.ErrUnknownService)
	// A ticket for another service than the one that answers.
	l.AddComputer(t, "OTHER", "ldap/other.corp.test")
	err = read(l.svc.Password, discovery.Options{KRB5Conf: l.KRB5Config(), SPN: "ldap/other.corp.test"})
	require.ErrorIs(t, err, adcs.ErrTicketRefused)
	require.NotErrorIs(t, err, adcs.ErrLogon)

	refused := net.ErrClosed
	require.ErrorIs(t, read(l.svc.Password, discovery.Options{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, refused },
	}), refused)

	err = read(l.svc.Password, discovery.Options{Protection: discovery.ProtectTLS, Roots: l.Roots(), Account: "nobody"})
	require.ErrorIs(t, err, discovery.ErrUnknownAccount)
}
