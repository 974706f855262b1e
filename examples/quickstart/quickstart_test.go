package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/micromdm/plist"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
)

func TestRunDeliversWhatItPrints(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "out")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), options{count: 2, key: "p256", out: folder, parallel: 2}, &out), out.String())
	for _, name := range []string{"device-01", "device-02", "held"} {
		password, err := os.ReadFile(filepath.Join(folder, name+".password"))
		require.NoError(t, err)
		require.NotContains(t, out.String(), strings.TrimSpace(string(password)))
		for _, suffix := range []string{".p12", ".password"} {
			info, err := os.Stat(filepath.Join(folder, name+suffix))
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name+suffix)
		}
	}
	for _, name := range []string{"denied", "refused"} {
		require.NoFileExists(t, filepath.Join(folder, name+".p12"))
	}
	require.Regexp(t, `CN=denied .* denied `, out.String())
	require.Contains(t, out.String(), "CERTSRV_E_TEMPLATE_DENIED")
	require.Contains(t, out.String(), "policy-name")
}

func TestRunRefusesBadFlags(t *testing.T) {
	for _, o := range []options{
		{count: -1, parallel: 1}, {count: 10_001, parallel: 1}, {parallel: 0}, {parallel: 65}, {parallel: 1, key: "rsa512"},
		{parallel: 1, platform: "windows-phone"}, {parallel: 1, platform: "modern"}, {parallel: 1, platform: "ios-1"},
	} {
		require.Error(t, run(t.Context(), o, os.Stdout), "%+v", o)
	}
}

// TestCommandLine: wrong use ends with status 2, and help says which status means what.
func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{"-n", "-1"}, {"-platform", "iOS"}, {"-platform", "modern"}, {"-key", "rsa512"}, {"-wrong"}, {"more"}} {
		_, err := parse(args, new(bytes.Buffer))
		require.Equal(t, 2, cli.ExitStatus(err), "%q: %v", args, err)
	}
	var out bytes.Buffer
	_, err := parse([]string{"-h"}, &out)
	require.Zero(t, cli.ExitStatus(err))
	require.Contains(t, out.String(), "Exit status:")
	require.Contains(t, out.String(), "linux-openssl")
	o, err := parse([]string{"-platform", "ios-17.4"}, &out)
	require.NoError(t, err)
	require.Equal(t, "ios-17.4", o.profile.String())
}

func TestRunOverwritesOnlyItsOwnFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	other := filepath.Join(folder, "other.p12")
	require.NoError(t, os.WriteFile(other, []byte("mine"), 0o644))
	old := filepath.Join(folder, "held.p12")
	require.NoError(t, os.WriteFile(old, []byte("old"), 0o644))
	require.NoError(t, run(t.Context(), options{out: folder, parallel: 1}, new(bytes.Buffer)))
	kept, err := os.ReadFile(other)
	require.NoError(t, err)
	require.Equal(t, "mine", string(kept))
	info, err := os.Stat(old)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// payload is what a test reads of a configuration profile.
type payload struct {
	PayloadType      string
	PayloadContent   []byte
	KeyIsExtractable *bool
	Password         string
}

// TestPlatforms has the files that each platform wants, and a line for each about what comes next.
func TestPlatforms(t *testing.T) {
	for platform, want := range map[string]struct {
		certificates int
		next         string
	}{
		"ios-18": {1, ".mobileconfig to it (AirDrop"}, "windows-11": {2, "Import-PfxCertificate"}, "android": {3, "Wi-Fi certificate"},
	} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			stale := filepath.Join(folder, "device-01.mobileconfig")
			require.NoError(t, os.WriteFile(stale, []byte("old"), 0o644))
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), options{out: folder, parallel: 1, platform: platform}, &out), out.String())
			require.NoFileExists(t, stale)
			require.Contains(t, out.String(), want.next)
			file, err := os.ReadFile(filepath.Join(folder, "held.p12"))
			require.NoError(t, err)
			password, err := os.ReadFile(filepath.Join(folder, "held.password"))
			require.NoError(t, err)
			info, err := pkcs12.Inspect(file, strings.TrimSpace(string(password)))
			require.NoError(t, err)
			require.Len(t, info.Chain, want.certificates, platform)
			require.Equal(t, "held", info.Chain[0].FriendlyName)
			profile, err := pkcs12.ParseProfile(platform)
			require.NoError(t, err)
			made, _ := info.Profile()
			require.Equal(t, profile.Algorithms(), made)
			config := filepath.Join(folder, "held.mobileconfig")
			if profile.Shape() != pkcs12.LeafOnly {
				require.NoFileExists(t, config)
				return
			}
			checkConfiguration(t, config, file, filepath.Join(folder, "ca.pem"))
		})
	}
}

// checkConfiguration: the identity without its password, and every CA as what it is.
func checkConfiguration(t *testing.T, path string, p12 []byte, caFile string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	var config struct{ PayloadContent []payload }
	require.NoError(t, plist.Unmarshal(text, &config))
	cas, err := cli.Certificates(caFile)
	require.NoError(t, err)
	no := false
	require.Equal(t, []payload{
		{PayloadType: "com.apple.security.pkcs12", PayloadContent: p12, KeyIsExtractable: &no},
		{PayloadType: "com.apple.security.pkcs1", PayloadContent: cas[0].Raw},
		{PayloadType: "com.apple.security.root", PayloadContent: cas[1].Raw},
	}, config.PayloadContent)
}

// TestOnto has a next step for every platform.
func TestOnto(t *testing.T) {
	for _, platform := range pkcs12.Platforms() {
		require.Contains(t, onto(platform, "out", "/tmp/out"), "held", platform)
	}
}
