package adtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serverConf is the domain controller's smb.conf. FOLDER stands for the folder of the state, MORE for what a test adds.
// The limits of the directory are Samba's own. The log is small: it is shown when the server fails.
const serverConf = `[global]
	netbios name = DC
	realm = ` + Realm + `
	workgroup = ` + NetBIOS + `
	server role = active directory domain controller
	server services = rpc, ldap, cldap, kdc, s3fs, winbindd
	interfaces = lo
	bind interfaces only = yes
	private dir = FOLDER/private
	state directory = FOLDER/state
	cache directory = FOLDER/cache
	lock directory = FOLDER/lock
	pid directory = FOLDER/run
	ncalrpc dir = FOLDER/ncalrpc
	ntp signd socket directory = FOLDER/ntp
	binddns dir = FOLDER/bind-dns
	usershare path =
	log file = FOLDER/log/%m
	log level = 1
	logging = file
	tls enabled = yes
	tls keyfile = FOLDER/tls/key.pem
	tls certfile = FOLDER/tls/cert.pem
	tls cafile = FOLDER/tls/root.pem
	disable spoolss = yes
	load printers = no
MORE
[sysvol]
	path = FOLDER/state/sysvol
	read only = no

[netlogon]
	path = FOLDER/state/sysvol/` + DNSDomain + `/scripts
	read only = no
`

// clientConf is the smb.conf of tools that use the domain over the network.
const clientConf = `[global]
	realm = ` + Realm + `
	workgroup = ` + NetBIOS + `
	client use kerberos = desired
	interfaces = lo
	tls cafile = FOLDER/tls/root.pem
	tls verify peer = ca_and_name
	private dir = FOLDER/client
	state directory = FOLDER/client
	cache directory = FOLDER/client
	lock directory = FOLDER/client
	pid directory = FOLDER/client
`

// krb5Conf lets MIT Kerberos, and whoever reads its files, find the domain without DNS.
const krb5Conf = `[libdefaults]
	default_realm = ` + Realm + `
	dns_lookup_realm = false
	dns_lookup_kdc = false
	rdns = false
	udp_preference_limit = 1

[realms]
	` + Realm + ` = {
		kdc = ` + dcHost + `
		admin_server = ` + dcHost + `
	}

[domain_realm]
	.` + DNSDomain + ` = ` + Realm + `
	` + DNSDomain + ` = ` + Realm + `
`

// writeConfigs writes the configuration files, with lines of a test's own in the global section of the server's, and a
// section for the KDC in the krb5.conf, which is beside it and which it therefore reads.
func (d *Domain) writeConfigs(more []string, kdc string) error {
	for _, folder := range []string{"run", "log", "ncalrpc", "ntp", "cache", "lock", "client"} {
		if err := os.MkdirAll(filepath.Join(d.folder, folder), 0o755); err != nil {
			return err
		}
	}
	extra := ""
	for _, line := range more {
		extra += "\t" + line + "\n"
	}
	for path, text := range map[string]string{
		d.smbConf(): serverConf, d.SMBConfig(): clientConf, d.KRB5Config(): krb5Conf + kdc,
	} {
		text = strings.NewReplacer("FOLDER", d.folder, "MORE\n", extra).Replace(text)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Reconfigure restarts the domain controller with lines added to the global section of its smb.conf, such as
// "ntlm auth = disabled", and with its own configuration when the test ends. No other test may use the domain
// meanwhile.
func (d *Domain) Reconfigure(t testing.TB, lines ...string) {
	t.Helper()
	d.reconfigure(t, lines, "")
}

func (d *Domain) reconfigure(t testing.TB, lines []string, kdc string) {
	t.Helper()
	restart := func(lines []string, kdc string) {
		t.Helper()
		if err := d.restart(lines, kdc); err != nil {
			t.Fatalf("adtest: restarting the domain controller: %v", err)
		}
	}
	t.Cleanup(func() { restart(nil, "") })
	restart(lines, kdc)
}

func (d *Domain) restart(lines []string, kdc string) error {
	if err := d.samba.stop(); err != nil {
		return err
	}
	if err := d.writeConfigs(lines, kdc); err != nil {
		return err
	}
	s, err := startSamba(d.smbConf(), d.folder)
	if err != nil {
		return err
	}
	d.samba = s
	return nil
}
