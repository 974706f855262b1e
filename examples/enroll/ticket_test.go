package main_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTicket enrolls with the ticket that testca writes, as the help of testca says, where NTLM has no part in it.
func TestTicket(t *testing.T) {
	ca, dir := startCA(t, "-ccache", "testca.ccache", "-krb5-conf", "testca.krb5.conf")
	other, _ := startCA(t, "-ccache", "testca.ccache")
	run := func(ccache string, more ...string) (int, result) {
		args := []string{"-host", ca.ready["host"], "-epm", ca.ready["epm"], "-ca", "Corp CA", "-transport", "tcp",
			"-ccache", ccache, "-krb5-conf", ca.ready["krb5-conf"], "-template", "Device", "-subject", "CN=device",
			"-roots", ca.ready["roots"], "-json", "-force"}
		status, out, _ := enroll(t, dir, append(args, more...)...)
		var r result
		require.NoError(t, json.Unmarshal([]byte(out), &r), out)
		return status, r
	}
	for _, auth := range []string{"kerberos", "negotiate"} {
		status, r := run(ca.ready["ccache"], "-auth", auth)
		require.Zero(t, status, r.Error)
		assert.Equal(t, "CN=device", r.Subject)
		status, r = run(other.ready["ccache"], "-auth", auth, "-out", "none.p12")
		assert.Equal(t, 1, status)
		assert.Contains(t, r.Error, "KRB_AP_ERR_MODIFIED")
	}
	_, out, stderr := enroll(t, dir, "-check", "-host", ca.ready["host"], "-epm", ca.ready["epm"], "-ca", "Corp CA",
		"-ccache", ca.ready["ccache"], "-krb5-conf", ca.ready["krb5-conf"])
	assert.Contains(t, out, "the account of "+ca.ready["ccache"]+" at ca.corp.test", stderr)
	assert.Contains(t, out, "passed    the account of "+ca.ready["ccache"]+", authentication negotiate")
}
