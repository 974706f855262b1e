//go:build integration && linux

package issuer_test

import (
	"crypto/tls"
	"crypto/x509"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
	"github.com/adcskit/adcskit/wsproto"
)

// appleProfile is a configuration profile with what was delivered, and a network that it is for.
func (c *company) appleProfile(t *testing.T, o wsproto.Outcome, newest uint16) []byte {
	t.Helper()
	chain := c.ca.Chain()
	config, err := mobileconfig.Encode(mobileconfig.Profile{
		Identifier: "com.example.wifi.alice", DisplayName: "Example Wi-Fi (alice)",
		Identity: mobileconfig.Identity{PKCS12: o.PKCS12, Password: c.device("").Password, IncludePassword: true},
		CAs:      chain[:len(chain)-1],
		WiFi: []mobileconfig.WiFi{{SSID: "Example", EAP: mobileconfig.EAPTLS{
			Anchors: []*x509.Certificate{chain[len(chain)-1]}, ServerNames: []string{"radius.example.com"},
			UserName: "alice@example.com", MaxTLS: newest,
		}}},
	})
	require.NoError(t, err)
	return config
}

// fromApple is the configuration of a laptop that has read the profile as Apple's systems do, from the network to the
// identity and the anchors that it refers to.
func fromApple(t *testing.T, config []byte) string {
	t.Helper()
	folder := t.TempDir()
	file := filepath.Join(folder, "alice.mobileconfig")
	writeSecret(t, file, config)
	conf, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "testdata/apple_wifi.py", file, folder).CombinedOutput()
	require.NoError(t, err, "%s", conf)
	return string(conf)
}

// TestEAPTLSFromAppleProfile has a laptop log on with nothing but a configuration profile, also with that of a renewal,
// and refuse a server of another name. No system of Apple's has taken part.
func TestEAPTLSFromAppleProfile(t *testing.T) {
	t.Parallel()
	needForeign(t, "python3", "/usr/bin/python3")
	c := startCompany(t, "Test CA", nil)
	for platform, newest := range map[string]uint16{"macos": tls.VersionTLS12, "ios-18": tls.VersionTLS13} {
		t.Run(platform, func(t *testing.T) {
			version := map[uint16]string{tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3"}[newest]
			order := func(o *wsproto.Order) { o.Key, o.Profile = "rsa2048", platform }
			first, second := c.alice(t, order), c.alice(t, order)
			c.revoke(t, first)
			trust := slices.Concat(c.root(), c.issuing(), c.crls(t))
			r := c.startRADIUS(t, radiusConfig{tls: "1.3", trust: trust})

			old, renewed := c.appleProfile(t, first, newest), c.appleProfile(t, second, newest)
			require.Len(t, uuids(old), 5, "profile, identity, two CAs, network")
			require.Equal(t, uuids(old), uuids(renewed), "the device replaces the profile")
			r.connect(t, fromApple(t, old)).isRefused(t, "error 23 : certificate revoked")
			r.connect(t, fromApple(t, renewed)).isAccepted(t, second, version)
			c.startRADIUS(t, radiusConfig{tls: "1.3", trust: trust, name: "www.example.com"}).connect(t, fromApple(t, renewed)).
				refuses(t, "Domain suffix mismatch")
		})
	}
}

// uuids are the lines after those that name a UUID.
func uuids(config []byte) []string {
	var found []string
	parts := strings.Split(string(config), "<key>PayloadUUID</key>")
	for _, part := range parts[1:] {
		found = append(found, strings.SplitN(part, "</string>", 2)[0])
	}
	return found
}
