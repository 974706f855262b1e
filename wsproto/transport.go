package wsproto

import "context"

// Transport moves whole messages of one connection. [*WebSocket] is the real one and [*PipeEnd] the one for tests. Read
// is called by one goroutine at a time; everything else may be called concurrently.
type Transport interface {
	// Read returns the next message. The connection is closed when ctx ends. When the connection ended, the error is a
	// *CloseError.
	Read(ctx context.Context) ([]byte, error)
	// Write sends a message. The connection is closed when ctx ends before it is written. It does not keep message.
	Write(ctx context.Context, message []byte) error
	// Ping asks for a sign of life of the other side and waits for it. Somebody must be in Read meanwhile.
	Ping(ctx context.Context) error
	// Close closes the connection and waits for the other side's consent, for some seconds at most. The reason is cut
	// to MaxCloseReason bytes. It is idempotent; the first code wins.
	Close(code CloseCode, reason string) error
}
