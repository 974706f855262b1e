package sealed

import "github.com/adcskit/adcskit/internal/sealedbundle"

// Error says why a bundle is refused. The constants are all there are.
type Error string

// What can be wrong with a bundle.
const (
	// ErrMalformed is for what is no bundle of this version, or out of bounds.
	ErrMalformed = Error(sealedbundle.ErrMalformed)
	// ErrSigner is for a bundle of a connector that is not among the expected ones, whatever it holds.
	ErrSigner = Error(sealedbundle.ErrSigner)
	// ErrSignature is for a bundle that was changed after it was signed, or that the named connector never signed.
	ErrSignature = Error(sealedbundle.ErrSignature)
	// ErrContext is for a genuine bundle that is not the expected one: another tenant, job, recipient or certificate.
	ErrContext = Error(sealedbundle.ErrContext)
	// ErrRecipient is for a genuine bundle that another key opens.
	ErrRecipient = Error(sealedbundle.ErrRecipient)
	// ErrSealed is for a signed bundle whose encryption is not for this key and this header: its maker is at fault.
	ErrSealed = Error(sealedbundle.ErrSealed)
	// ErrContent is for a bundle that opens and does not hold a file and its password: its maker is at fault.
	ErrContent = Error(sealedbundle.ErrContent)
	// ErrKey is for a public key that is neither on P-256 nor of X25519, or in another encoding.
	ErrKey Error = "the key is not a P-256 or X25519 key in its one encoding"
)

// Error says what is wrong.
func (e Error) Error() string { return "sealed: " + string(e) }
