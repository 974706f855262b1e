package tpm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// sender is a transport that is one function.
type sender func(command []byte) ([]byte, error)

func (s sender) Send(command []byte) ([]byte, error) { return s(command) }

// refusal is an answer with a return code.
func refusal(code tpm2.TPMRC) []byte {
	answer := []byte{0x80, 1, 0, 0, 0, headerSize, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(answer[6:], uint32(code))
	return answer
}

// probeOf opens a TPM with a transport and asks it something.
func probeOf(t *testing.T, s sender) error {
	t.Helper()
	tpm, err := New(s, nil)
	require.NoError(t, err)
	defer tpm.Close()
	return tpm.probe()
}

func TestAnswersThatAreNone(t *testing.T) {
	good := []byte{0x80, 1, 0, 0, 0, 27, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 1, 0, '2', '.', '0', 0}
	require.NoError(t, probeOf(t, func([]byte) ([]byte, error) { return good, nil }))
	with := func(change func(a []byte) []byte) []byte { return change(bytes.Clone(good)) }
	for name, answer := range map[string][]byte{
		"nothing":               nil,
		"half a header":         good[:5],
		"a header alone":        with(func(a []byte) []byte { a[5] = headerSize; return a[:headerSize] }),
		"shorter than it says":  good[:len(good)-1],
		"longer than it says":   append(bytes.Clone(good), 0),
		"shorter than a header": with(func(a []byte) []byte { a[5] = 9; return a[:9] }),
		"too long":              append([]byte{0x80, 1, 0, 0, 0x10, 1, 0, 0, 0, 0}, make([]byte, maxAnswer-9)...),
		"another tag":           with(func(a []byte) []byte { a[1] = 2; return a }),
		"a TPM 1.2":             {0, 0xc4, 0, 0, 0, 10, 0, 0, 0, 0x1e},
		"a refusal with more":   append([]byte{0x80, 1, 0, 0, 0, 11, 0, 0, 1, 0}, 0),
		"many properties":       with(func(a []byte) []byte { a[17] = 0xff; return a }),
		"text":                  []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
	} {
		err := probeOf(t, func([]byte) ([]byte, error) { return answer, nil })
		require.ErrorIs(t, err, ErrTransport, name)
		assert.Less(t, len(err.Error()), 300, name)
	}
	err := probeOf(t, func([]byte) ([]byte, error) { return refusal(tpm2.TPMRCInitialize), nil })
	assert.ErrorIs(t, err, tpm2.TPMRCInitialize)
	assert.NotErrorIs(t, err, ErrTransport)
	err = probeOf(t, func([]byte) ([]byte, error) { return nil, io.ErrUnexpectedEOF })
	assert.ErrorIs(t, err, ErrTransport)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// TestHandlesThatAreNone answers with handles of things that nobody has loaded: they must not be flushed.
func TestHandlesThatAreNone(t *testing.T) {
	l := ledger{}
	for _, h := range []uint32{0x81000001, 0x40000001, 0x01c00002, 0, 0x80ffffff, 0x02000000, 0x03000001} {
		answer := binary.BigEndian.AppendUint32([]byte{0x80, 2, 0, 0, 0, 14, 0, 0, 0, 0}, h)
		l.passed([]byte{0x80, 2, 0, 0, 0, 10, 0, 0, 1, 0x57}, answer)
	}
	assert.Equal(t, []tpm2.TPMHandle{0x80ffffff, 0x03000001, 0x02000000}, l.handles())
	l.passed([]byte{0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x65, 3, 0, 0, 1}, nil)
	assert.Len(t, l, 2)
	l.passed(nil, nil)
	l.passed([]byte{0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x65}, nil)
	assert.Len(t, l, 2)
}

// TestBusy asks a TPM again that says so, for a while.
func TestBusy(t *testing.T) {
	for _, code := range []tpm2.TPMRC{tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting, tpm2.TPMRCNVRate} {
		synctest.Test(t, func(t *testing.T) {
			var commands [][]byte
			until := 5
			busyThen := func(command []byte) ([]byte, error) {
				if commands = append(commands, command); len(commands) < until {
					return refusal(code), nil
				}
				return refusal(tpm2.TPMRCFailure), nil
			}
			start := time.Now()
			require.ErrorIs(t, probeOf(t, busyThen), tpm2.TPMRCFailure)
			require.Len(t, commands, until)
			require.Equal(t, commands[0], commands[4])
			require.Equal(t, 150*time.Millisecond, time.Since(start))

			commands, until, start = nil, 1000, time.Now()
			require.ErrorIs(t, probeOf(t, busyThen), code)
			require.Len(t, commands, 1+busyTries)
			require.Less(t, time.Since(start), 5*time.Second)

			tpm, err := New(sender(busyThen), nil)
			require.NoError(t, err)
			defer tpm.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start = time.Now()
			_, err = tpm.create(ctx, exchangerTemplate())
			require.Error(t, err)
			require.Equal(t, 50*time.Millisecond, time.Since(start), "a cancelled call does not wait")
			require.NoError(t, tpm.Close())
		})
	}
}

// TestHang is a TPM that does not answer, and then does.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, calls := make(chan []byte), atomic.Int64{}
		tpm, err := New(sender(func([]byte) ([]byte, error) {
			calls.Add(1)
			return <-release, nil
		}), &Options{Timeout: time.Minute})
		require.NoError(t, err)

		start := time.Now()
		err = tpm.probe()
		require.ErrorIs(t, err, ErrTransport)
		require.ErrorContains(t, err, "no answer in time")
		require.Equal(t, time.Minute+grace, time.Since(start))
		for range 3 { // at once
			require.ErrorIs(t, tpm.probe(), ErrTransport)
		}
		require.Equal(t, time.Minute+grace, time.Since(start))
		require.EqualValues(t, 1, calls.Load(), "one command at a time")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, tpm.use(ctx, func(*conn) error { panic("not reached") }), context.Canceled)

		release <- refusal(tpm2.TPMRCFailure)
		synctest.Wait()
		go func() { release <- refusal(tpm2.TPMRCFailure) }()
		require.ErrorIs(t, tpm.probe(), tpm2.TPMRCFailure, "it works again")

		// Others wait for their turn, as long as their context allows.
		go func() { _ = tpm.probe() }()
		synctest.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		require.ErrorIs(t, tpm.use(ctx, func(*conn) error { panic("not reached") }), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))

		start = time.Now()
		require.NoError(t, tpm.Close())
		require.Equal(t, closeTime, time.Since(start))
		require.NoError(t, tpm.Close())
		require.ErrorIs(t, tpm.probe(), net.ErrClosed)
		close(release)
	})
}

