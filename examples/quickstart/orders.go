package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// order is a certificate that the tenant wants, and how that should end.
type order struct {
	name  string
	order wsproto.Order
	life  time.Duration
	want  wsproto.OutcomeKind
}

// result is how an order ended. err says why that is wrong.
type result struct {
	order
	outcome wsproto.Outcome
	total   time.Duration // from the order to the outcome
	err     error
}

func makeOrders(o *options, ca *adcstest.Server) ([]order, error) {
	orders := make([]order, 0, o.count+3)
	add := func(name, template, key, domain string, want wsproto.OutcomeKind) error {
		password, err := pkcs12.NewPassword()
		if err != nil {
			return err
		}
		if o.key != "" {
			key = o.key
		}
		orders = append(orders, order{name: name, want: want, order: wsproto.Order{
			CA: wsproto.CAAssignment{Host: ca.Host(), Name: ca.Name()}, Template: template,
			Subject: "CN=" + name, DNS: []string{name + domain}, Key: key, Password: password,
			Profile: o.platform,
		}})
		return nil
	}
	const domain = ".devices.corp.test"
	for i := range o.count {
		key := []string{"rsa2048", "p256"}[i%2]
		if err := add(fmt.Sprintf("device-%02d", i+1), "Device", key, domain, wsproto.Issued); err != nil {
			return nil, err
		}
	}
	if err := add("held", "DeviceHeld", "p256", domain, wsproto.Issued); err != nil {
		return nil, err
	}
	if err := add("denied", "DeviceDenied", "p256", domain, wsproto.Denied); err != nil {
		return nil, err
	}
	// The connector's own policy does not serve this domain, whatever the tenant orders. No other connector takes the
	// order either, so it expires.
	if err := add("refused", "Device", "p256", ".elsewhere.test", wsproto.Expired); err != nil {
		return nil, err
	}
	orders[len(orders)-1].life = 3 * time.Second
	return orders, nil
}

// work hands every order to the gateway, as the tenant's service does, and waits for the outcomes.
func (l *lab) work(ctx context.Context, orders []order, say func(string, ...any)) []result {
	results := make([]result, len(orders))
	var waiting sync.WaitGroup
	for i, o := range orders {
		waiting.Go(func() {
			r, begin := result{order: o}, time.Now()
			id, err := l.gateway.Order(ctx, tenant, o.order, &gateway.OrderOptions{Life: o.life})
			if err == nil {
				r.outcome, err = l.gateway.Wait(ctx, tenant, id)
			}
			r.total = time.Since(begin)
			if err == nil {
				r.outcome.TimingsMS = l.addHeld(id, r.outcome.TimingsMS)
			}
			if r.err = err; err == nil && r.outcome.Kind != o.want {
				r.err = fmt.Errorf("ended as %s, not as %s: %s %s", r.outcome.Kind, o.want, r.outcome.Reason, r.outcome.Message)
			}
			if err == nil {
				say("%-10s %s", o.name, strings.TrimSpace(fmt.Sprintf("%s %s", r.outcome.Kind, r.outcome.Reason)))
			}
			results[i] = r
		})
	}
	waiting.Wait()
	return results
}

// addHeld adds the time that a job took until the CA held it: an outcome has the times of its own attempt.
func (l *lab) addHeld(job string, timings map[string]int64) map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := make(map[string]int64)
	for _, times := range []map[string]int64{l.held[job], timings} {
		for stage, ms := range times {
			sum[stage] += ms
		}
	}
	return sum
}
