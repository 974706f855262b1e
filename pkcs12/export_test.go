package pkcs12

import (
	"crypto"
	"crypto/x509"
)

// Verify is what Encode does with a file before it returns it.
func Verify(file []byte, key crypto.PrivateKey, chain []*x509.Certificate, password string) error {
	signer, err := supportedKey(key)
	if err != nil {
		return err
	}
	return verify(file, signer, chain, password)
}
