//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// TestTPMConnect: a connector with keys in a TPM is attested when it registers, which costs an activation for each key,
// and never again: a usual connect costs one signature.
func TestTPMConnect(t *testing.T) {
	rsaEK := tpmtest.Options{EKs: []tpmtest.EK{tpmtest.RSA}}
	without, expired := tpmtest.Options{Certificate: tpmtest.None}, tpmtest.Options{Certificate: tpmtest.Expired}
	for name, c := range map[string]struct {
		tpm    tpmtest.Options
		policy gateway.AttestationPolicy
		level  string
	}{
		"certificate of an ECC EK": {tpmtest.Options{}, gateway.AttestationVerified, gateway.LevelVerified},
		"certificate of an RSA EK": {rsaEK, gateway.AttestationVerified, gateway.LevelVerified},
		"no certificate":           {without, gateway.AttestationTPM, gateway.LevelUnverified},
		"expired certificate":      {expired, gateway.AttestationAny, gateway.LevelUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTPMSite(t, c.policy, &c.tpm)
			stop := s.connected()
			registration := s.meter.since()
			t.Logf("registration: %v", registration)
			assert.Equal(t, 2, registration[tpm2.TPMCCActivateCredential], "one for each key")
			assert.Equal(t, 1, registration[tpm2.TPMCCSign])
			info := s.only()
			assert.Equal(t, c.level, info.Attestation)
			assert.NotEmpty(t, info.Detail)
			assert.Equal(t, wsproto.Issued, s.order().Kind)
			require.NoError(t, stop())
			assert.Contains(t, s.log.String(), "keys=tpm")

			s.meter.since()
			stop = s.connected()
			usual := s.meter.since()
			t.Logf("usual connect: %v", usual)
			assert.Equal(t, 1, usual[tpm2.TPMCCSign])
			for _, no := range []tpm2.TPMCC{tpm2.TPMCCActivateCredential, tpm2.TPMCCCreate, tpm2.TPMCCECDHZGen} {
				assert.Zero(t, usual[no], no)
			}
			assert.Equal(t, c.level, s.only().Attestation)

			require.NoError(t, stop())
			require.NoError(t, s.gateway.Reattest(t.Context(), "acme", info.ID))
			s.meter.since()
			stop = s.connected()
			again := s.meter.since()
			assert.Equal(t, 2, again[tpm2.TPMCCActivateCredential], "a person wants to know")
			assert.Equal(t, 1, again[tpm2.TPMCCSign])
			assert.Equal(t, c.level, s.only().Attestation)
			require.NoError(t, stop())
			assert.Empty(t, s.said.find(gateway.AlarmAttestation))
		})
	}
}

// TestTPMPolicy: who has not what the tenant wants is refused, and both sides are told why. The enrollment code is not
// used up by it.
func TestTPMPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		policy      gateway.AttestationPolicy
		certificate tpmtest.Kind
		none        bool
		why         string
	}{
		"software, tpm":             {gateway.AttestationTPM, tpmtest.Valid, true, "software"},
		"software, tpm-verified":    {gateway.AttestationVerified, tpmtest.Valid, true, "software"},
		"no certificate":            {gateway.AttestationVerified, tpmtest.None, false, "tpm-unverified"},
		"expired":                   {gateway.AttestationVerified, tpmtest.Expired, false, "expired"},
		"certificate of another EK": {gateway.AttestationVerified, tpmtest.OtherKey, false, "tpm-unverified"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTPMSite(t, c.policy, &tpmtest.Options{Certificate: c.certificate})
			at := s.config.TPM
			if c.none {
				s.config.TPM = tpmNone
			}
			stop := s.start()
			s.await("error=")
			require.NoError(t, stop())
			log := s.log.String()
			assert.Contains(t, log, c.why)
			assert.Contains(t, log, "todo=")
			assert.Contains(t, log, "retryIn=", "the tenant may change its mind")
			require.Eventually(t, func() bool { return len(s.said.refusals()) > 0 }, time.Minute, time.Millisecond)
			assert.Contains(t, strings.Join(s.said.refusals(), "\n"), c.why)
			all, err := s.gateway.Connectors(t.Context(), "acme")
			require.NoError(t, err)
			assert.Empty(t, all, "there is nothing to approve")
			if !c.none {
				return
			}
			s.config.TPM, s.config.State = at, "another"
			stop = s.connected()
			assert.Equal(t, gateway.LevelVerified, s.only().Attestation, "the enrollment code is still good")
			require.NoError(t, stop())
		})
	}
}

