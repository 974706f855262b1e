//go:build integration

package main_test

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestForeignSMB enrolls through impacket's SMB server, which knows SMB 2.0.2 and NTLM.
func TestForeignSMB(t *testing.T) {
	d := member(t, "smb")
	d.AddHost(t, d.host, "127.0.0.5")
	f := d.start(t)
	cmd := exec.Command("/usr/bin/python3", "../../adcs/testdata/foreign_smb.py", "127.0.0.5", d.user.Name,
		d.user.Password, fmt.Sprint(f.CA))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		assert.NoError(t, cmd.Wait(), stderr.String())
	})
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, stderr.String())
	user := []string{"-transport", "np", "-epm", "", "-user", d.user.Logon(), "-password-file", f.secret}
	for name, args := range map[string][]string{
		"ntlm":      {"-auth", "ntlm"},
		"negotiate": {"-allow-ntlm", "-kdc", "127.0.0.3"},
	} {
		t.Run(name, func(t *testing.T) {
			status, r := d.enroll(t, f, append(user, args...)...)
			require.Zero(t, status, r.Error)
			f.check(t, r)
		})
	}
}
