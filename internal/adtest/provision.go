package adtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// cacheVariable names a folder in which test binaries share what provisioning takes seconds to make. Whoever sets it
// removes it.
const cacheVariable = "ADCSKIT_ADTEST_CACHE"

// provision makes the state of a new domain in a folder, or copies it from one that another test binary made.
func provision(folder string) error {
	for _, tool := range []string{"samba", "samba-tool", "ldbmodify", "ldbsearch"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (Debian: samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind "+
				"ldb-tools python3-samba)", err)
		}
	}
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		return provisionNew(folder)
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	made := filepath.Join(cache, "domain")
	if _, err := os.Stat(made); err == nil {
		return copyTree(made, folder)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := provisionNew(folder); err != nil {
		return err
	}
	if err := copyTree(folder, made+".part"); err != nil {
		return err
	}
	return os.Rename(made+".part", made)
}

// copyTree copies a folder with its owners, rights and access control lists.
func copyTree(from, to string) error {
	_, err := output(exec.Command("cp", "-a", "--sparse=always", from, to))
	return err
}

// provisionNew makes a domain in which passwords may be simple and never expire, with what AD CS adds to a directory.
func provisionNew(folder string) error {
	if _, err := output(exec.Command("samba-tool", "domain", "provision", "--targetdir="+folder, "--server-role=dc",
		"--dns-backend=NONE", "--option=interfaces=lo", "--option=bind interfaces only=yes", "--realm="+Realm,
		"--domain="+NetBIOS, "--host-name=dc", "--host-ip="+dcAddr, "--adminpass="+adminSecret)); err != nil {
		return err
	}
	if _, err := output(exec.Command("samba-tool", "domain", "passwordsettings", "set", "--complexity=off",
		"--min-pwd-length=1", "--history-length=0", "--min-pwd-age=0", "--max-pwd-age=0",
		"-H", filepath.Join(folder, "private", "sam.ldb"))); err != nil {
		return err
	}
	return modify(filepath.Join(folder, "private", "sam.ldb"), controllerLDIF+templateLDIF())
}

// controllerLDIF adds the service principal names that a domain controller registers for itself when it has DNS.
const controllerLDIF = `dn: CN=DC,OU=Domain Controllers,` + BaseDN + `
changetype: modify
add: servicePrincipalName
servicePrincipalName: ldap/` + dcHost + `
servicePrincipalName: ldap/` + dcHost + `/` + DNSDomain + `
servicePrincipalName: ldap/DC

`

// domainSID reads the SID of the domain from its directory.
func domainSID(folder string) (string, error) {
	out, err := output(exec.Command("ldbsearch", "-H", filepath.Join(folder, "private", "sam.ldb"), "-s", "base",
		"-b", BaseDN, "objectSid"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if sid, ok := strings.CutPrefix(line, "objectSid: "); ok {
			return strings.TrimSpace(sid), nil
		}
	}
	return "", errors.New("the domain has no SID")
}

// modify applies LDIF to a directory without its server, with the rights of the system.
func modify(database, ldif string) error {
	cmd := exec.Command("ldbmodify", "-H", database)
	cmd.Stdin = strings.NewReader(ldif)
	_, err := output(cmd)
	return err
}

// output runs a command and returns what it prints. Its error holds what it complains of.
func output(cmd *exec.Cmd) (string, error) {
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s%s", filepath.Base(cmd.Path), err, out.String(), complaint.String())
	}
	return out.String(), nil
}
