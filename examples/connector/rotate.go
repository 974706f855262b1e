package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/adcskit/adcskit/wsproto/connector"
)

// rotate makes new keys, where to says, and has the old ones sign them. The old ones are opened where the configuration
// says. The gateway is told when the connector connects next.
func rotate(ctx context.Context, c *config, to string, out io.Writer) (err error) {
	kind, err := connector.IdentityKind(c.State)
	if err != nil {
		return err
	}
	if kind == "" {
		return fmt.Errorf("%s holds no identity yet, so that there is nothing to rotate", c.State)
	}
	old, at := new(keys), c.TPM
	if kind != connector.KindSoftware {
		if at == tpmNone {
			at = tpmAuto
		}
		if old.tpm, _, err = c.openTPM(at, false); err != nil {
			return fmt.Errorf("the keys in %s: %w", c.State, err)
		}
	}
	defer func() { err = errors.Join(err, old.close()) }()
	if err := old.open(c.State); err != nil {
		return err
	}
	next := &keys{why: "no TPM is to be used (none)"}
	switch {
	case to == tpmNone:
	case old.tpm != nil && (to == tpmAuto || to == at):
		next.tpm = old.tpm // some can be opened only once
	default:
		if next.tpm, next.why, err = c.openTPM(to, true); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, next.close()) }()
	}
	if err := old.identity.Rotate(c.Gateway.Tenant, next.store()); err != nil {
		return err
	}
	fmt.Fprintln(out, "new keys; the gateway is told when the connector connects with them; siblings, and recipients of "+
		"sealed bundles, have to be told by you:")
	next.identity = old.identity
	if err := next.attest(); err != nil {
		return err
	}
	return show(ctx, next, out)
}
