//go:build integration

package matrix_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var nss = tool{
	name: "NSS pk12util",
	version: func(t *testing.T) string {
		d := tempFolder(t)
		d.must(t, "certutil", "-N", "-d", "sql:.", "--empty-password")
		said := d.must(t, "modutil", "-dbdir", "sql:.", "-force", "-list", "NSS Internal PKCS #11 Module")
		version := regexp.MustCompile(`Library Version: (\S+)`).FindStringSubmatch(said)
		require.NotNil(t, version, said)
		return version[1]
	},
	open: openAllWithNSS,
	shown: func(name string) string { // the nickname of the certificate
		if name == "" {
			return "jörg"
		}
		return name
	},
	named: "as it is", unnamed: "the subject's CN",
	wrong:  "SEC_ERROR_BAD_PASSWORD",
	pbmac1: [2]string{"3.87", ""},
}

// openAllWithNSS makes one empty database, and uses a copy of it for each file.
func openAllWithNSS(t *testing.T, s *set) map[string]outcome {
	t.Helper()
	empty := tempFolder(t)
	empty.must(t, "certutil", "-N", "-d", "sql:.", "--empty-password")
	return eachFile(func(t *testing.T, s *set, f *file, d folder) outcome {
		t.Helper()
		require.NoError(t, os.CopyFS(string(d), os.DirFS(string(empty))))
		return openWithNSS(t, s, f, d)
	})(t, s)
}

func openWithNSS(t *testing.T, s *set, f *file, d folder) (o outcome) {
	t.Helper()
	if said, err := d.run("pk12util", "-i", s.in(f.name), "-d", "sql:.", "-w", s.in("wrong")); err != nil {
		o.Wrong = []byte(said)
	}
	if said, err := d.run("pk12util", "-i", s.in(f.name), "-d", "sql:.", "-w", s.in("password")); err != nil {
		return refused(said)
	}
	for nickname, trust := range certificatesInNSS(t, d) {
		der := fromPEM([]byte(d.must(t, "certutil", "-L", "-d", "sql:.", "-a", "-n", nickname)))
		require.Len(t, der, 1, nickname)
		if strings.Contains(trust, "u") { // there is a key for it
			o.Name, o.Leaf = []byte(nickname), der[0]
			continue
		}
		o.CAs = append(o.CAs, der[0])
	}
	return signWithNSS(t, s, d, o)
}

// certificatesInNSS returns the nicknames in a database, with their trust attributes.
func certificatesInNSS(t *testing.T, d folder) map[string]string {
	t.Helper()
	list := map[string]string{}
	line := regexp.MustCompile(`(?m)^(\S.*?) +([a-zA-Z]*,[a-zA-Z]*,[a-zA-Z]*) *$`)
	for _, m := range line.FindAllStringSubmatch(d.must(t, "certutil", "-L", "-d", "sql:."), -1) {
		list[m[1]] = m[2]
	}
	return list
}

// signWithNSS has the root trusted, whether it came with the file or not. cmsutil verifies the whole chain.
func signWithNSS(t *testing.T, s *set, d folder, o outcome) outcome {
	t.Helper()
	if len(o.CAs) == 0 {
		d.must(t, "certutil", "-A", "-d", "sql:.", "-n", "Matrix Issuing CA", "-t", ",,", "-a", "-i", s.in("issuing.pem"))
	}
	d.must(t, "certutil", "-A", "-d", "sql:.", "-n", "Matrix Root CA", "-t", "CT,C,C", "-a", "-i", s.in("root.pem"))
	nickname := string(o.Name)
	// The signing time makes signed attributes: without them NSS 3.87 cannot verify its own signatures with ECDSA.
	said, err := d.run("cmsutil", "-S", "-d", "sql:.", "-N", nickname, "-Y", "NONE", "-G", "-i", s.in("message"),
		"-o", "message.cms")
	if err != nil {
		return problem(said)
	}
	o.CMS = d.read(t, "message.cms")
	said, err = d.run("cmsutil", "-D", "-d", "sql:.", "-i", "message.cms", "-o", "signed")
	if err != nil {
		return problem(said)
	}
	if !bytes.Equal(d.read(t, "signed"), []byte(message)) {
		return problem("another message was signed")
	}
	return o
}
