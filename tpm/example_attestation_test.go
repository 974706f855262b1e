package tpm_test

import (
	"context"
	"crypto/x509"
	"fmt"

	"github.com/adcskit/adcskit/tpm"
)

// attestTo goes through attestation, which in earnest happens between two machines: the attester speaks for the one
// with the TPM, the verifier for the one that wants to know.
func attestTo(verifier *tpm.Verifier, identity *tpm.Signer, decryption *tpm.KeyExchanger) (level string, err error) {
	ctx := context.Background()
	attester, err := tpm.NewAttester(identity, decryption)
	if err != nil {
		return "", err
	}
	evidence, err := attester.Evidence(ctx)
	if err != nil {
		return "", err
	}
	identityKey, err := x509.MarshalPKIXPublicKey(identity.Public())
	if err != nil {
		return "", err
	}
	decryptionKey, err := x509.MarshalPKIXPublicKey(decryption.PublicKey())
	if err != nil {
		return "", err
	}

	// The verifier gets evidence and public keys, and sends credentials.
	credentials, verify, err := verifier.Challenge(ctx, "tenant", evidence, identityKey, decryptionKey)
	if err != nil {
		return "", err
	}
	// Only the TPM with that endorsement key can open them, and only if both keys are in it.
	activation, err := attester.Activate(ctx, credentials)
	if err != nil {
		return "", err
	}
	level, _, err = verify(activation)
	return level, err
}

// keysIn makes two keys and loads them.
func keysIn(ctx context.Context, device *tpm.TPM) (*tpm.Signer, *tpm.KeyExchanger, error) {
	identityFile, err := device.NewSigner(ctx, tpm.P256)
	if err != nil {
		return nil, nil, err
	}
	decryptionFile, err := device.NewKeyExchanger(ctx)
	if err != nil {
		return nil, nil, err
	}
	identity, err := device.Signer(ctx, identityFile)
	if err != nil {
		return nil, nil, err
	}
	decryption, err := device.KeyExchanger(ctx, decryptionFile)
	return identity, decryption, err
}

// Two keys are shown to be in a TPM of a manufacturer that is trusted.
func Example_attestation() {
	device, err := tpm.Open("auto", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer device.Close()
	identity, decryption, err := keysIn(context.Background(), device)
	if err != nil {
		fmt.Println(err)
		return
	}
	manufacturers := x509.NewCertPool() // with the certificates that they publish
	fmt.Println(attestTo(tpm.NewVerifier(tpm.VerifierOptions{Roots: manufacturers}), identity, decryption))
}
