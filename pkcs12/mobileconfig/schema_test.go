package mobileconfig_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// schema returns the keys of each payload type with their property list types, and whether they are required: what
// Apple has published in github.com/apple/device-management, mdm/profiles (commit 0a4527c5), as far as this package writes
// them.
func schema() map[string]map[string]string {
	common := map[string]string{ // CommonPayloadKeys.yaml
		"PayloadIdentifier": "string!", "PayloadUUID": "string!", "PayloadType": "string!", "PayloadVersion": "integer!",
		"PayloadDescription": "string", "PayloadDisplayName": "string", "PayloadOrganization": "string",
	}
	with := func(keys map[string]string) map[string]string {
		for key, kind := range common {
			keys[key] = kind
		}
		return keys
	}
	certificate := map[string]string{"PayloadCertificateFileName": "string", "PayloadContent": "data!"}
	// The pages of the Ethernet payloads name the first three, and "keys relevant to 802.1X".
	ethernet := map[string]string{
		"Interface": "string!", "EAPClientConfiguration": "dictionary!", "SetupModes": "array",
		"PayloadCertificateUUID": "string",
	}
	return map[string]map[string]string{
		"Configuration": with(map[string]string{"PayloadContent": "array!", "PayloadScope": "string"}), // TopLevel.yaml
		"com.apple.security.pkcs12": with(map[string]string{
			"PayloadCertificateFileName": "string", "PayloadContent": "data!", "Password": "string",
			"AllowAllAppsAccess": "boolean", "KeyIsExtractable": "boolean",
		}),
		"com.apple.security.root":  with(certificate),
		"com.apple.security.pkcs1": with(certificate),
		"com.apple.wifi.managed": with(map[string]string{
			"AutoJoin": "boolean", "SSID_STR": "string", "HIDDEN_NETWORK": "boolean", "EncryptionType": "string",
			"PayloadCertificateUUID": "string", "EAPClientConfiguration": "dictionary", "SetupModes": "array",
		}),
		"com.apple.globalethernet.managed":      with(ethernet),
		"com.apple.firstactiveethernet.managed": with(ethernet),
		"EAPClientConfiguration": { // of com.apple.wifi.managed.yaml
			"AcceptEAPTypes": "array!", "UserName": "string", "PayloadCertificateAnchorUUID": "array",
			"TLSTrustedServerNames": "array", "TLSCertificateIsRequired": "boolean", "TLSMinimumVersion": "string",
			"TLSMaximumVersion": "string", "OuterIdentity": "string",
		},
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
	case []any:
		return "array"
	case map[string]any:
		return "dictionary"
	}
	return fmt.Sprintf("%T", value)
}

// schemaProblems returns what in a dictionary the schema does not have.
func schemaProblems(name string, keys map[string]string, content map[string]any) []string {
	var bad []string
	for key, value := range content {
		if kind, known := keys[key]; !known || kind != kindOf(value) && kind != kindOf(value)+"!" {
			bad = append(bad, fmt.Sprintf("%s: %s is %s, not %q", name, key, kindOf(value), kind))
		}
	}
	for key, kind := range keys {
		if _, has := content[key]; !has && kind[len(kind)-1] == '!' {
			bad = append(bad, name+": "+key+" is missing")
		}
	}
	return bad
}

// Every key is one that Apple has published for that payload, of that type, and none is missing.
func TestSchema(t *testing.T) {
	top, payloads := decode(t, encode(t, full(t)))
	assert.Empty(t, schemaProblems("profile", schema()["Configuration"], top))
	seen := map[string]bool{"Configuration": true}
	for id, payload := range payloads {
		kind := payload["PayloadType"].(string)
		seen[kind] = true
		require.Contains(t, schema(), kind)
		assert.Empty(t, schemaProblems(id, schema()[kind], payload))
		assert.Equal(t, uint64(1), payload["PayloadVersion"])
		assert.Regexp(t, "^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$", payload["PayloadUUID"])
		if eap, has := payload["EAPClientConfiguration"]; has {
			seen["EAPClientConfiguration"] = true
			assert.Empty(t, schemaProblems(id, schema()["EAPClientConfiguration"], eap.(map[string]any)))
		}
	}
	for kind := range schema() {
		assert.True(t, seen[kind], kind)
	}
	delete(payloads["com.example.id.alice.identity"], "PayloadContent")
	payloads["com.example.id.alice.identity"]["KeyIsExtractable"] = "false"
	payloads["com.example.id.alice.identity"]["Extra"] = true
	bad := schemaProblems("x", schema()["com.apple.security.pkcs12"], payloads["com.example.id.alice.identity"])
	assert.Len(t, bad, 3, "what is wrong is seen")
}
