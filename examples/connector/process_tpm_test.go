//go:build unix

package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/tpm/tpmtest"
	"github.com/adcskit/adcskit/wsproto"
)

// withTPM configures the gateway to take verified TPMs only, and the connector to use this one.
func (l *lab) withTPM(dev *tpmtest.TPM) {
	l.t.Helper()
	m := dev.Manufacturer()
	l.write("ek-roots.pem", string(cli.EncodeCertificates(m.Root())))
	l.write("ek-intermediates.pem", string(cli.EncodeCertificates(m.Intermediate())))
	l.configure("gateway.json", map[string]any{"attestation": map[string]any{"acme": map[string]string{
		"policy": "tpm-verified", "ekRoots": "ek-roots.pem", "ekIntermediates": "ek-intermediates.pem",
	}}})
	l.configure("connector.json", map[string]any{"tpm": dev.Path(), "heldSeconds": 1})
}

// policy changes the policy of the connector.
func (l *lab) policy(change map[string]any) {
	l.t.Helper()
	var m struct {
		Policy map[string]any `json:"policy"`
	}
	require.NoError(l.t, json.Unmarshal([]byte(l.read("connector.json")), &m))
	for k, v := range change {
		m.Policy[k] = v
	}
	l.configure("connector.json", map[string]any{"policy": m.Policy})
}

// TestTPMPrograms: keys in a TPM, bundles that only their recipients can open, and a TPM that is cleared, with nothing but
// the programs and what they say is to be done.
func TestTPMPrograms(t *testing.T) {
	dev := tpmtest.Start(t, nil)
	l := newLab(t)
	l.withTPM(dev)
	recipient := l.run("./unseal key laptop.key laptop-17")
	ordering := l.run("./unseal orderkey ordering.key")
	l.policy(map[string]any{
		"passwords": false, "recipients": []any{json.RawMessage(recipient)}, "orderingKeys": []string{lastWord(ordering)},
	})
	l.startCA()
	l.run("./gateway -config gateway.json init")
	l.startGateway()
	l.code("enrollment-code")
	checked := l.run("./connector -config connector.json check")
	assert.Contains(t, checked, "keys: in the TPM (unix:")
	assert.NotContains(t, checked, "warning")
	shown := l.run("./connector -config connector.json show")
	assert.Regexp(t, `ekHash +[0-9a-f]{64}\n`, shown)
	assert.Regexp(t, `ekCertificate +issued by "CN=TPM Test Manufacturer`, shown)
	l.startConnector()
	assert.Contains(t, l.connector.out.String(), "keys=tpm")
	l.gateway.await(`is connected, keys: tpm-verified \(`)
	assert.Contains(t, l.run("./gateway -config gateway.json connectors acme"), `"attestation": "tpm-verified"`)

	// Software keys are refused, and both sides say why.
	l.code("enrollment-code")
	software := l.start("./connector -config connector.json -tpm none")
	assert.Equal(t, 1, software.exit())
	assert.Contains(t, software.out.String(), "are in a TPM")
	l.write("second.json", strings.Replace(l.read("connector.json"), "connector.state", "second.state", 1))
	software = l.start("./connector -config second.json -tpm none")
	software.await(`keys=software why="no TPM is to be used`)
	software.await(`error=.*this tenant asks for keys of the level .*tpm-verified.*todo=`)
	l.gateway.await(`was refused: .*this tenant asks for keys of the level`)
	software.stop()

	// A recipient that is pinned, and one that an ordering key has signed.
	order := func(file, recipient string) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(l.read("laptop.json")), &m))
		m["recipient"] = json.RawMessage(recipient)
		text, err := json.Marshal(m)
		require.NoError(t, err)
		l.write(file, string(text))
	}
	order("pinned.json", recipient)
	dev.PowerLoss()
	l.run("./gateway -config gateway.json order acme pinned.json one")
	id := l.fingerprintOf()
	l.run("./unseal -signer " + id + " -tenant acme open laptop.key one.sealed.json one")
	order("unsigned.json", l.run("./unseal -curve X25519 key other.key laptop-18"))
	l.write("signed.json", l.run("./unseal sign ordering.key acme unsigned.json"))
	l.run("./gateway -config gateway.json order acme signed.json two")
	l.run("./unseal -signer " + id + " -recipient laptop-18 open other.key two.sealed.json two")
	for _, name := range []string{"one", "two"} {
		_, chain, err := pkcs12.Decode([]byte(l.read(name+".p12")), strings.TrimSpace(l.read(name+".password")))
		require.NoError(t, err)
		assert.Equal(t, []string{"laptop-17.devices.corp.test"}, chain[0].DNSNames)
	}
	refused := l.start("./gateway -config gateway.json order acme unsigned.json three")
	refused.await("policy-recipient")
	refused.signal(syscall.SIGTERM)
	assert.Equal(t, 1, refused.exit())

	l.connector.stop()
	dev.Clear()
	cleared := l.start("./connector -config connector.json")
	assert.Equal(t, 1, cleared.exit())
	assert.Contains(t, cleared.out.String(), "move the directory away to register anew")
	require.NoError(t, os.Rename(l.path("connector.state"), l.path("lost.state")))
	l.code("enrollment-code")
	l.startConnector()
	l.run("./gateway -config gateway.json replace acme " + id + " " + l.fingerprintOf())
	list := l.run("./gateway -config gateway.json connectors acme")
	assert.NotContains(t, list, id)
	assert.Contains(t, list, `"attestation": "tpm-verified"`)
	order("again.json", recipient)
	l.run("./gateway -config gateway.json order acme again.json four")
	l.run("./unseal -signer " + l.fingerprintOf() + " open laptop.key four.sealed.json four")
}

