//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// rotate runs the command rotate, and returns what it printed.
func (s *tpmSite) rotate(args ...string) string {
	s.t.Helper()
	s.loaded()
	var out bytes.Buffer
	line := append([]string{"-config", filepath.Join(s.folder, "connector.json")}, args...)
	require.NoError(s.t, run(s.t.Context(), append(line, "rotate"), &out, nil))
	return out.String()
}

// files counts those in the folder of the identity.
func (s *tpmSite) files() int {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.folder, s.config.State))
	require.NoError(s.t, err)
	n := 0
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".pem" {
			n++
		}
	}
	return n
}

// TestTPMRotation moves a connector from files to a TPM, and to other keys in the TPM: it stays the same connector to the
// gateway, and what the CA held meanwhile is opened with the keys of before, which are deleted then.
func TestTPMRotation(t *testing.T) {
	// Keys of before are kept at least as long as something may be on its way that needs them.
	soon := func(c *gateway.Config) {
		c.Timing = &gateway.Timing{Lease: 2 * time.Second, RPCDeadline: time.Second, Margin: time.Millisecond}
	}
	s := newTPMSite(t, gateway.AttestationAny, nil, soon)
	s.allowHeld()
	at := s.config.TPM
	s.config.TPM = tpmNone
	stop := s.connected()
	before := s.only()
	assert.Equal(t, gateway.LevelSoftware, before.Attestation)
	first, one := s.hold("first")
	require.NoError(t, stop())

	assert.Regexp(t, `fingerprint    [0-9a-f]{64}\n`, s.rotate("-tpm", at))
	require.ErrorContains(t, s.start()(), "are in a TPM")
	s.config.TPM = at
	stop = s.connected()
	inTPM := s.fingerprint()
	assert.NotEqual(t, before.ID, inTPM)
	assert.Equal(t, []string{inTPM}, s.active(), "the old keys are revoked")
	assert.Equal(t, gateway.LevelVerified, s.find(inTPM).Attestation)
	assert.Equal(t, before.CAs, s.find(inTPM).CAs)
	second, two := s.hold("second")
	require.NoError(t, stop())
	assert.Equal(t, 3, s.files(), "the old decryption key is needed, the old identity key is not")

	s.rotate()
	stop = s.connected()
	last := s.fingerprint()
	assert.NotEqual(t, inTPM, last)
	assert.Equal(t, []string{last}, s.active())
	assert.Equal(t, gateway.LevelVerified, s.find(last).Attestation)
	assert.Equal(t, 4, s.files(), "two keys in use, and two that jobs need")
	require.NoError(t, s.ca.Approve(one))
	require.NoError(t, s.ca.Approve(two))
	s.issued(first)
	s.issued(second)
	s.issued(s.place("Device", "after"))
	require.NoError(t, stop())

	for deadline := time.Now().Add(20 * time.Second); s.files() != 2; require.NoError(t, s.connected()()) {
		require.True(t, time.Now().Before(deadline), "nothing needs the old keys any more")
	}
	assert.Empty(t, s.said.find(gateway.AlarmRotation))
}

// TestTPMRotationIsNoWayOut: keys that are files do not take the place of attested ones where the tenant wants those.
func TestTPMRotationIsNoWayOut(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationTPM, nil)
	require.NoError(t, s.connected()())
	before := s.only().ID
	s.copyState("kept")
	s.rotate("-tpm", tpmNone)
	s.config.TPM = tpmNone
	s.forget()
	stop := s.start()
	s.await("error=")
	require.NoError(t, stop())
	assert.Contains(t, s.log.String(), "software")
	assert.Contains(t, strings.Join(s.said.refusals(), "\n"), "software")
	assert.Equal(t, []string{before}, s.active(), "the old keys are still good")
	s.config.State, s.config.TPM = "kept", "unix:"+s.meter.path
	require.NoError(t, s.connected()())
}

// find returns what the gateway has of a connector.
func (s *tpmSite) find(id string) gateway.ConnectorInfo {
	s.t.Helper()
	all, err := s.gateway.Connectors(s.t.Context(), "acme")
	require.NoError(s.t, err)
	for _, c := range all {
		if c.ID == id {
			return c
		}
	}
	require.Fail(s.t, "there is no connector", id)
	return gateway.ConnectorInfo{}
}
