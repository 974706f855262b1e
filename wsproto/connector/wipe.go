package connector

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
)

// wipeKey overwrites the numbers of a software key that this process has made or read. The key cannot be used any more.
// crypto/internal/fips140 keeps copies that nobody can reach: see SECURITY.md. Other keys are left alone.
func wipeKey(key crypto.PrivateKey) {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		wipeInt(k.D)
	case *rsa.PrivateKey:
		wipeInt(k.D)
		for _, prime := range k.Primes {
			wipeInt(prime)
		}
		wipeInt(k.Precomputed.Dp)
		wipeInt(k.Precomputed.Dq)
		wipeInt(k.Precomputed.Qinv)
	}
}

func wipeInt(n *big.Int) {
	if n == nil {
		return
	}
	words := n.Bits()
	clear(words[:cap(words)])
	n.SetInt64(0)
}
