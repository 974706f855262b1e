package mobileconfig_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

// The systems of a payload or key: iOS with iPadOS, macOS, tvOS, visionOS, watchOS.
const (
	everywhere = "imtvw"
	macOS      = "m"
)

// key is what the schema says about one.
type key struct {
	kind     string // of the property list
	required bool
	systems  string
	values   []any // nil: any
}

type keys map[string]key

func must(kind string, values ...any) key { return key{kind, true, everywhere, values} }
func can(kind string, values ...any) key  { return key{kind, false, everywhere, values} }
func on(systems string, k key) key        { k.systems = systems; return k }

// with returns both sets.
func (k keys) with(more keys) keys {
	all := maps.Clone(k)
	maps.Copy(all, more)
	return all
}

// systemsOf returns the systems that have a payload type.
func systemsOf(kind string) string {
	switch {
	case kind == "com.apple.globalethernet.managed":
		return "imt"
	case strings.Contains(kind, "ethernet"):
		return macOS
	}
	return everywhere
}

// schema returns what Apple has published in github.com/apple/device-management, mdm/profiles (commit 0a4527c5), about
// the keys of each payload type, as far as this package writes them.
func schema() map[string]keys {
	const str, boolean = "string", "boolean"
	common := keys{ // CommonPayloadKeys.yaml
		"PayloadIdentifier": must(str), "PayloadUUID": must(str), "PayloadType": must(str),
		"PayloadVersion": must("integer", uint64(1)), "PayloadDescription": can(str), "PayloadDisplayName": can(str),
		"PayloadOrganization": can(str),
	}
	certificate := common.with(keys{"PayloadCertificateFileName": can(str), "PayloadContent": must("data")})
	tls := can(str, "1.0", "1.1", "1.2", "1.3")
	all := map[string]keys{
		"Configuration": common.with(keys{ // TopLevel.yaml
			"PayloadType": must(str, "Configuration"), "PayloadContent": must("array"),
			"PayloadScope": on(macOS, can(str, "System", "User")), "RemovalDate": can("date"),
			"PayloadRemovalDisallowed": on("imt", can(boolean)),
		}),
		"com.apple.security.pkcs12": certificate.with(keys{
			"Password": can(str), "AllowAllAppsAccess": on(macOS, can(boolean)), "KeyIsExtractable": on(macOS, can(boolean)),
		}),
		"com.apple.security.root":  certificate,
		"com.apple.security.pkcs1": certificate,
		"com.apple.wifi.managed": common.with(keys{
			"AutoJoin": can(boolean), "SSID_STR": can(str), "HIDDEN_NETWORK": can(boolean), "PayloadCertificateUUID": can(str),
			"EncryptionType":         can(str, "WEP", "WPA", "WPA2", "WPA3", "Any", "None"),
			"EAPClientConfiguration": can("dictionary"), "SetupModes": on(macOS, can("array")),
			"DisableAssociationMACRandomization": on("imvw", can(boolean)),
		}),
		"EAPClientConfiguration": { // of com.apple.wifi.managed.yaml
			"AcceptEAPTypes": must("array"), "UserName": can(str), "PayloadCertificateAnchorUUID": can("array"),
			"TLSTrustedServerNames": can("array"), "TLSCertificateIsRequired": can(boolean), "TLSMinimumVersion": tls,
			"TLSMaximumVersion": tls, "OuterIdentity": can(str),
		},
	}
	for _, name := range interfaces() {
		// The pages of these payloads name the first three, and "keys relevant to 802.1X".
		all["com.apple."+strings.ToLower(string(name))+".managed"] = common.with(keys{
			"Interface": must(str, string(name)), "EAPClientConfiguration": must("dictionary"),
			"SetupModes": on(macOS, can("array")), "PayloadCertificateUUID": can(str),
		})
	}
	return all
}

func interfaces() []mobileconfig.Interface {
	return []mobileconfig.Interface{
		"GlobalEthernet", "FirstEthernet", "FirstActiveEthernet", "SecondEthernet", "SecondActiveEthernet", "ThirdEthernet",
		"ThirdActiveEthernet",
	}
}

// kindOf returns the property list type of a decoded value.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case uint64:
		return "integer"
	case []byte:
		return "data"
	case time.Time:
		return "date"
	case []any:
		return "array"
	case map[string]any:
		return "dictionary"
	}
	return fmt.Sprintf("%T", value)
}

