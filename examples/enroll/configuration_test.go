package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/micromdm/plist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
)

// appleProfile is what a test reads of a configuration profile.
type appleProfile struct {
	PayloadIdentifier  string
	PayloadUUID        string
	PayloadDisplayName string
	PayloadContent     []struct {
		PayloadType    string
		PayloadUUID    string
		PayloadContent []byte
		Password       string
	}
}

// get enrolls for an iPhone and returns the configuration profile.
func (ca *testCA) get(t *testing.T, dir string, args ...string) appleProfile {
	t.Helper()
	status, r := ca.enroll(t, dir, append([]string{"-template", "Device", "-platform", "ios-17.4", "-out", "phone.p12"}, args...)...)
	require.Zero(t, status, r.Error)
	require.Equal(t, "phone.mobileconfig", r.Configuration)
	text, err := os.ReadFile(filepath.Join(dir, r.Configuration))
	require.NoError(t, err)
	var c appleProfile
	require.NoError(t, plist.Unmarshal(text, &c))
	p12, err := os.ReadFile(filepath.Join(dir, "phone.p12"))
	require.NoError(t, err)
	assert.Equal(t, p12, c.PayloadContent[0].PayloadContent)
	password, err := cli.Password(filepath.Join(dir, "phone.password"), "")
	require.NoError(t, err)
	assert.NotContains(t, string(text), password)
	_, chain, err := pkcs12.Decode(p12, password)
	require.NoError(t, err)
	assert.Len(t, chain, 1)
	return c
}

// TestConfiguration: an iPhone gets the .p12 and the CAs in one file, and again the same with the next certificate.
func TestConfiguration(t *testing.T) {
	ca, _ := startCA(t)
	dir := t.TempDir()
	first := ca.get(t, dir, "-subject", "CN=phone", "-roots", ca.ready["roots"])
	assertFiles(t, dir, "phone.mobileconfig", "phone.p12", "phone.password")
	assert.Equal(t, "phone", first.PayloadDisplayName)
	kinds := func(c appleProfile) (kinds []string) {
		for _, p := range c.PayloadContent {
			kinds = append(kinds, p.PayloadType)
		}
		return kinds
	}
	assert.Equal(t, []string{"com.apple.security.pkcs12", "com.apple.security.pkcs1", "com.apple.security.root"}, kinds(first))
	roots, err := cli.Certificates(ca.ready["roots"])
	require.NoError(t, err)
	assert.Equal(t, roots[0].Raw, first.PayloadContent[2].PayloadContent)

	next := ca.get(t, t.TempDir(), "-subject", "CN=phone", "-roots", ca.ready["roots"])
	assert.Equal(t, first.PayloadUUID, next.PayloadUUID)
	for i := range first.PayloadContent {
		assert.Equal(t, first.PayloadContent[i].PayloadUUID, next.PayloadContent[i].PayloadUUID)
	}
	assert.NotEqual(t, first.PayloadContent[0].PayloadContent, next.PayloadContent[0].PayloadContent)

	for name, args := range map[string][]string{
		"subject": {"-subject", "CN=other"}, "names": {"-subject", "CN=phone", "-dns", "phone.corp.test"},
		"template": {"-subject", "CN=phone", "-template", "Strong", "-key", "rsa2048"},
	} {
		other := ca.get(t, t.TempDir(), args...)
		assert.NotEqual(t, first.PayloadIdentifier, other.PayloadIdentifier, name)
		assert.Equal(t, []string{"com.apple.security.pkcs12", "com.apple.security.pkcs1"}, kinds(other), "no root without -roots")
	}
}

// TestConfigurationIsNotReplaced without being told so: nothing is sent then.
func TestConfigurationIsNotReplaced(t *testing.T) {
	ca, _ := startCA(t)
	dir := t.TempDir()
	there := filepath.Join(dir, "phone.mobileconfig")
	require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
	args := []string{"-template", "Device", "-subject", "CN=phone", "-platform", "ipados", "-out", "phone.p12"}
	status, r := ca.enroll(t, dir, args...)
	assert.Equal(t, 2, status)
	assert.Contains(t, r.Error, "phone.mobileconfig is there already")
	status, r = ca.enroll(t, dir, append(args, "-p12-password-file", "phone.mobileconfig")...)
	assert.Equal(t, 2, status)
	assert.Contains(t, r.Error, "the same file")
	assert.Equal(t, "total 0", ca.say(t, "list"))
	status, r = ca.enroll(t, dir, append(args, "-force")...)
	require.Zero(t, status, r.Error)
	text, err := os.ReadFile(there)
	require.NoError(t, err)
	assert.Contains(t, string(text), "com.apple.security.pkcs12")
}
