package keygen

import "crypto"

// SetGenerator replaces what makes the keys of a pool that is not in use yet.
func (p *Pool) SetGenerator(generate func(Algorithm) (crypto.Signer, error)) { p.generate = generate }
