package wsproto

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
)

// EncodeOrder returns the JSON text of an order. It does not change when it is embedded in an [Offer], so the digest
// that a checkpoint binds is the digest of these bytes.
func EncodeOrder(o Order) (json.RawMessage, error) {
	raw, err := json.Marshal(orderText(o))
	if err != nil {
		return nil, fmt.Errorf("wsproto: encoding the order: %w", err)
	}
	return raw, nil
}

// orderText is an Order without its methods, which redact.
type orderText Order

// CanonicalOrder checks the JSON text of an order and rewrites it as [json.Marshal] would write it into an [Offer],
// keeping members that this package does not know. A gateway does this once, when it takes the order in: what it stores
// then equals what it sends.
func CanonicalOrder(text []byte) (json.RawMessage, error) {
	if _, err := DecodeOrder(text); err != nil {
		return nil, err
	}
	return json.Marshal(json.RawMessage(text))
}

// CriticalError says that an order names a critical member that is not understood. It must be refused with
// [ReasonOrderCritical].
type CriticalError struct {
	Member string // shortened
}

// Error names the member.
func (e *CriticalError) Error() string {
	return fmt.Sprintf("wsproto: the order's critical member %q is absent, or not understood by this version", e.Member)
}

// DecodeOrder reads the JSON text of an order strictly (see [Unmarshal]), checks that every member named by critical is
// present and understood, else the error is a *CriticalError, and then the bounds: what a later version makes of another
// member is no reason to call its order invalid. Whether the values make sense together is for the connector to decide.
func DecodeOrder(text []byte) (*Order, error) {
	var o Order
	if err := Unmarshal(text, &o); err != nil {
		return nil, err
	}
	if err := o.understood(text); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &o, nil
}

// understood checks what is critical in the text of an order.
func (o *Order) understood(text []byte) error {
	if len(o.Critical) == 0 {
		return nil
	}
	var c check
	c.names(o.Critical, "critical")
	if c.err != nil {
		return c.err
	}
	present, err := memberNames(text)
	if err != nil {
		return err
	}
	known := orderMembers()
	for _, name := range o.Critical {
		if !known[name] || !present[name] {
			return &CriticalError{Member: bound(name, 64)}
		}
	}
	return nil
}

// orderMembers returns the names of the members of an order that this package understands.
func orderMembers() map[string]bool {
	t := reflect.TypeFor[Order]()
	names := make(map[string]bool, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}

// OrderDigest returns the SHA-256 of the exact bytes of an order as they stand in its offer.
func OrderDigest(order []byte) []byte {
	sum := sha256.Sum256(order)
	return sum[:]
}

// String describes the order without its password.
func (o Order) String() string {
	if o.Password != "" {
		o.Password = "[redacted]"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(orderText(o)); err != nil {
		return "order"
	}
	return "order " + strings.TrimSpace(b.String())
}

// Format writes what String returns, whatever the verb.
func (o Order) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue returns what String returns.
func (o Order) LogValue() slog.Value { return slog.StringValue(o.String()) }

// String describes the offer without the text of its order, which may hold a password.
func (o Offer) String() string {
	return fmt.Sprintf("offer of job %q, attempt %d", bound(o.Job, maxID), o.Attempt)
}

// Format writes what String returns, whatever the verb.
func (o Offer) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue returns what String returns.
func (o Offer) LogValue() slog.Value { return slog.StringValue(o.String()) }
