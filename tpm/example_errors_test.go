package tpm_test

import (
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/tpm"
)

// What a TPM refuses is an error that a program can ask for its meaning. 0x921 is TPM_RC_LOCKOUT, 0x98e is
// TPM_RC_AUTH_FAIL about the first session.
func ExampleCommandError() {
	for _, err := range []error{
		&tpm.CommandError{Command: "Sign", Code: 0x921},
		fmt.Errorf("starting: %w", &tpm.CommandError{Command: "Sign", Code: 0x98e}),
	} {
		var refusal *tpm.CommandError
		switch {
		case errors.Is(err, tpm.ErrLockout):
			fmt.Println("wait, and don't try again at once")
		case errors.Is(err, tpm.ErrAuth):
			fmt.Println("ask for the authorization value")
		}
		if errors.As(err, &refusal) {
			fmt.Printf("%s: %#x\n", refusal.Command, refusal.Code)
		}
	}
	// Output:
	// wait, and don't try again at once
	// Sign: 0x921
	// ask for the authorization value
	// Sign: 0x98e
}
