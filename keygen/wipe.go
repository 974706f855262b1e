package keygen

import (
	"crypto"

	"github.com/adcskit/adcskit/internal/wipe"
)

// Wipe overwrites the secret numbers of a key that [Generate], [Pool.Get] or [ParsePrivateKey] returned. The key is of
// no use afterwards, and nothing may be using it meanwhile. Other keys, those in hardware for example, and nil are left
// alone.
//
// It is a precaution and no promise: the standard library holds copies that no caller reaches, and the collector may
// have moved others. Clear the bytes of [MarshalPrivateKey] and of whatever was made from them besides, with the
// built-in function clear.
func Wipe(key crypto.PrivateKey) { wipe.Key(key) }
