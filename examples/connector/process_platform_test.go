//go:build unix

package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
)

// TestPlatformOrders: an order says what its .p12 is for. What the connector does not know it does not guess: no key, no
// request.
func TestPlatformOrders(t *testing.T) {
	l := newLab(t)
	l.up()
	order := func(profile string) string {
		name, _, _ := strings.Cut(profile, "-")
		l.write(profile+".json", fmt.Sprintf(`{"ca": {"host": "ca.corp.test", "name": "Test CA"}, "template": "Device",
			"subject": "CN=%[1]s.devices.corp.test", "dns": ["%[1]s.devices.corp.test"], "key": "p256", "profile": "%[2]s"}`,
			name, profile))
		return "./gateway -config gateway.json order acme " + profile + ".json " + profile
	}
	rows := map[string]int{}
	for profile, certificates := range map[string]int{"ios-17.4": 1, "windows-10.0.19045": 2, "android": 3, "modern": 2} {
		l.run(order(profile))
		password := strings.TrimSpace(l.read(profile + ".password"))
		l.secrets = append(l.secrets, password)
		info, err := pkcs12.Inspect([]byte(l.read(profile+".p12")), password)
		require.NoError(t, err)
		name, _, _ := strings.Cut(profile, "-")
		assert.Equal(t, name+".devices.corp.test", info.Chain[0].FriendlyName)
		assert.Len(t, info.Chain, certificates, profile)
		want, err := pkcs12.ParseProfile(profile)
		require.NoError(t, err)
		made, _ := info.Profile()
		assert.Equal(t, want.Algorithms(), made, profile)
		rows[name]++
	}
	for _, unknown := range []string{"palmos-5", "ios-1", "Windows"} {
		refused := l.start(order(unknown))
		assert.Equal(t, 1, refused.exit())
		assert.Contains(t, refused.out.String(), "failed "+string(wsproto.ReasonOrderUnsupported))
		assert.NoFileExists(t, l.path(unknown+".p12"))
	}
	assert.Equal(t, rows, l.rows())
}

// TestFIPS: where FIPS 140-3 is enforced no .p12 can be made, and WebSocket is out of reach too. Both programs say so
// before they do anything.
func TestFIPS(t *testing.T) {
	l := newLab(t)
	for _, line := range []string{"connector -config connector.json", "connector -config connector.json check"} {
		p := l.start("GODEBUG=fips140=only ./" + line)
		assert.Equal(t, 1, p.exit())
		assert.Contains(t, p.out.String(), "FIPS 140-3 is enforced", line)
		assert.NotContains(t, p.out.String(), "panic")
	}
	assert.NoDirExists(t, l.path("connector.state"))
	l.run("./gateway -config gateway.json init")
	p := l.start("GODEBUG=fips140=only ./gateway -config gateway.json serve")
	assert.Equal(t, 1, p.exit())
	assert.Contains(t, p.out.String(), "FIPS 140-3")
}
