package main

import (
	"fmt"
	"time"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// connectorConfig is what the configuration and the identity come to, but for the issuer and the log.
func (c *config) connectorConfig(k *keys) (*connector.Config, error) {
	rules, err := c.Policy.Compile()
	if err != nil {
		return nil, err
	}
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	identity := k.identity
	options.Attester, options.Rotation, options.Former = k.attester, identity.Rotation(), identity.Former()
	options.OnRegistered, options.OnAcknowledged = identity.Register, identity.Acknowledge
	to := &connector.Config{
		URL: c.Gateway.URL, Tenant: c.Gateway.Tenant,
		Identity: identity.Signer(), Decryption: identity.Decryption(), Instance: identity.Instance(),
		Policy: rules.Allow, Options: options,
	}
	return to, c.trust(to, identity.Registration())
}

// options are those of the connector, but for its callbacks.
func (c *config) options() (*connector.Options, error) {
	o := &connector.Options{
		Capacity: c.Capacity, Siblings: c.Policy.Siblings,
		Grace: time.Duration(c.GraceSeconds) * time.Second, PendingRetry: time.Duration(c.HeldSeconds) * time.Second,
	}
	if c.Gateway.Roots != "" {
		roots, err := cli.Certificates(c.Gateway.Roots)
		if err != nil {
			return nil, fmt.Errorf("gateway.roots: %w", err)
		}
		o.Roots = roots
	}
	for _, text := range c.Gateway.Pins {
		pin, err := wsproto.ParseFingerprint(text)
		if err != nil {
			return nil, fmt.Errorf("gateway.pins: %w", err)
		}
		o.Pins = append(o.Pins, pin)
	}
	return o, nil
}