// TestLateAnswer flushes what an answer has loaded that came too late, though the TPM is busy and about to be closed.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan struct{})
		var flushed []byte
		busyFor := 3
		tpm, err := New(sender(func(command []byte) ([]byte, error) {
			switch commandCode(command) {
			case tpm2.TPMCCReadPublic:
				return refusal(tpm2.TPMRCHandle), nil
			case tpm2.TPMCCCreatePrimary:
				<-late
				return []byte{0x80, 2, 0, 0, 0, 14, 0, 0, 0, 0, 0x80, 0, 0, 1}, nil
			case tpm2.TPMCCFlushContext:
				if busyFor--; busyFor >= 0 {
					return refusal(tpm2.TPMRCRetry), nil
				}
				flushed = append(flushed, command[headerSize:]...)
				return refusal(tpm2.TPMRCSuccess), nil
			}
			return refusal(tpm2.TPMRCCommandCode), nil
		}), nil)
		require.NoError(t, err)
		_, err = tpm.create(t.Context(), exchangerTemplate())
		require.ErrorIs(t, err, ErrTransport)
		close(late)
		synctest.Wait()
		require.Empty(t, flushed)
		require.NoError(t, tpm.Close())
		require.Equal(t, []byte{0x80, 0, 0, 1}, flushed)
	})
}

// TestRest hangs up and flushes after a while without use.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var links, closed atomic.Int64
		tpm := newTPM(&redialer{open: func() (link, error) {
			links.Add(1)
			return &fakeLink{sender(func([]byte) ([]byte, error) { return refusal(tpm2.TPMRCFailure), nil }), &closed}, nil
		}}, mustCheck(t, nil), private)
		for range 3 {
			require.ErrorIs(t, tpm.probe(), tpm2.TPMRCFailure)
			time.Sleep(idleTime - time.Second)
		}
		require.EqualValues(t, 1, links.Load())
		require.Zero(t, closed.Load())
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 1, closed.Load())
		require.ErrorIs(t, tpm.probe(), tpm2.TPMRCFailure)
		require.EqualValues(t, 2, links.Load())
		require.NoError(t, tpm.Close())
		require.EqualValues(t, 2, closed.Load())
		time.Sleep(2 * idleTime)
		require.EqualValues(t, 2, closed.Load())
	})
}

type fakeLink struct {
	Transport
	closed *atomic.Int64
}

func (f *fakeLink) Close() error {
	f.closed.Add(1)
	return nil
}

func mustCheck(t *testing.T, o *Options) Options {
	t.Helper()
	checked, err := o.checked()
	require.NoError(t, err)
	return checked
}

// liar is a link to a good TPM whose answers somebody changes.
type liar struct {
	link
	change func(command, answer []byte) []byte
}

func (l *liar) Send(command []byte) ([]byte, error) {
	answer, err := l.link.Send(command)
	if err == nil && l.change != nil {
		answer = l.change(command, answer)
	}
	return answer, err
}

