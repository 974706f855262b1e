package tpm_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// Somebody who has a TPM, and keys in software, wants them to be taken for keys in the TPM. TPM2_LoadExternal takes
// their public halves with any attributes. A TPM must not let such an object be authorized; swtpm does not, not even
// by a policy of the object's own. A verifier does not rely on that: it takes no key with a policy.
func TestLoadExternalProvesNothing(t *testing.T) {
	device := tpmtest.Start(t, nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	area := keyArea(t, &key.PublicKey, true)
	policy, err := tpm2.NewPolicyCalculator(tpm2.TPMAlgSHA256)
	require.NoError(t, err)
	require.NoError(t, tpm2.PolicyCommandCode{Code: tpm2.TPMCCActivateCredential}.Update(policy))
	withPolicy := keyArea(t, &key.PublicKey, true)
	withPolicy.AuthPolicy.Buffer = policy.Hash().Digest
	secret := make([]byte, 32)
	device.Do(func(tp transport.TPM) {
		_, err := activateExternal(t, tp, area, secret, tpm2.PasswordAuth(nil))
		require.ErrorIs(t, err, tpm2.TPMRCAuthUnavailable, "without a policy")
		byPolicy := tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(tp transport.TPM, h tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
			_, err := tpm2.PolicyCommandCode{PolicySession: h, Code: tpm2.TPMCCActivateCredential}.Execute(tp)
			return err
		})
		_, err = activateExternal(t, tp, area, secret, byPolicy)
		require.Error(t, err, "by a policy that it has not")
		_, err = activateExternal(t, tp, withPolicy, secret, byPolicy)
		require.ErrorIs(t, err, tpm2.TPMRCAuthUnavailable, "by its own policy")
	})
	p := newParty(t, open(t, device, nil))
	e := p.said(t)
	e.Keys.Identity = tpm2.Marshal(withPolicy)
	_, _, err = trusting(device.Manufacturer()).Challenge(t.Context(), "acme", marshalled(t, e), spki(t, key.Public()), spki(t, p.decryption.PublicKey()))
	assert.ErrorIs(t, err, tpm.EvidenceKeyPolicy)
}

// activateExternal loads a public area and has a credential for it opened.
func activateExternal(t *testing.T, tp transport.TPM, area tpm2.TPMTPublic, secret []byte, auth tpm2.Session) ([]byte, error) {
	t.Helper()
	ek, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.New2B(tpm2.ECCEKTemplate)}.Execute(tp)
	require.NoError(t, err)
	defer flush(t, tp, ek.ObjectHandle)
	external, err := tpm2.LoadExternal{InPublic: tpm2.New2B(area), Hierarchy: tpm2.TPMRHOwner}.Execute(tp)
	require.NoError(t, err)
	defer flush(t, tp, external.ObjectHandle)
	public, err := ek.OutPublic.Contents()
	require.NoError(t, err)
	encapsulation, err := tpm2.ImportEncapsulationKey(public)
	require.NoError(t, err)
	blob, seed, err := tpm2.CreateCredential(rand.Reader, encapsulation, external.Name.Buffer, secret)
	require.NoError(t, err)
	byEndorsement := tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(tp transport.TPM, h tpm2.TPMISHPolicy, nonce tpm2.TPM2BNonce) error {
		_, err := tpm2.PolicySecret{
			AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHEndorsement, Auth: tpm2.PasswordAuth(nil)}, PolicySession: h, NonceTPM: nonce,
		}.Execute(tp)
		return err
	})
	response, err := tpm2.ActivateCredential{
		ActivateHandle: tpm2.AuthHandle{Handle: external.ObjectHandle, Name: external.Name, Auth: auth},
		KeyHandle:      tpm2.AuthHandle{Handle: ek.ObjectHandle, Name: ek.Name, Auth: byEndorsement},
		CredentialBlob: tpm2.TPM2BIDObject{Buffer: blob}, Secret: tpm2.TPM2BEncryptedSecret{Buffer: seed},
	}.Execute(tp)
	if err != nil {
		return nil, err
	}
	return response.CertInfo.Buffer, nil
}

func flush(t *testing.T, tp transport.TPM, h tpm2.TPMHandle) {
	t.Helper()
	_, err := tpm2.FlushContext{FlushHandle: h}.Execute(tp)
	require.NoError(t, err)
}

