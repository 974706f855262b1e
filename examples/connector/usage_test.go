package main

import (
	"bytes"
	"flag"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/connector"
)

// TestHelpNamesEveryKey of the configuration.
func TestHelpNamesEveryKey(t *testing.T) {
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &out, nil), flag.ErrHelp)
	for _, part := range []any{config{}, gatewayConfig{}, tpmAuthConfig{}, keyPoolConfig{}, caConfig{}, connector.Policy{}} {
		for field := range reflect.TypeOf(part).Fields() {
			assert.Regexp(t, `\b`+field.Tag.Get("json")+`\b`, out.String())
		}
	}
}
