package tpm_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/binary"
	"encoding/json"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// open opens a software TPM until the test ends.
func open(t testing.TB, device *tpmtest.TPM, opts *tpm.Options) *tpm.TPM {
	t.Helper()
	opened, err := tpm.Open(device.Path(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, opened.Close()) })
	return opened
}

// party is a connector's side: two keys and their attester.
type party struct {
	identity   *tpm.Signer
	decryption *tpm.KeyExchanger
	attester   *tpm.Attester
}

func newParty(t testing.TB, opened *tpm.TPM) *party {
	t.Helper()
	file, err := opened.NewSigner(context.Background(), tpm.P256)
	require.NoError(t, err)
	p := &party{}
	p.identity, err = opened.Signer(context.Background(), file)
	require.NoError(t, err)
	file, err = opened.NewKeyExchanger(context.Background())
	require.NoError(t, err)
	p.decryption, err = opened.KeyExchanger(context.Background(), file)
	require.NoError(t, err)
	p.attester, err = tpm.NewAttester(p.identity, p.decryption)
	require.NoError(t, err)
	return p
}

// use uses both keys, beside which nothing stays loaded.
func (p *party) use(t testing.TB) {
	t.Helper()
	_, err := p.identity.Sign(nil, make([]byte, 32), crypto.SHA256)
	require.NoError(t, err)
	_, err = p.decryption.ECDH(p.decryption.PublicKey())
	require.NoError(t, err)
}

func (p *party) evidence(t testing.TB) json.RawMessage {
	t.Helper()
	text, err := p.attester.Evidence(context.Background())
	require.NoError(t, err)
	return text
}

func (p *party) challenge(t testing.TB, v *tpm.Verifier) (json.RawMessage, func(json.RawMessage) (string, string, error)) {
	t.Helper()
	credentials, verify, err := v.Challenge(
		context.Background(), "acme", p.evidence(t), spki(t, p.identity.Public()), spki(t, p.decryption.PublicKey()))
	require.NoError(t, err)
	return credentials, verify
}

// attest goes the whole way.
func (p *party) attest(t testing.TB, v *tpm.Verifier) (level, detail string) {
	t.Helper()
	credentials, verify := p.challenge(t, v)
	activation, err := p.attester.Activate(context.Background(), credentials)
	require.NoError(t, err)
	level, detail, err = verify(activation)
	require.NoError(t, err)
	return level, detail
}

func TestAttestation(t *testing.T) {
	both := []tpmtest.EK{tpmtest.ECC, tpmtest.RSA}
	for name, c := range map[string]struct {
		options  tpmtest.Options
		template string
		level    string
		detail   string
	}{
		"ECC":                       {tpmtest.Options{EKs: both[:1]}, "L-2", tpm.LevelVerified, "certified by IBM"},
		"RSA":                       {tpmtest.Options{EKs: both[1:]}, "L-1", tpm.LevelVerified, "certified by IBM"},
		"both":                      {tpmtest.Options{EKs: both}, "L-2", tpm.LevelVerified, "certified by IBM"},
		"no certificate":            {tpmtest.Options{Certificate: tpmtest.None}, "L-2", tpm.LevelUnverified, "no certificate"},
		"expired":                   {tpmtest.Options{Certificate: tpmtest.Expired}, "L-2", tpm.LevelUnverified, "expired"},
		"a certificate of another":  {tpmtest.Options{Certificate: tpmtest.OtherKey}, "L-2", tpm.LevelUnverified, "no certificate"},
		"certificates of other RSA": {tpmtest.Options{Certificate: tpmtest.OtherKey, EKs: both}, "L-2", tpm.LevelUnverified, "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			device := tpmtest.Start(t, &c.options)
			opened := open(t, device, nil)
			level, detail := newParty(t, opened).attest(t, trusting(device.Manufacturer()))
			assert.Equal(t, c.level, level)
			assert.Contains(t, detail, c.detail)
			ek, err := opened.EndorsementKey(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.template, ek.Template)
			assert.Equal(t, c.options.Certificate == tpmtest.OtherKey, ek.Note != "", ek.Note)
			listed := tpm.NewVerifier(tpm.VerifierOptions{EKHashes: [][32]byte{ek.Hash}})
			level, _ = newParty(t, opened).attest(t, listed)
			assert.Equal(t, tpm.LevelVerified, level, "a TPM on the list needs no certificate")
		})
	}
}

func TestEvidenceIsTheSameAndCostsOnce(t *testing.T) {
	device := tpmtest.Start(t, nil)
	wire := &recorder{TPMCloser: device.Transport()}
	opened, err := tpm.New(wire, nil)
	require.NoError(t, err)
	defer opened.Close()
	p := newParty(t, opened)
	first := p.evidence(t)
	wire.reset()
	first[0] = 'x' // the caller's own copy
	assert.NotEqual(t, first, p.evidence(t))
	assert.Empty(t, wire.codes(), "nothing is asked a second time")
	again, err := tpm.NewAttester(p.identity, p.decryption)
	require.NoError(t, err)
	evidence, err := again.Evidence(t.Context())
	require.NoError(t, err)
	assert.Equal(t, p.evidence(t), evidence, "nor is it another one after a restart of the program")
}