// problems returns what in a dictionary the schema does not have.
func (k keys) problems(name string, content map[string]any) []string {
	var bad []string
	for key, value := range content {
		spec, known := k[key]
		if !known || spec.kind != kindOf(value) {
			bad = append(bad, fmt.Sprintf("%s: %s is %s, not %q", name, key, kindOf(value), spec.kind))
		} else if spec.values != nil && !slices.Contains(spec.values, value) {
			bad = append(bad, fmt.Sprintf("%s: %s is %v", name, key, value))
		}
	}
	for key, spec := range k {
		if _, has := content[key]; !has && spec.required {
			bad = append(bad, name+": "+key+" is missing")
		}
	}
	return bad
}

// everything is a profile with every payload type and key that this package writes.
func everything(t testing.TB) mobileconfig.Profile {
	p := full(t)
	p.Ethernet = nil
	for _, name := range interfaces() {
		p.Ethernet = append(p.Ethernet, mobileconfig.Ethernet{Interface: name, EAP: p.WiFi[1].EAP})
	}
	return p
}

// Every key is one that Apple has published for that payload, of that type and with such a value, and none is missing.
func TestSchema(t *testing.T) {
	top, payloads := decode(t, encode(t, everything(t)))
	assert.Empty(t, schema()["Configuration"].problems("profile", top))
	written := map[string]map[string]bool{}
	note := func(kind string, content map[string]any) {
		if written[kind] == nil {
			written[kind] = map[string]bool{}
		}
		for key := range content {
			written[kind][key] = true
		}
	}
	note("Configuration", top)
	var shown []any
	for id, payload := range payloads {
		kind := payload["PayloadType"].(string)
		note(kind, payload)
		assert.NotContains(t, shown, payload["PayloadDisplayName"], "a person can tell the payloads apart")
		shown = append(shown, payload["PayloadDisplayName"])
		require.Contains(t, schema(), kind)
		assert.Empty(t, schema()[kind].problems(id, payload))
		assert.Regexp(t, "^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$", payload["PayloadUUID"])
		if eap, has := payload["EAPClientConfiguration"].(map[string]any); has {
			note("EAPClientConfiguration", eap)
			assert.Empty(t, schema()["EAPClientConfiguration"].problems(id, eap))
		}
	}
	for kind, keys := range schema() {
		for key := range keys {
			if key != "PayloadDescription" && key != "PayloadOrganization" { // those of the profile are enough
				assert.True(t, written[kind][key], "%s %s is in the table and never written", kind, key)
			}
		}
	}

	identity := payloads["com.example.id.alice.identity"]
	delete(identity, "PayloadContent")
	identity["KeyIsExtractable"], identity["Extra"], identity["PayloadVersion"] = "false", true, uint64(2)
	assert.Len(t, schema()["com.apple.security.pkcs12"].problems("x", identity), 4, "what is wrong is seen")
}

// What a system of Apple finds in a profile that it does not know: so is it in the comments of the package.
func TestSystems(t *testing.T) {
	p := everything(t)
	p.CAs, p.Identity.IncludePassword = nil, false
	top, payloads := decode(t, encode(t, p))
	ofMac := []string{"AllowAllAppsAccess", "KeyIsExtractable", "PayloadScope", "SetupModes"}
	for _, test := range []struct {
		system   string
		strange  []string
		ethernet int // payloads
	}{
		{"m", nil, 0},
		{"i", ofMac, 6},
		{"t", append([]string{"DisableAssociationMACRandomization"}, ofMac...), 6},
		{"v", append([]string{"PayloadRemovalDisallowed"}, ofMac...), 7},
		{"w", append([]string{"PayloadRemovalDisallowed"}, ofMac...), 7},
	} {
		strange, ethernet := map[string]bool{}, 0
		look := func(kind string, content map[string]any) {
			for key := range content {
				if !strings.Contains(schema()[kind][key].systems, test.system) {
					strange[key] = true
				}
			}
		}
		look("Configuration", top)
		for _, payload := range payloads {
			switch kind := payload["PayloadType"].(string); {
			case strings.Contains(systemsOf(kind), test.system):
				look(kind, payload)
			default:
				require.Contains(t, kind, "ethernet")
				ethernet++
			}
		}
		assert.ElementsMatch(t, test.strange, slices.Collect(maps.Keys(strange)), test.system)
		assert.Equal(t, test.ethernet, ethernet, test.system)
	}
}
