package wsproto_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

func TestPipeDeliversWhatWasSentBeforeTheClose(t *testing.T) {
	left, right := wsproto.Pipe()
	message := []byte("one")
	require.NoError(t, left.Write(t.Context(), message))
	message[0] = 'x' // the pipe does not keep it
	require.NoError(t, left.Write(t.Context(), []byte("two")))
	require.NoError(t, right.Write(t.Context(), []byte("lost")))
	require.NoError(t, left.Close(wsproto.CloseGoingAway, "done"))
	require.NoError(t, left.Close(wsproto.CloseRevoked, "again"))
	for _, want := range []string{"one", "two"} {
		got, err := right.Read(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
	_, err := right.Read(t.Context())
	assert.Equal(t, &wsproto.CloseError{Code: wsproto.CloseGoingAway, Reason: "done", Remote: true}, err)
	_, err = left.Read(t.Context())
	assert.Equal(t, &wsproto.CloseError{Code: wsproto.CloseGoingAway, Reason: "done"}, err, "who closes reads no more")
	assert.ErrorIs(t, left.Write(t.Context(), nil), wsproto.ErrConnectionLost)
	assert.ErrorIs(t, right.Ping(t.Context()), wsproto.ErrConnectionLost)
}

func TestPipePingNeedsAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, left.Ping(ctx), context.DeadlineExceeded)
		go right.Read(t.Context())
		assert.NoError(t, left.Ping(t.Context()))
		left.Cut()
		_, err := right.Read(t.Context())
		assert.Equal(t, wsproto.CloseAbnormal, closeError(t, err).Code)
	})
}

func TestPipeContextsEndTheConnection(t *testing.T) {
	for name, use := range map[string]func(context.Context, *wsproto.PipeEnd) error{
		"read": func(ctx context.Context, e *wsproto.PipeEnd) error { _, err := e.Read(ctx); return err },
		"write": func(ctx context.Context, e *wsproto.PipeEnd) error {
			for {
				if err := e.Write(ctx, nil); err != nil { // until it is full
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := wsproto.Pipe()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				assert.ErrorIs(t, use(ctx, left), context.DeadlineExceeded)
				assert.ErrorIs(t, right.Write(t.Context(), nil), wsproto.ErrConnectionLost)
			})
		})
	}
}

func TestPipePartitionKeepsEachEndInTheDark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		left.Partition()
		right.Partition() // again
		require.NoError(t, left.Write(t.Context(), []byte("swallowed")))
		require.NoError(t, left.Close(wsproto.CloseNormal, ""))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := right.Read(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded, "nothing arrives, not even the close")
	})
}
