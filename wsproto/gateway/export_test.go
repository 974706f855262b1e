package gateway

import (
	"context"

	"github.com/adcskit/adcskit/wsproto"
)

// Connect is ServeHTTP without HTTP, for transports in memory.
func (g *Gateway) Connect(ctx context.Context, tenant, source string, t wsproto.Transport) {
	if !g.admit(tenant) {
		t.Close(wsproto.CloseUnavailable, "no room")
		return
	}
	defer g.dismiss(tenant)
	g.serve(ctx, tenant, source, t)
}
