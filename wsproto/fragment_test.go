package wsproto_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// recordedConn keeps what is written to it.
type recordedConn struct {
	net.Conn
	mu      sync.Mutex
	written bytes.Buffer
}

func (c *recordedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.written.Write(b)
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// frames returns opcode, FIN and length of each frame (RFC 6455, section 5.2) after the HTTP request.
func (c *recordedConn) frames(t *testing.T) (frames [][3]int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	_, b, ok := bytes.Cut(c.written.Bytes(), []byte("\r\n\r\n"))
	require.True(t, ok)
	for len(b) > 0 {
		n, skip := int(b[1]&0x7f), 2
		switch n {
		case 126:
			n, skip = int(binary.BigEndian.Uint16(b[2:])), 4
		case 127:
			n, skip = int(binary.BigEndian.Uint64(b[2:])), 10
		}
		frames = append(frames, [3]int{int(b[0] & 0x0f), int(b[0] >> 7), n})
		b = b[skip+4+n:] // and the masking key
	}
	return frames
}

// Control frames can go between the fragments of a long message only.
func TestWebSocketSendsLongMessagesInFragments(t *testing.T) {
	received := make(chan []byte, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := wsproto.AcceptWebSocket(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close(wsproto.CloseNormal, "")
		for range 2 {
			text, _ := ws.Read(context.Background())
			received <- text
		}
	}))
	defer server.Close()
	var conn *recordedConn
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		conn = &recordedConn{Conn: c}
		return conn, err
	}}}
	ws, err := wsproto.DialWebSocket(t.Context(), server.URL, &wsproto.DialOptions{HTTPClient: client, InsecurePlaintext: true})
	require.NoError(t, err)
	short, long := bytes.Repeat([]byte("s"), 32<<10), bytes.Repeat([]byte("l"), 80<<10)
	for _, message := range [][]byte{short, long} {
		require.NoError(t, ws.Write(t.Context(), message))
		assert.Equal(t, message, <-received)
	}
	assert.Equal(t, [][3]int{
		{1, 1, 32 << 10}, {1, 0, 32 << 10}, {0, 0, 32 << 10}, {0, 0, 16 << 10}, {0, 1, 0},
	}, conn.frames(t))
	ws.Close(wsproto.CloseNormal, "")
}
