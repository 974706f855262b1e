package wsproto_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// running is a peer with its Run.
type running struct {
	*wsproto.Peer
	ended chan error
}

func start(t *testing.T, transport wsproto.Transport, h wsproto.Handler, opts *wsproto.PeerOptions) *running {
	t.Helper()
	r := &running{Peer: wsproto.NewPeer(transport, h, opts), ended: make(chan error, 1)}
	go func() { r.ended <- r.Run(context.Background()) }()
	t.Cleanup(func() { r.Close(wsproto.CloseNormal, "") })
	return r
}

func (r *running) end(t *testing.T) *wsproto.CloseError {
	t.Helper()
	how, ok := errors.AsType[*wsproto.CloseError](<-r.ended)
	require.True(t, ok)
	return how
}

func echo(_ context.Context, r *wsproto.Request) (any, error) {
	switch r.Method {
	case "echo":
		return r.Params, nil
	case "refuse":
		return nil, wsproto.Errorf(wsproto.CodeBusy, "come back %s", "later")
	case "code":
		return nil, wsproto.CodeSuperseded
	case "fail":
		return nil, errors.New("secret detail")
	case "relay":
		return nil, fmt.Errorf("asking somebody else: %w", wsproto.Errorf(wsproto.CodeRevoked, "secret detail"))
	case "close":
		return nil, wsproto.CloseAfter(wsproto.CodeNotAuthenticated, wsproto.CloseNotAuthenticated, "proof failed")
	case "nothing":
		return nil, nil
	}
	return nil, wsproto.CodeMethodNotFound
}

func TestPeerAnswersBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		a, b := start(t, left, echo, nil), start(t, right, echo, nil)
		for _, p := range []*running{a, b} {
			raw, err := p.CallRaw(t.Context(), "echo", json.RawMessage(`{"a" : [1,  2]}`))
			require.NoError(t, err)
			assert.Equal(t, `{"a" : [1,  2]}`, string(raw), "params and results travel byte for byte")

			err = p.Call(t.Context(), "refuse", nil, nil)
			refusal, ok := errors.AsType[*wsproto.Error](err)
			require.True(t, ok)
			assert.Equal(t, "come back later", refusal.Message)
			assert.ErrorIs(t, err, wsproto.CodeBusy)
			assert.NotErrorIs(t, err, wsproto.ErrConnectionLost)

			assert.ErrorIs(t, p.Call(t.Context(), "code", nil, nil), wsproto.CodeSuperseded)
			for _, method := range []string{"fail", "relay"} {
				err = p.Call(t.Context(), method, nil, nil)
				assert.ErrorIs(t, err, wsproto.CodeInternal)
				assert.NotContains(t, err.Error(), "secret")
			}
			assert.ErrorIs(t, p.Call(t.Context(), "unheard.of", nil, nil), wsproto.CodeMethodNotFound)
			var empty wsproto.Empty
			assert.NoError(t, p.Call(t.Context(), "nothing", nil, &empty), "the session goes on")
		}
	})
}

func TestPeerChecksAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		a := start(t, left, nil, nil)
		start(t, right, echo, nil)
		var ack wsproto.CheckpointAck
		err := a.Call(t.Context(), "echo", json.RawMessage(`{"leaseMs":-1}`), &ack)
		assert.ErrorIs(t, err, wsproto.ErrBounds)
		err = a.Call(t.Context(), "echo", json.RawMessage(`{"leaseMs":"1"}`), &ack)
		assert.ErrorIs(t, err, wsproto.ErrSyntax)
	})
}

func TestPeerWithoutHandlerKnowsNoMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		a := start(t, left, nil, nil)
		start(t, right, nil, nil)
		assert.ErrorIs(t, a.Call(t.Context(), "echo", nil, nil), wsproto.CodeMethodNotFound)
	})
}

func TestPeerDoesNotWaitForAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		hold := make(chan struct{})
		a := start(t, left, nil, nil)
		start(t, right, func(ctx context.Context, r *wsproto.Request) (any, error) {
			if r.Method == "slow" {
				<-hold
			}
			return nil, nil
		}, nil)
		slow := make(chan error, 1)
		go func() { slow <- a.Call(t.Context(), "slow", nil, nil) }()
		synctest.Wait()
		assert.NoError(t, a.Call(t.Context(), "fast", nil, nil))
		close(hold)
		assert.NoError(t, <-slow)
	})
}

func TestPeerKeepsNotificationsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		var got []string
		a := start(t, left, nil, nil)
		start(t, right, func(_ context.Context, r *wsproto.Request) (any, error) {
			assert.True(t, r.Notification)
			got = append(got, string(r.Params))
			return nil, wsproto.CodeInternal // nobody is told
		}, nil)
		var want []string
		for i := range 20 {
			text := fmt.Sprintf(`{"n":%d}`, i)
			want = append(want, text)
			require.NoError(t, a.Notify(t.Context(), "note", json.RawMessage(text)))
		}
		synctest.Wait()
		assert.Equal(t, want, got)
	})
}

func TestPeerAnswersThenCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		a, b := start(t, left, nil, nil), start(t, right, echo, nil)
		assert.ErrorIs(t, a.Call(t.Context(), "close", nil, nil), wsproto.CodeNotAuthenticated)
		how := a.end(t)
		assert.Equal(t, wsproto.CloseNotAuthenticated, how.Code)
		assert.Equal(t, "proof failed", how.Reason)
		assert.True(t, how.Remote)
		assert.False(t, b.end(t).Remote)
	})
}

func TestPeerCallsEndWithTheConnection(t *testing.T) {
	for name, test := range map[string]struct {
		end    func(a, b *running, left *wsproto.PipeEnd)
		code   wsproto.CloseCode
		closed bool // by this side
	}{
		"closed by the other side": {func(_, b *running, _ *wsproto.PipeEnd) { b.Close(wsproto.CloseRevoked, "gone") }, wsproto.CloseRevoked, false},
		"closed by this side":      {func(a, _ *running, _ *wsproto.PipeEnd) { a.Close(wsproto.CloseGoingAway, "") }, wsproto.CloseGoingAway, true},
		"broken":                   {func(_, _ *running, left *wsproto.PipeEnd) { left.Cut() }, wsproto.CloseAbnormal, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := wsproto.Pipe()
				a := start(t, left, nil, nil)
				b := start(t, right, func(ctx context.Context, _ *wsproto.Request) (any, error) {
					<-ctx.Done() // ends with the connection
					return nil, ctx.Err()
				}, nil)
				call := make(chan error, 1)
				go func() { call <- a.Call(t.Context(), "wait", nil, nil) }()
				synctest.Wait()
				test.end(a, b, left)
				err := <-call
				assert.ErrorIs(t, err, wsproto.ErrConnectionLost)
				assert.Equal(t, test.closed, errors.Is(err, net.ErrClosed))
				assert.Equal(t, test.code, a.end(t).Code)
				b.end(t)
				assert.ErrorIs(t, a.Call(t.Context(), "wait", nil, nil), wsproto.ErrConnectionLost)
				assert.ErrorIs(t, a.Notify(t.Context(), "wait", nil), wsproto.ErrConnectionLost)
				assert.NoError(t, a.Close(wsproto.CloseNormal, "again"), "idempotent")
				assert.Equal(t, test.code, a.Err().(*wsproto.CloseError).Code, "the first wins")
			})
		})
	}
}

func TestPeerRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		b := start(t, right, nil, nil)
		ctx, cancel := context.WithCancel(t.Context())
		a := wsproto.NewPeer(left, nil, nil)
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		synctest.Wait()
		assert.NoError(t, a.Err())
		assert.Error(t, a.Run(ctx), "once only")
		cancel()
		assert.ErrorIs(t, <-done, net.ErrClosed)
		assert.Equal(t, wsproto.CloseGoingAway, b.end(t).Code)
	})
}

func TestPeerCallThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		hold := make(chan struct{})
		a := start(t, left, nil, nil)
		start(t, right, func(_ context.Context, r *wsproto.Request) (any, error) {
			if r.Method == "slow" {
				<-hold
			}
			return nil, nil
		}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, a.Call(ctx, "slow", nil, nil), context.DeadlineExceeded)
		close(hold) // the late answer meets nobody
		synctest.Wait()
		assert.NoError(t, a.Call(t.Context(), "fast", nil, nil))
	})
}

func TestPeerNeverFloodsTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		hold := make(chan struct{})
		var inFlight atomic.Int64
		a := start(t, left, nil, nil)
		start(t, right, func(context.Context, *wsproto.Request) (any, error) {
			inFlight.Add(1)
			<-hold
			return nil, nil
		}, nil)
		// Calls that are given up still count: the other side works on them.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		calls := make(chan error, 200)
		for range 100 {
			go func() { calls <- a.Call(ctx, "slow", nil, nil) }()
		}
		for range 100 {
			assert.ErrorIs(t, <-calls, context.DeadlineExceeded)
		}
		assert.EqualValues(t, wsproto.MaxInFlight, inFlight.Load())
		for range 100 {
			go func() { calls <- a.Call(t.Context(), "slow", nil, nil) }()
		}
		synctest.Wait()
		close(hold)
		for range 100 {
			assert.NoError(t, <-calls)
		}
		assert.NoError(t, a.Err())
	})
}

