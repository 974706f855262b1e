package mobileconfig

import "errors"

// The errors of this package match one of these with errors.Is. Their text names the field, and shows nothing of it.
var (
	// ErrField is for a text or choice that has no place in a profile.
	ErrField = errors.New("mobileconfig: field refused")
	// ErrIdentity is for a .p12 that Apple's systems do not take, or that the password does not open. What package
	// pkcs12 said of it can be asked for as well.
	ErrIdentity = errors.New("mobileconfig: identity refused")
	// ErrCA is for a certificate that is no CA's.
	ErrCA = errors.New("mobileconfig: CA refused")
)
