package gateway

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/adcskit/adcskit/wsproto"
)

// Drain prepares the end of this gateway: no new connections and no new offers; every connector is told, may finish what
// it holds, and is then closed with 1012. It returns when all are, at the latest when ctx or Timing.Drain ends. Close
// follows.
func (g *Gateway) Drain(ctx context.Context) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return net.ErrClosed
	}
	g.draining = true
	var sessions []*session
	for _, t := range g.tenants {
		for _, s := range t.sessions {
			sessions = append(sessions, s)
		}
	}
	g.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range sessions {
		wg.Go(func() { s.leave(ctx, wsproto.CloseRestart, "the gateway restarts") })
	}
	wg.Wait()
	return ctx.Err()
}

// DrainConnector gives a connector no new jobs and closes its connection with 1001 when it has finished, at the latest
// when ctx or Timing.Drain ends. It may connect again; to keep it from working, assign it no CA.
func (g *Gateway) DrainConnector(ctx context.Context, tenant, connector string) error {
	if err := g.open(); err != nil {
		return err
	}
	s := g.session(tenant, connector)
	if s == nil {
		return fmt.Errorf("%w: connector %s is not connected here", ErrNotFound, connector)
	}
	s.leave(ctx, wsproto.CloseGoingAway, "drained")
	return ctx.Err()
}
