package wsproto_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// stuckTransport never gets rid of a message.
type stuckTransport struct {
	wsproto.Transport
}

func (stuckTransport) Write(ctx context.Context, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestAnswerBeforeRequest: the ids of requests can be guessed. An answer to one that was not sent yet neither keeps its
// call nor takes another one's slot.
func TestAnswerBeforeRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := wsproto.Pipe()
		p := start(t, stuckTransport{near}, nil, &wsproto.PeerOptions{Heartbeat: -1})
		written := make(chan error, 1)
		go func() { written <- p.Call(t.Context(), "one", nil, nil) }()
		synctest.Wait() // it keeps the writer busy
		ctx, cancel := context.WithCancel(t.Context())
		waiting := make(chan error, 1)
		go func() { waiting <- p.Call(ctx, "two", nil, nil) }()
		synctest.Wait()
		for id := range 2 {
			require.NoError(t, far.Write(t.Context(), fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":{}}`, id+1)))
		}
		synctest.Wait()
		assert.NoError(t, <-written)
		cancel()
		synctest.Wait()
		select {
		case err := <-waiting:
			assert.ErrorIs(t, err, context.Canceled)
		default:
			t.Error("the call outlives its context")
		}
		p.Close(wsproto.CloseNormal, "")
		<-p.ended
	})
}
