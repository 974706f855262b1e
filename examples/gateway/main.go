// Command gateway is the tenant's half as a process of its own: it accepts connectors over TLS, keeps jobs in memory, and
// is operated through a socket that only its user can open.
//
//	gateway -config gateway.json init                   make what is missing: tenant keys, a self-signed certificate
//	gateway -config gateway.json serve
//	gateway -config gateway.json code acme 'ca.corp.example\Corp Issuing CA'      an enrollment code, for 15 minutes
//	gateway -config gateway.json connectors acme
//	gateway -config gateway.json approve|reject|revoke|drain acme CONNECTOR
//	gateway -config gateway.json assign acme CONNECTOR 'ca.corp.example\Corp Issuing CA'
//	gateway -config gateway.json order acme order.json NAME    order, wait, write NAME.p12 (and NAME.password if new)
//	gateway -config gateway.json job acme JOB                  and: cancel acme JOB
//
// All but init and serve speak to the running gateway. The same is open to any program: curl --unix-socket admin.sock
// http://gateway/tenants/acme/connectors.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// run is main without the process: arguments in, text out.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	path := flags.String("config", "gateway.json", "configuration `file`")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: gateway -config FILE init|serve|code|connectors|approve|reject|revoke|drain|assign|"+
			"order|job|cancel ...")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
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
	flags.Usage()
	return errors.New("no command, or the arguments do not fit")
}
