//go:build unix

package main

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"io"
	"path/filepath"
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

// hostile connects as the configuration says, but for the change, until it is refused, and returns why.
func (s *tpmSite) hostile(change func(*connector.Config)) error {
	s.t.Helper()
	c := s.loaded()
	k, err := openKeys(c)
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, k.close()) }()
	cfg, err := c.connectorConfig(k)
	require.NoError(s.t, err)
	cfg.Issuer, err = c.newIssuer()
	require.NoError(s.t, err)
	defer cfg.Issuer.(io.Closer).Close()
	cfg.Options.OnRegistered = nil
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var why error
	cfg.Options.OnEvent = func(e connector.Event) {
		if why == nil && (e.Err != nil || e.State == connector.StateConnected || e.State == connector.StatePending) {
			why = e.Err
			cancel()
		}
	}
	change(cfg)
	one, err := connector.New(*cfg)
	require.NoError(s.t, err)
	_ = one.Run(ctx) // the event says it
	return why
}

// forger changes what an attester says.
type forger struct {
	connector.Attester
	evidence func(e *evidence)
	activate func(ctx context.Context, credentials json.RawMessage) (json.RawMessage, error)
}

// evidence is the format tpm2 of PROTOCOL.md, section 5.3.
type evidence struct {
	Format string `json:"format"`
	EK     struct {
		Public        []byte   `json:"public"`
		Certificate   []byte   `json:"certificate,omitempty"`
		Intermediates [][]byte `json:"intermediates,omitempty"`
	} `json:"ek"`
	Keys struct {
		Identity   []byte `json:"identity"`
		Decryption []byte `json:"decryption"`
	} `json:"keys"`
}

func (f *forger) Evidence(ctx context.Context) (json.RawMessage, error) {
	raw, err := f.Attester.Evidence(ctx)
	if err != nil || f.evidence == nil {
		return raw, err
	}
	var e evidence
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	f.evidence(&e)
	return json.Marshal(&e)
}

func (f *forger) Activate(ctx context.Context, credentials json.RawMessage) (json.RawMessage, error) {
	if f.activate != nil {
		return f.activate(ctx, credentials)
	}
	return f.Attester.Activate(ctx, credentials)
}

// activation is what a TPM has to answer to credentials; this one guesses.
func guess(context.Context, json.RawMessage) (json.RawMessage, error) {
	secrets := map[string][]byte{"identity": make([]byte, 32), "decryption": make([]byte, 32)}
	for _, secret := range secrets {
		rand.Read(secret)
	}
	return json.Marshal(secrets)
}

// TestTPMTampered: evidence that is changed on its way by a hostile connector is refused, each change with a reason of its
// own, which both sides are told; whatever the policy, and before an enrollment code is used up.
func TestTPMTampered(t *testing.T) {
	other := evidenceOf(t, tpmtest.Start(t, nil))
	type answer = func(context.Context, json.RawMessage) (json.RawMessage, error)
	for name, forged := range map[string]struct {
		reason   tpm.EvidenceReason
		evidence func(e *evidence)
		activate answer
	}{
		"EK of another TPM":        {tpm.EvidenceEKMismatch, func(e *evidence) { e.EK.Public = other.EK.Public }, nil},
		"certificate of another":   {tpm.EvidenceEKMismatch, func(e *evidence) { e.EK.Certificate = other.EK.Certificate }, nil},
		"EK that is a storage key": {tpm.EvidenceEKPublic, func(e *evidence) { e.EK.Public, e.EK.Certificate = e.Keys.Decryption, nil }, nil},
		"key that can be copied": { // not fixedTPM: TPM 2.0 Library, Part 2, section 8.3
			tpm.EvidenceKeyAttributes, func(e *evidence) { e.Keys.Identity[7] &^= 1 << 1 }, nil,
		},
		"keys swapped": {
			tpm.EvidenceKeysSwapped,
			func(e *evidence) { e.Keys.Identity, e.Keys.Decryption = e.Keys.Decryption, e.Keys.Identity }, nil,
		},
		"another's identity key":   {tpm.EvidenceKeyMismatch, func(e *evidence) { e.Keys.Identity = other.Keys.Identity }, nil},
		"another's decryption key": {tpm.EvidenceKeyMismatch, func(e *evidence) { e.Keys.Decryption = other.Keys.Decryption }, nil},
		"public area cut short": {
			tpm.EvidenceMalformed, func(e *evidence) { e.Keys.Identity = e.Keys.Identity[:len(e.Keys.Identity)-1] }, nil,
		},
		"a good TPM, and not this one": {tpm.EvidenceActivation, func(e *evidence) { e.EK = other.EK }, guess},
		"a guess":                      {tpm.EvidenceActivation, nil, guess},
		"no activation": {
			tpm.EvidenceMalformed, nil, func(context.Context, json.RawMessage) (json.RawMessage, error) { return nil, nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTPMSite(t, gateway.AttestationAny, nil)
			err := s.hostile(func(c *connector.Config) {
				c.Options.Attester = &forger{c.Options.Attester, forged.evidence, forged.activate}
			})
			s.refused(err, forged.reason)
			stop := s.connected()
			assert.Equal(t, gateway.LevelVerified, s.only().Attestation, "the code is still good, and so are the keys")
			require.NoError(t, stop())
		})
	}
}

// refused checks that both sides were told a reason, and that there is nothing to approve.
func (s *tpmSite) refused(err error, reason tpm.EvidenceReason) {
	s.t.Helper()
	require.ErrorIs(s.t, err, wsproto.CodeAttestation)
	assert.ErrorContains(s.t, err, "("+string(reason)+")")
	alarms := s.said.find(gateway.AlarmAttestation)
	require.NotEmpty(s.t, alarms)
	assert.Contains(s.t, alarms[0].Message, "("+string(reason)+")")
	all, err := s.gateway.Connectors(s.t.Context(), "acme")
	require.NoError(s.t, err)
	assert.Empty(s.t, all)
}

// TestTPMOtherFormat: evidence that the gateway cannot read says nothing. Where a TPM is asked for that is too little, and
// the enrollment code stays good.
func TestTPMOtherFormat(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationTPM, nil)
	err := s.hostile(func(c *connector.Config) {
		c.Options.Attester = &forger{Attester: c.Options.Attester, evidence: func(e *evidence) { e.Format = "tpm3" }}
	})
	require.ErrorIs(t, err, wsproto.CodeAttestation)
	require.ErrorContains(t, err, "the evidence is of a format that is not known here")
	all, err := s.gateway.Connectors(t.Context(), "acme")
	require.NoError(t, err)
	assert.Empty(t, all)
	stop := s.connected()
	assert.Equal(t, gateway.LevelVerified, s.only().Attestation)
	require.NoError(t, stop())
}

// TestTPMReplayed: what answered one challenge answers no other.
func TestTPMReplayed(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationAny, nil)
	var answer json.RawMessage
	first := s.hostile(func(c *connector.Config) {
		f := &forger{Attester: c.Options.Attester}
		f.activate = func(ctx context.Context, credentials json.RawMessage) (json.RawMessage, error) {
			var err error
			if answer, err = f.Attester.Activate(ctx, credentials); err != nil {
				return nil, err
			}
			return guess(ctx, credentials)
		}
		c.Options.Attester = f
	})
	require.ErrorIs(t, first, wsproto.CodeAttestation)
	require.NotEmpty(t, answer)
	s.said.forget()
	s.refused(s.hostile(func(c *connector.Config) {
		c.Options.Attester = &forger{
			Attester: c.Options.Attester,
			activate: func(context.Context, json.RawMessage) (json.RawMessage, error) { return answer, nil },
		}
	}), tpm.EvidenceReplayed)
}

// evidenceOf returns what a connector with keys in this TPM would say.
func evidenceOf(t *testing.T, dev *tpmtest.TPM) evidence {
	t.Helper()
	k, err := openKeys(&config{State: filepath.Join(t.TempDir(), "state"), TPM: dev.Path()})
	require.NoError(t, err)
	raw, err := k.attester.Evidence(t.Context())
	require.NoError(t, err)
	require.NoError(t, k.close())
	var e evidence
	require.NoError(t, json.Unmarshal(raw, &e))
	return e
}

// pretender has the public key of another.
type pretender struct {
	crypto.Signer
	public crypto.PublicKey
}

func (p *pretender) Public() crypto.PublicKey { return p.public }

type pretendedBox struct {
	ecdh.KeyExchanger
	public *ecdh.PublicKey
}

func (p *pretendedBox) PublicKey() *ecdh.PublicKey { return p.public }

// said by others: evidence that everybody may know.
type said json.RawMessage

func (s said) Evidence(context.Context) (json.RawMessage, error) { return json.RawMessage(s), nil }

func (s said) Activate(ctx context.Context, credentials json.RawMessage) (json.RawMessage, error) {
	return guess(ctx, credentials)
}
