// Package wsproto is the protocol between a tenant in the cloud and a connector inside a network: JSON-RPC 2.0 in both
// directions over a WebSocket. PROTOCOL.md beside this file is its normative description and asyncapi.yaml its
// machine-readable form.
//
// It holds what both halves share: the messages, a strict JSON decoder, [Peer] (requests and answers on one
// connection), the transports ([DialWebSocket], [AcceptWebSocket], [Pipe]), the proofs of the handshake ([Binding]),
// enrollment codes, signed and encrypted checkpoints, close codes with their reconnect policy, and [Backoff]. The
// halves themselves are wsproto/connector and wsproto/gateway; this package decides nothing about jobs.
//
// The other side is taken for hostile: every length is bounded before memory is spent on it, a malformed frame ends the
// connection, and text of the other side appears in errors only quoted and shortened.
//
// Times on the wire are relative, in milliseconds, except the one in a [Checkpoint], by which nothing is decided.
package wsproto
