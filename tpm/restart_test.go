package tpm

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// TestRestart takes the power from the TPM between and during operations: what was loaded is gone, and loaded again.
func TestRestart(t *testing.T) {
	device, tpm := opened(t, &Options{KeyAuth: []byte("value")})
	signer, exchanger := signerIn(t, tpm, P256), exchangerIn(t, tpm)
	for range 3 {
		device.PowerLoss()
		require.NoError(t, sign(signer))
		require.NoError(t, agree(t, exchanger))
	}

	var stop atomic.Bool
	var good, lost atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for !stop.Load() {
				err := errors.Join(sign(signer), agree(t, exchanger))
				if err == nil {
					good.Add(1)
					continue
				}
				lost.Add(1)
				if !errors.Is(err, ErrTransport) {
					assert.NoError(t, err)
					return
				}
			}
		})
	}
	for i := range 5 {
		for before := good.Load(); good.Load() < before+20 && !t.Failed(); {
			require.NoError(t, sign(signer), "round %d", i) // waits for its turn like the others
		}
		device.PowerLoss()
	}
	stop.Store(true)
	wg.Wait()
	t.Logf("%d times good, %d times while nobody listened", good.Load(), lost.Load())
	require.NoError(t, sign(signer))
	require.NoError(t, tpm.Close())
	requireEmpty(t, device)
}

// TestOrderlyRestart is the same for a machine that is shut down, with a TPM that is opened again.
func TestOrderlyRestart(t *testing.T) {
	device, tpm := opened(t, nil)
	file, err := tpm.NewSigner(t.Context(), P256)
	require.NoError(t, err)
	require.NoError(t, tpm.Close())
	device.Restart()
	tpm, err = Open(device.Path(), nil)
	require.NoError(t, err)
	defer tpm.Close()
	signer, err := tpm.Signer(t.Context(), file)
	require.NoError(t, err)
	require.NoError(t, sign(signer))
}

// TestForgottenHandles flushes everything behind our back, as a TPM does that was suspended.
func TestForgottenHandles(t *testing.T) {
	device, tpm := opened(t, nil)
	signer, exchanger := signerIn(t, tpm, P256), exchangerIn(t, tpm)
	for range 2 {
		within(t, tpm, func(c *conn) error {
			for _, h := range loadedIn(t, c) {
				_, err := tpm2.FlushContext{FlushHandle: h}.Execute(stranger{c.t.wire.transport})
				require.NoError(t, err)
			}
			return nil
		})
		require.NoError(t, sign(signer))
		require.NoError(t, agree(t, exchanger))
	}
	require.NoError(t, tpm.Close())
	requireEmpty(t, device)
}

// stranger sends commands past the ledger.
type stranger struct{ Transport }

// TestLeftBehind is for a bare TPM that another program has left full.
func TestLeftBehind(t *testing.T) {
	device := tpmtest.Start(t, nil)
	device.Do(func(tp transport.TPM) {
		for range 3 {
			_, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHNull, InPublic: tpm2.New2B(*storageTemplate(false))}.Execute(tp)
			require.NoError(t, err)
			_, _, err = tpm2.HMACSession(tp, tpm2.TPMAlgSHA256, 16)
			require.NoError(t, err)
		}
		require.Len(t, loadedIn(t, tp), 6)
	})
	tpm, err := Open(device.Path(), nil)
	require.NoError(t, err)
	defer tpm.Close()
	require.NoError(t, sign(signerIn(t, tpm, P256)))
	require.NoError(t, tpm.Close())
	requireEmpty(t, device)
}

