package adcs_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// TestNotExecuted is the whole rule of when a request may be known not to have been executed, and go out again.
func TestNotExecuted(t *testing.T) {
	sent := func(err error) error { return fmt.Errorf("call: %w", &assoc.CallError{Sent: true, Err: err}) }
	fault := func(status rpc.Status, flag, signed bool) error {
		return sent(&assoc.FaultError{Status: status, DidNotExecute: flag, Signed: signed})
	}
	for name, c := range map[string]struct {
		err        error
		not, again bool
	}{
		"nothing left this host":                 {&assoc.CallError{Err: io.ErrUnexpectedEOF}, true, true},
		"something left":                         {sent(io.ErrUnexpectedEOF), false, false},
		"an unusable answer":                     {sent(rpc.ErrMalformed), false, false},
		"a wrong signature":                      {sent(rpc.ErrIntegrity), false, false},
		"the logon":                              {sent(assoc.ErrLogon), true, false},
		"any fault":                              {fault(rpc.StatusFaultUnspec, false, true), false, false},
		"bad stub data":                          {fault(rpc.StatusBadStubData, false, true), false, false},
		"flag, signed":                           {fault(rpc.StatusFaultUnspec, true, true), true, true},
		"flag, not signed":                       {fault(rpc.StatusFaultUnspec, true, false), false, false},
		"busy, signed":                           {fault(rpc.StatusServerTooBusy, false, true), true, true},
		"busy, not signed":                       {fault(rpc.StatusServerTooBusy, true, false), false, false},
		"denied, signed: again would be no help": {fault(rpc.StatusAccessDenied, true, true), true, false},
		"denied, not signed":                     {fault(rpc.StatusAccessDenied, true, false), false, false},
		"anything else":                          {errors.New("anything"), false, false},
	} {
		not, again := adcs.NotExecuted(c.err)
		assert.Equal(t, [2]bool{c.not, c.again}, [2]bool{not, again}, name)
	}
}
