package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hold has the CA hold a request and approve it, and returns what it said about the request.
func (ca *testCA) hold(t *testing.T, dir string) result {
	t.Helper()
	status, r := ca.enroll(t, dir, "-template", "Held", "-subject", "CN=device", "-out", "device.p12")
	require.Equal(t, 3, status, r.Error)
	require.Equal(t, fmt.Sprintf("done approve %d", r.RequestID), ca.say(t, fmt.Sprintf("approve %d", r.RequestID)))
	return r
}

// TestKeyFileAfterRetrieve removes the key in clear if enroll wrote it, and nothing that somebody else wrote or changed.
func TestKeyFileAfterRetrieve(t *testing.T) {
	ca, _ := startCA(t)
	for name, tc := range map[string]struct {
		change func([]byte) []byte
		kept   bool
	}{
		"as enroll wrote it":  {func(b []byte) []byte { return b }, false},
		"with something else": {func(b []byte) []byte { return append(b, "my notes\n"...) }, true},
		"brought": {func(b []byte) []byte {
			key, _, _ := bytes.Cut(b[bytes.Index(b, []byte("-----BEGIN")):], []byte("-----BEGIN CERT"))
			return key
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			held := ca.hold(t, dir)
			key := filepath.Join(dir, held.KeyFile)
			content, err := os.ReadFile(key)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(key, tc.change(content), 0o600))
			args := ca.base("-retrieve", fmt.Sprint(held.RequestID), "-key-file", held.KeyFile, "-out", "device.p12",
				"-from-directory", "-json=false")
			status, out, stderr := enroll(t, dir, args...)
			require.Zero(t, status, stderr)
			if tc.kept {
				assert.Contains(t, out, "device.key stays: enroll did not write it")
				assertFiles(t, dir, "device.key", "device.p12", "device.password")
			} else {
				assert.Contains(t, out, "device.key is removed: the key is in device.p12")
				assertFiles(t, dir, "device.p12", "device.password")
			}
		})
	}
}

// TestKeyOfAnotherRequest says so, and blames neither the CA nor the template.
func TestKeyOfAnotherRequest(t *testing.T) {
	ca, _ := startCA(t)
	dir, other := t.TempDir(), t.TempDir()
	held := ca.hold(t, dir)
	ca.hold(t, other)
	status, r := ca.enroll(t, other, "-retrieve", fmt.Sprint(held.RequestID), "-key-file", "device.key")
	assert.Equal(t, 2, status)
	assert.Contains(t, r.Error, fmt.Sprintf("the key in device.key does not belong to request %d", held.RequestID))
	assert.Empty(t, r.Remedy)
	assertFiles(t, other, "device.key")

	request, err := os.ReadFile(filepath.Join(dir, "device.key"))
	require.NoError(t, err)
	key, err := os.ReadFile(filepath.Join(other, "device.key"))
	require.NoError(t, err)
	mixed := append(key[:bytes.Index(key, []byte("-----BEGIN CERT"))], request[bytes.Index(request, []byte("-----BEGIN CERT")):]...)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mixed.key"), mixed, 0o600))
	status, r = ca.enroll(t, dir, "-retrieve", fmt.Sprint(held.RequestID), "-key-file", "mixed.key")
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Error, "mixed.key holds a request for another key")
}

// TestNothingIsReplaced runs enroll again where an earlier run has left its files.
func TestNothingIsReplaced(t *testing.T) {
	ca, caDir := startCA(t)
	dir := t.TempDir()
	args := []string{"-template", "Device", "-subject", "CN=device"}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(b)
	}
	status, r := ca.enroll(t, dir, args...)
	require.Zero(t, status, r.Error)
	first, password := read("certificate.p12"), read("certificate.password")

	status, r = ca.enroll(t, dir, args...)
	assert.Equal(t, 2, status)
	assert.Contains(t, r.Error, "certificate.p12 is there already")
	assert.Contains(t, r.Error, "-force")
	assert.Equal(t, "total 1", ca.say(t, "list"), "the CA was not asked")
	assert.Equal(t, first, read("certificate.p12"))

	require.NoError(t, os.Remove(filepath.Join(dir, "certificate.p12")))
	status, r = ca.enroll(t, dir, args...)
	assert.Equal(t, 2, status)
	assert.Contains(t, r.Error, "certificate.password is there already")
	assert.Equal(t, password, read("certificate.password"))

	empty := filepath.Join(dir, "empty.p12") // as mktemp makes one: nothing is lost
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	status, r = ca.enroll(t, dir, append(args, "-out", empty)...)
	require.Zero(t, status, r.Error)
	assert.NotEmpty(t, read("empty.p12"))

	own := filepath.Join(caDir, "own.password")
	require.NoError(t, os.WriteFile(own, []byte("a password of mine\n"), 0o600))
	status, r = ca.enroll(t, dir, append(args, "-p12-password-file", own)...)
	require.Zero(t, status, "nothing would be replaced: %s", r.Error)
	first = read("certificate.p12")

	status, r = ca.enroll(t, dir, append(args, "-force")...)
	require.Zero(t, status, r.Error)
	assert.NotEqual(t, first, read("certificate.p12"))
	checkP12(t, filepath.Join(dir, "certificate.p12"), strings.TrimSpace(read("certificate.password")), r.Serial)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "certificate.key"), []byte("a key"), 0o600))
	status, r = ca.enroll(t, dir, append(args, "-force")...)
	assert.Equal(t, 2, status, "the key of an earlier request is in no .p12 yet: -force does not reach it")
	assert.Contains(t, r.Error, "certificate.key is there already")
	assert.Equal(t, "a key", read("certificate.key"))
}

// TestPlaceTakenMeanwhile has somebody put a file where the result should go while the manager thinks.
func TestPlaceTakenMeanwhile(t *testing.T) {
	ca, _ := startCA(t)
	for _, name := range []string{"certificate.p12", "certificate.password", "certificate.mobileconfig"} {
		dir := t.TempDir()
		type ended struct {
			status int
			result
		}
		done := make(chan ended, 1)
		go func() {
			status, r := ca.enroll(t, dir, "-template", "Held", "-subject", "CN=device", "-poll", "10ms", "-wait", "1m",
				"-platform", "ios")
			done <- ended{status, r}
		}()
		n := ca.held(t)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("precious"), 0o600))
		ca.say(t, fmt.Sprintf("approve %d", n))
		got := <-done
		assert.Equal(t, 1, got.status)
		assert.Contains(t, got.Error, name)
		assert.Equal(t, "certificate.key", got.KeyFile)
		assertFiles(t, dir, "certificate.key", name) // all results or none
		assert.Empty(t, got.P12+got.P12PasswordFile+got.Configuration)
		require.Len(t, got.Next, 1, "the key is there, and so the certificate can be had again")
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, "precious", string(b))
	}
}
