package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type checked struct {
	Outcome, Transport, Failed, Error string

	ExitStatus int `json:"exit_status"`
	Steps      []struct {
		Name, Status, Transport, Detail, Error, Summary, Remedy string

		Bypassed bool
	}
}

// TestCheck makes each fault that testca can have, and expects the step and the exit status; nothing is submitted.
func TestCheck(t *testing.T) {
	ca, dir := startCA(t)
	other, _ := startCA(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wrong.password"), []byte("wrong\n"), 0o600))
	for name, tc := range map[string]struct {
		args   []string
		status int
		step   string // that fails
		remedy string
	}{
		"all is well":     {[]string{"-template", "Device", "-roots", ca.ready["roots"]}, 0, "", ""},
		"no template":     {nil, 0, "", ""},
		"unknown":         {[]string{"-template", "Nonesuch"}, 1, "template", `"Device"`},
		"other roots":     {[]string{"-roots", other.ready["roots"]}, 1, "chain", "roots"},
		"wrong password":  {[]string{"-password-file", filepath.Join(dir, "wrong.password")}, 7, "logon", "password"},
		"wrong CA name":   {[]string{"-ca", "Other"}, 1, "ca name", `"Corp CA"`},
		"no such host":    {[]string{"-epm", "ca.nowhere.invalid:135"}, 1, "host", "DNS"},
		"port closed":     {[]string{"-epm", "127.0.0.1:1"}, 1, "port", "port 135"},
		"another port":    {[]string{"-transport", "np", "-epm", "127.0.0.9:1"}, 1, "port", "445"},
		"kerberos":        {[]string{"-auth", "kerberos", "-user", "a@CORP.TEST", "-kdc", "127.0.0.1:1"}, 1, "logon", "88"},
		"with -retrieve":  {[]string{"-retrieve", "1"}, 2, "", ""},
		"roots not there": {[]string{"-roots", "none.pem"}, 1, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			status, out, stderr := enroll(t, dir, ca.base(append([]string{"-check"}, tc.args...)...)...)
			var r checked
			require.NoError(t, json.Unmarshal([]byte(out), &r), "%s%s", out, stderr)
			assert.Equal(t, tc.status, status, out)
			assert.Equal(t, status, r.ExitStatus)
			assertFiles(t, dir)
			assert.Equal(t, tc.step, r.Failed, out)
			for _, s := range r.Steps {
				if s.Status == "failed" && s.Name == r.Failed {
					assert.Contains(t, s.Remedy, tc.remedy)
					assert.NotEmpty(t, s.Summary)
				}
			}
		})
	}
	assert.Equal(t, "total 0", ca.say(t, "list"))
}

// TestCheckTable is the same for people.
func TestCheckTable(t *testing.T) {
	ca, _ := startCA(t)
	status, out, stderr := enroll(t, t.TempDir(), ca.base("-json=false", "-check")...)
	assert.Zero(t, status, stderr)
	assert.Regexp(t, `(?m)^  tcp   port       passed    endpoint mapper at `, out)
	assert.Regexp(t, `(?m)^        template   skipped   no template was named$`, out)
	assert.Contains(t, out, "passed by transport tcp")
	status, out, _ = enroll(t, t.TempDir(), ca.base("-json=false", "-check", "-epm", "127.0.0.1:1")...)
	assert.Equal(t, 1, status)
	assert.Regexp(t, `(?m)^  tcp   port       failed `, out)
	assert.Contains(t, out, `failed: mend step "port"`)
	assert.Regexp(t, `(?m)^  tcp   the rest   skipped   not reached: interface, clock, logon, privacy, answer$`, out)
	assert.NotRegexp(t, `(?m)^  np    answer `, out)
}