// TestCleared clears the TPM of a running program, and makes new keys in it.
func TestCleared(t *testing.T) {
	device, tpm := opened(t, nil)
	store := tpm.Store()
	pin, err := store.Bind(nil)
	require.NoError(t, err)
	file, err := store.NewSigner()
	require.NoError(t, err)
	signer, err := store.Signer(file)
	require.NoError(t, err)
	require.NoError(t, sign(signer.(*Signer)))

	device.Clear()
	require.ErrorIs(t, sign(signer.(*Signer)), ErrOtherTPM)
	_, err = store.NewSigner()
	require.ErrorIs(t, err, ErrOtherTPM)
	_, err = store.Bind(pin)
	require.ErrorIs(t, err, ErrOtherTPM)
	require.ErrorContains(t, err, "register")
	_, err = store.Signer(file)
	require.ErrorIs(t, err, ErrOtherTPM)

	now, err := store.Bind(nil)
	require.NoError(t, err)
	require.NotEqual(t, pin, now)
	_, err = store.Signer(file)
	require.ErrorIs(t, err, tpm2.TPMRCIntegrity)
	again, err := store.NewSigner()
	require.NoError(t, err)
	signer, err = store.Signer(again)
	require.NoError(t, err)
	require.NoError(t, sign(signer.(*Signer)))
}

// TestBind keeps to the storage key that it has found first, whatever somebody asks for in vain.
func TestBind(t *testing.T) {
	_, tpm := opened(t, nil)
	store := tpm.Store()
	pin, err := store.Bind(nil)
	require.NoError(t, err)
	require.Len(t, pin, 34)
	for range 2 {
		now, err := store.Bind(pin)
		require.NoError(t, err)
		require.Equal(t, pin, now)
		_, err = store.Bind(pin[1:])
		require.ErrorIs(t, err, ErrOtherTPM)
		_, err = store.NewSigner()
		require.NoError(t, err)
	}
	device := tpm.Path()
	require.NoError(t, tpm.Close())
	other := bytes.Clone(pin)
	other[5]++
	tpm, err = Open(device, &Options{ParentName: other})
	require.NoError(t, err)
	defer tpm.Close()
	_, err = tpm.Store().Bind(pin)
	require.ErrorIs(t, err, ErrOtherTPM, "the options' pin holds too")
	_, err = tpm.Store().NewSigner()
	require.ErrorIs(t, err, ErrOtherTPM)
}

// TestBindKeepsACopy lets the caller change what it was given.
func TestBindKeepsACopy(t *testing.T) {
	_, tpm := opened(t, nil)
	store := tpm.Store()
	pin, err := store.Bind(nil)
	require.NoError(t, err)
	pin[5]++
	_, err = store.NewSigner()
	require.NoError(t, err)
}

// TestClearedUnderALivingSession clears the TPM without restarting it: the session goes on, the keys don't.
func TestClearedUnderALivingSession(t *testing.T) {
	_, tpm := opened(t, nil)
	signer := signerIn(t, tpm, P256)
	clearIt := func() {
		within(t, tpm, func(c *conn) error {
			_, err := tpm2.Clear{AuthHandle: tpm2.TPMRHPlatform}.Execute(stranger{c.t.wire.transport})
			return err
		})
	}
	clearIt()
	err := sign(signer)
	require.ErrorIs(t, err, ErrOtherTPM)
	_, err = tpm.NewKeyExchanger(t.Context())
	require.ErrorIs(t, err, ErrOtherTPM)
}

