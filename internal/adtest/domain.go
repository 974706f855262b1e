package adtest

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// The names of the domain.
const (
	Realm       = "CORP.TEST"       // Kerberos realm
	DNSDomain   = "corp.test"       // the domain in DNS
	NetBIOS     = "CORP"            // the domain in front of a user's name
	BaseDN      = "DC=corp,DC=test" // where the domain's objects are
	ConfigDN    = "CN=Configuration," + BaseDN
	dcHost      = "dc." + DNSDomain
	caHost      = "ca." + DNSDomain
	dcAddr      = "127.0.0.1"
	adminUser   = "Administrator"
	adminSecret = "Adm1n-of-the-test"
)

// Domain is a running domain with one controller. Its methods may be called by several tests at once.
type Domain struct {
	Host string // dc.corp.test: the KDC, LDAP server and file server, on 127.0.0.1 with the usual ports
	SID  string // of the domain, S-1-5-21-...

	folder string // of the state
	tls    *authority
	samba  *samba

	mu    sync.Mutex
	hosts map[string]netip.Addr
}

// shared is the one domain of the process: there is only one set of ports.
var shared domains

type domains struct {
	mu     sync.Mutex
	domain *Domain
	err    error
}

// Start returns the domain of this test binary, which it starts when it is the first to ask. Where there can be none
// the test is skipped.
func Start(t testing.TB) *Domain {
	t.Helper()
	if !enabled {
		t.Skip("a domain controller is started with the build tag integration only")
	}
	if reason := outside(); reason != "" {
		t.Skip(reason)
	}
	d, err := shared.get()
	if err != nil {
		t.Fatalf("adtest: %v", err)
	}
	return d
}

// get starts the domain once. What failed once would fail again.
func (s *domains) get() (*Domain, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.domain == nil && s.err == nil {
		s.domain, s.err = newDomain()
	}
	return s.domain, s.err
}

func (s *domains) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.domain == nil {
		return nil
	}
	return s.domain.samba.stop()
}

func newDomain() (*Domain, error) {
	d := &Domain{Host: dcHost, folder: filepath.Join(stateFolder, "d"), hosts: map[string]netip.Addr{}}
	if err := provision(d.folder); err != nil {
		return nil, fmt.Errorf("provisioning the domain: %w", err)
	}
	var err error
	if d.tls, err = newAuthority(d.folder); err != nil {
		return nil, err
	}
	if err := d.writeConfigs(nil, ""); err != nil {
		return nil, err
	}
	if d.SID, err = domainSID(d.folder); err != nil {
		return nil, err
	}
	if d.samba, err = startSamba(d.smbConf(), d.folder); err != nil {
		return nil, err
	}
	return d, nil
}

// KRB5Config is the path of a krb5.conf for the domain, as in the variable KRB5_CONFIG.
func (d *Domain) KRB5Config() string { return filepath.Join(d.folder, "krb5.conf") }

// SMBConfig is the path of an smb.conf for clients in the domain, as in the variable SMB_CONF_PATH.
func (d *Domain) SMBConfig() string { return filepath.Join(d.folder, "client.conf") }

// smbConf is the path of the domain controller's own configuration.
func (d *Domain) smbConf() string { return filepath.Join(d.folder, "smb.conf") }

// database is the URL of the directory for tools that open it without the server.
func (d *Domain) database() string { return filepath.Join(d.folder, "private", "sam.ldb") }

// LDAP is the URL of the directory without TLS, LDAPS the one with TLS; Roots verifies it.
func (d *Domain) LDAP() string { return "ldap://" + d.Host }

// LDAPS is the URL of the directory with TLS. The server's certificate is for dc.corp.test.
func (d *Domain) LDAPS() string { return "ldaps://" + d.Host }

// Roots are the roots of the certificate of the LDAP server.
func (d *Domain) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(d.tls.root)
	return pool
}

// RootsFile is the path of the same roots as PEM.
func (d *Domain) RootsFile() string { return d.tls.rootFile }

// Environ is the environment for tools that are to use the domain: the process's own, and where the domain's
// configuration is. Tickets are in a file that does not exist yet, of this test alone.
func (d *Domain) Environ(t testing.TB) []string {
	return append(os.Environ(), "KRB5_CONFIG="+d.KRB5Config(), "SMB_CONF_PATH="+d.SMBConfig(),
		"LDAPTLS_CACERT="+d.RootsFile(), "KRB5CCNAME=FILE:"+filepath.Join(t.TempDir(), "ccache"))
}

// AddHost makes a host name known to every process of the test.
func (d *Domain) AddHost(t testing.TB, name, addr string) {
	t.Helper()
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hosts[name] = ip
	if err := os.WriteFile("/etc/hosts", []byte(hosts(d.hosts)), 0o644); err != nil {
		t.Fatal(err)
	}
}
