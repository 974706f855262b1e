package tpm

import "context"

// MakeKeys makes the two keys of a connector.
func (t *TPM) MakeKeys(ctx context.Context) (*Signer, *KeyExchanger, error) {
	template, err := signerTemplate(P256)
	if err != nil {
		return nil, nil, err
	}
	k, err := t.create(ctx, template)
	if err != nil {
		return nil, nil, err
	}
	signer, err := t.newSigner(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	if k, err = t.create(ctx, exchangerTemplate()); err != nil {
		return nil, nil, err
	}
	exchanger, err := t.newKeyExchanger(ctx, k)
	return signer, exchanger, err
}