// TestPinnedParent covers what can lie at the handle of the storage key.
func TestPinnedParent(t *testing.T) {
	device := tpmtest.Start(t, nil)
	open := func(opts *Options) (name []byte, handle tpm2.TPMHandle, err error) {
		tpm, err := Open(device.Path(), opts)
		require.NoError(t, err)
		defer tpm.Close()
		err = tpm.use(t.Context(), func(c *conn) error {
			p, err := c.parent()
			name, handle = p.Name.Buffer, p.file
			return err
		})
		return name, handle, err
	}
	persist := func(template *tpm2.TPMTPublic) {
		device.Do(func(tp transport.TPM) {
			if read, err := (tpm2.ReadPublic{ObjectHandle: tpm2.TPMHandle(srkHandle)}).Execute(tp); err == nil {
				_, err := tpm2.EvictControl{Auth: tpm2.TPMRHOwner, PersistentHandle: srkHandle,
					ObjectHandle: &tpm2.NamedHandle{Handle: srkHandle, Name: read.Name}}.Execute(tp)
				require.NoError(t, err)
			}
			if template == nil {
				return
			}
			made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(*template)}.Execute(tp)
			require.NoError(t, err)
			_, err = tpm2.EvictControl{Auth: tpm2.TPMRHOwner, PersistentHandle: srkHandle,
				ObjectHandle: &tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name}}.Execute(tp)
			require.NoError(t, err)
			_, err = tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(tp)
			require.NoError(t, err)
		})
	}
	transient, handle, err := open(nil)
	require.NoError(t, err)
	require.Equal(t, tpm2.TPMHandle(tpm2.TPMRHOwner), handle)

	unrestricted := exchangerTemplate()
	for name, test := range map[string]struct {
		template *tpm2.TPMTPublic
		use      bool
	}{
		"the TCG's ECC template": {&tpm2.ECCSRKTemplate, true},
		"the TCG's RSA template": {&tpm2.RSASRKTemplate, true},
		"another key":            {&unrestricted, false},
		"an endorsement key":     {&tpm2.ECCEKTemplate, false},
	} {
		persist(test.template)
		found, handle, err := open(nil)
		require.NoError(t, err, name)
		if test.use {
			require.Equal(t, tpm2.TPMHandle(srkHandle), handle, name)
			require.NotEqual(t, transient, found, name)
		} else {
			require.Equal(t, tpm2.TPMHandle(tpm2.TPMRHOwner), handle, name)
			require.Equal(t, transient, found, name)
		}
		// A pin decides, whatever is there.
		again, handle, err := open(&Options{ParentName: transient})
		require.NoError(t, err, name)
		require.Equal(t, tpm2.TPMHandle(tpm2.TPMRHOwner), handle, name)
		require.Equal(t, transient, again, name)
		_, _, err = open(&Options{ParentName: found})
		require.NoError(t, err, name)
		_, _, err = open(&Options{ParentName: append([]byte{0, 11}, make([]byte, 32)...)})
		require.ErrorIs(t, err, ErrOtherTPM, name)
	}

	// Keys under either persistent key work, until it is gone.
	for _, template := range []*tpm2.TPMTPublic{&tpm2.RSASRKTemplate, storageTemplate(false)} {
		persist(template)
		tpm, err := Open(device.Path(), nil)
		require.NoError(t, err)
		k, err := tpm.create(context.Background(), exchangerTemplate())
		require.NoError(t, err)
		require.Equal(t, tpm2.TPMHandle(srkHandle), k.parent)
		_, err = tpm.newKeyExchanger(t.Context(), k)
		require.NoError(t, err)
		require.NoError(t, tpm.Close())
		persist(nil)
		tpm, err = Open(device.Path(), nil)
		require.NoError(t, err)
		_, err = tpm.newKeyExchanger(t.Context(), k)
		if template.Type == tpm2.TPMAlgRSA {
			require.ErrorIs(t, err, tpm2.TPMRCIntegrity)
		} else {
			require.NoError(t, err, "the transient key is the same as the persistent one was")
		}
		require.NoError(t, tpm.Close())
	}
	requireEmpty(t, device)
}

// TestForgottenSessionIsNoMissingCertificate looks for the endorsement key when the TPM has forgotten the session: the answer
// must not be the next best key, without a certificate.
func TestForgottenSessionIsNoMissingCertificate(t *testing.T) {
	device := tpmtest.Start(t, nil)
	next := ekTemplates()[2]
	device.Do(func(tp transport.TPM) {
		made, err := tpm2.CreatePrimary{
			PrimaryHandle: tpm2.TPMRHEndorsement, InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](next.creation(nil)),
		}.Execute(tp)
		require.NoError(t, err)
		_, err = tpm2.EvictControl{
			Auth: tpm2.TPMRHOwner, ObjectHandle: &tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name},
			PersistentHandle: next.persistent,
		}.Execute(tp)
		require.NoError(t, err)
		_, err = tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(tp)
		require.NoError(t, err)
	})
	tpm, err := Open(device.Path(), nil)
	require.NoError(t, err)
	defer tpm.Close()
	require.NoError(t, sign(signerIn(t, tpm, P256)))
	within(t, tpm, func(c *conn) error {
		_, err := tpm2.FlushContext{FlushHandle: c.t.cache.session.handle}.Execute(stranger{c.t.wire.transport})
		return err
	})
	ek, err := tpm.EndorsementKey(t.Context())
	require.NoError(t, err)
	require.Equal(t, "L-2", ek.Template)
	require.NotEmpty(t, ek.Certificate)
}
