package wsproto

import "github.com/adcskit/adcskit/internal/strictjson"

// The limits of protocol v1, as PROTOCOL.md lists them. A receiver applies them before it spends memory.
const (
	// DefaultMaxMessage bounds a message, in bytes, unless the challenge grants another size.
	DefaultMaxMessage = 1 << 20
	// MaxDepth is how deep objects and arrays of a message may nest; the message itself is at depth 1.
	MaxDepth = strictjson.MaxDepth // 32
	// MaxArray is how many elements an array may have.
	MaxArray = strictjson.MaxArray // 1024
	// MaxMembers is how many members an object may have.
	MaxMembers = strictjson.MaxMembers // 256
	// MaxInFlight is how many requests and notifications one side may have unanswered or unhandled at the other.
	MaxInFlight = 64
	// MaxCloseReason bounds the reason of a close frame, in bytes (RFC 6455, section 5.5: 125, less 2 for the code).
	MaxCloseReason = 123
	// MaxText bounds a text for people, in bytes: messages, reasons, host, software.
	MaxText = 1024
	// MaxCAs bounds a list of CAs.
	MaxCAs = 256
	// MaxHello bounds the params of session.hello, in bytes: a gateway keeps them as long as the session.
	MaxHello = 64 << 10
	// MaxFormerKeys is how many decryption keys of before rotations a connector may still need.
	MaxFormerKeys = 16
	// MaxAttestation bounds the credentials in a challenge, and the activation in an authentication, in bytes.
	MaxAttestation = 12 << 10
	// MaxNames bounds each list of names in an order.
	MaxNames = 64

	maxID        = 64  // ids: requests, sessions, instances, jobs
	maxMethod    = 64  // a method name
	maxName      = 255 // one name in an order, a host, a template, an account
	maxSubject   = 1024
	maxKind      = 32       // the name of an algorithm, a state, a profile
	maxOrder     = 64 << 10 // the text of an order
	maxChallenge = 16 << 10
	maxSealed    = 64 << 10 // one ciphertext in a checkpoint
	maxTimings   = 32
	nonceSize    = 32
	hashSize     = 32
	maxCapacity  = 1 << 16
	maxMillis    = 1 << 53 // numbers that every JSON implementation keeps exact (RFC 8259, section 6)
)
