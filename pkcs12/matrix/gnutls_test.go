//go:build integration

package matrix_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

var gnuTLS = tool{
	name: "GnuTLS certtool",
	version: func(t *testing.T) string {
		return strings.Fields(tempFolder(t).must(t, "certtool", "--version"))[1]
	},
	open:  eachFile(openWithGnuTLS),
	shown: func(name string) string { return name },
	named: "as it is", unnamed: "none",
	wrong:  "verify_mac: The Message Authentication Code verification failed",
	pbmac1: [2]string{"3.7", ""},
}

// bag is what certtool prints of one.
type bag struct {
	kind, id string
	text     []byte
}

// bags takes the output of --p12-info apart. The first part is about the file.
func bags(info []byte) []bag {
	id := regexp.MustCompile(`(?m)^\tKey ID: (.*)$`)
	var list []bag
	for part := range bytes.SplitSeq(info, []byte("\n\tType: ")) {
		b := bag{text: part}
		kind, _, _ := bytes.Cut(part, []byte("\n"))
		b.kind = string(kind)
		if m := id.FindSubmatch(part); m != nil {
			b.id = string(m[1])
		}
		list = append(list, b)
	}
	return list[1:]
}

func openWithGnuTLS(t *testing.T, s *set, f *file, d folder) (o outcome) {
	t.Helper()
	info := func(password string) (string, error) {
		return d.run("certtool", "--p12-info", "--inder", "--infile", s.in(f.name), "--password", password,
			"--outfile", "info")
	}
	if said, err := info(s.wrong); err != nil {
		o.Wrong = []byte(said)
	}
	if said, err := info(s.password); err != nil {
		return refused(said)
	}
	var key, leaf bag
	all := bags(d.read(t, "info"))
	for _, b := range all {
		if b.kind == "PKCS #8 Encrypted key" {
			key = b
		}
	}
	for _, b := range all {
		switch {
		case b.kind == "Certificate" && b.id == key.id:
			leaf = b
			o.Leaf = fromPEM(b.text)[0]
		case b.kind == "Certificate":
			o.CAs = append(o.CAs, fromPEM(b.text)...)
		}
	}
	var ok bool
	if o.Name, ok = f.nameIn(`(?m)^\tFriendly name: (.*)$`, key.text, leaf.text); !ok {
		return problem("the key has another name than its certificate")
	}
	return signWithGnuTLS(t, s, f, d, o, key, leaf)
}

func signWithGnuTLS(t *testing.T, s *set, f *file, d folder, o outcome, key, leaf bag) outcome {
	t.Helper()
	write(t, d.path("key.pem"), key.text)
	write(t, d.path("leaf.pem"), leaf.text)
	certificates := leaf.text
	for _, b := range bags(d.read(t, "info")) {
		if b.kind == "Certificate" && b.id != key.id {
			certificates = append(bytes.Clone(certificates), b.text...)
		}
	}
	write(t, d.path("chain.pem"), append(bytes.Clone(certificates), s.missing(t, f)...))
	for _, command := range [][]string{
		{"--p7-sign", "--load-privkey", "key.pem", "--password", s.password, "--load-certificate", "leaf.pem",
			"--infile", s.in("message"), "--outder", "--outfile", "message.cms"},
		{"--p7-verify", "--inder", "--load-certificate", "leaf.pem", "--infile", "message.cms"},
		{"--verify", "--load-ca-certificate", s.in("root.pem"), "--infile", "chain.pem"},
	} {
		if said, err := d.run("certtool", command...); err != nil {
			return problem(said)
		}
	}
	o.CMS = d.read(t, "message.cms")
	return o
}
