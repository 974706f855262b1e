package mobileconfig_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/micromdm/plist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/pkcs12/mobileconfig"
)

var update = flag.Bool("update", false, "write testdata/*.mobileconfig anew")

const password = "correct horse & battery"

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return content
}

func readCert(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(readFile(t, name))
	require.NoError(t, err)
	return cert
}

// minimal is a profile with an identity alone.
func minimal(t testing.TB) mobileconfig.Profile {
	return mobileconfig.Profile{
		Identifier: "com.example.id.alice", DisplayName: "Alice",
		Identity: mobileconfig.Identity{PKCS12: readFile(t, "identity.p12"), Password: password},
	}
}

func eap(t testing.TB) mobileconfig.EAPTLS {
	return mobileconfig.EAPTLS{
		Anchors:     []*x509.Certificate{readCert(t, "root.cer")},
		ServerNames: []string{"radius1.example.com", "*.radius.example.com"},
	}
}

// full is a profile with everything.
func full(t testing.TB) mobileconfig.Profile {
	p := minimal(t)
	p.Organization, p.Description = `Example "R&D" <GmbH>`, "The company's networks.\nAsk the help desk: it's there."
	p.Scope = mobileconfig.ScopeSystem
	p.Identity.IncludePassword, p.Identity.AllowAllAppsAccess = true, true
	p.RemovalDisallowed, p.RemovalDate = true, time.Date(2030, 1, 31, 23, 59, 58, 7, time.FixedZone("", 3600))
	p.CAs = []*x509.Certificate{readCert(t, "root.cer"), readCert(t, "issuing.cer")}
	both := eap(t)
	both.UserName, both.OuterIdentity, both.MaxTLS = "host/alice.example.com", "anonymous@example.com", tls.VersionTLS13
	p.WiFi = []mobileconfig.WiFi{
		{SSID: "Example", EAP: eap(t)},
		{SSID: "Ex 2 – ü 😀", Hidden: true, ManualJoin: true, Security: mobileconfig.SecurityWPA3, EAP: both,
			FixedMAC: true},
	}
	p.Ethernet = []mobileconfig.Ethernet{
		{EAP: eap(t)}, {Interface: mobileconfig.InterfaceFirstActive, EAP: both},
	}
	return p
}

func encode(t testing.TB, p mobileconfig.Profile) []byte {
	t.Helper()
	out, err := mobileconfig.Encode(p)
	require.NoError(t, err)
	return out
}

// decode reads a profile back, and returns it and its payloads by identifier.
func decode(t testing.TB, text []byte) (map[string]any, map[string]map[string]any) {
	t.Helper()
	var top map[string]any
	require.NoError(t, plist.Unmarshal(text, &top))
	payloads := map[string]map[string]any{}
	for _, item := range top["PayloadContent"].([]any) {
		payload := item.(map[string]any)
		id := payload["PayloadIdentifier"].(string)
		require.NotContains(t, payloads, id)
		payloads[id] = payload
	}
	return top, payloads
}

// ofType returns the payloads of a type.
func ofType(payloads map[string]map[string]any, kind string) []map[string]any {
	var found []map[string]any
	for _, payload := range payloads {
		if payload["PayloadType"] == kind {
			found = append(found, payload)
		}
	}
	return found
}

func TestGolden(t *testing.T) {
	for name, p := range map[string]mobileconfig.Profile{"minimal": minimal(t), "full": full(t)} {
		file := name + ".mobileconfig"
		got := encode(t, p)
		if *update {
			require.NoError(t, os.WriteFile("testdata/"+file, got, 0o644))
		}
		assert.Equal(t, string(readFile(t, file)), string(got), "see the difference, and run with -update if it is right")
		for range 5 {
			require.Equal(t, got, encode(t, p), "the same profile is the same file")
		}
	}
}

func TestPayloads(t *testing.T) {
	p := full(t)
	top, payloads := decode(t, encode(t, p))
	assert.Equal(t, p.Organization, top["PayloadOrganization"])
	assert.Equal(t, p.Description, top["PayloadDescription"])
	assert.Equal(t, "System", top["PayloadScope"])
	assert.Equal(t, true, top["PayloadRemovalDisallowed"])
	assert.Equal(t, time.Date(2030, 1, 31, 22, 59, 58, 0, time.UTC), top["RemovalDate"])

	identity := ofType(payloads, "com.apple.security.pkcs12")
	require.Len(t, identity, 1)
	assert.Equal(t, p.Identity.PKCS12, identity[0]["PayloadContent"])
	assert.Equal(t, password, identity[0]["Password"])
	assert.Equal(t, false, identity[0]["KeyIsExtractable"])
	assert.Equal(t, true, identity[0]["AllowAllAppsAccess"])
	assert.Equal(t, "alice", identity[0]["PayloadDisplayName"])

	roots, others := ofType(payloads, "com.apple.security.root"), ofType(payloads, "com.apple.security.pkcs1")
	require.Len(t, roots, 1)
	require.Len(t, others, 1)
	assert.Equal(t, p.CAs[0].Raw, roots[0]["PayloadContent"])
	assert.Equal(t, p.CAs[1].Raw, others[0]["PayloadContent"])

	networks := ofType(payloads, "com.apple.wifi.managed")
	networks = append(networks, ofType(payloads, "com.apple.globalethernet.managed")...)
	networks = append(networks, ofType(payloads, "com.apple.firstactiveethernet.managed")...)
	require.Len(t, networks, 4)
	for _, network := range networks {
		assert.Equal(t, identity[0]["PayloadUUID"], network["PayloadCertificateUUID"])
		assert.Equal(t, []any{"System"}, network["SetupModes"])
		client := network["EAPClientConfiguration"].(map[string]any)
		assert.Equal(t, []any{uint64(13)}, client["AcceptEAPTypes"])
		assert.Equal(t, []any{roots[0]["PayloadUUID"]}, client["PayloadCertificateAnchorUUID"])
		assert.Equal(t, []any{"radius1.example.com", "*.radius.example.com"}, client["TLSTrustedServerNames"])
		assert.Equal(t, "1.2", client["TLSMinimumVersion"])
	}
}

