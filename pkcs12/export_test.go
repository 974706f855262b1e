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

// DecodeWithin and InspectWithin have a limit with which fuzzing gets somewhere.
func DecodeWithin(iterations int, file []byte, password string) (crypto.Signer, []*x509.Certificate, error) {
	_, key, chain, err := open(file, password, iterations)
	return key, chain, err
}

func InspectWithin(iterations int, file []byte, password string) (*Info, error) {
	return inspect(file, password, iterations)
}
