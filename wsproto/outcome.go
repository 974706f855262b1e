package wsproto

import (
	"encoding/json"
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
