package wsproto

import "fmt"

// Subprotocol is the WebSocket subprotocol of protocol v1 (RFC 6455, section 1.9). Both ends check it.
const Subprotocol = "adcs-connector.v1"

// Version is the protocol version that this package speaks.
const Version = 1

// CloseCode is a WebSocket close code (RFC 6455, section 7.4). Those from 4400 on are of this protocol; each has one
// fixed [Reconnect] policy.
type CloseCode int

// The close codes. 1005 and 1006 are never sent: they stand for a close without code and for a connection that ended
// without a close frame.
const (
	CloseNormal           CloseCode = 1000
	CloseGoingAway        CloseCode = 1001 // a drain is complete
	CloseProtocol         CloseCode = 1002 // WebSocket framing broken
	CloseUnsupported      CloseCode = 1003 // a binary frame
	CloseNoStatus         CloseCode = 1005
	CloseAbnormal         CloseCode = 1006
	ClosePolicy           CloseCode = 1008
	CloseTooBig           CloseCode = 1009 // a message over the limit
	CloseInternal         CloseCode = 1011
	CloseRestart          CloseCode = 1012 // the gateway restarts
	CloseMalformed        CloseCode = 4400 // a frame that is not of this protocol
	CloseNotAuthenticated CloseCode = 4401 // a proof failed
	CloseRevoked          CloseCode = 4403 // the registration was rejected or revoked
	CloseVersion          CloseCode = 4406 // no common version
	CloseTimeout          CloseCode = 4408 // a deadline passed: hello, authentication, heartbeat
	CloseSuperseded       CloseCode = 4409 // a newer session of the same instance took over
	CloseDuplicateKey     CloseCode = 4410 // another instance uses the same identity key: an alarm
	CloseAttestation      CloseCode = 4411 // the evidence is wrong, or less than the tenant wants
	CloseFlood            CloseCode = 4429 // too many requests in flight, or too many connections
	CloseUnavailable      CloseCode = 4503 // the gateway cannot serve now
)

// Reconnect is what a connector does after its connection ended.
type Reconnect string

// The reconnect policies.
const (
	// ReconnectBackoff: dial again after a random time of a growing window, see [Backoff].
	ReconnectBackoff Reconnect = "backoff"
	// ReconnectOnce: dial again once, which brings a new challenge; if it ends the same way, stop.
	ReconnectOnce Reconnect = "once"
	// ReconnectLater: dial again, but not before a full window of the longest length.
	ReconnectLater Reconnect = "later"
	// ReconnectStop: do not dial again until a person has acted.
	ReconnectStop Reconnect = "stop"
)

// CloseInfo describes a close code.
type CloseInfo struct {
	Code      CloseCode
	Name      string // as PROTOCOL.md names it
	Reconnect Reconnect
	Alarm     bool // a person must be told
}

// CloseCodes lists the close codes of the protocol in ascending order, as PROTOCOL.md does.
func CloseCodes() []CloseInfo {
	return []CloseInfo{
		{CloseNormal, "normal", ReconnectBackoff, false},
		{CloseGoingAway, "going away", ReconnectBackoff, false},
		{CloseProtocol, "framing", ReconnectLater, true},
		{CloseUnsupported, "binary", ReconnectStop, true},
		{CloseNoStatus, "no status", ReconnectBackoff, false},
		{CloseAbnormal, "abnormal", ReconnectBackoff, false},
		{ClosePolicy, "policy", ReconnectLater, true},
		{CloseTooBig, "too big", ReconnectLater, true},
		{CloseInternal, "internal", ReconnectBackoff, false},
		{CloseRestart, "restart", ReconnectBackoff, false},
		{CloseMalformed, "malformed", ReconnectStop, true},
		{CloseNotAuthenticated, "not authenticated", ReconnectOnce, true},
		{CloseRevoked, "revoked", ReconnectStop, true},
		{CloseVersion, "version", ReconnectStop, true},
		{CloseTimeout, "time-out", ReconnectBackoff, false},
		{CloseSuperseded, "superseded", ReconnectStop, false},
		{CloseDuplicateKey, "duplicate key", ReconnectStop, true},
		{CloseAttestation, "attestation", ReconnectLater, true},
		{CloseFlood, "flood", ReconnectLater, true},
		{CloseUnavailable, "unavailable", ReconnectBackoff, false},
	}
}

// Info returns the description of a code. A code that is not in the table is treated like an abnormal end.
func (c CloseCode) Info() CloseInfo {
	for _, info := range CloseCodes() {
		if info.Code == c {
			return info
		}
	}
	return CloseInfo{Code: c, Name: "unknown", Reconnect: ReconnectBackoff}
}

// String returns number and name.
func (c CloseCode) String() string { return fmt.Sprintf("%d (%s)", int(c), c.Info().Name) }

// sendable reports whether the code may stand in a close frame (RFC 6455, section 7.4.1).
func (c CloseCode) sendable() bool {
	switch c {
	case CloseNoStatus, CloseAbnormal, 1004, 1015:
		return false
	}
	return c >= 1000 && c <= 1014 || c >= 3000 && c <= 4999
}