func TestPeerClosesOnWhatIsNotItsProtocol(t *testing.T) {
	for name, test := range map[string]struct {
		frames []string
		code   wsproto.CloseCode
	}{
		"no JSON":               {[]string{`hello`}, wsproto.CloseMalformed},
		"a batch":               {[]string{`[{"jsonrpc":"2.0","id":1,"method":"echo"}]`}, wsproto.CloseMalformed},
		"result null":           {[]string{`{"jsonrpc":"2.0","id":1,"result":null}`}, wsproto.CloseMalformed},
		"method null":           {[]string{`{"jsonrpc":"2.0","id":1,"method":null}`}, wsproto.CloseMalformed},
		"two frames in one":     {[]string{`{"jsonrpc":"2.0","id":1,"method":"echo"}{}`}, wsproto.CloseMalformed},
		"another version":       {[]string{`{"jsonrpc":"1.0","id":1,"method":"echo"}`}, wsproto.CloseMalformed},
		"no version":            {[]string{`{"id":1,"method":"echo"}`}, wsproto.CloseMalformed},
		"nothing":               {[]string{`{"jsonrpc":"2.0"}`}, wsproto.CloseMalformed},
		"method and result":     {[]string{`{"jsonrpc":"2.0","id":1,"method":"echo","result":{}}`}, wsproto.CloseMalformed},
		"result and error":      {[]string{`{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`}, wsproto.CloseMalformed},
		"result without id":     {[]string{`{"jsonrpc":"2.0","result":{}}`}, wsproto.CloseMalformed},
		"result for null":       {[]string{`{"jsonrpc":"2.0","id":null,"result":{}}`}, wsproto.CloseMalformed},
		"error for null":        {[]string{`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}`}, wsproto.CloseMalformed},
		"error without code":    {[]string{`{"jsonrpc":"2.0","id":1,"error":{"message":""}}`}, wsproto.CloseMalformed},
		"error without message": {[]string{`{"jsonrpc":"2.0","id":1,"error":{"code":1}}`}, wsproto.CloseMalformed},
		"error as a string":     {[]string{`{"jsonrpc":"2.0","id":1,"error":"x"}`}, wsproto.CloseMalformed},
		"id null":               {[]string{`{"jsonrpc":"2.0","id":null,"method":"echo"}`}, wsproto.CloseMalformed},
		"id negative":           {[]string{`{"jsonrpc":"2.0","id":-1,"method":"echo"}`}, wsproto.CloseMalformed},
		"id fraction":           {[]string{`{"jsonrpc":"2.0","id":1.5,"method":"echo"}`}, wsproto.CloseMalformed},
		"id too large":          {[]string{`{"jsonrpc":"2.0","id":9007199254740993,"method":"echo"}`}, wsproto.CloseMalformed},
		"id empty":              {[]string{`{"jsonrpc":"2.0","id":"","method":"echo"}`}, wsproto.CloseMalformed},
		"id too long":           {[]string{`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 65) + `","method":"echo"}`}, wsproto.CloseMalformed},
		"id with escapes":       {[]string{`{"jsonrpc":"2.0","id":"\u0041","method":"echo"}`}, wsproto.CloseMalformed},
		"id an object":          {[]string{`{"jsonrpc":"2.0","id":{},"method":"echo"}`}, wsproto.CloseMalformed},
		"method empty":          {[]string{`{"jsonrpc":"2.0","id":1,"method":""}`}, wsproto.CloseMalformed},
		"method too long":       {[]string{`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", 65) + `"}`}, wsproto.CloseMalformed},
		"method twice":          {[]string{`{"jsonrpc":"2.0","id":1,"method":"echo","method":"echo"}`}, wsproto.CloseMalformed},
		"method in upper case":  {[]string{`{"jsonrpc":"2.0","id":1,"Method":"echo"}`}, wsproto.CloseMalformed},
		"params malformed":      {[]string{`{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":1,"a":1}}`}, wsproto.CloseMalformed},
		"many requests":         {repeat(`{"jsonrpc":"2.0","id":1,"method":"hang"}`, wsproto.MaxInFlight+1), wsproto.CloseFlood},
		"many notifications":    {repeat(`{"jsonrpc":"2.0","method":"hang"}`, wsproto.MaxInFlight+2), wsproto.CloseFlood},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := wsproto.Pipe()
				b := start(t, right, func(ctx context.Context, r *wsproto.Request) (any, error) {
					if r.Method == "hang" {
						<-ctx.Done()
					}
					return nil, nil
				}, nil)
				for _, frame := range test.frames {
					if left.Write(t.Context(), []byte(frame)) != nil {
						break
					}
					synctest.Wait()
				}
				assert.Equal(t, test.code, b.end(t).Code)
				_, err := left.Read(t.Context())
				how, ok := errors.AsType[*wsproto.CloseError](err)
				require.True(t, ok)
				assert.Equal(t, test.code, how.Code)
				assert.LessOrEqual(t, len(how.Reason), wsproto.MaxCloseReason)
			})
		})
	}
}

func repeat(frame string, n int) []string {
	frames := make([]string, n)
	for i := range frames {
		frames[i] = frame
	}
	return frames
}

func TestPeerIgnoresWhatItNeedNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		start(t, right, echo, nil)
		for _, frame := range []string{
			`{"jsonrpc":"2.0","id":7,"result":{}}`,                        // an answer to nothing that is waited for
			`{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"x"}}`, // likewise
			`{"jsonrpc":"2.0","id":8,"result":{},"error":null,"method":null}`,
			`{"jsonrpc":"2.0","method":"unheard.of","params":{}}`,
			`{"jsonrpc":"2.0","method":"unheard.of","params":null}`,
			`{"jsonrpc":"2.0","extra":{"a":[1]},"id":"abc","method":"echo","params":{"x":1}}`,
		} {
			require.NoError(t, left.Write(t.Context(), []byte(frame)))
		}
		answer, err := left.Read(t.Context())
		require.NoError(t, err)
		assert.Equal(t, `{"jsonrpc":"2.0","id":"abc","result":{"x":1}}`, string(answer))
	})
}