// TestTPMWithoutCertificate: a TPM that nobody vouches for is taken when its EK is on the list of the tenant, which the
// connector says how to get there.
func TestTPMWithoutCertificate(t *testing.T) {
	dev := tpmtest.Start(t, &tpmtest.Options{Certificate: tpmtest.None})
	l := newLab(t)
	l.withTPM(dev)
	l.startCA()
	l.run("./gateway -config gateway.json init")
	l.startGateway()
	l.code("enrollment-code")
	l.connector = l.start("./connector -config connector.json")
	hash := l.connector.await(`keys=tpm .*ekHash=([0-9a-f]{64}) ekCertificate=none todo=.*the ekHash`)[1]
	l.connector.await("error=.*it has no certificate and is not on the list.*todo=")
	l.connector.stop()
	l.gateway.stop()
	l.configure("gateway.json", map[string]any{"attestation": map[string]any{"acme": map[string]any{
		"policy": "tpm-verified", "ekHashes": []string{hash},
	}}})
	l.startGateway()
	l.code("enrollment-code")
	l.startConnector()
	assert.Contains(t, l.run("./gateway -config gateway.json connectors acme"), `"attestation": "tpm-verified"`)
}

// TestDocumentedTPM runs the lines of the documentation that make a TPM to try the connector with.
func TestDocumentedTPM(t *testing.T) {
	if _, err := exec.LookPath("swtpm"); err != nil {
		t.Skip("no TPM: this test needs swtpm (Debian package swtpm)")
	}
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	documented := regexp.MustCompile(`(?m)^//\t(mkdir tpm)\n//\t(swtpm socket .*)\n//\t(connector .* -tpm .*)\n`)
	lines := documented.FindStringSubmatch(string(text))
	require.NotNil(t, lines)
	l := newLab(t)
	l.configure("connector.json", map[string]any{"tpm": nil})
	l.run(lines[1])
	l.start(lines[2])
	listens := func() bool { _, err := os.Stat(l.path("tpm.sock")); return err == nil }
	require.Eventually(t, listens, patience, time.Millisecond)
	l.startCA()
	l.run("./gateway -config gateway.json init")
	l.startGateway()
	l.code("enrollment-code")
	l.connector = l.start("./" + lines[3])
	l.connector.await("state=connected")
	l.gateway.await(`is connected, keys: tpm-unverified \(.*it has no certificate`)
	assert.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "tried", "p256")).Kind)
	l.connector.stop()
}

// fingerprintOf is the id of the connector that runs.
func (l *lab) fingerprintOf() string {
	l.t.Helper()
	found := regexp.MustCompile(`state=connected connector=([0-9a-f]{64})`).FindStringSubmatch(l.connector.out.String())
	require.NotNil(l.t, found)
	return found[1]
}

func lastWord(text string) string {
	words := strings.Fields(text)
	return strings.Trim(words[len(words)-1], `"`)
}
