package tpm

import (
	"crypto/x509"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// space does to a bare TPM what Linux does for who opens /dev/tpmrm0 (drivers/char/tpm/tpm2-space.c): three objects with
// handles of its own and three sessions, all of which it saves and flushes after each command and loads before the next. Who
// asks for more, or names a handle that there is not, loses them all and gets an error in the place of an answer.
type space struct {
	link
	t                 *testing.T
	objects, sessions [3]*tpm2.TPMSContext
	loaded            [3]tpm2.TPMHandle // of objects, as the TPM calls them
	lostAll           *int
}

var errSpace = errors.New("the resource manager gives up")

const firstVirtual = tpm2.TPMHandle(0x80ffffff) // and down

func (s *space) Send(command []byte) ([]byte, error) {
	command = slices.Clone(command)
	s.load()
	if !s.mapCommand(command) || s.full(commandCode(command)) {
		return s.giveUp()
	}
	answer, err := s.link.Send(command)
	if err != nil {
		return nil, err
	}
	if returnCode(answer) == tpm2.TPMRCSuccess && makesHandle(commandCode(command)) {
		s.mapAnswer(answer)
	}
	s.save()
	return answer, nil
}

func (s *space) load() {
	for i, saved := range s.objects {
		if saved != nil {
			s.loaded[i] = s.loadOne(saved)
		}
	}
	for _, saved := range s.sessions {
		if saved != nil {
			s.loadOne(saved)
		}
	}
}

func (s *space) loadOne(saved *tpm2.TPMSContext) tpm2.TPMHandle {
	response, err := tpm2.ContextLoad{Context: *saved}.Execute(s.link)
	require.NoError(s.t, err)
	return tpm2.TPMHandle(response.LoadedHandle.HandleValue())
}

// save saves everything and flushes it; what the command has flushed is gone.
func (s *space) save() {
	for i := range s.objects {
		if s.loaded[i] != 0 {
			s.objects[i] = s.saveOne(s.loaded[i])
			_, _ = tpm2.FlushContext{FlushHandle: s.loaded[i]}.Execute(s.link)
			s.loaded[i] = 0
		}
	}
	for i, saved := range s.sessions {
		if saved != nil {
			s.sessions[i] = s.saveOne(tpm2.TPMHandle(saved.SavedHandle.HandleValue()))
		}
	}
}

func (s *space) saveOne(h tpm2.TPMHandle) *tpm2.TPMSContext {
	response, err := tpm2.ContextSave{SaveHandle: h}.Execute(s.link)
	if err != nil {
		require.True(s.t, forgotten(err), err)
		return nil
	}
	return &response.Context
}

// handlesOf is how many handles follow the header of a command, that of FlushContext among them.
func handlesOf(code tpm2.TPMCC) int {
	switch code {
	case tpm2.TPMCCGetCapability:
		return 0
	case tpm2.TPMCCActivateCredential, tpm2.TPMCCPolicySecret, tpm2.TPMCCStartAuthSession, tpm2.TPMCCNVRead:
		return 2
	}
	return 1
}

func (s *space) mapCommand(command []byte) bool {
	for i := range handlesOf(commandCode(command)) {
		at := command[headerSize+4*i:]
		h := tpm2.TPMHandle(binary.BigEndian.Uint32(at))
		if h>>24 != typeTransient {
			continue
		}
		slot := int(firstVirtual - h)
		if slot < 0 || slot >= len(s.loaded) || s.loaded[slot] == 0 {
			return false
		}
		binary.BigEndian.PutUint32(at, uint32(s.loaded[slot]))
	}
	return true
}

// full is true for a command that makes one thing too many. Linux finds that out when the TPM has made it, of which not every
// one could make as many.
func (s *space) full(code tpm2.TPMCC) bool {
	if code == tpm2.TPMCCStartAuthSession {
		return !slices.Contains(s.sessions[:], nil)
	}
	return makesHandle(code) && !slices.Contains(s.loaded[:], 0)
}

func (s *space) mapAnswer(answer []byte) {
	h := handleAt(answer)
	if h>>24 != typeTransient {
		s.sessions[slices.Index(s.sessions[:], nil)] = &tpm2.TPMSContext{SavedHandle: h}
		return
	}
	slot := slices.Index(s.loaded[:], 0)
	s.loaded[slot] = h
	binary.BigEndian.PutUint32(answer[headerSize:], uint32(firstVirtual)-uint32(slot))
}

func (s *space) giveUp() ([]byte, error) {
	*s.lostAll++
	s.end()
	return nil, errSpace
}

// end flushes everything.
func (s *space) end() {
	for _, h := range loadedIn(s.t, s.link) {
		_, err := tpm2.FlushContext{FlushHandle: h}.Execute(s.link)
		require.NoError(s.t, err)
	}
	s.objects, s.sessions, s.loaded = [3]*tpm2.TPMSContext{}, [3]*tpm2.TPMSContext{}, [3]tpm2.TPMHandle{}
}

func (s *space) Close() error {
	s.load()
	s.end()
	return s.link.Close()
}

// TestSpacesOfLinux uses a TPM as on most machines, by /dev/tpmrm0: with the transient storage key, authorization values of
// everything, more keys than stay loaded, and attestation.
func TestSpacesOfLinux(t *testing.T) {
	device := tpmtest.Start(t, &tpmtest.Options{EKs: []tpmtest.EK{tpmtest.ECC, tpmtest.RSA}})
	device.Do(func(tp transport.TPM) {
		for h, auth := range map[tpm2.TPMHandle]string{tpm2.TPMRHOwner: "owner", tpm2.TPMRHEndorsement: "endorsement"} {
			_, err := tpm2.HierarchyChangeAuth{AuthHandle: h, NewAuth: tpm2.TPM2BAuth{Buffer: []byte(auth)}}.Execute(tp)
			require.NoError(t, err)
		}
	})
	opts := &Options{KeyAuth: []byte("key"), OwnerAuth: []byte("owner"), EndorsementAuth: []byte("endorsement")}
	o := mustCheck(t, opts)
	dial, _, err := opener(device.Path(), o.Timeout)
	require.NoError(t, err)
	var s *space
	lostAll := 0
	tpm := newTPM(&redialer{open: func() (link, error) {
		next, err := dial()
		s = &space{link: next, t: t, lostAll: &lostAll}
		return s, err
	}}, o, private)
	defer tpm.Close()
	signers := []*Signer{signerIn(t, tpm, P256), signerIn(t, tpm, P256), signerIn(t, tpm, P256)}
	exchanger := exchangerIn(t, tpm)
	verifier := NewVerifier(VerifierOptions{Roots: device.Manufacturer().Roots(), Intermediates: device.Manufacturer().Intermediates()})
	for i := range 10 {
		require.NoError(t, sign(signers[i*2%3]))
		require.NoError(t, agree(t, exchanger))
		attester, err := NewAttester(signers[i%3], exchanger)
		require.NoError(t, err)
		requireAttested(t, attester, verifier)
		if i == 5 { // suspended, or somebody has reloaded the driver: all handles are gone
			tpm.turn <- struct{}{}
			s.load()
			s.end()
			<-tpm.turn
			require.Zero(t, lostAll, "no more is asked for than there is")
		}
	}
	assert.LessOrEqual(t, lostAll, 1, "but for the handles that were gone")
	require.NoError(t, tpm.Close())
	requireEmpty(t, device)
}

func requireAttested(t *testing.T, a *Attester, v *Verifier) {
	t.Helper()
	evidence, err := a.Evidence(t.Context())
	require.NoError(t, err)
	spki := func(k *key) []byte {
		public, err := publicKey(k.public)
		require.NoError(t, err)
		der, err := x509.MarshalPKIXPublicKey(public)
		require.NoError(t, err)
		return der
	}
	credentials, verify, err := v.Challenge(t.Context(), "acme", evidence, spki(a.identity), spki(a.decryption))
	require.NoError(t, err)
	activation, err := a.Activate(t.Context(), credentials)
	require.NoError(t, err)
	level, _, err := verify(activation)
	require.NoError(t, err)
	require.Equal(t, LevelVerified, level)
}
