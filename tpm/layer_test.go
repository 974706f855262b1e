package tpm

import (
	"bytes"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// TestRefusalsOfAResourceManager is for one that gives the TPM's codes in its own name: what is to be done about them is the
// same.
func TestRefusalsOfAResourceManager(t *testing.T) {
	device := tpmtest.Start(t, nil)
	device.Do(func(tp transport.TPM) {
		for range 3 {
			_, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHNull, InPublic: tpm2.New2B(*storageTemplate(false))}.Execute(tp)
			require.NoError(t, err)
			_, _, err = tpm2.HMACSession(tp, tpm2.TPMAlgSHA256, 16)
			require.NoError(t, err)
		}
	})
	o := mustCheck(t, nil)
	dial, reach, err := opener(device.Path(), o.Timeout)
	require.NoError(t, err)
	refusals := 0
	tpm := newTPM(&redialer{open: func() (link, error) {
		next, err := dial()
		return &liar{next, func(_, answer []byte) []byte {
			if code := returnCode(answer); code != tpm2.TPMRCSuccess {
				refusals++
				answer = bytes.Clone(answer)
				binary.BigEndian.PutUint32(answer[6:], uint32(code)|0x0b<<16)
			}
			return answer
		}}, err
	}}, o, reach)
	defer tpm.Close()
	signer, exchanger := signerIn(t, tpm, P256), exchangerIn(t, tpm) // although the TPM is full
	require.NotZero(t, refusals)
	within(t, tpm, func(c *conn) error {
		for _, h := range loadedIn(t, c) {
			_, err := tpm2.FlushContext{FlushHandle: h}.Execute(stranger{c.t.wire.transport})
			require.NoError(t, err)
		}
		return nil
	})
	require.NoError(t, sign(signer))
	require.NoError(t, agree(t, exchanger))
	require.Len(t, tpm.wire.loaded, 3, "what the TPM has flushed by itself is forgotten")
	require.NoError(t, tpm.Close())
	requireEmpty(t, device)
}

// TestCloseOfATPMThatHangs closes a TPM that answers no more, not even to the last flush.
func TestCloseOfATPMThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		tpm, err := New(sender(func([]byte) ([]byte, error) {
			<-release
			return refusal(tpm2.TPMRCFailure), nil
		}), &Options{Timeout: time.Hour})
		require.NoError(t, err)
		tpm.wire.loaded[0x80000000] = struct{}{}
		start := time.Now()
		require.NoError(t, tpm.Close())
		require.Equal(t, closeTime, time.Since(start))
		close(release)
	})
}