// What the TPM opens, and the authorization value of its endorsement hierarchy, don't pass in the clear; and an
// activation costs what it must.
func TestActivationOnTheWire(t *testing.T) {
	device := tpmtest.Start(t, nil)
	auth := []byte("endorsement-auth-value-not-to-be")
	device.Do(func(tp transport.TPM) {
		_, err := tpm2.HierarchyChangeAuth{AuthHandle: tpm2.TPMRHEndorsement, NewAuth: tpm2.TPM2BAuth{Buffer: auth}}.Execute(tp)
		require.NoError(t, err)
	})
	wire := &recorder{TPMCloser: device.Transport()}
	opened, err := tpm.New(wire, &tpm.Options{EndorsementAuth: auth})
	require.NoError(t, err)
	defer opened.Close()
	p := newParty(t, opened)
	credentials, verify := p.challenge(t, trusting(device.Manufacturer()))
	made := wire.endorsementKeys()
	wire.reset()
	activation, err := p.attester.Activate(t.Context(), credentials)
	require.NoError(t, err)
	level, _, err := verify(activation)
	require.NoError(t, err)
	assert.Equal(t, tpm.LevelVerified, level)
	codes := wire.codes()
	assert.Equal(t, 2, codes[tpm2.TPMCCActivateCredential])
	assert.Equal(t, 1, made+wire.endorsementKeys(), "the endorsement key is made once, for the evidence and the activation")
	var secrets pair
	require.NoError(t, json.Unmarshal(activation, &secrets))
	for _, secret := range [][]byte{secrets.Identity, secrets.Decryption, auth} {
		assert.False(t, wire.holds(secret), "a secret passed in the clear")
	}
	assert.True(t, wire.holds(spki(t, p.identity.Public())[27:59]), "the recording sees what is there")
}

func TestActivationWithAWrongEndorsementAuth(t *testing.T) {
	device := tpmtest.Start(t, nil)
	opened := open(t, device, nil)
	p := newParty(t, opened)
	credentials, _ := p.challenge(t, trusting(device.Manufacturer()))
	require.NoError(t, opened.Close())
	device.Do(func(tp transport.TPM) {
		makeEK(t, tp, tpm2.RSAEKTemplate, 0x81010001) // which does not take the place of the one with a certificate
		_, err := tpm2.HierarchyChangeAuth{AuthHandle: tpm2.TPMRHEndorsement, NewAuth: tpm2.TPM2BAuth{Buffer: []byte("other")}}.Execute(tp)
		require.NoError(t, err)
	})
	again := open(t, device, &tpm.Options{EndorsementAuth: []byte("wrong")})
	_, err := again.EndorsementKey(t.Context())
	require.ErrorContains(t, err, "EndorsementAuth")
	_, err = newParty(t, again).attester.Activate(t.Context(), credentials)
	require.Error(t, err)
	assert.NotErrorIs(t, err, tpm.EvidenceActivation)
}

// Credentials that are not for this TPM and these keys are said to be so, whatever the TPM answers to them.
func TestActivationOfWrongCredentials(t *testing.T) {
	for name, ek := range map[string]tpmtest.EK{"ECC": tpmtest.ECC, "RSA": tpmtest.RSA} {
		t.Run(name, func(t *testing.T) {
			options := &tpmtest.Options{EKs: []tpmtest.EK{ek}, Manufacturer: tpmtest.NewManufacturer(t)}
			device, other := tpmtest.Start(t, options), tpmtest.Start(t, options)
			opened := open(t, device, nil)
			p, sibling, stranger := newParty(t, opened), newParty(t, opened), newParty(t, open(t, other, nil))
			v := trusting(options.Manufacturer)
			right, verify := p.challenge(t, v)
			ofSibling, _ := sibling.challenge(t, v)
			ofStranger, _ := stranger.challenge(t, v)
			for name, wrong := range map[string]json.RawMessage{
				"of other keys in this TPM": ofSibling,
				"of another TPM":            ofStranger,
				"swapped":                   changed(t, right, func(c *credentials) { c.Identity, c.Decryption = c.Decryption, c.Identity }),
				"flipped bit":               changed(t, right, func(c *credentials) { flipLast(c.Identity.Credential) }),
				"flipped bit of the seed":   changed(t, right, func(c *credentials) { flipLast(c.Decryption.Secret) }),
				"mixed":                     changed(t, right, func(c *credentials) { c.Identity.Secret = c.Decryption.Secret }),
				"short":                     changed(t, right, func(c *credentials) { c.Identity.Credential = []byte{0, 1, 0} }),
				"short seed":                changed(t, right, func(c *credentials) { c.Identity.Secret = []byte{0, 3, 1, 2, 3} }),
				"long": changed(t, right, func(c *credentials) {
					c.Identity.Credential = append([]byte{1, 0}, make([]byte, 256)...)
				}),
			} {
				_, err := p.attester.Activate(t.Context(), wrong)
				assert.ErrorIs(t, err, tpm.EvidenceActivation, name)
			}
			for name, wrong := range map[string]json.RawMessage{
				"oversized": changed(t, right, func(c *credentials) { c.Identity.Secret = append([]byte{4, 0}, make([]byte, 1024)...) }),
				"truncated": changed(t, right, func(c *credentials) { cut(&c.Identity.Secret) }),
				"empty":     changed(t, right, func(c *credentials) { c.Decryption.Credential = []byte{0, 0} }),
				"no object": json.RawMessage("[]"),
				"nothing":   nil,
			} {
				_, err := p.attester.Activate(t.Context(), wrong)
				assert.ErrorIs(t, err, tpm.EvidenceMalformed, name)
			}
			activation, err := p.attester.Activate(t.Context(), right)
			require.NoError(t, err, "the right ones still open")
			_, _, err = verify(activation)
			require.NoError(t, err)
			require.NoError(t, opened.Close())
			device.Do(func(tp transport.TPM) { assert.Empty(t, handlesIn(t, tp), "nothing stays in the TPM") })
		})
	}
}

