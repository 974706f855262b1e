package main

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// keys are the identity of this connector, and where its keys are.
type keys struct {
	identity *connector.Identity
	tpm      *tpm.TPM           // nil: none is used, the keys are files
	attester connector.Attester // of the keys in the TPM
	why      string             // why the keys are files
}

// Where keys are made, if not in the TPM at a path.
const (
	tpmAuto = "auto"
	tpmNone = "none"
)

// openKeys opens the identity in a folder, or makes it where the configuration says. What is there stays what it is: keys
// that are files never become others because a TPM has appeared, nor keys in a TPM because it has gone.
func openKeys(c *config) (*keys, error) {
	kind, err := connector.IdentityKind(c.State)
	if err != nil {
		return nil, err
	}
	k := new(keys)
	switch inFiles := kind == connector.KindSoftware; {
	case c.TPM == tpmNone && kind != "" && !inFiles:
		return nil, fmt.Errorf("the keys in %s are in a TPM, and it is not to be used (none): have it used, make other keys with "+
			"`connector -tpm none rotate`, or move the folder away to register anew", c.State)
	case c.TPM == tpmNone:
		k.why = "no TPM is to be used (none)"
	case c.TPM == tpmAuto && inFiles:
		k.why = "those in " + c.State + " were made as files; `connector rotate` makes others, in the TPM if there is one"
	case inFiles:
		return nil, fmt.Errorf("the keys in %s are files, and not in the TPM at %s: make others there with `connector -tpm %[2]s "+
			"rotate`, use the files with -tpm none, or move the folder away to register anew", c.State, c.TPM)
	default:
		if k.tpm, k.why, err = c.openTPM(c.TPM, kind == ""); err != nil {
			return nil, fmt.Errorf("the keys in %s: %w", c.State, err)
		}
	}
	if err := k.open(c.State); err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

func (k *keys) open(folder string) (err error) {
	k.identity, err = connector.OpenIdentity(folder, k.store())
	if err != nil {
		return err
	}
	return k.attest()
}

// store returns no store, rather than one of no TPM, for keys that are files.
func (k *keys) store() connector.KeyStore {
	if k.tpm == nil {
		return nil
	}
	return k.tpm.Store()
}

// attest prepares what the tenant is shown of keys in a TPM.
func (k *keys) attest() error {
	if k.tpm == nil {
		return nil
	}
	attester, err := tpm.NewAttester(k.identity.Signer(), k.identity.Decryption())
	if err != nil {
		return err
	}
	k.attester = attester
	return nil
}

// close lets go of the TPM.
func (k *keys) close() error {
	if k.tpm == nil {
		return nil
	}
	return k.tpm.Close()
}

// try uses both keys once, so that a wrong authorization value, or a TPM that refuses, is found before it is needed.
func (k *keys) try() error {
	digest := make([]byte, sha256.Size) // a random number instead: the signature means nothing to anybody
	rand.Read(digest)                   // never fails, see crypto/rand
	if _, err := k.identity.Signer().Sign(rand.Reader, digest, crypto.SHA256); err != nil {
		return fmt.Errorf("the identity key cannot be used: %w", err)
	}
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if _, err := k.identity.Decryption().ECDH(other.PublicKey()); err != nil {
		return fmt.Errorf("the decryption key cannot be used: %w", err)
	}
	return nil
}
