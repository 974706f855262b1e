package mobileconfig_test

import (
	"crypto/x509"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

// FuzzEncode: whatever is put into the texts, the profile holds exactly that and nothing more, or there is none.
func FuzzEncode(f *testing.F) {
	f.Add("com.example.x", "Alice", "Example", "two\nlines", "SSID", "radius.example.com", "alice", "anonymous", uint16(0))
	for _, text := range append(fineTexts(), badTexts()...) {
		f.Add("com.example.x", text, text, text, text, text, text, text, uint16(0x0304))
		f.Add(text, "x", "", "", "x", "x", "", "", uint16(0x0303))
	}
	_, shape := decode(f, encode(f, full(f)))
	f.Fuzz(func(t *testing.T, id, name, organization, description, ssid, server, user, outer string, tls uint16) {
		p := full(t)
		p.Identifier, p.DisplayName, p.Organization, p.Description = id, name, organization, description
		wifi := &p.WiFi[1]
		wifi.SSID, wifi.EAP.ServerNames, wifi.EAP.UserName, wifi.EAP.OuterIdentity = ssid, []string{server}, user, outer
		wifi.EAP.MinTLS, wifi.EAP.MaxTLS = tls, tls
		out, err := mobileconfig.Encode(p)
		if err != nil {
			require.ErrorIs(t, err, mobileconfig.ErrField)
			require.Nil(t, out)
			return
		}
		top, payloads := decode(t, out)
		require.Equal(t, []any{id, name}, []any{top["PayloadIdentifier"], top["PayloadDisplayName"]})
		same(t, top, "PayloadOrganization", organization)
		same(t, top, "PayloadDescription", description)
		require.Len(t, payloads, len(shape))
		found := false
		for _, payload := range ofType(payloads, "com.apple.wifi.managed") {
			client := payload["EAPClientConfiguration"].(map[string]any)
			if payload["SSID_STR"] != ssid {
				continue
			}
			found = true
			require.Equal(t, []any{server}, client["TLSTrustedServerNames"])
			same(t, client, "UserName", user)
			same(t, client, "OuterIdentity", outer)
		}
		require.True(t, found)
	})
}

// same wants a text as it was given, or no key for none.
func same(t *testing.T, content map[string]any, key, want string) {
	t.Helper()
	if want == "" {
		require.NotContains(t, content, key)
		return
	}
	require.Equal(t, want, content[key])
}

// FuzzFiles: whatever the .p12, its password and a CA's certificate are, the profile holds exactly them, or there is
// none.
func FuzzFiles(f *testing.F) {
	identity, root := readFile(f, "identity.p12"), readFile(f, "root.cer")
	f.Add(identity, password, root, true)
	f.Add(identity, password, readFile(f, "issuing.cer"), false)
	f.Add(identity, "wrong", root, false)
	f.Add(identity[:100], password, root[:100], true)
	f.Add([]byte{}, "", []byte{}, true)
	for _, text := range finePasswords() {
		var p mobileconfig.Profile
		withPassword(f, &p, text)
		f.Add(p.Identity.PKCS12, text, root, true)
	}
	f.Fuzz(func(t *testing.T, file []byte, secret string, der []byte, include bool) {
		p := minimal(t)
		p.Identity = mobileconfig.Identity{PKCS12: file, Password: secret, IncludePassword: include}
		cert, err := x509.ParseCertificate(der)
		if err == nil {
			p.CAs = []*x509.Certificate{cert}
		}
		out, err := mobileconfig.Encode(p)
		if err != nil {
			require.True(t, errors.Is(err, mobileconfig.ErrIdentity) || errors.Is(err, mobileconfig.ErrCA), "%v", err)
			require.Nil(t, out)
			return
		}
		_, payloads := decode(t, out)
		require.Len(t, payloads, 1+len(p.CAs))
		for id, payload := range payloads {
			if id != p.Identifier+".identity" {
				require.Equal(t, der, payload["PayloadContent"])
				continue
			}
			require.Equal(t, file, payload["PayloadContent"])
			if include {
				same(t, payload, "Password", secret)
			} else {
				require.NotContains(t, payload, "Password")
			}
		}
	})
}
