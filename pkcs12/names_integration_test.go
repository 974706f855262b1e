//go:build integration

package pkcs12_test

import (
	"crypto/elliptic"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

// TestOpenSSLNames has the name at the key and at its certificate, and at no other.
func TestOpenSSLNames(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	const name = `C:\x "y" <z> & {a}; $(b) 'c'`
	for _, profile := range []pkcs12.Profile{pkcs12.Compat(), pkcs12.Modern()} {
		dir := t.TempDir()
		options := pkcs12.Options{Profile: profile, FriendlyName: name, Iterations: 5000, MACIterations: 3000}
		file, err := options.Encode(key, chain, password)
		require.NoError(t, err)
		write(t, dir, "f.p12", file)
		write(t, dir, "password", []byte(password))
		for option, times := range map[string]int{"-nocerts": 1, "-clcerts": 2, "-cacerts": 1} {
			out := openssl(t, dir, "pkcs12", "-nodes", "-info", option, "-in", "f.p12", "-passin", "file:password")
			assert.Equal(t, times, strings.Count(out, "friendlyName: "+name+"\n"), "%s: %s", option, out)
			assert.Contains(t, out, "Iteration 3000")
			assert.Equal(t, 2, strings.Count(out, "teration 5000")+strings.Count(out, "teration: 5000"), out)
		}
	}
}

// TestPythonNames reads back every kind of name, exactly.
func TestPythonNames(t *testing.T) {
	const script = `import json, sys
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
p = load_pkcs12(open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read())
assert p.key.public_key().public_numbers() == p.cert.certificate.public_key().public_numbers()
print(json.dumps([p.cert.friendly_name.decode()] + [c.friendly_name for c in p.additional_certs]))`
	key := ecKey(t, elliptic.P384())
	chain := newChain(t, key)
	for _, name := range []string{
		"x", `"'\`, "%s", "Büro 日本 مكتب نمی\u200cخواهم ￦",
		"a\u00a0b", strings.Repeat("ü", pkcs12.MaxName),
	} {
		dir := t.TempDir()
		file, err := pkcs12.Options{Profile: pkcs12.Modern(), FriendlyName: name}.Encode(key, chain, password)
		require.NoError(t, err)
		write(t, dir, "f.p12", file)
		write(t, dir, "password", []byte(password))
		cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", script, "f.p12", "password")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		var names []*string
		require.NoError(t, json.Unmarshal(out, &names), "%s", out)
		require.Len(t, names, 2)
		assert.Equal(t, name, *names[0])
		assert.Nil(t, names[1], "the CA has no name")
	}
}
