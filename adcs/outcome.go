package adcs

import (
	"errors"
	"fmt"
	"time"
)

// ErrOutcomeUnknown is matched when a request may have reached the CA and its answer did not arrive or cannot be used.
var ErrOutcomeUnknown = errors.New("adcs: outcome unknown")

// OutcomeUnknownError says what may have happened, so that it can be looked up at the CA. It matches
// [ErrOutcomeUnknown].
type OutcomeUnknownError struct {
	CA            string    // the CA that may have the request
	Time          time.Time // when sending the request began, by this host's clock
	PublicKeyHash [32]byte  // SHA-256 of the request's SubjectPublicKeyInfo
	Err           error     // why the answer is missing
}

// Error says what is not known.
func (e *OutcomeUnknownError) Error() string {
	return fmt.Sprintf("adcs: outcome unknown: the request sent to %q at %s for the public key %x may have been executed: %v",
		e.CA, e.Time.UTC().Format(time.RFC3339), e.PublicKeyHash[:8], e.Err)
}

// Unwrap returns ErrOutcomeUnknown and the cause.
func (e *OutcomeUnknownError) Unwrap() []error { return []error{ErrOutcomeUnknown, e.Err} }
