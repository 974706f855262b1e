package main

import (
	"fmt"
	"strings"

	"github.com/adcskit/adcskit/wsproto/connector"
)

// delivery says how bundles may be delivered.
func delivery(p *connector.Policy) string {
	var ways []string
	if p.Passwords {
		ways = append(ways, "under a password of the tenant's")
	}
	if n := len(p.Recipients); n > 0 {
		ways = append(ways, fmt.Sprintf("sealed for %d recipients", n))
	}
	if n := len(p.OrderingKeys); n > 0 {
		ways = append(ways, fmt.Sprintf("sealed for whom %d ordering keys sign", n))
	}
	if ways == nil {
		return "none"
	}
	return strings.Join(ways, ", ")
}

// deliveryWarnings are what of the delivery may be meant, and most likely is not.
func deliveryWarnings(p *connector.Policy) []string {
	sealing := len(p.Recipients)+len(p.OrderingKeys) > 0
	switch {
	case !p.Passwords && !sealing:
		return []string{"policy.passwords is false, and policy names neither recipients nor orderingKeys: every order is refused"}
	case p.Passwords && sealing:
		return []string{"policy.passwords is true: what is ordered by password can be read by whoever runs the gateway, " +
			"recipients or not"}
	}
	return nil
}
