// Command unseal is the recipient's side of sealed delivery: it makes the key that bundles are sealed for, and opens
// them. It is also the side of whoever may say for whom: it makes ordering keys, and signs recipients in orders.
//
//	unseal -h                                      every command and flag
//	unseal key laptop-17.key laptop-17             make a recipient's key; print what orders and policies take
//	unseal orderkey ordering.key                   make an ordering key; print what policies take
//	unseal sign ordering.key acme order.json       print the order with its recipient signed
//	unseal show laptop-17.sealed.json              what can be read of a bundle without its key
//	unseal -signer FINGERPRINT open laptop-17.key laptop-17.sealed.json laptop-17
//	                                               write laptop-17.p12 and laptop-17.password
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12/sealed"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "unseal:", err)
	}
	os.Exit(cli.ExitStatus(err))
}

// run is main without the process: arguments in, text out.
func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("unseal", flag.ContinueOnError)
	curve := flags.String("curve", "P-256", "of a new recipient's key: `P-256 or X25519`")
	var want sealed.Expect
	flags.Func("signer", "`connector` that may have made the bundle: its fingerprint, public key in base64, or PEM file of that; "+
		"may be repeated", func(text string) error {
		id, err := signer(text)
		want.Signers = append(want.Signers, id)
		return err
	})
	flags.StringVar(&want.Tenant, "tenant", "", "`name` of the tenant that the bundle must be of; any if left out")
	flags.StringVar(&want.Job, "job", "", "`id` of the job that the bundle must be of; any if left out")
	flags.StringVar(&want.Recipient, "recipient", "", "`id` of the recipient that the bundle must be for; any if left out")
	if err := cli.Parse(flags, args, help, out); err != nil {
		return err
	}
	command, rest := flags.Arg(0), flags.Args()
	if len(rest) > 0 {
		rest = rest[1:]
	}
	switch {
	case command == "key" && len(rest) == 2:
		return newRecipient(rest[0], rest[1], *curve, out)
	case command == "public" && len(rest) == 2:
		return showRecipient(rest[0], rest[1], out)
	case command == "orderkey" && len(rest) == 1:
		return newOrderingKey(rest[0], out)
	case command == "sign" && len(rest) == 3:
		return sign(rest[0], rest[1], rest[2], out)
	case command == "show" && len(rest) == 1:
		return show(rest[0], out)
	case command == "open" && len(rest) == 3:
		return open(rest[0], rest[1], rest[2], want, out)
	}
	return cli.Usagef("no command, or the arguments do not fit")
}
