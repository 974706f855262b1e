//go:build integration

package pkcs12_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// TestNames lets GnuTLS, NSS and Java show the name. GnuTLS shows it for the key and for the certificate, NSS for the
// key that it has paired with its certificate; Java makes an alias of it, in lower case.
func TestNames(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain := newChain(t, key)
	const name = `Büro 日本 "x" C:\y`
	for _, profile := range []pkcs12.Profile{pkcs12.Compat(), pkcs12.Modern()} {
		dir := t.TempDir()
		file, err := pkcs12.Options{Profile: profile, FriendlyName: name}.Encode(key, chain, password)
		require.NoError(t, err)
		write(t, dir, "f.p12", file)
		write(t, dir, "password", []byte(password))

		out := tool(t, dir, "certtool", "--p12-info", "--inder", "--infile", "f.p12", "--password", password)
		assert.Equal(t, 2, strings.Count(out, "Friendly name: "+name+"\n"), out)
		assert.Equal(t, 2, strings.Count(out, "Key ID: "), "and so is the key's: %s", out)
		assert.Equal(t, 3, strings.Count(out, "Iteration count: 2048"), out)

		out = tool(t, dir, "pk12util", "-l", "f.p12", "-w", "password")
		assert.Equal(t, 2, strings.Count(out, "Friendly Name: "+name+"\n"), out)
		assert.Contains(t, out, "Certificate(has private key):", out)

		out = tool(t, dir, "keytool", "-J-Dfile.encoding=UTF-8", "-J-Dsun.stdout.encoding=UTF-8", "-list",
			"-storetype", "PKCS12", "-keystore", "f.p12", "-storepass:file", "password")
		assert.Contains(t, out, "Your keystore contains 1 entry", out)
		assert.Contains(t, out, strings.ToLower(name)+", ", out)
	}
}

// TestNSSExport has a file that NSS writes, as Firefox does: it is in BER, which Decode does not read. What the error
// advises makes one of it that Decode reads.
func TestNSSExport(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain, dir := newChain(t, key), t.TempDir()
	file, err := pkcs12.Options{FriendlyName: "a name"}.Encode(key, chain, password)
	require.NoError(t, err)
	write(t, dir, "f.p12", file)
	write(t, dir, "password", []byte(password))
	tool(t, dir, "certutil", "-N", "-d", "sql:.", "--empty-password")
	tool(t, dir, "pk12util", "-i", "f.p12", "-d", "sql:.", "-w", "password", "-K", "")
	tool(t, dir, "pk12util", "-o", "nss.p12", "-n", "a name", "-d", "sql:.", "-w", "password", "-K", "")
	file, err = os.ReadFile(filepath.Join(dir, "nss.p12"))
	require.NoError(t, err)
	_, err = pkcs12.Inspect(file, "")
	require.ErrorIs(t, err, pkcs12.ErrMalformed)
	require.ErrorContains(t, err, "openssl pkcs12")

	openssl(t, dir, "pkcs12", "-in", "nss.p12", "-passin", "file:password", "-nodes", "-out", "all.pem")
	openssl(t, dir, "pkcs12", "-export", "-in", "all.pem", "-name", "a name", "-passout", "file:password", "-out", "new.p12")
	file, err = os.ReadFile(filepath.Join(dir, "new.p12"))
	require.NoError(t, err)
	info, err := pkcs12.Inspect(file, password)
	require.NoError(t, err)
	assert.Equal(t, "a name", info.Chain[0].FriendlyName)
	assert.True(t, info.Chain[0].Equal(chain[0]))
}

// TestOtherWriters reads what Java's keytool and GnuTLS's certtool write.
func TestOtherWriters(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	chain, dir := newChain(t, key), t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	write(t, dir, "leaf.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[0].Raw}))
	write(t, dir, "password", []byte(password))
	tool(t, dir, "keytool", "-genkeypair", "-alias", "a name", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=x",
		"-storetype", "PKCS12", "-keystore", "keytool.p12", "-storepass:file", "password")
	tool(t, dir, "certtool", "--to-p12", "--load-privkey", "key.pem", "--load-certificate", "leaf.pem", "--outder",
		"--p12-name", "a name", "--password", password, "--outfile", "certtool.p12")
	for _, program := range []string{"keytool", "certtool"} {
		file, err := os.ReadFile(filepath.Join(dir, program+".p12"))
		require.NoError(t, err)
		info, err := pkcs12.Inspect(file, password)
		require.NoError(t, err, program)
		t.Logf("%s: MAC %v, certificates %v, key %v", program, info.MAC, info.Certificates, info.Key)
		assert.Equal(t, "a name", info.KeyName, program)
		assert.Equal(t, "ECDSA P-256", info.KeyType, program)
	}
}

// tool runs a program of somebody else in dir, with English messages, and returns what it says. Java asks another
// variable than the others, and without the option leaves a folder beside those of the tests.
func tool(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, append(cmd.Environ(), "LC_ALL=C.UTF-8", "LANGUAGE=en",
		"JAVA_TOOL_OPTIONS=-Duser.language=en -XX:-UsePerfData")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", program, out)
	return string(out)
}

// loadAll prints the friendly names in the files 0.p12, 1.p12 … as Python's cryptography has them from OpenSSL.
const loadAll = `import json, sys
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
names = []
for i in range(int(sys.argv[1])):
    p = load_pkcs12(open(f"{i}.p12", "rb").read(), open("password", "rb").read())
    assert p.key.public_key().public_numbers() == p.cert.certificate.public_key().public_numbers()
    assert [c.friendly_name for c in p.additional_certs] == [None], "the CA has no name"
    names.append(p.cert.friendly_name.decode())
print(json.dumps(names))`

// TestEveryCharacter reads back with OpenSSL's library, exactly, names with every character that CheckName allows. (The
// openssl program shows only the lower half of each.)
func TestEveryCharacter(t *testing.T) {
	names := []string{"x", `"'\`, "%s", "Büro 日本 مكتب نمی\u200cخواهم ￦", strings.Repeat("ü", pkcs12.MaxName)}
	runes := []rune{'x'}
	for r := rune(0); r < 0x11000; r++ {
		if pkcs12.CheckName("x"+string(r)+"x") != nil {
			continue
		}
		if runes = append(runes, r); len(runes) == pkcs12.MaxName-1 {
			names, runes = append(names, string(append(runes, 'x'))), []rune{'x'}
		}
	}
	names = append(names, string(append(runes, 'x')))
	require.Greater(t, len(names), 300, "most of the 65,536")
	key := ecKey(t, elliptic.P256())
	chain, dir := newChain(t, key), t.TempDir()
	for i, name := range names {
		o := pkcs12.Options{Profile: pkcs12.Modern(), FriendlyName: name, Iterations: 1024}
		file, err := o.Encode(key, chain, password)
		require.NoError(t, err, "%q", name)
		write(t, dir, fmt.Sprintf("%d.p12", i), file)
		if i%8 > 0 {
			continue
		}
		info, err := pkcs12.Inspect(file, password)
		require.NoError(t, err)
		require.Equal(t, []string{name, name, ""}, []string{info.KeyName, info.Chain[0].FriendlyName, info.Chain[1].FriendlyName})
	}
	write(t, dir, "password", []byte(password))
	var got []string
	out := tool(t, dir, "/usr/bin/python3", "-c", loadAll, fmt.Sprint(len(names)))
	require.NoError(t, json.Unmarshal([]byte(out), &got), "%s", out)
	assert.Equal(t, names, got)
}
