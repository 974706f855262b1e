//go:build integration

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startKerberos runs testca with tickets and returns the variables that lead clients to them.
func startKerberos(t *testing.T, args ...string) (*process, []string) {
	t.Helper()
	dir := t.TempDir()
	cache, conf := filepath.Join(dir, "ccache"), filepath.Join(dir, "krb5.conf")
	p := start(t, append([]string{"-epm-port", "0", "-ccache", cache, "-krb5-conf", conf}, args...)...)
	assert.Contains(t, p.ready, " ccache="+cache+" krb5-conf="+conf)
	info, err := os.Stat(cache)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode())
	return p, []string{"KRB5CCNAME=" + cache, "KRB5_CONFIG=" + conf, "PEER_PASSWORD="}
}

// TestKerberosClients runs the clients of package adcstest with the tickets that testca writes.
func TestKerberosClients(t *testing.T) {
	for _, encryption := range []string{"aes256", "aes128", "rc4"} {
		p, env := startKerberos(t, "-encryption", encryption)
		_, cache, _ := strings.Cut(env[0], "=")
		for script, options := range map[string][]string{
			"impacket_client.py": {"CORP.TEST/enroller seal kerberos=ca.corp.test"},
			"gssapi_client.py":   {"ca.corp.test krb5 seal", "ca.corp.test spnego seal"},
			"samba_client.py": {
				"CORP/enroller krb5 seal kerberos=ca.corp.test ccache=" + cache,
				"CORP/enroller spnego seal kerberos=ca.corp.test ccache=" + cache,
			},
		} {
			for i, option := range options {
				t.Run(fmt.Sprintf("%s,%s,%d", encryption, script, i), func(t *testing.T) {
					csr := newCSR(t)
					a := runWith(t, env, csr, "../../adcs/adcstest/testdata/"+script,
						append([]string{p.host, p.port, "Corp CA"}, strings.Fields(option)...)...)
					require.Empty(t, a.Error)
					require.Len(t, a.Answers, 2)
					checkIssued(t, a.Answers[0], csr)
					checkIssued(t, a.Answers[1], csr)
				})
			}
		}
	}
}

// TestKerberosTool goes the way of tools on impacket, where NTLM is refused: another ticket does not get in either.
func TestKerberosTool(t *testing.T) {
	config := filepath.Join(t.TempDir(), "kerberos.json")
	require.NoError(t, os.WriteFile(config, []byte(`{"templates": [{"name": "User"}], "ntlm": "blocked",
		"kerberos": {"listedOnly": true}}`), 0o600))
	p, env := startKerberos(t, "-config", config)
	_, others := startKerberos(t)
	der := filepath.Join(t.TempDir(), "request.der")
	csr := newCSR(t)
	require.NoError(t, os.WriteFile(der, csr, 0o600))
	tool := func(env []string, args ...string) answer {
		args = append([]string{p.host, p.port, "Corp CA", "CORP.TEST/enroller"}, args...)
		return runWith(t, append([]string{"PEER_KERBEROS=ca.corp.test"}, env...), nil, "testdata/tool.py", args...)
	}
	a := tool(env, "request", "User", der)
	checkIssued(t, a, csr)
	assert.Equal(t, a.Leaf, tool(env, "retrieve", fmt.Sprint(a.ID)).Leaf)
	assert.Contains(t, tool(others, "request", "User", der).Error, "KRB_AP_ERR_MODIFIED")
	assert.Contains(t, p.tool(t, "Corp CA", "CORP/enroller", secret, "request", "User", der).Error, "00000721")
}

// TestKerberosMisused is wrong use that testca names.
func TestKerberosMisused(t *testing.T) {
	dir := t.TempDir()
	bad, config := filepath.Join(dir, "bad.keytab"), filepath.Join(dir, "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte("no keytab"), 0o600))
	for want, c := range map[string]struct {
		config string
		args   []string
	}{
		"-encryption":                 {args: []string{"-ccache", filepath.Join(dir, "x"), "-encryption", "des"}},
		"SERVICE/HOST":                {args: []string{"-ccache", filepath.Join(dir, "x"), "-spn", "ca.corp.test"}},
		"keytab cannot be decoded":    {args: []string{"-keytab", bad}},
		"none.keytab":                 {config: `{"kerberos": {"keytabFile": "none.keytab"}}`},
		"is not a duration":           {config: `{"kerberos": {"clockSkew": "soon"}}`},
		"none of allowed, blocked":    {config: `{"ntlm": "perhaps"}`},
		`realm "X" has the domain ""`: {config: `{"kerberos": {"domains": {"X": ""}}}`},
	} {
		args := append([]string{"-epm-port", "0", "-password-file", filepath.Join(dir, "password"), "-ca-file",
			filepath.Join(dir, "ca.pem")}, c.args...)
		if c.config != "" {
			require.NoError(t, os.WriteFile(config, []byte(c.config), 0o600))
			args = append(args, "-config", config)
		}
		out, err := exec.Command(program, args...).CombinedOutput()
		require.Error(t, err, want)
		assert.Contains(t, string(out), want)
	}
}
