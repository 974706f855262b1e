package discovery

import "errors"

// ErrMalformed matches what a server sends that is not what the specifications say.
var ErrMalformed = errors.New("discovery: malformed")

// ErrUnknownAccount matches the error of [Client.Read] for an account in [Options] that the server's domain does not
// have, or has more than one of.
var ErrUnknownAccount = errors.New("discovery: unknown account")

// errNoGroups is an account whose groups are not shown. Nothing could be said of its rights.
var errNoGroups = errors.New("discovery: the server does not tell the groups of the account")

// ErrTooLarge matches answers of a server that exceed the limits of this package.
var ErrTooLarge = errors.New("discovery: more than is read")