func marshalled(t *testing.T, v any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

// What a connector changes of true evidence is refused at once, or cannot be activated, each for its own reason.
func TestTamperedEvidence(t *testing.T) {
	m := tpmtest.NewManufacturer(t)
	options := &tpmtest.Options{Manufacturer: m, EKs: []tpmtest.EK{tpmtest.ECC, tpmtest.RSA}}
	p := newParty(t, open(t, tpmtest.Start(t, options), nil))
	stranger := newParty(t, open(t, tpmtest.Start(t, options), nil))
	soft := newSoftwareTPM(t, tpmtest.ECC, m)
	mine, other := p.said(t), stranger.said(t)
	for name, c := range map[string]struct {
		change func(e *evidence)
		want   tpm.EvidenceReason
	}{
		"of another TPM":                        {func(e *evidence) { *e = other }, tpm.EvidenceKeyMismatch},
		"another TPM's endorsement key":         {func(e *evidence) { e.EK.Public = other.EK.Public }, tpm.EvidenceEKMismatch},
		"another TPM's certificate":             {func(e *evidence) { e.EK.Certificate = other.EK.Certificate }, tpm.EvidenceEKMismatch},
		"another TPM's both":                    {func(e *evidence) { e.EK = other.EK }, tpm.EvidenceActivation},
		"a key of another TPM":                  {func(e *evidence) { e.Keys.Decryption = other.Keys.Decryption }, tpm.EvidenceKeyMismatch},
		"a software endorsement key":            {func(e *evidence) { e.EK = soft.said.EK }, tpm.EvidenceActivation},
		"identity and decryption swapped":       {func(e *evidence) { e.Keys = pair{e.Keys.Decryption, e.Keys.Identity} }, tpm.EvidenceKeysSwapped},
		"attributes changed (userWithAuth)":     {func(e *evidence) { e.Keys.Identity[7] ^= 0x40 }, tpm.EvidenceKeyAttributes},
		"attributes changed (restricted)":       {func(e *evidence) { e.Keys.Identity[5] ^= 0x01 }, tpm.EvidenceKeyAttributes},
		"key changed":                           {func(e *evidence) { flipLast(e.Keys.Identity) }, tpm.EvidenceKeyMismatch},
		"endorsement key's attributes changed":  {func(e *evidence) { e.EK.Public[5] ^= 0x04 }, tpm.EvidenceEKPublic},
		"endorsement key's symmetric algorithm": {func(e *evidence) { e.EK.Public[44] ^= 0x01 }, tpm.EvidenceEKPublic},
		"truncated":                             {func(e *evidence) { cut(&e.EK.Public) }, tpm.EvidenceMalformed},
		"nothing changed":                       {func(*evidence) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var e evidence
			require.NoError(t, json.Unmarshal(marshalled(t, mine), &e))
			c.change(&e)
			credentials, verify, err := trusting(m).Challenge(
				t.Context(), "acme", marshalled(t, e), spki(t, p.identity.Public()), spki(t, p.decryption.PublicKey()))
			if err == nil && c.want == tpm.EvidenceActivation {
				_, err = p.attester.Activate(t.Context(), credentials)
				require.ErrorIs(t, err, c.want, "the true TPM cannot open it")
				_, _, err = verify(marshalled(t, pair{make([]byte, 32), make([]byte, 32)}))
			}
			if c.want == "" {
				require.NoError(t, err)
				activation, err := p.attester.Activate(t.Context(), credentials)
				require.NoError(t, err)
				_, _, err = verify(activation)
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
		})
	}
}

// A copied key is of no use in another TPM, nor is what one TPM has activated for another connector.
func TestActivationOfAnotherConnectorIsRefused(t *testing.T) {
	device := tpmtest.Start(t, nil)
	opened := open(t, device, nil)
	p, sibling := newParty(t, opened), newParty(t, opened)
	v := trusting(device.Manufacturer())
	_, verify := p.challenge(t, v)
	credentials, _ := sibling.challenge(t, v)
	activation, err := sibling.attester.Activate(t.Context(), credentials)
	require.NoError(t, err)
	_, _, err = verify(activation)
	assert.ErrorIs(t, err, tpm.EvidenceReplayed)
}
