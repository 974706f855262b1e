package connector

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"

	"github.com/adcskit/adcskit/wsproto"
)

// PinnedRecipient is a recipient of sealed bundles.
type PinnedRecipient struct {
	ID  string `json:"id"`  // as the order names it, at most 255 bytes
	Key []byte `json:"key"` // SubjectPublicKeyInfo, DER, P-256 or X25519: see wsproto.ParseRecipientKey
}

// parse refuses a recipient that no order could name.
func (p *PinnedRecipient) parse() error {
	if p.ID == "" || len(p.ID) > maxRecipientID {
		return fmt.Errorf("connector: policy: recipients: an id has 1 to %d bytes", maxRecipientID)
	}
	if _, err := wsproto.ParseRecipientKey(p.Key); err != nil {
		return fmt.Errorf("connector: policy: recipients: %q: %w", p.ID, err)
	}
	return nil
}

// maxRecipientID bounds the id of a recipient in an order, in bytes.
const maxRecipientID = 255

// parseOrderingKeys reads the pinned ordering keys.
func parseOrderingKeys(keys [][]byte) ([]*ecdsa.PublicKey, error) {
	out := make([]*ecdsa.PublicKey, 0, len(keys))
	for i, der := range keys {
		key, err := wsproto.ParsePublicKey(der)
		if err != nil {
			return nil, fmt.Errorf("connector: policy: orderingKeys: key %d: %w", i+1, err)
		}
		out = append(out, key)
	}
	return out, nil
}

// allowRecipient takes a recipient that is pinned, id and key together, or that a pinned ordering key has signed for what
// is ordered. Whoever signs, an id that is pinned goes with no other key.
func (r *Rules) allowRecipient(o *Order) *PolicyError {
	id, pinned := quote(o.Recipient.ID), false
	for _, p := range r.recipients {
		if p.ID == o.Recipient.ID && bytes.Equal(p.Key, o.Recipient.Key) {
			return nil
		}
		pinned = pinned || p.ID == o.Recipient.ID
	}
	switch {
	case pinned:
		return refuse("recipients", "the recipient %s is pinned with another key", id)
	case len(r.ordering) == 0:
		return refuse("recipients", "the recipient %s is not pinned", id)
	case len(o.Recipient.Signature) == 0:
		return refuse("orderingKeys", "the recipient %s is not pinned, and no ordering key has signed it", id)
	}
	for _, key := range r.ordering {
		if wsproto.VerifyRecipient(key, o.Tenant, &o.Order) == nil {
			return nil
		}
	}
	return refuse("orderingKeys", "the recipient %s: signed by no pinned ordering key, or for another order or tenant", id)
}
