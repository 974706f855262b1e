//go:build integration

package matrix_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

var openSSL = tool{
	name: "OpenSSL",
	version: func(t *testing.T) string {
		return strings.Fields(tempFolder(t).must(t, "openssl", "version"))[1]
	},
	open:  eachFile(openWithOpenSSL),
	shown: lowBytes,
	named: "low bytes", unnamed: "none",
	wrong:  "Mac verify error: invalid password?",
	pbmac1: [2]string{"3.3", "3.4"}, // NEWS of OpenSSL 3.4
}

// lowBytes is what the command prints of a name: of each character only what fits into a byte. The file has it all.
func lowBytes(name string) string {
	var b strings.Builder
	for _, r := range name {
		b.WriteByte(byte(r))
	}
	return b.String()
}

func openWithOpenSSL(t *testing.T, s *set, f *file, d folder) (o outcome) {
	t.Helper()
	export := func(password, out string, what ...string) (string, error) {
		return d.run("openssl", append([]string{"pkcs12", "-in", s.in(f.name), "-passin", "file:" + s.in(password),
			"-nodes", "-out", out}, what...)...)
	}
	for out, what := range map[string][]string{
		"key.pem": {"-nocerts"}, "leaf.pem": {"-nokeys", "-clcerts"}, "cas.pem": {"-nokeys", "-cacerts"},
	} {
		if said, err := export("password", out, what...); err != nil {
			return refused(said)
		}
	}
	leaf := d.read(t, "leaf.pem")
	if list := fromPEM(leaf); len(list) == 1 {
		o.Leaf = list[0]
	}
	o.CAs = fromPEM(d.read(t, "cas.pem"))
	var ok bool
	if o.Name, ok = f.nameIn(`(?m)^ {4}friendlyName: (.*)$`, d.read(t, "key.pem"), leaf); !ok {
		return problem("the key has another name than its certificate")
	}
	if said, err := export("wrong", "wrong.pem"); err != nil {
		o.Wrong = []byte(said)
	}
	write(t, d.path("untrusted.pem"), append(d.read(t, "cas.pem"), s.missing(t, f)...))
	for _, command := range [][]string{
		{"-sign", "-nodetach", "-in", s.in("message"), "-inkey", "key.pem", "-signer", "leaf.pem",
			"-certfile", "untrusted.pem", "-outform", "DER", "-out", "message.cms"},
		{"-verify", "-inform", "DER", "-in", "message.cms", "-out", "signed", "-CAfile", s.in("root.pem")},
	} {
		if said, err := d.run("openssl", append([]string{"cms", "-binary"}, command...)...); err != nil {
			return problem(said)
		}
	}
	o.CMS = d.read(t, "message.cms")
	return o
}

// nameIn finds a name in the description of the key and in that of its certificate, or in neither; in a file for Windows
// the key has none.
func (f *file) nameIn(pattern string, key, leaf []byte) (name []byte, ok bool) {
	re := regexp.MustCompile(pattern)
	k, l := re.FindSubmatch(key), re.FindSubmatch(leaf)
	switch {
	case l == nil:
		return nil, k == nil
	case f.row.windows:
		return l[1], k == nil
	}
	return l[1], k != nil && bytes.Equal(k[1], l[1])
}
