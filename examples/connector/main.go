// Command connector is the connector's half as a process of its own: it takes jobs from a gateway, and has the CAs of its
// network sign the requests.
//
//	connector -config connector.json          run until SIGTERM; SIGHUP reads passwords and roots of the CAs again
//	connector -config connector.json show     print what others pin: fingerprints and public keys
//	connector -config connector.json check    read everything, and say what is wrong
//	connector -config connector.json rotate   make new keys, signed by those that there are
//
// Its keys are in the TPM of the machine if there is one, else in files; -tpm says otherwise. To try it without a TPM
// (swtpm is the Debian package of that name; it serves one program at a time):
//
//	mkdir tpm
//	swtpm socket --tpm2 --tpmstate dir=tpm --server type=unixio,path=tpm.sock --flags not-need-init,startup-clear
//	connector -config connector.json -tpm unix:tpm.sock
//
// Exit status: 0 after SIGTERM, 1 for an error, 2 for wrong use, 3 if a person has to act before it is started again (the
// enrollment code is used up, the registration was revoked, another connector runs with the same key), 4 if jobs had to be
// cut. A second SIGTERM ends it at once, with status 4. The flag -h explains every key of
// the configuration. connector.service is a systemd unit for it, connector.example.json an example of its configuration.
// ../processes has one with a gateway and a CA on the same machine.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto/connector"
)

func main() {
	ctx, stop := cli.UntilSignal(statusCut)
	err := run(ctx, os.Args[1:], os.Stdout, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) && !errors.Is(err, connector.ErrStopped) { // which is logged
		fmt.Fprintln(os.Stderr, "connector:", strings.TrimPrefix(err.Error(), "connector: "))
	}
	os.Exit(exitStatus(err))
}

// statusCut is the exit status when jobs were cut.
const statusCut = 4

func exitStatus(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, connector.ErrStopped):
		return 3
	case errors.Is(err, connector.ErrJobsCut):
		return statusCut
	}
	return cli.ExitStatus(err)
}

// run is main without the process: arguments in, text out.
func run(ctx context.Context, args []string, out io.Writer, log *slog.Logger) error {
	flags := flag.NewFlagSet("connector", flag.ContinueOnError)
	path := flags.String("config", "connector.json", "configuration `file`")
	device := flags.String("tpm", "", "where keys are made: auto, none, or the `path` of a TPM")
	if err := cli.Parse(flags, args, help, out); err != nil {
		return err
	}
	if command := flags.Arg(0); flags.NArg() > 1 || !slices.Contains([]string{"", "show", "check", "rotate"}, command) {
		return cli.Usagef("%q is no command", strings.Join(flags.Args(), " "))
	}
	if err := (pkcs12.Options{}).Check(); err != nil {
		return err // before there are keys of a connector that could deliver nothing
	}
	c, err := loadConfig(*path)
	if err != nil {
		return err
	}
	if c.TPM = cmp.Or(c.TPM, tpmAuto); flags.Arg(0) == "rotate" {
		return rotate(ctx, c, cmp.Or(*device, c.TPM), out)
	}
	c.TPM = cmp.Or(*device, c.TPM)
	k, err := openKeys(c)
	if err != nil {
		return err
	}
	return errors.Join(command(ctx, flags.Arg(0), c, k, out, log), k.close())
}

// command does what is done with an identity.
func command(ctx context.Context, name string, c *config, k *keys, out io.Writer, log *slog.Logger) error {
	switch name {
	case "show":
		return show(ctx, k, out)
	case "check":
		s, err := newService(c, k, log)
		if err != nil {
			return err
		}
		err = k.try()
		if err == nil {
			check(c, k, out)
		}
		return errors.Join(err, s.issuer.Close())
	}
	return serve(ctx, c, k, log)
}
