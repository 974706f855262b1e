// Quickstart runs the whole path in one process, on loopback: a CA (adcstest), a gateway, and a connector that enrolls,
// takes orders over a WebSocket and delivers .p12 files that the CA signed over DCE/RPC. It needs no network, no root and
// no flags. Exit status 0 means that every order ended as it should.
//
// With -platform the files are made for one, such as ios-17.4 or windows-11, and the next step is printed: how they get onto
// it. For Apple's there is NAME.mobileconfig too, a configuration profile with the .p12 and the CAs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/pkcs12"
)

type options struct {
	count    int
	key      string
	out      string
	parallel int
	platform string

	profile pkcs12.Profile // of the platform
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stdout)
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
	}
	os.Exit(cli.ExitStatus(err))
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.IntVar(&o.count, "n", 4, "how many certificates to order, besides one that is held, one denied and one refused")
	flags.StringVar(&o.key, "key", "", "key algorithm, such as rsa2048 or p256; empty takes turns between these two")
	flags.StringVar(&o.out, "out", "quickstart-out", "`folder` for the .p12 files, their passwords and the CA's certificates; "+
		"what an earlier run wrote there is removed")
	flags.IntVar(&o.parallel, "parallel", 4, "how many orders the connector works on at once")
	flags.StringVar(&o.platform, "platform", "", "what the files are for, with a version (ios-17.4, windows-11) or without; Apple's "+
		"get NAME.mobileconfig too:\n"+strings.Join(pkcs12.Platforms(), ", "))
	if err := cli.Parse(flags, args, help, out); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, cli.Usagef("unexpected argument %q", flags.Arg(0))
	}
	if err := o.check(); err != nil {
		return o, &cli.UsageError{Problem: err.Error()}
	}
	return o, nil
}

func (o *options) check() error {
	if o.count < 0 || o.count > 10_000 {
		return fmt.Errorf("-n %d is not in 0 to 10000", o.count)
	}
	if o.parallel < 1 || o.parallel > 64 {
		return fmt.Errorf("-parallel %d is not in 1 to 64", o.parallel)
	}
	var err error
	if o.profile, err = parsePlatform(o.platform); err != nil {
		return fmt.Errorf("-platform: %w", err)
	}
	if o.key != "" {
		_, err := keygen.ParseAlgorithm(o.key)
		return err
	}
	return nil
}

// progress returns a function that prints lines with the time since now. It is safe for concurrent use.
func progress(w io.Writer) func(format string, args ...any) {
	started := time.Now()
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%6.2f s  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
	}
}

func run(ctx context.Context, o options, w io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := prepareFolder(o.out); err != nil {
		return err
	}
	say := progress(w)
	l, err := startLab(ctx, &o, say)
	if err != nil {
		return err
	}
	defer l.close()
	orders, err := makeOrders(&o, l.ca)
	if err != nil {
		return err
	}
	results := l.work(ctx, orders, say)
	l.close()
	if ctx.Err() != nil {
		return errors.New("interrupted; nothing was written")
	}
	if err := writeCA(o.out, l.ca.Chain()); err != nil {
		return err
	}
	wrong := 0
	for i := range results {
		r := &results[i]
		if r.err == nil && r.outcome.Kind == "issued" {
			r.err = r.deliver(o.out, o.profile, l.ca.Chain())
		}
		if r.err != nil {
			wrong++
		}
	}
	printTable(w, results)
	if wrong > 0 {
		return fmt.Errorf("%d of %d orders did not end as they should", wrong, len(results))
	}
	platform, _ := o.profile.Platform()
	explain(w, platform, o.out)
	return l.err()
}
