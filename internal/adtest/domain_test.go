//go:build integration

package adtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adtest"
)

func TestMain(m *testing.M) { adtest.Main(m) }

// run runs a tool of others in the domain and returns what it prints.
func run(t *testing.T, d *adtest.Domain, env []string, name string, args ...string) string {
	t.Helper()
	out, err := try(t, d, env, name, args...)
	require.NoError(t, err, "%s: %s", name, out)
	return out
}

func try(t *testing.T, d *adtest.Domain, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(d.Environ(t), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestKerberos logs on with password and keytab, and gets a ticket for a service of a computer account.
func TestKerberos(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass word-1 é")
	d.AddComputer(t, "CA", "host/ca.corp.test", "cifs/ca.corp.test")
	cache := []string{"KRB5CCNAME=FILE:" + d.Kinit(t, alice)}
	run(t, d, cache, "kvno", "host/ca.corp.test", "cifs/ca.corp.test", "ldap/dc.corp.test")
	list := run(t, d, cache, "klist", "-e")
	assert.Contains(t, list, "Default principal: alice@CORP.TEST")
	assert.Contains(t, list, "aes256-cts-hmac-sha1-96")

	keytab := d.Keytab(t, "CA$", "host/ca.corp.test", "cifs/ca.corp.test")
	for _, principal := range []string{"CA$@CORP.TEST", "host/ca.corp.test@CORP.TEST", "cifs/ca.corp.test@CORP.TEST"} {
		assert.Contains(t, run(t, d, nil, "klist", "-kte", keytab), principal)
	}
	own := []string{"KRB5CCNAME=FILE:" + filepath.Join(t.TempDir(), "cc")}
	run(t, d, own, "kinit", "-kt", keytab, "CA$")
	// The service's key in the keytab opens the ticket that the domain gave alice for it.
	run(t, d, cache, "kvno", "-k", keytab, "host/ca.corp.test")

	out, err := try(t, d, own, "kinit", "-kt", keytab, "nobody")
	assert.Error(t, err, out)
}

// TestDirectory reads what AD CS publishes: with a Kerberos-sealed bind, and with TLS.
func TestDirectory(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass-word1")
	team := d.AddGroup(t, "team", alice)
	assert.True(t, strings.HasPrefix(alice.SID, d.SID+"-"), alice.SID)
	assert.True(t, strings.HasPrefix(team.SID, d.SID+"-"), team.SID)
	base := "CN=Certificate Templates,CN=Public Key Services,CN=Services," + adtest.ConfigDN
	cache := []string{"KRB5CCNAME=FILE:" + d.Kinit(t, alice)}
	for name, args := range map[string][]string{
		"kerberos": {"-H", d.LDAP(), "--use-kerberos=required"},
		"tls":      {"-H", d.LDAPS(), "-U", alice.Logon() + "%" + alice.Password, "--use-kerberos=off"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "tls" {
				d.Reconfigure(t, "ldap server require strong auth = allow_sasl_over_tls")
			}
			out := run(t, d, cache, "ldbsearch", append(args, "-b", base, "objectClass=pKICertificateTemplate", "cn")...)
			for _, template := range []string{"cn: User\n", "cn: Machine\n", "cn: WebServer\n"} {
				assert.Contains(t, out, template)
			}
		})
	}
}

// TestSMB lists the shares with NTLM and with Kerberos.
func TestSMB(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass-word1")
	cache := []string{"KRB5CCNAME=FILE:" + d.Kinit(t, alice)}
	for name, args := range map[string][]string{
		"ntlm":     {"-U", alice.Logon() + "%" + alice.Password, "--use-kerberos=off"},
		"kerberos": {"--use-kerberos=required"},
	} {
		out := run(t, d, cache, "smbclient", append(args, "-L", d.Host)...)
		assert.Contains(t, out, "IPC$", name)
	}
	out, err := try(t, d, nil, "smbclient", "-U", alice.Logon()+"%wrong", "--use-kerberos=off", "-L", d.Host)
	assert.Error(t, err)
	assert.Contains(t, out, "NT_STATUS_LOGON_FAILURE")
}

// TestHosts finds hosts by name, and no others, without asking a network.
func TestHosts(t *testing.T) {
	d := adtest.Start(t)
	d.AddHost(t, "ca2.corp.test", "127.0.0.4")
	out := run(t, d, nil, "getent", "hosts", "dc.corp.test", "ca.corp.test", "ca2.corp.test")
	for _, addr := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.4"} {
		assert.Contains(t, out, addr)
	}
	out, err := try(t, d, nil, "getent", "hosts", "unknown.corp.test")
	assert.Error(t, err, out)
}

// TestReconfigure restarts the domain controller with another configuration and back, and looks for processes that it
// leaves behind.
func TestReconfigure(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass-word1")
	logon := func(t *testing.T) error {
		_, err := try(t, d, nil, "smbclient", "-U", alice.Logon()+"%"+alice.Password, "--use-kerberos=off", "-L", d.Host)
		return err
	}
	require.NoError(t, logon(t))
	before := processes(t)
	require.Greater(t, len(before), 1, "a domain controller has more than one process")
	t.Run("without NTLM", func(t *testing.T) {
		d.Reconfigure(t, "ntlm auth = disabled")
		require.Error(t, logon(t))
	})
	require.NoError(t, logon(t))
	for pid := range processes(t) {
		assert.NotContains(t, before, pid)
	}
}

// processes are those besides this one, by their number.
func processes(t *testing.T) map[string]bool {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	found := map[string]bool{}
	for _, f := range folders {
		if status, err := os.ReadFile(f + "/status"); err == nil && !strings.Contains(string(status), "State:\tZ") &&
			filepath.Base(f) != "1" {
			found[filepath.Base(f)] = true
		}
	}
	return found
}

// TestAlone checks that this process shares neither network nor processes nor files with its machine.
func TestAlone(t *testing.T) {
	adtest.Start(t)
	assert.Equal(t, 1, os.Getpid())
	interfaces, err := os.ReadFile("/proc/net/dev")
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(string(interfaces), "\n"), string(interfaces)) // two of heading, and lo
}