func changed(t testing.TB, text json.RawMessage, change func(c *credentials)) json.RawMessage {
	t.Helper()
	var c credentials
	require.NoError(t, json.Unmarshal(text, &c))
	change(&c)
	text, err := json.Marshal(c)
	require.NoError(t, err)
	return text
}

func handlesIn(t testing.TB, tp transport.TPM) []tpm2.TPMHandle {
	t.Helper()
	var all []tpm2.TPMHandle
	for _, kind := range []uint32{0x80000000, 0x02000000, 0x03000000} {
		r, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: kind, PropertyCount: 64}.Execute(tp)
		require.NoError(t, err)
		list, err := r.CapabilityData.Data.Handles()
		require.NoError(t, err)
		all = append(all, list.Handle...)
	}
	return all
}

func TestActivationIsCancelled(t *testing.T) {
	device := tpmtest.Start(t, nil)
	opened := open(t, device, nil)
	p := newParty(t, opened)
	credentials, _ := p.challenge(t, trusting(device.Manufacturer()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.attester.Activate(ctx, credentials)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, opened.Close())
	device.Do(func(tp transport.TPM) { assert.Empty(t, handlesIn(t, tp)) })
}

func TestAttestationAfterPowerLoss(t *testing.T) {
	device := tpmtest.Start(t, nil)
	p := newParty(t, open(t, device, nil))
	before := p.evidence(t)
	device.PowerLoss()
	level, _ := p.attest(t, trusting(device.Manufacturer()))
	assert.Equal(t, tpm.LevelVerified, level)
	assert.Equal(t, before, p.evidence(t))
}

func TestAttesterOfOtherKeys(t *testing.T) {
	device, other := tpmtest.Start(t, nil), tpmtest.Start(t, nil)
	opened := open(t, device, nil)
	p, stranger := newParty(t, opened), newParty(t, open(t, other, nil))
	_, err := tpm.NewAttester(p.identity, stranger.decryption)
	assert.ErrorContains(t, err, "same TPM")
	soft := newSoftwareTPM(t, tpmtest.ECC, device.Manufacturer())
	_, err = tpm.NewAttester(soft.identity, p.decryption)
	assert.ErrorContains(t, err, "same TPM")
	_, err = tpm.NewAttester(p.identity, soft.decryption)
	assert.ErrorContains(t, err, "same TPM")
	file, err := opened.NewSigner(t.Context(), tpm.RSA2048)
	require.NoError(t, err)
	rsa, err := opened.Signer(t.Context(), file)
	require.NoError(t, err)
	_, err = tpm.NewAttester(rsa, p.decryption)
	assert.ErrorIs(t, err, tpm.EvidenceKeyAlgorithm)
}

// recorder sees what passes between us and the TPM.
type recorder struct {
	transport.TPMCloser
	mu       sync.Mutex
	messages [][]byte
	sent     map[tpm2.TPMCC]int
	eks      int
}

func (r *recorder) Send(command []byte) ([]byte, error) {
	answer, err := r.TPMCloser.Send(command)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sent == nil {
		r.sent = map[tpm2.TPMCC]int{}
	}
	r.sent[tpm2.TPMCC(binary.BigEndian.Uint32(command[6:]))]++
	if bytes.Equal(command[6:14], []byte{0, 0, 1, 0x31, 0x40, 0, 0, 0x0b}) {
		r.eks++
	}
	r.messages = append(r.messages, bytes.Clone(command), bytes.Clone(answer))
	return answer, err
}

// reset forgets how many commands there were, not what they were.
func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent, r.eks = nil, 0
}

func (r *recorder) codes() map[tpm2.TPMCC]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

// endorsementKeys is how often TPM2_CreatePrimary was called for the endorsement hierarchy.
func (r *recorder) endorsementKeys() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.eks
}

func (r *recorder) holds(text []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.messages {
		if bytes.Contains(m, text) {
			return true
		}
	}
	return false
}

// said is the evidence of a party, parsed.
func (p *party) said(t testing.TB) evidence {
	t.Helper()
	var e evidence
	require.NoError(t, json.Unmarshal(p.evidence(t), &e))
	return e
}
