package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
)

// client speaks to the administration of the running gateway.
type client struct {
	http   *http.Client
	tenant string
	base   string
	out    io.Writer
}

func newClient(c *config, tenant string, out io.Writer) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", c.Admin)
	}
	return &client{
		http:   &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
		tenant: tenant, base: "http://gateway/tenants/" + url.PathEscape(tenant), out: out,
	}
}

// command runs one command with the arguments behind the tenant.
func (c *client) command(ctx context.Context, name string, args []string) error {
	switch {
	case name == "code":
		cas, err := parseCAs(args)
		if err != nil {
			return err
		}
		if len(cas) == 0 {
			return cli.Usagef(`code: name the CAs that the connector is to serve ('HOST\NAME'): without one it would get no jobs`)
		}
		var code codeAnswer
		if err := c.do(ctx, "POST", "/codes", codeRequest{CAs: cas}, &code); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.out, code.Code)
		return err
	case name == "connectors" && len(args) == 0:
		return c.show(ctx, "/connectors", new([]connectorAnswer))
	case name == "jobs" && len(args) <= 1 && slices.Contains(jobSelections(), strings.Join(args, "")):
		return c.jobs(ctx, strings.Join(args, ""))
	case name == "job" && len(args) == 1:
		return c.show(ctx, "/jobs/"+url.PathEscape(args[0]), new(jobAnswer))
	case name == "cancel" && len(args) == 1:
		return c.do(ctx, "POST", "/jobs/"+url.PathEscape(args[0])+"/cancel", nil, nil)
	case name == "assign" && len(args) > 0:
		cas, err := parseCAs(args[1:])
		if err != nil {
			return err
		}
		return c.do(ctx, "PUT", "/connectors/"+url.PathEscape(args[0])+"/cas", cas, nil)
	case name == "approve" && len(args) == 1:
		return c.approve(ctx, args[0])
	case strings.Contains(" reject revoke delete reattest drain ", " "+name+" ") && len(args) == 1:
		return c.do(ctx, "POST", "/connectors/"+url.PathEscape(args[0])+"/"+name, nil, nil)
	case name == "replace" && len(args) == 2:
		return c.do(ctx, "POST", "/connectors/"+url.PathEscape(args[0])+"/replace/"+url.PathEscape(args[1]), nil, nil)
	case name == "order" && len(args) == 2:
		return c.order(ctx, args[0], args[1])
	case name == "fetch" && len(args) == 2:
		return c.fetch(ctx, args[0], args[1])
	}
	return cli.Usagef("no command %q, or its arguments do not fit", name)
}

// approve approves a connector, and says so if it gets no jobs yet.
func (c *client) approve(ctx context.Context, id string) error {
	if err := c.do(ctx, "POST", "/connectors/"+url.PathEscape(id)+"/approve", nil, nil); err != nil {
		return err
	}
	var all []connectorAnswer
	if err := c.do(ctx, "GET", "/connectors", nil, &all); err != nil {
		return err
	}
	for _, connector := range all {
		if connector.ID == id && len(connector.CAs) == 0 {
			fmt.Fprintf(c.out, "approved; it gets no jobs before: gateway assign %s %s 'HOST\\NAME'\n", c.tenant, id)
		}
	}
	return nil
}

// parseCAs reads CAs as Windows writes them: host\name.
func parseCAs(args []string) ([]wsproto.CAAssignment, error) {
	cas := []wsproto.CAAssignment{}
	for _, arg := range args {
		host, name, ok := strings.Cut(arg, `\`)
		if !ok || host == "" || name == "" {
			return nil, cli.Usagef(`%q is no CA: a CA is 'HOST\NAME'`, arg)
		}
		cas = append(cas, wsproto.CAAssignment{Host: host, Name: name})
	}
	return cas, nil
}
