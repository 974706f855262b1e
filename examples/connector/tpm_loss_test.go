//go:build unix

package main

import (
	"crypto"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// TestTPMRestart takes the power from the TPM in the middle of jobs, more than once: handles and sessions are gone, and the
// connection to it. Jobs go on, and a request that the CA held is opened with the key in the TPM.
func TestTPMRestart(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationVerified, nil)
	s.allowHeld()
	s.config.CAs[0].Transport = "tcp" // nothing harmless goes to the CA ahead of a request
	stop := s.connected()
	held, request := s.hold("held")

	s.tpm.PowerLoss()
	s.issued(s.place("Device", "after"))

	come, release := s.pause(2)
	at := []string{s.place("Device", "first"), s.place("Device", "second")}
	come()
	s.tpm.PowerLoss()
	release()
	for _, job := range at {
		s.issued(job)
	}
	s.tpm.PowerLoss()
	require.NoError(t, s.ca.Approve(request))
	assert.Equal(t, request, s.issued(held).RequestID)

	var many []string
	for i := range 12 {
		many = append(many, s.place("Device", fmt.Sprintf("many-%d", i)))
		if i%4 == 3 {
			s.tpm.PowerLoss()
		}
	}
	for _, job := range many {
		s.issued(job)
	}
	require.NoError(t, stop())

	s.tpm.PowerLoss()
	stop = s.connected()
	s.issued(s.place("Device", "again"))
	require.NoError(t, stop())
	assert.Empty(t, s.said.find(gateway.AlarmCheckpoint), "a TPM that fails is no tampering")
	assert.Len(t, s.ca.Requests(), 17, "nothing is asked for twice")
}

// TestTPMIsAway: while the TPM cannot be reached nothing is signed, and nothing is lost. When it is back jobs go on.
func TestTPMIsAway(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationVerified, nil)
	stop := s.connected()
	s.issued(s.place("Device", "before"))
	s.tpm.Stop()
	job := s.place("Device", "meanwhile")
	require.Eventually(t, func() bool { return s.meter.misses() > 1 }, 20*time.Second, time.Millisecond)
	assert.Len(t, s.ca.Requests(), 1, "nothing is submitted without a checkpoint that is signed")
	s.tpm.PowerLoss()
	s.issued(job)
	require.NoError(t, stop())
	assert.Empty(t, s.said.find(gateway.AlarmCheckpoint))
}

// TestTPMCopied: a copy of the identity's folder is worth nothing with another TPM: not as it is, and not with its pins
// changed either. What does not come from the TPM is no proof to the gateway, and nothing happens to the connector.
func TestTPMCopied(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationVerified, nil)
	stop := s.connected()
	id := s.only().ID
	thief := tpmtest.Start(t, &tpmtest.Options{Manufacturer: s.tpm.Manufacturer()})

	s.copyState("copied")
	mine := *s.config
	s.config.State, s.config.TPM = "copied", thief.Path()
	err := s.start()()
	require.ErrorIs(t, err, tpm.ErrOtherTPM)
	require.ErrorContains(t, err, "register anew")
	s.config.TPM = tpmAuto
	err = s.start()()
	require.ErrorContains(t, err, "they are in a TPM")
	require.ErrorContains(t, err, "-tpm PATH")
	s.config.TPM = tpmNone
	require.ErrorContains(t, s.start()(), "are in a TPM")

	// The pin taken away, as someone does who knows the format: the TPM itself refuses the keys.
	state := filepath.Join("copied", "state.json")
	s.write(state, regexp.MustCompile(`\s*"pin": "[^"]*",`).ReplaceAll([]byte(s.read(state)), nil))
	require.NotContains(t, s.read(state), `"pin"`)
	s.config.TPM = thief.Path()
	require.Error(t, s.start()())
	_, err = openThief(t, thief, []byte(s.read(filepath.Join("copied", "identity.pem"))))
	require.Error(t, err, "the files are all that there is to copy")

	// All that is public, evidence included, but with keys of the thief's: no proof, and nothing happens to the connector.
	*s.config = mine
	require.NoError(t, stop())
	k, err := openKeys(s.loaded())
	require.NoError(t, err)
	evidence, err := k.attester.Evidence(t.Context())
	require.NoError(t, err)
	identity, decryption := k.identity.Signer().Public(), k.identity.Decryption().PublicKey()
	require.NoError(t, k.close())
	stop = s.connected()
	s.config.TPM, s.config.State = tpmNone, "thief"
	s.code()
	err = s.hostile(func(c *connector.Config) { // the same keys in words only
		c.Identity, c.Decryption = &pretender{c.Identity, identity}, &pretendedBox{c.Decryption, decryption}
		c.Options.Attester = said(evidence)
	})
	require.ErrorIs(t, err, wsproto.CodeNotAuthenticated)
	// The thief's keys, and the evidence of others.
	err = s.hostile(func(c *connector.Config) { c.Options.Attester = said(evidence) })
	require.ErrorIs(t, err, wsproto.CodeAttestation)
	*s.config = mine
	info := s.only()
	assert.Equal(t, id, info.ID)
	assert.True(t, info.Connected, "it stays")
	s.issued(s.place("Device", "still"))
	require.NoError(t, stop())
}

// openThief loads a key file with a TPM.
func openThief(t *testing.T, dev *tpmtest.TPM, file []byte) (crypto.Signer, error) {
	t.Helper()
	opened, err := tpm.Open(dev.Path(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, opened.Close()) }()
	key, err := opened.Store().Signer(file)
	if err != nil {
		return nil, err
	}
	_, err = key.Sign(nil, make([]byte, 32), crypto.SHA256)
	return key, err
}
