package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// waiting says why nobody has a job, as far as is known; "" if somebody has, or if it is only held by the CA.
func waiting(ctx context.Context, g *gateway.Gateway, tenant string, job *gateway.JobInfo) (string, error) {
	if job.State != gateway.JobQueued {
		return "", nil
	}
	all, err := g.Connectors(ctx, tenant)
	if err != nil {
		return "", err
	}
	return why(all, job), nil
}

func why(all []gateway.ConnectorInfo, job *gateway.JobInfo) string {
	serving, hints := look(all, job.CA)
	last := holder(all, job.Connector)
	away := last != nil && !last.Connected
	switch held := job.Outcome != nil; {
	case serving == 0:
		return strings.Join(append([]string{"no connected connector has this CA assigned"}, hints...), "; ")
	case held && away: // its checkpoint is for the one that had it, and for siblings
		return fmt.Sprintf("connector %s, which had it, is not connected; else only a sibling that it had can go on", last.ID)
	case held:
		return ""
	case job.LastRefusal != nil:
		return "refused; a connector that refused is asked again later"
	}
	return "no connector has room, or it was asked just now"
}

// holder is the connector with this id, or with the keys that have replaced its keys; nil if there is none any more.
func holder(all []gateway.ConnectorInfo, id string) (last *gateway.ConnectorInfo) {
	for range all { // no more rotations than connectors
		at := slices.IndexFunc(all, func(c gateway.ConnectorInfo) bool { return c.ID == id })
		if at < 0 {
			return nil
		}
		if last = &all[at]; last.Successor == "" {
			break
		}
		id = last.Successor
	}
	return last
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
