package pkcs12

import (
	"crypto/x509/pkix"
	"fmt"
)

// Limits of what a file can ask for.
const (
	// MaxIterations is the number of iterations of all derivations of a file together: some seconds at most. Firefox
	// and GnuTLS, which ask for the most, need 600,000 for each of three.
	MaxIterations = 2_000_000
	// maxKey bounds a private key in bytes, since checking an RSA key takes longer the longer it is. That of a 4096-bit
	// key has about 2500, encrypted.
	maxKey = 4096
)

// work adds up what a file asks for.
type work struct{ left int }

// open adds up what stands in the open: the MAC, the encryptions of the safes, and the keys in those that have none.
func (w *work) open(o *outline) error {
	if err := w.mac(o.mac); err != nil {
		return err
	}
	for _, safe := range o.safes {
		if safe.encrypted {
			if err := w.algorithm(safe.algorithm); err != nil {
				return err
			}
			continue
		}
		if err := w.keys(safe.bags); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) spend(iterations int) error {
	if iterations < 1 || iterations > w.left {
		return fmt.Errorf("%w: %d iterations; a file may ask for 1 to %d in all", ErrLimit, iterations, MaxIterations)
	}
	w.left -= iterations
	return nil
}

func (w *work) mac(mac macData) error {
	if mac.Mac.Algorithm.Algorithm.String() == oidPBMAC1 {
		return w.algorithm(mac.Mac.Algorithm) // MacData.Iterations means nothing then
	}
	return w.spend(mac.Iterations)
}

// keys looks at the private keys among bags, encrypted or not.
func (w *work) keys(bags []safeBag) error {
	for _, bag := range bags {
		id := bag.ID.String()
		if id != oidKeyBag && id != oidShroudedKeyBag {
			continue
		}
		if n := len(bag.Value.Bytes); n > maxKey {
			return fmt.Errorf("%w: a private key of %d bytes, at most %d", ErrLimit, n, maxKey)
		}
		if id == oidKeyBag {
			continue
		}
		var key shroudedKey
		if err := unmarshal(bag.Value.Bytes, &key); err != nil {
			return err
		}
		if err := w.algorithm(key.Algorithm); err != nil {
			return err
		}
	}
	return nil
}

// algorithm spends the iterations of an encryption or MAC. Algorithms that go-pkcs12 does not know cost nothing.
func (w *work) algorithm(a pkix.AlgorithmIdentifier) error {
	switch a.Algorithm.String() {
	case oid3DES, oidRC2, oidRC2x40:
		var p pbeParams
		if err := unmarshal(a.Parameters.FullBytes, &p); err != nil {
			return err
		}
		return w.spend(p.Iterations)
	case oidPBES2, oidPBMAC1:
		_, kdf, err := passwordBased(a)
		if err != nil {
			return err
		}
		return w.spend(kdf.Iterations)
	}
	return nil
}