// TestLies changes one answer after the other, each in several ways: errors, no panic, nothing left, and everything works
// again afterwards.
func TestLies(t *testing.T) {
	device := tpmtest.Start(t, nil)
	o := mustCheck(t, &Options{KeyAuth: []byte("value"), Timeout: 10 * time.Second})
	open, reach, err := opener(device.Path(), o.Timeout)
	require.NoError(t, err)
	l := &liar{}
	tpm := newTPM(&redialer{open: func() (link, error) {
		next, err := open()
		l.link = next
		return l, err
	}}, o, reach)
	defer tpm.Close()
	signer, exchanger := signerIn(t, tpm, P256), exchangerIn(t, tpm)
	random := rand.New(rand.NewPCG(1, 2))
	lies := map[string]func(a []byte) []byte{
		"nothing":       func([]byte) []byte { return nil },
		"truncated":     func(a []byte) []byte { return withSize(a[:len(a)-1-random.IntN(len(a)-headerSize)]) },
		"header":        func(a []byte) []byte { return withSize(a[:headerSize]) },
		"longer":        func(a []byte) []byte { return withSize(append(a, 0, 0)) },
		"a bit flipped": func(a []byte) []byte { a[headerSize+random.IntN(len(a)-headerSize)] ^= 1 << random.IntN(8); return a },
		"garbage": func(a []byte) []byte {
			for i := range a[headerSize:] {
				a[headerSize+i] = byte(random.Uint32())
			}
			return a
		},
		"huge sizes": func(a []byte) []byte {
			for i := range a[headerSize:] {
				a[headerSize+i] = 0xff
			}
			return a
		},
	}
	operations := map[string]func() error{
		"sign":   func() error { return sign(signer) },
		"agree":  func() error { return agree(t, exchanger) },
		"create": func() error { _, err := tpm.create(t.Context(), exchangerTemplate()); return err },
	}
	told, wrong := 0, 0
	for name, lie := range lies {
		for operation, run := range operations {
			for at := range 12 {
				tpm.turn <- struct{}{}
				tpm.empty() // so that everything is loaded anew
				n := 0
				l.change = func(command, answer []byte) []byte {
					if commandCode(command) == tpm2.TPMCCFlushContext || len(answer) <= headerSize {
						return answer
					}
					if n++; n >= at+1 {
						return lie(bytes.Clone(answer)) // and it goes on lying when it is asked again
					}
					return answer
				}
				<-tpm.turn
				err := run()
				if told += min(1, max(0, n-at)); err != nil {
					wrong++
					var code tpm2.TPMRC
					assert.True(t, errors.Is(err, ErrTransport) || errors.As(err, &code) || errors.Is(err, ErrOtherTPM),
						"%s, %s, answer %d: %v", name, operation, at, err)
				}
				tpm.turn <- struct{}{}
				l.change = nil
				<-tpm.turn
				require.NoError(t, run(), "%s, %s, answer %d", name, operation, at)
			}
		}
	}
	t.Logf("%d of %d operations with lies failed", wrong, told)
	assert.Greater(t, told, 70)
	assert.Greater(t, wrong, told*9/10, "all but those about what nobody reads")
	require.NoError(t, tpm.Close())
	requireEmpty(t, device)
}

// TestEveryBit changes each octet of the answer to an agreement: a wrong secret must never come out.
func TestEveryBit(t *testing.T) {
	device := tpmtest.Start(t, nil)
	o := mustCheck(t, nil)
	open, _, err := opener(device.Path(), o.Timeout)
	require.NoError(t, err)
	link, err := open()
	require.NoError(t, err)
	defer link.Close()
	l := &liar{link: link}
	tpm := newTPM(l, o, shared)
	defer tpm.Close()
	exchanger := exchangerIn(t, tpm)
	at, size := 0, 1
	l.change = func(command, answer []byte) []byte {
		if commandCode(command) == tpm2.TPMCCECDHZGen {
			size = len(answer)
			answer[at] ^= 0x10
		}
		return answer
	}
	for ; at < size; at++ {
		err := tpm.attempt(t.Context(), func(c *conn) error { // once: use would ask again
			h, err := c.authorized(exchanger.key, both)
			if err != nil {
				return err
			}
			_, err = run(c, tpm2.ECDHZGen{KeyHandle: h, InPoint: tpm2.New2B(tpm2.TPMSECCPoint{
				X: tpm2.TPM2BECCParameter{Buffer: exchanger.PublicKey().Bytes()[1:33]},
				Y: tpm2.TPM2BECCParameter{Buffer: exchanger.PublicKey().Bytes()[33:]},
			})})
			return err
		})
		require.Error(t, err, "octet %d", at)
	}
	require.Greater(t, at, 100)
	l.change = nil
	require.NoError(t, agree(t, exchanger))
}

// withSize writes the size into the header of an answer.
func withSize(answer []byte) []byte {
	binary.BigEndian.PutUint32(answer[2:], uint32(len(answer)))
	return answer
}
