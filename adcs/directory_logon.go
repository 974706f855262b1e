package adcs

import (
	"context"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/ldapauth"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// serviceLDAP is the class of the service principal name of directory servers.
const serviceLDAP = "ldap"

// directoryLogon is a credential for a directory server.
type directoryLogon struct{ c *Client }

// DirectoryLogon is for package discovery: how a credential logs on to a directory server, with those of the options
// that are about logging on. What it returns is internal to this module.
func DirectoryLogon(server string, cred Credential, o *Options) (ldapauth.Logon, error) {
	c, err := New(server, "directory", cred, o) // never connected, so never to be closed
	if err != nil {
		return nil, err
	}
	return directoryLogon{c}, nil
}

// Try implements [ldapauth.Logon].
func (l directoryLogon) Try(ctx context.Context) (end func(error), err error) {
	t, err := l.c.logon.try(ctx)
	if err != nil {
		return nil, err
	}
	return func(err error) {
		if err == nil {
			t.accepted()
		}
		t.end(err)
	}, nil
}

// Simple implements [ldapauth.Logon].
func (l directoryLogon) Simple() (user, password string, err error) {
	if l.c.cred.password == nil {
		return "", "", fmt.Errorf("%w: a simple bind needs a password", ErrInvalidRequest)
	}
	return l.c.cred.User(), l.c.cred.password(), nil
}

// Initiator implements [ldapauth.Logon].
func (l directoryLogon) Initiator(ctx context.Context) (assoc.Initiator, error) {
	return l.c.spnegoInitiator(ctx, serviceLDAP)
}

// Failure implements [ldapauth.Logon].
func (l directoryLogon) Failure(err error) error {
	l.c.refusedTicket(serviceLDAP)
	if reason := krb5.ReasonOf(err); reason != "" {
		return &kerberosFailure{reason, err}
	}
	if errors.Is(err, assoc.ErrLogon) {
		err = fmt.Errorf("%w: %v", ErrLogon, err)
	}
	return l.c.withoutKerberos(err)
}
