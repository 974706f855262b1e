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

// DecodeCredentials reads credentials as Activate does.
func DecodeCredentials(text []byte) error {
	_, err := decodeCredentials(text)
	return err
}

// RewriteKeyArea reads a public area and writes it again.
func RewriteKeyArea(raw []byte) ([]byte, error) {
	area, err := parseKeyArea(raw)
	if err != nil {
		return nil, err
	}
	return area.marshal(), nil
}
