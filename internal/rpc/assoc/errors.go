package assoc

import (
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/rpc"
)

// ErrLogon is in the chain when the server refused the credential.
var ErrLogon = errors.New("the server refused the credential")

// ErrOutOfStep is in the chain when a PDU arrived that answers nothing that was asked.
var ErrOutOfStep = errors.New("the server sent what nobody had asked for")

// NakError is a bind_nak: the server refused the association as a whole.
type NakError struct{ Reason uint16 }

// Error names the reason.
func (e *NakError) Error() string { return fmt.Sprintf("bind refused, reason %d", e.Reason) }

// RejectError is a bind_ack that refuses the interface.
type RejectError struct {
	Verdict rpc.Verdict
	Reason  uint16
}

// Error names the reason.
func (e *RejectError) Error() string {
	return fmt.Sprintf("interface refused, result %d, reason %d", e.Verdict, e.Reason)
}

// FaultError is a fault PDU.
type FaultError struct {
	Status        rpc.Status
	DidNotExecute bool
	// Signed is true when the fault carried a right signature. Otherwise anybody on the network may have made it.
	Signed bool
}

// Error names the status.
func (e *FaultError) Error() string { return "fault: " + e.Status.Error() }

// Unwrap returns the status.
func (e *FaultError) Unwrap() error { return e.Status }

// CallError is the failure of a call.
type CallError struct {
	// Sent is true when something of the call's last fragment may have left this machine. Only then can the server have
	// executed the call.
	Sent bool
	Err  error
}

// Error is that of the cause.
func (e *CallError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }
