// Package wipe overwrites private keys in memory, as far as the standard library lets a caller reach them. What stays is
// in SECURITY.md.
package wipe

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
)

// Key overwrites the numbers of a software key: *ecdsa.PrivateKey or *rsa.PrivateKey. The key cannot be used any more, nor
// may it be in use. Copies that the standard library keeps in crypto/internal/fips140 are out of reach. Keys of other
// types, and nil, are left alone.
func Key(key crypto.PrivateKey) {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		if k != nil {
			//lint:ignore SA1019 the words of the number itself are overwritten
			number(k.D)
		}
	case *rsa.PrivateKey:
		if k != nil {
			rsaKey(k)
		}
	}
}

func rsaKey(k *rsa.PrivateKey) {
	number(k.D)
	for _, prime := range k.Primes {
		number(prime)
	}
	number(k.Precomputed.Dp)
	number(k.Precomputed.Dq)
	number(k.Precomputed.Qinv)
}

// number overwrites the words of a number, those included that it does not use now.
func number(n *big.Int) {
	if n == nil {
		return
	}
	words := n.Bits()
	clear(words[:cap(words)])
	n.SetInt64(0)
}
