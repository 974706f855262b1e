package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/adcskit/adcskit/wsproto"
)

// TestHelpNamesEveryKey of the configuration and of an order.
func TestHelpNamesEveryKey(t *testing.T) {
	for _, part := range []any{config{}, timing{}, attestation{}, wsproto.Order{}, wsproto.Recipient{}} {
		for field := range reflect.TypeOf(part).Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "critical" {
				assert.Regexp(t, `\b`+name+`\b`, help)
			}
		}
	}
}
