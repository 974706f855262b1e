//go:build integration

package main_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const dcomScript = "../../adcs/adcstest/testdata/impacket_dcom.py"

// TestDCOMClients runs impacket's DCOM client of package adcstest against the process, with NTLM and with the tickets
// that testca writes.
func TestDCOMClients(t *testing.T) {
	check := func(t *testing.T, a answer, csr []byte) {
		require.Empty(t, a.Error)
		require.Len(t, a.Answers, 2)
		checkIssued(t, a.Answers[0], csr)
		checkIssued(t, a.Answers[1], csr)
	}
	for _, how := range []string{"RemoteActivation", "RemoteCreateInstance"} {
		t.Run(how, func(t *testing.T) {
			p, csr := start(t, "-epm-port", "0"), newCSR(t)
			check(t, run(t, secret, csr, dcomScript, p.host, p.port, "Corp CA", "CORP/enroller", how), csr)
		})
	}
	t.Run("Kerberos", func(t *testing.T) {
		p, env := startKerberos(t)
		csr := newCSR(t)
		check(t, runWith(t, env, csr, dcomScript, p.host, p.port, "Corp CA", "CORP.TEST/enroller", "RemoteCreateInstance",
			"kerberos=ca.corp.test"), csr)
	})
}

// tell gives testca a command and requires what it says.
func (p *process) tell(t *testing.T, command, want string) {
	t.Helper()
	_, err := fmt.Fprintln(p.in, command)
	require.NoError(t, err)
	require.True(t, p.lines.Scan())
	require.Equal(t, want, p.lines.Text())
}

// TestRevocation revokes on the console and has OpenSSL look the certificate up in the CRLs that testca writes.
func TestRevocation(t *testing.T) {
	p := start(t, "-epm-port", "0")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	a := run(t, secret, newCSR(t), "../../adcs/adcstest/testdata/impacket_client.py",
		p.host, p.port, "Corp CA", "CORP/enroller", "seal")
	require.Len(t, a.Answers, 2)
	for name, text := range map[string]string{"bad": a.Answers[0].Leaf, "good": a.Answers[1].Leaf, "chain": a.Answers[0].Chain} {
		der, err := hex.DecodeString(text)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file(name), der, 0o600))
	}
	openssl := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
		return string(out), err
	}
	out, err := openssl("pkcs7", "-inform", "DER", "-in", file("chain"), "-print_certs", "-out", file("chain.pem"))
	require.NoError(t, err, out)
	_, roots, _ := strings.Cut(p.ready, " roots=")
	verify := func(leaf string) string {
		out, _ := openssl("verify", "-crl_check_all", "-CAfile", roots, "-untrusted", file("chain.pem"),
			"-CRLfile", file("crls.pem"), file(leaf))
		return out
	}
	publish := "publish " + file("crls.pem")
	p.tell(t, publish, "done "+publish)
	assert.Contains(t, verify("bad"), "bad: OK")
	p.tell(t, "revoke 1 6", "done revoke 1")
	p.tell(t, publish, "done "+publish)
	assert.Contains(t, verify("bad"), "certificate revoked")
	assert.Contains(t, verify("good"), "good: OK")
	p.tell(t, "release 1", "done release 1")
	p.tell(t, "renew new-key", "done renew new-key")
	p.tell(t, publish, "done "+publish)
	assert.Contains(t, verify("bad"), "bad: OK")

	p.tell(t, "revoke 99", "error: request 99 has no certificate")
	p.tell(t, "publish "+file("no/such/folder"), "error: open "+file("no/such/folder")+": no such file or directory")
	for _, wrong := range []string{"revoke", "revoke x", "revoke 1 x", "release", "renew x", "publish a b", "approve 1 2"} {
		_, err := fmt.Fprintln(p.in, wrong)
		require.NoError(t, err)
		require.True(t, p.lines.Scan())
		assert.Contains(t, p.lines.Text(), "usage: list", wrong)
	}
}
