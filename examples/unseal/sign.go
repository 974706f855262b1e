package main

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
)

// sign prints an order with its recipient signed. Members that it does not know are refused: the signature would not
// cover them.
func sign(keyFile, tenant, orderFile string, out io.Writer) error {
	if tenant == "" || len(tenant) > 255 {
		return cli.Usagef("the tenant's name has 1 to 255 bytes")
	}
	var order wsproto.Order
	if err := cli.LoadJSON(orderFile, &order); err != nil {
		return err
	}
	if err := check(&order); err != nil {
		return fmt.Errorf("%s: %w", orderFile, err)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return err
	}
	ordering, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("%s holds no P-256 key; orderkey makes one", keyFile)
	}
	if order.Recipient.Signature, err = wsproto.SignRecipient(ordering, tenant, &order); err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(order)
}

// check says what is wrong with an order before it is signed.
func check(order *wsproto.Order) error {
	switch {
	case order.Recipient == nil:
		return errors.New(`the order has no recipient: put what "unseal key" has printed into "recipient"`)
	case order.Password != "":
		return errors.New("the order has a password besides its recipient; leave it out, the connector makes one")
	}
	return order.Validate()
}
