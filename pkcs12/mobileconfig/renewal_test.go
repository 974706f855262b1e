package mobileconfig_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

// uuids returns the UUIDs of a profile by identifier, its own included, and checks what payloads say of one another:
// the identity is the client's credential, the anchors are CAs that are there.
func uuids(t testing.TB, p mobileconfig.Profile) map[string]string {
	t.Helper()
	top, payloads := decode(t, encode(t, p))
	all := map[string]string{p.Identifier: top["PayloadUUID"].(string)}
	kinds := map[any]any{}
	for id, payload := range payloads {
		all[id] = payload["PayloadUUID"].(string)
		kinds[payload["PayloadUUID"]] = payload["PayloadType"]
	}
	require.Len(t, kinds, len(payloads), "each its own")
	require.NotContains(t, kinds, top["PayloadUUID"])
	for _, payload := range payloads {
		eap, network := payload["EAPClientConfiguration"].(map[string]any)
		if !network {
			continue
		}
		require.Equal(t, "com.apple.security.pkcs12", kinds[payload["PayloadCertificateUUID"]])
		for _, anchor := range eap["PayloadCertificateAnchorUUID"].([]any) {
			require.Contains(t, []string{"com.apple.security.root", "com.apple.security.pkcs1"}, kinds[anchor])
		}
	}
	return all
}

// difference returns how many identifiers are new and how many are gone, and wants the others to have the same UUID.
func difference(t testing.TB, before, after map[string]string) (added, gone int) {
	t.Helper()
	for id, uuid := range after {
		if old, was := before[id]; was {
			assert.Equal(t, old, uuid, id)
		} else {
			assert.NotContains(t, slices.Collect(maps.Values(before)), uuid, id)
			added++
		}
	}
	for id := range before {
		if _, still := after[id]; !still {
			gone++
		}
	}
	return added, gone
}

// What a device takes for the same profile and the same payloads when it gets the next profile of this identity.
func TestRenewal(t *testing.T) {
	type profile = mobileconfig.Profile
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, ca := newKey(t), newCA(t, newKey(t), "Example Root CA") // of the same name as the old one
	for name, test := range map[string]struct {
		change      func(*profile)
		added, gone int
	}{
		"the same":    {func(*profile) {}, 0, 0},
		"certificate": {func(p *profile) { p.Identity.PKCS12 = newFile(t, ecKey, newCert(t, ecKey, nil)) }, 0, 0},
		"RSA key":     {func(p *profile) { p.Identity.PKCS12 = newFile(t, rsaKey, newCert(t, rsaKey, nil)) }, 0, 0},
		"password":    {func(p *profile) { withPassword(t, p, "another password") }, 0, 0},
		"no password": {func(p *profile) { p.Identity.IncludePassword = false }, 0, 0},
		"texts": {func(p *profile) {
			p.DisplayName, p.Description, p.Organization, p.RemovalDisallowed = "x", "y", "z", false
		}, 0, 0},
		"for the user":     {func(p *profile) { p.Scope = mobileconfig.ScopeUser }, 0, 0},
		"CA":               {func(p *profile) { p.CAs[1] = ca }, 1, 1},
		"two CAs":          {func(p *profile) { p.CAs = append(p.CAs, ca) }, 1, 0},
		"anchor":           {func(p *profile) { p.WiFi[0].EAP.Anchors = []*x509.Certificate{ca} }, 1, 0},
		"anchor besides":   {func(p *profile) { p.WiFi[0].EAP.Anchors = append(p.WiFi[0].EAP.Anchors, ca) }, 1, 0},
		"order of CAs":     {func(p *profile) { slices.Reverse(p.CAs) }, 0, 0},
		"order of Wi-Fi":   {func(p *profile) { slices.Reverse(p.WiFi) }, 0, 0},
		"SSID":             {func(p *profile) { p.WiFi[0].SSID = "another" }, 1, 1},
		"SSID, case":       {func(p *profile) { p.WiFi[0].SSID = "EXAMPLE" }, 1, 1},
		"one Wi-Fi less":   {func(p *profile) { p.WiFi = p.WiFi[1:] }, 0, 1},
		"one Wi-Fi more":   {func(p *profile) { p.WiFi = append(p.WiFi, mobileconfig.WiFi{SSID: "3", EAP: eap(t)}) }, 1, 0},
		"Wi-Fi, otherwise": {func(p *profile) { p.WiFi[0].Hidden, p.WiFi[0].Security = true, "WPA3" }, 0, 0},
		"RADIUS servers":   {func(p *profile) { p.Ethernet[0].EAP.ServerNames = []string{"new.example.com"} }, 0, 0},
		"interface":        {func(p *profile) { p.Ethernet[1].Interface = mobileconfig.InterfaceFirst }, 1, 1},
		"interface, named": {func(p *profile) { p.Ethernet[0].Interface = mobileconfig.InterfaceAny }, 0, 0},
		"another identity": {func(p *profile) { p.Identifier = "com.example.id.bob" }, 8, 8},
	} {
		t.Run(name, func(t *testing.T) {
			p := full(t)
			before := uuids(t, p)
			require.Len(t, before, 8)
			test.change(&p)
			added, gone := difference(t, before, uuids(t, p))
			assert.Equal(t, []int{test.added, test.gone}, []int{added, gone}, "new, gone")
		})
	}
}
