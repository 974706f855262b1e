package adcs_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

// TestNamedPipeHostile has something at port 445 that is no file server: each ends in its error within its time, is
// explained, and belongs to a step of a check.
func TestNamedPipeHostile(t *testing.T) {
	answer := func(b string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 4))
			_, _ = io.WriteString(c, b)
			_, _ = io.Copy(io.Discard, c)
		}
	}
	for name, c := range map[string]struct {
		serve   func(net.Conn)
		want    error
		summary string
		step    adcs.CheckName
	}{
		"silent":         {answer(""), context.DeadlineExceeded, "in time", adcs.CheckLogon},
		"closes":         {hangUp, io.EOF, "closed the connection", adcs.CheckLogon},
		"a web server":   {answer("HTTP/1.1 400 Bad Request\r\n\r\n"), nil, "SMB 2", adcs.CheckPort},
		"four bytes":     {answer("\x00\x00\x00\x04\xfeSMB"), nil, "SMB 2", adcs.CheckPort},
		"longer than it": {answer("\x00\xff\xff\xff\xfeSMB"), nil, "SMB 2", adcs.CheckPort},
		"cut off":        {answer("\x00\x00\x00\x80\xfeSMB"), context.DeadlineExceeded, "in time", adcs.CheckLogon},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					nc, err := l.Accept()
					if err != nil {
						return
					}
					c.serve(nc)
					nc.Close()
				}
			}()
			defer func() { l.Close(); <-done }()
			limit := 20 * time.Second
			if c.want == context.DeadlineExceeded {
				limit = 200 * time.Millisecond
			}
			client, err := adcs.New("ca.corp.test", "CA", adcs.Password(`CORP\alice`, "Pass-word1"), &adcs.Options{
				Auth: adcs.AuthNTLM, Transport: adcs.TransportNamedPipe, Timeout: limit,
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					assert.Equal(t, "ca.corp.test:445", addr)
					return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
				},
			})
			require.NoError(t, err)
			defer client.Close()
			err = client.Ping(t.Context())
			require.Error(t, err)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			assert.NotErrorIs(t, err, adcs.ErrLogon)
			assert.Contains(t, adcs.Explain(err).Summary, c.summary)
			failed := client.Check(t.Context(), nil).Failed()
			require.NotNil(t, failed)
			assert.Equal(t, c.step, failed.Name)
		})
	}
}

// hangUp ends a connection without a reset, which unread data would cause.
func hangUp(c net.Conn) {
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}
