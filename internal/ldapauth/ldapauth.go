// Package ldapauth is what a credential of package adcs is for a directory server, without the two packages that need
// it importing each other's insides.
package ldapauth

import (
	"context"

	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// Logon is how a credential logs on to a directory server.
type Logon interface {
	// Try waits for the right to log on: one call at a time tries a credential that is not known to be good. It fails while
	// a refused one is paused. End takes what came of it, and has to be called once.
	Try(ctx context.Context) (end func(err error), err error)
	// Simple is the name and the password of a simple bind. It fails for a credential without a password.
	Simple() (user, password string, err error)
	// Initiator is a new security context with the server, by SPNEGO, not in DCE style. Contexts of Kerberos prove the
	// server; others there are only if the caller allowed them.
	Initiator(ctx context.Context) (assoc.Initiator, error)
	// Failure turns an error of Initiator, or of the security context, to one of package adcs.
	Failure(err error) error
}