func TestMinimal(t *testing.T) {
	text := encode(t, minimal(t))
	assert.NotContains(t, string(text), "<key>Password</key>", "not unless it is asked for")
	for _, key := range []string{"RemovalDate", "PayloadRemovalDisallowed", "PayloadScope", "PayloadOrganization"} {
		assert.NotContains(t, string(text), key)
	}
	_, payloads := decode(t, text)
	require.Len(t, payloads, 1)
	assert.Equal(t, false, payloads["com.example.id.alice.identity"]["AllowAllAppsAccess"])
	assert.Equal(t, false, payloads["com.example.id.alice.identity"]["KeyIsExtractable"])
}

// An anchor becomes a payload, once, wherever and however often it is named.
func TestAnchorsAreThere(t *testing.T) {
	p := minimal(t)
	p.WiFi = []mobileconfig.WiFi{{SSID: "a", EAP: eap(t)}, {SSID: "b", EAP: eap(t)}}
	p.WiFi[1].EAP.Anchors = append(p.WiFi[1].EAP.Anchors, readCert(t, "root.cer"))
	_, payloads := decode(t, encode(t, p))
	require.Len(t, payloads, 4)
	require.Len(t, ofType(payloads, "com.apple.security.root"), 1)
	for _, network := range ofType(payloads, "com.apple.wifi.managed") {
		assert.NotContains(t, network, "SetupModes")
		assert.Len(t, network["EAPClientConfiguration"].(map[string]any)["PayloadCertificateAnchorUUID"], 1)
	}
}

// The example of RFC 9562, appendix B.2. The golden files hold the UUIDs of profiles, which can never change.
func TestUUIDs(t *testing.T) {
	const namespaceDNS = "\x6b\xa7\xb8\x10\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8"
	assert.Equal(t, "5C146B14-3C52-8AFD-938A-375D0DF1FBF6", mobileconfig.NameUUID(namespaceDNS, "www.example.com"))
}

func TestTLSVersions(t *testing.T) {
	for _, test := range []struct {
		lowest, highest uint16
		outer           string
		want            string
	}{
		{0, 0, "", "1.2 1.2"},
		{0, tls.VersionTLS13, "", "1.2 1.3"},
		{tls.VersionTLS12, tls.VersionTLS12, "", "1.2 1.2"},
		{tls.VersionTLS13, 0, "anonymous", "1.3 1.3"},
		{tls.VersionTLS13, tls.VersionTLS13, "anonymous", "1.3 1.3"},
		{tls.VersionTLS13, 0, "", "OuterIdentity"},
		{tls.VersionTLS13, tls.VersionTLS12, "anonymous", "above MaxTLS"},
		{tls.VersionTLS11, 0, "", "neither"},
		{0, tls.VersionTLS11, "", "neither"},
		{0, 0x0305, "", "neither"},
	} {
		p := minimal(t)
		network := mobileconfig.Ethernet{EAP: eap(t)}
		network.EAP.MinTLS, network.EAP.MaxTLS, network.EAP.OuterIdentity = test.lowest, test.highest, test.outer
		p.Ethernet = []mobileconfig.Ethernet{network}
		out, err := mobileconfig.Encode(p)
		if !strings.HasPrefix(test.want, "1") {
			assert.ErrorIs(t, err, mobileconfig.ErrField)
			assert.ErrorContains(t, err, test.want)
			continue
		}
		require.NoError(t, err)
		_, payloads := decode(t, out)
		client := ofType(payloads, "com.apple.globalethernet.managed")[0]["EAPClientConfiguration"].(map[string]any)
		assert.Equal(t, test.want, fmt.Sprint(client["TLSMinimumVersion"], " ", client["TLSMaximumVersion"]))
	}
}

func TestNothingIsPrinted(t *testing.T) {
	p := full(t)
	holder := struct {
		P *mobileconfig.Profile
		I mobileconfig.Identity
	}{&p, p.Identity}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "profile", p, "identity", p.Identity)
	text := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		text += fmt.Sprintf(verb, p) + fmt.Sprintf(verb, &p) + fmt.Sprintf(verb, p.Identity) + fmt.Sprintf(verb, holder)
	}
	for _, secret := range []string{password, fmt.Sprintf("%x", password), fmt.Sprintf("%x", p.Identity.PKCS12[:16])} {
		assert.NotContains(t, text, secret)
	}
	assert.Contains(t, text, "com.example.id.alice")
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// newCert returns a certificate that signs itself; change changes it before.
func newCert(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "alice"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func newFile(t testing.TB, key crypto.Signer, chain ...*x509.Certificate) []byte {
	t.Helper()
	file, err := pkcs12.Encode(pkcs12.Compat(), key, chain, password)
	require.NoError(t, err)
	return file
}
