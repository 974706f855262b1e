package gateway_test

import (
	"testing"

	"github.com/adcskit/adcskit/wsproto/gateway"
	"github.com/adcskit/adcskit/wsproto/gateway/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Test(t, func(*testing.T) gateway.Store { return gateway.NewMemoryStore() })
}
