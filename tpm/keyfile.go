package tpm

import (
	"context"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// NewSigner makes a signing key in the TPM and returns its file, a PEM block "TSS2 PRIVATE KEY", for [TPM.Signer]. The key
// can neither leave the TPM nor be moved in it, and a wrong authorization value does not count towards a lock-out. The
// file is worth nothing outside this TPM, but whoever can read it can use the key on this machine, unless
// [Options.KeyAuth] is set.
func (t *TPM) NewSigner(ctx context.Context, a Algorithm) (file []byte, err error) {
	template, err := signerTemplate(a)
	if err != nil {
		return nil, err
	}
	return t.createFile(ctx, template)
}

// NewKeyExchanger makes a P-256 key for ECDH in the TPM and returns its file, for [TPM.KeyExchanger]. What is said about
// [TPM.NewSigner] holds for it too.
func (t *TPM) NewKeyExchanger(ctx context.Context) (file []byte, err error) {
	return t.createFile(ctx, exchangerTemplate())
}

// Signer loads a signing key from its file, which [TPM.NewSigner], tpm2-tools or OpenSSL's provider has written: ECDSA
// over P-256 or P-384, or RSA of 2048 to 4096 bits. It fails if this TPM cannot load it, because it was made in another one.
// The TPM can unload the key at any time; it is loaded again when it is used.
func (t *TPM) Signer(ctx context.Context, file []byte) (*Signer, error) {
	k, err := keyOf(file)
	if err != nil {
		return nil, err
	}
	return t.newSigner(ctx, k)
}

// KeyExchanger loads a key for ECDH over P-256 or P-384 from its file, which [TPM.NewKeyExchanger], tpm2-tools or OpenSSL's
// provider has written. It fails if this TPM cannot load it, because it was made in another one.
func (t *TPM) KeyExchanger(ctx context.Context, file []byte) (*KeyExchanger, error) {
	k, err := keyOf(file)
	if err != nil {
		return nil, err
	}
	return t.newKeyExchanger(ctx, k)
}

func (t *TPM) createFile(ctx context.Context, template tpm2.TPMTPublic) ([]byte, error) {
	k, err := t.create(ctx, template)
	if err != nil {
		return nil, err
	}
	return k.file(), nil
}

// keyOf parses and checks a file. Only keys that an authorization value opens are of use: a policy is something that this
// package would have to know.
func keyOf(file []byte) (*key, error) {
	f, err := parseTSS2(file)
	if err != nil {
		return nil, err
	}
	if a := f.public.ObjectAttributes; !a.UserWithAuth || a.Restricted {
		return nil, fmt.Errorf("%w: the key is restricted, or usable by a policy alone; "+
			"make one with userwithauth and without restricted", ErrKeyFile)
	}
	if f.parent != tpm2.TPMRHOwner && !persistent(f.parent) {
		return nil, fmt.Errorf("%w: its parent %#x is neither the owner hierarchy nor a persistent handle", ErrKeyFile,
			uint32(f.parent))
	}
	name, err := tpm2.ObjectName(f.public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return &key{
		name: name.Buffer, public: f.public, private: f.private, parent: f.parent, rsa: f.rsaParent, open: f.emptyAuth,
	}, nil
}

// file writes a key that was made under a parent.
func (k *key) file() []byte {
	return marshalTSS2(&tss2Key{public: k.public, private: k.private, parent: k.parent, rsaParent: k.rsa, emptyAuth: k.open})
}
