package adtest

import (
	"crypto/rand"
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// Account is a user, a computer or a group of the domain.
type Account struct {
	Name     string // sAMAccountName; that of a computer ends with $
	Password string // empty for a group
	DN       string
	SID      string
}

// Principal is the account's name in Kerberos, name@CORP.TEST.
func (a Account) Principal() string { return a.Name + "@" + Realm }

// Logon is the account's name as Windows writes it, CORP\name.
func (a Account) Logon() string { return NetBIOS + `\` + a.Name }

// Administrator is a member of Domain Admins and Enterprise Admins.
func (d *Domain) Administrator() Account {
	return Account{Name: adminUser, Password: adminSecret, DN: "CN=Administrator,CN=Users," + BaseDN, SID: d.SID + "-500"}
}

// AddUser makes a user, with keys for AES and RC4, who is removed when the test ends.
func (d *Domain) AddUser(t testing.TB, name, password string) Account {
	t.Helper()
	return d.addAccount(t, Account{Name: name, Password: password, DN: rdn(name) + ",CN=Users," + BaseDN}, entry{
		"objectClass":        {"user"},
		"sAMAccountName":     {name},
		"userPrincipalName":  {name + "@" + DNSDomain},
		"userAccountControl": {"512"}, // an ordinary, enabled account
		"unicodePwd":         {unicodePassword(password)},
	})
}

// AddComputer makes a computer account with service principal names, such as host/ca.corp.test, and a random password.
// Its name is given without the $. It is removed when the test ends. Keytab exports its keys, also by the service
// principal names.
func (d *Domain) AddComputer(t testing.TB, name string, spns ...string) Account {
	t.Helper()
	password := rand.Text()
	e := entry{
		"objectClass":                   {"computer"},
		"sAMAccountName":                {name + "$"},
		"dNSHostName":                   {strings.ToLower(name) + "." + DNSDomain},
		"userAccountControl":            {"4096"}, // a workstation or member server
		"msDS-SupportedEncryptionTypes": {"28"},   // RC4, AES 128, AES 256
		"unicodePwd":                    {unicodePassword(password)},
	}
	if len(spns) > 0 {
		e["servicePrincipalName"] = spns
	}
	return d.addAccount(t, Account{Name: name + "$", Password: password, DN: rdn(name) + ",CN=Computers," + BaseDN}, e)
}

// AddGroup makes a global security group with members, which is removed when the test ends.
func (d *Domain) AddGroup(t testing.TB, name string, members ...Account) Account {
	t.Helper()
	e := entry{"objectClass": {"group"}, "sAMAccountName": {name}}
	for _, m := range members {
		e["member"] = append(e["member"], m.DN)
	}
	return d.addAccount(t, Account{Name: name, DN: rdn(name) + ",CN=Users," + BaseDN}, e)
}

func (d *Domain) addAccount(t testing.TB, a Account, e entry) Account {
	t.Helper()
	d.add(t, a.DN, e)
	a.SID = d.Attribute(t, a.DN, "objectSid")
	return a
}

// unicodePassword is the value that sets a password: UTF-16 in quotation marks (MS-ADTS 3.1.1.3.1.5.1).
func unicodePassword(password string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// Keytab exports the keys of principals, such as CA$ or host/ca.corp.test, to a new keytab and returns its path.
func (d *Domain) Keytab(t testing.TB, principals ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keytab")
	for _, p := range principals {
		d.SambaTool(t, "domain", "exportkeytab", path, "--principal="+p)
	}
	return path
}

// SambaTool runs samba-tool with the domain controller's configuration, so with all rights, and returns what it prints.
func (d *Domain) SambaTool(t testing.TB, args ...string) string {
	t.Helper()
	out, err := output(exec.Command("samba-tool", append(args, "-s", d.smbConf())...))
	if err != nil {
		t.Fatalf("adtest: %v", err)
	}
	return out
}

// Kinit logs an account on with MIT Kerberos and returns the path of the credential cache, which has its
// ticket-granting ticket.
func (d *Domain) Kinit(t testing.TB, a Account, options ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ccache")
	cmd := exec.Command("kinit", append(options, "-c", "FILE:"+path, a.Principal())...)
	cmd.Env = d.Environ(t)
	cmd.Stdin = strings.NewReader(a.Password + "\n")
	if _, err := output(cmd); err != nil {
		t.Fatalf("adtest: %v", err)
	}
	return path
}

// rdn is CN=name, escaped (RFC 4514, 2.4).
func rdn(name string) string {
	var b strings.Builder
	for i, r := range name {
		if strings.ContainsRune(`,+"\<>;=`, r) || i == 0 && (r == ' ' || r == '#') {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return "CN=" + b.String()
}

// Attribute is the value of an attribute that has one, as ldbsearch prints it.
func (d *Domain) Attribute(t testing.TB, dn, name string) string {
	t.Helper()
	out, err := output(exec.Command("ldbsearch", "-H", d.database(), "-s", "base", "-b", dn, name))
	if err != nil {
		t.Fatalf("adtest: %v", err)
	}
	for line := range strings.Lines(out) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("adtest: %s has no %s", dn, name)
	return ""
}
