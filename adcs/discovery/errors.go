package discovery

import "errors"

// ErrMalformed matches what a server sends that is not what the specifications say.
var ErrMalformed = errors.New("discovery: malformed")

// ErrTooLarge matches answers of a server that exceed the limits of this package.
var ErrTooLarge = errors.New("discovery: more than is read")
