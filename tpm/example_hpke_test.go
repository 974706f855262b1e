package tpm_test

import (
	"context"
	"crypto/hpke"
	"log"

	"github.com/adcskit/adcskit/tpm"
)

// openIn opens with a key in a TPM what was encrypted to it: HPKE with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and
// AES-256-GCM.
func openIn(device *tpm.TPM, keyFile, info, sealed []byte) ([]byte, error) {
	exchanger, err := device.KeyExchanger(context.Background(), keyFile)
	if err != nil {
		return nil, err
	}
	key, err := hpke.NewDHKEMPrivateKey(exchanger)
	if err != nil {
		return nil, err
	}
	return hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
}

// sealTo encrypts to the public half of a key, which is no secret and needs no TPM.
func sealTo(exchanger *tpm.KeyExchanger, info, plaintext []byte) ([]byte, error) {
	key, err := hpke.NewDHKEMPublicKey(exchanger.PublicKey())
	if err != nil {
		return nil, err
	}
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), info, plaintext)
}

// A key in a TPM opens what was encrypted to it with crypto/hpke.
func Example_hpke() {
	device, err := tpm.Open("auto", nil)
	if err != nil {
		log.Print(err)
		return
	}
	defer device.Close()
	file, err := device.NewKeyExchanger(context.Background())
	if err != nil {
		log.Print(err)
		return
	}
	exchanger, err := device.KeyExchanger(context.Background(), file)
	if err != nil {
		log.Print(err)
		return
	}
	sealed, err := sealTo(exchanger, []byte("for the example"), []byte("hello"))
	if err != nil {
		log.Print(err)
		return
	}
	plaintext, err := openIn(device, file, []byte("for the example"), sealed)
	log.Printf("%s %v", plaintext, err)
}
