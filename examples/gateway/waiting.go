package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// waiting says why nobody has taken a job yet, as far as is known; "" if somebody has.
func waiting(ctx context.Context, g *gateway.Gateway, tenant string, job *gateway.JobInfo) (string, error) {
	if job.State != gateway.JobQueued || job.Outcome != nil {
		return "", nil
	}
	all, err := g.Connectors(ctx, tenant)
	if err != nil {
		return "", err
	}
	serving, hints := look(all, job.CA)
	switch {
	case serving == 0:
		return strings.Join(append([]string{"no connected connector has this CA assigned"}, hints...), "; "), nil
	case job.LastRefusal != nil:
		return "refused; a connector that refused is asked again later", nil
	}
	return "no connector has room, or it was asked just now", nil
}

// look counts the connectors that could take a job for the CA, and says what is in the way of others.
func look(all []gateway.ConnectorInfo, ca wsproto.CAAssignment) (serving int, hints []string) {
	for _, c := range all {
		assigned := slices.Contains(c.CAs, ca)
		switch {
		case c.State == wsproto.StateRevoked:
		case assigned && c.Connected && c.State == wsproto.StateActive:
			serving++
		case c.Connected && c.State == wsproto.StatePending:
			hints = append(hints, fmt.Sprintf("connector %s waits to be approved", c.ID))
		case assigned && !c.Connected:
			hints = append(hints, fmt.Sprintf("connector %s has it and is not connected", c.ID))
		case c.Connected:
			hints = append(hints, fmt.Sprintf("connector %s has %s", c.ID, listCAs(c.CAs)))
		}
	}
	return serving, hints
}

// listCAs writes CAs as the command line takes them.
func listCAs(cas []wsproto.CAAssignment) string {
	if len(cas) == 0 {
		return "no CA"
	}
	names := make([]string, len(cas))
	for i, ca := range cas {
		names[i] = fmt.Sprintf(`'%s\%s'`, ca.Host, ca.Name)
	}
	return strings.Join(names, ", ")
}