func TestPeerBoundsRemoteText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		a := start(t, left, nil, nil)
		start(t, right, func(context.Context, *wsproto.Request) (any, error) {
			return nil, &wsproto.Error{Code: -1, Message: strings.Repeat("é\n", 10000), Data: json.RawMessage(`"` + strings.Repeat("x", 5000) + `"`)}
		}, nil)
		err := a.Call(t.Context(), "x", nil, nil)
		got, ok := errors.AsType[*wsproto.Error](err)
		require.True(t, ok)
		assert.LessOrEqual(t, len(got.Message), 512)
		assert.Nil(t, got.Data)
		assert.NotContains(t, err.Error(), "\n", "quoted")
	})
}

func TestPeerDoesNotSendWhatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		a := start(t, left, nil, &wsproto.PeerOptions{MaxMessage: 1000})
		b := start(t, right, echo, &wsproto.PeerOptions{MaxMessage: 1000})
		big := json.RawMessage(`{"x":"` + strings.Repeat("x", 1000) + `"}`)
		assert.ErrorIs(t, a.Call(t.Context(), "echo", big, nil), wsproto.ErrTooLarge)
		assert.ErrorIs(t, a.Notify(t.Context(), "echo", big), wsproto.ErrTooLarge)
		a.Apply(wsproto.Limits{MaxMessageBytes: 2000})
		assert.ErrorIs(t, a.Call(t.Context(), "echo", big, nil), wsproto.CodeLimit, "an answer that is too large")
		b.Apply(wsproto.Limits{MaxMessageBytes: 2000})
		assert.NoError(t, a.Call(t.Context(), "echo", big, nil))
		_, err := a.CallRaw(t.Context(), `a"b`, nil)
		assert.Error(t, err, "no method name")
		assert.Error(t, a.Notify(t.Context(), "", nil))
	})
}

func TestPeerNoticesSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		opts := &wsproto.PeerOptions{Heartbeat: 10 * time.Second}
		a, b := start(t, left, nil, opts), start(t, right, nil, opts)
		time.Sleep(time.Hour) // of the bubble's clock
		require.NoError(t, a.Err(), "pings are answered")
		require.NoError(t, b.Err())
		began := time.Now()
		left.Partition()
		assert.Equal(t, wsproto.CloseTimeout, a.end(t).Code)
		assert.LessOrEqual(t, time.Since(began), 30*time.Second, "one interval and two without a sign of life")
		b.end(t)
	})
}

func TestPeerAppliesAShorterHeartbeatOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		a := start(t, left, nil, &wsproto.PeerOptions{Heartbeat: 10 * time.Second})
		start(t, right, nil, &wsproto.PeerOptions{Heartbeat: -1})
		a.Apply(wsproto.Limits{HeartbeatMS: 600_000})
		time.Sleep(time.Minute)
		began := time.Now()
		left.Partition()
		assert.Equal(t, wsproto.CloseTimeout, a.end(t).Code)
		assert.LessOrEqual(t, time.Since(began), 30*time.Second)
	})
}

// stuck is a transport whose other side never reads.
type stuck struct{ *wsproto.PipeEnd }

func (s stuck) Write(ctx context.Context, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestPeerGivesUpWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, _ := wsproto.Pipe()
		a := start(t, stuck{left}, nil, &wsproto.PeerOptions{Heartbeat: -1, WriteTimeout: 10 * time.Second})
		began := time.Now()
		assert.ErrorIs(t, a.Call(t.Context(), "x", nil, nil), wsproto.ErrConnectionLost)
		assert.Equal(t, wsproto.CloseTimeout, a.end(t).Code)
		assert.Equal(t, 15*time.Second, time.Since(began))
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"job.offer","params":{"job":"x"}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":"a","result":{}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m","data":[1]}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"connector.status","params":{"inFlight":1}}`))
	f.Add([]byte(`[{"jsonrpc":"2.0"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if wsproto.DecodeFrame(text) == nil {
			require.True(t, json.Valid(text))
		}
	})
}
