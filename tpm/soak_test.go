package tpm

import (
	"context"
	"crypto/rsa"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// faults is a link that loses answers, and commands, now and then.
type faults struct {
	link
	after *atomic.Int64 // commands that pass until the next fault; negative: none any more
}

var errFault = errors.New("a fault of the test")

func (f faults) Send(command []byte) ([]byte, error) {
	switch f.after.Add(-1) {
	case 0:
		f.after.Store(60)
		_, _ = f.link.Send(command) // it is executed, and nobody hears of it
		return nil, errFault
	case 30:
		return nil, errFault
	}
	return f.link.Send(command)
}

// TestNothingStaysBehind does thousands of things at once with a raw TPM, which has room for three objects and three
// sessions, some of them cancelled, some wrong, some over a connection with faults.
func TestNothingStaysBehind(t *testing.T) {
	for _, withFaults := range []bool{false, true} {
		t.Run(map[bool]string{false: "good connection", true: "faults"}[withFaults], func(t *testing.T) {
			soak(t, withFaults)
		})
	}
}

func soak(t *testing.T, withFaults bool) {
	const workers, rounds = 16, 100
	device := tpmtest.Start(t, nil)
	other, stranger := opened(t, nil)
	foreign := signerIn(t, stranger, P256).key
	require.NoError(t, stranger.Close())
	requireEmpty(t, other)

	var after atomic.Int64
	after.Store(-1)
	o, err := (&Options{KeyAuth: []byte("the right one")}).checked()
	require.NoError(t, err)
	open, reach, err := opener(device.Path(), o.Timeout)
	require.NoError(t, err)
	tpm := newTPM(&redialer{open: func() (link, error) {
		l, err := open()
		return faults{l, &after}, err
	}}, o, reach)
	defer tpm.Close()

	signers := []*Signer{signerIn(t, tpm, P256), signerIn(t, tpm, P256), signerIn(t, tpm, RSA2048)}
	exchangers := []*KeyExchanger{exchangerIn(t, tpm), exchangerIn(t, tpm)}
	wrong := *signers[0].key
	wrong.open, wrong.sure = true, true // the TPM knows better
	if withFaults {
		after.Store(60)
	}

	var done, failed, cancelled atomic.Int64
	good := func(err error) {
		switch {
		case withFaults && errors.Is(err, ErrTransport): // two faults in a row
			failed.Add(1)
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			cancelled.Add(1)
		default:
			assert.NoError(t, err)
		}
		done.Add(1)
	}
	bad := func(err error, want tpm2.TPMRC) {
		if !withFaults || !errors.Is(err, ErrTransport) {
			assert.ErrorIs(t, err, want)
		}
		done.Add(1)
	}
	digest := make([]byte, 32)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 4))
			for range rounds {
				switch random.IntN(12) {
				default:
					good(sign(signers[random.IntN(2)]))
				case 0, 1, 2:
					good(agree(t, exchangers[random.IntN(2)]))
				case 3:
					_, err := signers[2].Sign(nil, digest, &rsa.PSSOptions{Hash: 5, SaltLength: rsa.PSSSaltLengthAuto})
					good(err)
				case 4: // a key of another TPM
					_, err := tpm.newSigner(t.Context(), foreign)
					bad(err, tpm2.TPMRCIntegrity)
				case 5: // without the authorization value
					bad(sign(&Signer{tpm, &wrong, signers[0].public}), tpm2.TPMRCBadAuth)
				case 6: // a call that is cancelled while it waits or works
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(12_000))*time.Microsecond)
					_, err := tpm.NewKeyExchanger(ctx)
					good(err)
					cancel()
				case 7: // something that is loaded and left to the section
					good(tpm.use(t.Context(), func(c *conn) error {
						if _, err := c.transientParent(false); err != nil {
							return err
						}
						_, err := c.authorized(exchangers[0].key, both)
						return err
					}))
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d operations, %d cancelled, %d failed for two faults in a row", done.Load(), cancelled.Load(), failed.Load())
	assert.EqualValues(t, workers*rounds, done.Load())
	assert.NotZero(t, cancelled.Load())

	after.Store(-1)
	for _, s := range signers {
		assert.NoError(t, sign(s), "everything works still")
	}
	within(t, tpm, func(c *conn) error {
		assert.LessOrEqual(t, len(loadedIn(t, c)), 1+maxLoaded, "a session, and the keys in the cache")
		return nil
	})
	assert.NoError(t, tpm.Close())
	requireEmpty(t, device)
	assert.ErrorIs(t, sign(signers[0]), net.ErrClosed)
	assert.NoError(t, tpm.Close())
}
