// Command connector is the connector's half as a process of its own: it takes jobs from a gateway, and has the CAs of its
// network sign the requests.
//
//	connector -config connector.json          run until SIGTERM; SIGHUP reads passwords and roots of the CAs again
//	connector -config connector.json show     print what others pin: fingerprints and public keys
//	connector -config connector.json check    read everything, and say what is wrong
//
// Exit status: 0 after SIGTERM, 1 for an error, 2 for wrong use, 3 if a person has to act before it is started again (the
// enrollment code is used up, the registration was revoked, another connector runs with the same key), 4 if jobs had to be
// cut. A second SIGTERM ends it at once, with status 4. The flag -h explains every key of the configuration. connector.service is a systemd unit for it, connector.example.json an example of
// its configuration. ../processes has one with a gateway and a CA on the same machine.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
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
	if err := cli.Parse(flags, args, help, out); err != nil {
		return err
	}
	if command := flags.Arg(0); flags.NArg() > 1 || !slices.Contains([]string{"", "show", "check"}, command) {
		return cli.Usagef("%q is no command", strings.Join(flags.Args(), " "))
	}
	c, err := loadConfig(*path)
	if err != nil {
		return err
	}
	identity, err := connector.LoadOrCreateIdentity(c.State)
	if err != nil {
		return err
	}
	switch flags.Arg(0) {
	case "show":
		return show(identity, out)
	case "check":
		s, err := newService(c, identity, log)
		if err != nil {
			return err
		}
		check(c, identity, out)
		return s.issuer.Close()
	}
	return serve(ctx, c, identity, log)
}

// show prints what a sibling and a tenant know this connector by.
func show(identity *connector.Identity, out io.Writer) error {
	signing, err := wsproto.MarshalPublicKey(identity.Signer().Public())
	if err != nil {
		return err
	}
	decryption, err := wsproto.MarshalPublicKey(identity.Decryption().PublicKey())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "instance       %s\n", identity.Instance())
	fmt.Fprintf(out, "fingerprint    %s\n", wsproto.FingerprintSPKI(signing))
	fmt.Fprintf(out, "identityKey    %s\n", base64.StdEncoding.EncodeToString(signing))
	fmt.Fprintf(out, "decryptionKey  %s\n", base64.StdEncoding.EncodeToString(decryption))
	if r := identity.Registration(); r != nil {
		fmt.Fprintf(out, "tenantKey      %s\n", r.TenantKey)
		fmt.Fprintf(out, "registered as  %s\n", r.Connector)
	}
	return nil
}
