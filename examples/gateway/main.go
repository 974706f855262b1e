// Command gateway is the tenant's half as a process of its own: it accepts connectors over TLS, keeps jobs in memory, and
// is operated through a socket that only its user can open.
//
//	gateway -h                                          every command, every key of the configuration
//	gateway -config gateway.json init                   make what is missing: tenant keys, a self-signed certificate
//	gateway -config gateway.json serve                  until SIGTERM, which lets jobs in flight end; a second one does not
//	gateway -config gateway.json code acme 'ca.corp.example\Corp Issuing CA'      an enrollment code, for 15 minutes
//	gateway -config gateway.json connectors acme
//	gateway -config gateway.json approve|reject|revoke|delete|reattest|drain acme CONNECTOR
//	gateway -config gateway.json replace acme OLD NEW          another connector has the place of one that is lost
//	gateway -config gateway.json assign acme CONNECTOR 'ca.corp.example\Corp Issuing CA'
//	gateway -config gateway.json order acme order.json NAME    order, wait, write NAME.p12 (and NAME.password if new),
//	                                                           or NAME.sealed.json if the order names a recipient
//	gateway -config gateway.json fetch acme JOB NAME           wait for an order that was placed, write NAME.p12
//	gateway -config gateway.json jobs acme open                or ended, or all if left out: a line for each
//	gateway -config gateway.json job acme JOB                  and: cancel acme JOB
//
// All but init and serve speak to the running gateway. Nothing survives its end but the files that init made: after a
// restart connectors come back by themselves and wait to be approved and assigned their CAs again, and orders have to be
// placed again.
//
// The same is open to any program, as JSON over HTTP at the socket:
//
//	curl --unix-socket admin.sock http://gateway/tenants/acme/connectors
//	POST /tenants/acme/codes                          {"cas": [{"host": …, "name": …}]}; answers {"code", "expires"}
//	POST /tenants/acme/connectors/ID/approve          or reject, revoke, delete, reattest, drain
//	POST /tenants/acme/connectors/OLD/replace/NEW
//	PUT  /tenants/acme/connectors/ID/cas              [{"host": …, "name": …}]
//	POST /tenants/acme/jobs?id=UUID&life=1h           an order, as PROTOCOL.md has it; answers {"job"}; both are optional
//	GET  /tenants/acme/jobs?select=open               or ended; {"jobs": [{"job", "state", …}], "next"}, 100 in a page, newest
//	                                                  first; before=NEXT is the next page
//	GET  /tenants/acme/jobs/ID?wait=30s               {"job", "state", "outcome", …}; waits until it is done, at most a minute
//	POST /tenants/acme/jobs/ID/cancel
//
// Errors are {"error": …} with status 400, 404, 409 or 500.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
)

func main() {
	ctx, stop := cli.UntilSignal(1)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gateway:", strings.TrimPrefix(err.Error(), "gateway: "))
	}
	os.Exit(cli.ExitStatus(err))
}

// run is main without the process: arguments in, text out.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	path := flags.String("config", "gateway.json", "configuration `file`")
	if err := cli.Parse(flags, args, help, out); err != nil {
		return err
	}
	c, err := loadConfig(*path)
	if err != nil {
		return err
	}
	command, rest := flags.Arg(0), flags.Args()
	if len(rest) > 0 {
		rest = rest[1:]
	}
	switch {
	case command == "init" && len(rest) == 0:
		return initialize(c, out)
	case command == "serve" && len(rest) == 0:
		return serve(ctx, c, out)
	case len(rest) > 0:
		return newClient(c, rest[0], out).command(ctx, command, rest[1:])
	}
	return cli.Usagef("no command, or the arguments do not fit")
}
