package connector

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/envelope"
	"github.com/adcskit/adcskit/internal/sealedbundle"
	"github.com/adcskit/adcskit/wsproto"
)

// recipient is for whom the bundle of a job is sealed. It is what local policy has seen; the order, which issuers get,
// decides nothing any more.
type recipient struct {
	id  string
	key *ecdh.PublicKey
}

// address takes the recipient of an order that local policy allows, if there is one.
func (j *job) address(order *wsproto.Order) error {
	if order.Recipient == nil {
		return nil
	}
	key, err := wsproto.ParseRecipientKey(order.Recipient.Key)
	if err != nil {
		return err
	}
	j.recipient = &recipient{id: order.Recipient.ID, key: key}
	return nil
}

// minSealedPassword is the least length of the password of a sealed .p12, in bytes: fewer printable ASCII characters do
// not hold 128 bits.
const minSealedPassword = 20

var (
	errNoBundle   = errors.New("connector: the issuer made no bundle")
	errNoPassword = fmt.Errorf("connector: the issuer gave no password of at least %d characters with a .p12 for a recipient", minSealedPassword)
)

// delivery is what an outcome carries of a bundle: one of both.
type delivery struct {
	pkcs12 []byte
	sealed json.RawMessage
}

// pack makes a bundle ready to leave. For a recipient it is sealed, or nothing leaves. An identity key that fails is waited
// for, since the certificate is there already, and also if the tenant has given this attempt up: it always takes one.
func (j *job) pack(life context.Context, b *Bundle, certificate []byte) (delivery, error) {
	if b == nil || len(b.PKCS12) == 0 {
		return delivery{}, errNoBundle
	}
	if j.recipient == nil {
		return delivery{pkcs12: b.PKCS12}, nil
	}
	defer clear(b.PKCS12)
	if len(b.Password) < minSealedPassword {
		return delivery{}, errNoPassword
	}
	var d delivery
	err := whileKeyFails(life, 0, func() (err error) {
		d.sealed, err = j.sealBundle(b, certificate)
		return err
	})
	return d, err
}

// sealBundle encrypts and signs once. What the header says is this connector's own knowledge.
func (j *job) sealBundle(b *Bundle, certificate []byte) (json.RawMessage, error) {
	thumbprint := sha256.Sum256(certificate)
	made, err := sealedbundle.Seal(sealedbundle.Bundle{
		Tenant: j.c.cfg.Tenant, Job: j.id, Recipient: j.recipient.id, Thumbprint: thumbprint[:],
	}, sealedbundle.Content{PKCS12: b.PKCS12, Password: b.Password}, j.c.cfg.Identity, j.recipient.key)
	if failed, ok := errors.AsType[*envelope.KeyError](err); ok {
		return nil, &wsproto.KeyError{Use: "sign", Err: failed.Err}
	}
	if err != nil {
		return nil, fmt.Errorf("connector: %w", err)
	}
	return made.Encode()
}
