package issuer

import (
	"context"
	"crypto"

	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// Keys hands out key pairs of which nobody else has any. A *[keygen.Pool] does so.
type Keys interface {
	Get(ctx context.Context, alg keygen.Algorithm) (crypto.Signer, error)
}

// prepare makes the key pair, or takes one of those made ahead, and signs the request with it. The key is wiped if it
// comes to nothing.
func (i *Issuer) prepare(ctx context.Context, alg keygen.Algorithm, request *keygen.Request) (*connector.Prepared, error) {
	key, err := i.key(ctx, alg)
	if err != nil {
		return nil, err
	}
	csr, err := keygen.CreateRequest(key, request)
	if err != nil {
		keygen.Wipe(key)
		return nil, &connector.Rejection{Reason: wsproto.ReasonOrderInvalid, Message: err.Error(), Err: err}
	}
	return &connector.Prepared{Key: key, Request: csr}, nil
}

func (i *Issuer) key(ctx context.Context, alg keygen.Algorithm) (crypto.Signer, error) {
	if i.Keys == nil {
		return keygen.Generate(alg)
	}
	return i.Keys.Get(ctx, alg)
}
