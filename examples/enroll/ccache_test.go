package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// TestEnvironment takes the credential cache and krb5.conf of the environment when nothing else is given, as the tools
// of Kerberos do.
func TestEnvironment(t *testing.T) {
	server, err := adcstest.NewServer(&adcstest.Options{NTLM: adcstest.NTLMAbsent})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	cache, err := server.Ticket(adcstest.TicketRequest{})
	require.NoError(t, err)
	dir := t.TempDir()
	for name, content := range map[string][]byte{"ccache": cache, "krb5.conf": []byte(server.KRB5Config())} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	run := func(env []string, more ...string) result {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "enroll"), append([]string{
			"-host", server.Host(), "-epm", server.EndpointMapper(), "-ca", server.Name(), "-template", "WebServer",
			"-subject", "CN=device", "-transport", "tcp", "-force", "-json",
		}, more...)...)
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), "ADCS_PASSWORD=", "P12_PASSWORD=", "KRB5CCNAME=", "KRB5_CONFIG="+os.DevNull), env...)
		out, _ := cmd.Output() // the status is in it
		var r result
		require.NoError(t, json.Unmarshal(out, &r), string(out))
		return r
	}
	ccname, conf := "KRB5CCNAME=FILE:"+filepath.Join(dir, "ccache"), "KRB5_CONFIG="+filepath.Join(dir, "krb5.conf")
	for _, auth := range []string{"negotiate", "kerberos"} {
		r := run([]string{ccname, conf}, "-auth", auth)
		assert.Equal(t, "issued", r.Outcome, r.Error)
		assert.Equal(t, "issued", run(nil, "-auth", auth, "-ccache", "ccache", "-krb5-conf", "krb5.conf").Outcome)
	}
	r := run([]string{ccname, conf}, "-user", "somebody@CORP.TEST")
	assert.Contains(t, r.Error, "not of somebody@CORP.TEST", "the cache is of another user")
	assert.Contains(t, run([]string{ccname, conf}, "-auth", "ntlm").Error, "no password")
	assert.Contains(t, run([]string{conf}).Error, "-user is required")
	assert.Len(t, server.Requests(), 4)
}
