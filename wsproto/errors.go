package wsproto

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"unicode/utf8"
)

// ErrorCode is the code of a JSON-RPC error object (JSON-RPC 2.0, section 5.1). It is an error, so that
// errors.Is(err, CodeSuperseded) tells what an [Error] says. The set is closed: an unknown code is treated as
// [CodeInternal].
type ErrorCode int

// The error codes.
const (
	CodeParse            ErrorCode = -32700 // not JSON; a receiver closes instead of answering
	CodeInvalidRequest   ErrorCode = -32600 // JSON, but not a request
	CodeMethodNotFound   ErrorCode = -32601 // the session goes on
	CodeInvalidParams    ErrorCode = -32602 // params missing, of the wrong type or out of bounds
	CodeInternal         ErrorCode = -32603 // the receiver failed; try again later
	CodeSuperseded       ErrorCode = -32001 // the message belongs to an older attempt or sequence: drop the job
	CodeBusy             ErrorCode = -32002 // not now
	CodeNotAuthenticated ErrorCode = -32003 // the handshake is not complete, or a proof failed
	CodeNotActive        ErrorCode = -32004 // the registration is pending
	CodeLimit            ErrorCode = -32005 // a limit of the receiver; the message is never acceptable
	CodeUnknownJob       ErrorCode = -32006 // no such job
	CodeDraining         ErrorCode = -32007 // the receiver takes nothing new
	CodeEnrollment       ErrorCode = -32008 // the enrollment code is unknown, used or expired
	CodeRevoked          ErrorCode = -32009 // the registration was rejected or revoked
	CodeVersion          ErrorCode = -32010 // no common version
	CodeUnavailable      ErrorCode = -32011 // the store of the receiver fails; try again
	CodeCheckpoint       ErrorCode = -32012 // the checkpoint does not verify
	CodeAttestation      ErrorCode = -32013 // the evidence is wrong, or less than the tenant wants
)

// ErrorInfo describes an error code.
type ErrorInfo struct {
	Code ErrorCode
	Name string // as PROTOCOL.md names it
}

// ErrorCodes lists the error codes of the protocol, as PROTOCOL.md does.
func ErrorCodes() []ErrorInfo {
	return []ErrorInfo{
		{CodeParse, "parse error"},
		{CodeInvalidRequest, "invalid request"},
		{CodeMethodNotFound, "method not found"},
		{CodeInvalidParams, "invalid params"},
		{CodeInternal, "internal error"},
		{CodeSuperseded, "superseded"},
		{CodeBusy, "busy"},
		{CodeNotAuthenticated, "not authenticated"},
		{CodeNotActive, "not active"},
		{CodeLimit, "limit"},
		{CodeUnknownJob, "unknown job"},
		{CodeDraining, "draining"},
		{CodeEnrollment, "enrollment"},
		{CodeRevoked, "revoked"},
		{CodeVersion, "version"},
		{CodeUnavailable, "unavailable"},
		{CodeCheckpoint, "checkpoint"},
		{CodeAttestation, "attestation"},
	}
}

// name returns the name of a code, or "" when it is not of this protocol.
func (c ErrorCode) name() string {
	for _, info := range ErrorCodes() {
		if info.Code == c {
			return info.Name
		}
	}
	return ""
}

// Error returns number and name.
func (c ErrorCode) Error() string {
	if name := c.name(); name != "" {
		return strconv.Itoa(int(c)) + " (" + name + ")"
	}
	return strconv.Itoa(int(c)) + " (unknown code)"
}

// maxRemoteText bounds the text of the other side that an error keeps, in bytes.
const maxRemoteText = 512

// Error is a JSON-RPC error object: as the answer that a [Handler] returns, or as the answer that [Peer.Call] received,
// where Message is text of the other side, shortened.
type Error struct {
	Code    ErrorCode       `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Errorf makes an Error with a formatted message. The other side reads it: never put secrets in.
func Errorf(code ErrorCode, format string, args ...any) *Error {
	return &Error{Code: code, Message: bound(fmt.Sprintf(format, args...), maxRemoteText)}
}

// Error returns code and quoted message.
func (e *Error) Error() string {
	if e.Message == "" {
		return "wsproto: error " + e.Code.Error()
	}
	return fmt.Sprintf("wsproto: error %v: %q", e.Code, e.Message)
}

// Unwrap returns the code.
func (e *Error) Unwrap() error { return e.Code }

var (
	// ErrConnectionLost is matched by every error that says that the connection ended before an answer came. The
	// request may have been executed by the other side.
	ErrConnectionLost = errors.New("wsproto: connection lost")
	// ErrTooLarge says that a message is larger than the other side accepts. Nothing was sent.
	ErrTooLarge = errors.New("wsproto: message larger than the other side accepts")
)

// CloseError says how a connection ended. It matches [ErrConnectionLost], and net.ErrClosed when this side closed it.
type CloseError struct {
	Code   CloseCode
	Reason string // text of the side that closed; shortened
	Remote bool   // the other side closed, or the network did
	Cause  error  // what broke, when nobody closed; may be nil
}

// Error returns who closed, the code and the quoted reason.
func (e *CloseError) Error() string {
	who := "closed here with "
	if e.Remote {
		who = "ended with "
	}
	text := "wsproto: connection " + who + e.Code.String()
	if e.Reason != "" {
		text += fmt.Sprintf(": %q", e.Reason)
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Is matches ErrConnectionLost and, for a close by this side, net.ErrClosed.
func (e *CloseError) Is(target error) bool {
	return target == ErrConnectionLost || !e.Remote && target == net.ErrClosed
}

// Unwrap returns the cause.
func (e *CloseError) Unwrap() error { return e.Cause }

// afterError is an answer after which the connection is closed.
type afterError struct {
	answer error
	code   CloseCode
	reason string
}

func (e *afterError) Error() string { return e.answer.Error() }

// CloseAfter makes a [Handler] answer with err and then close the connection, in this order.
func CloseAfter(err error, code CloseCode, reason string) error {
	return &afterError{answer: err, code: code, reason: reason}
}

// bound shortens a text to n bytes without cutting a character.
func bound(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
