package wsproto

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// MarshalJSON writes the times in the one form that the protocol knows: UTC, whole seconds.
func (o Outcome) MarshalJSON() ([]byte, error) {
	type plain Outcome
	o.NotBefore, o.NotAfter = wireTime(o.NotBefore), wireTime(o.NotAfter)
	return json.Marshal(plain(o))
}

// MarshalJSON writes the time in the one form that the protocol knows: UTC, whole seconds.
func (c Checkpoint) MarshalJSON() ([]byte, error) {
	type plain Checkpoint
	c.Time = *wireTime(&c.Time)
	return json.Marshal(plain(c))
}

func wireTime(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	cut := t.UTC().Truncate(time.Second)
	return &cut
}

// String describes the outcome without its bundle, which a weak password protects badly.
func (o Outcome) String() string {
	bundle := len(o.PKCS12) + len(o.Sealed)
	o.PKCS12, o.Sealed = nil, nil
	text, err := json.Marshal(o)
	if err != nil {
		return "outcome " + string(o.Kind)
	}
	if bundle > 0 {
		return fmt.Sprintf("outcome %s with a bundle of %d bytes", text, bundle)
	}
	return "outcome " + string(text)
}

// Format writes what String returns, whatever the verb.
func (o Outcome) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue returns what String returns.
func (o Outcome) LogValue() slog.Value { return slog.StringValue(o.String()) }