// TestTPMAndFiles: keys that there are stay what they are.
func TestTPMAndFiles(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationAny, nil)
	at := s.config.TPM

	s.config.TPM = tpmNone
	require.NoError(t, s.connected()())
	assert.Contains(t, s.log.String(), "keys=software")
	before := s.only()
	assert.Equal(t, gateway.LevelSoftware, before.Attestation)
	s.config.TPM = tpmAuto
	require.NoError(t, s.connected()())
	assert.Contains(t, s.log.String(), "keys=software")
	assert.Equal(t, before.ID, s.only().ID)
	s.config.TPM = at
	require.ErrorContains(t, s.start()(), "`connector -tpm "+at+" rotate`")

	s.config.TPM, s.config.State = at, "in-tpm"
	s.code()
	require.NoError(t, s.connected()())
	s.config.TPM = tpmNone
	require.ErrorContains(t, s.start()(), "are in a TPM")
	s.config.TPM = "unix:/nonexistent/tpm"
	err := s.start()()
	require.ErrorContains(t, err, "/nonexistent/tpm")
	assert.NotErrorIs(t, err, connector.ErrStopped)
	s.config.TPM, s.config.State = "unix:/nonexistent/tpm", "third"
	require.ErrorContains(t, s.start()(), "to have them in files: -tpm none")
	assert.NoDirExists(t, s.folder+"/third/identity.pem")
}

// TestTPMPath: paths in the configuration are relative to its folder.
func TestTPMPath(t *testing.T) {
	for at, want := range map[string]string{
		"": "", "auto": "auto", "none": "none", "tbs": "tbs", "tcp:localhost:2321": "tcp:localhost:2321", "unix:": "unix:",
		"unix:tpm.sock": "unix:/etc/x/tpm.sock", "unix:/run/tpm.sock": "unix:/run/tpm.sock", "/dev/tpmrm0": "/dev/tpmrm0",
		"tpm0": "/etc/x/tpm0",
	} {
		assert.Equal(t, want, tpmPath("/etc/x", at), at)
	}
}

// TestFilesWillDo: that there is no TPM is no reason to stop, but that it must not be used is.
func TestFilesWillDo(t *testing.T) {
	for name, err := range map[string]error{
		"none":       tpm.ErrNoTPM,
		"TPM 1.2":    fmt.Errorf("%w: /dev/tpm0: %w", tpm.ErrNoTPM, tpm.ErrTransport),
		"no access":  fmt.Errorf("%w: %w", tpm.ErrNoTPM, &fs.PathError{Op: "open", Path: "/dev/tpm0", Err: syscall.EACCES}),
		"in options": errors.New("options"),
	} {
		assert.Equal(t, name == "none" || name == "TPM 1.2", filesWillDo(err), name)
	}
}

// TestTPMUntrusted: a certificate of somebody whom the tenant does not trust is none.
func TestTPMUntrusted(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationVerified, nil)
	other := newSite(t, attested(t, gateway.AttestationVerified, tpmtest.NewManufacturer(t), s.said))
	other.config.TPM = s.config.TPM
	s.site = other
	stop := s.start()
	s.await("error=")
	require.NoError(t, stop())
	for _, text := range []string{s.log.String(), strings.Join(s.said.refusals(), "\n")} {
		assert.Contains(t, text, "tpm-unverified")
		assert.Contains(t, text, "no chain leads from its certificate to a root that is trusted")
	}
}
