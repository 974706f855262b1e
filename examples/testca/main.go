// Testca is an AD CS in a process: an endpoint mapper and a certification authority that speak DCE/RPC and DCOM, for
// trying out clients without Windows. It keeps nothing: keys and requests are gone when it ends.
//
//	testca -epm-port 11135     (without the flag: 135 where it may, else a free one)
//	enroll -host 127.0.0.1 -epm 127.0.0.1:11135 -ca "Test CA" -template Device -subject CN=device -auth ntlm …
//
// Users log on with NTLM or Kerberos, for which no KDC is needed: -ccache writes a ticket as one would give it out.
//
// Templates, users, directory and the like come from a JSON file: -config; example.json shows one, and -h explains
// every key. When testca is ready it prints one line that begins with "ready" and goes on with NAME=VALUE, quoted where
// there are blanks. What is held for the manager is decided on standard input: "list", "approve ID", "deny ID";
// certificates are revoked there, CRLs published and the CA renewed: "revoke ID", "publish FILE", "renew". To try out
// what clients do when things go wrong: after "pause" the CA works, but its answers wait until "resume" (for each it
// prints how many do: "waiting 2"), and "lose" cuts the connection in place of the next answer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/pkcs12"
)

func main() {
	f, err := parseFlags(os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err == nil {
		err = run(ctx, f, os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testca:", err)
		os.Exit(cli.ExitStatus(err))
	}
}

// run serves until ctx ends.
func run(ctx context.Context, f flags, in io.Reader, out io.Writer) error {
	opts, err := options(f)
	if err != nil {
		return err
	}
	c := &console{out: out, caFile: f.caFile}
	opts.Fault = c.fault
	ca, err := start(opts, f)
	if err != nil {
		return err
	}
	defer ca.Close()
	if err := writeRoots(ca, f.caFile); err != nil {
		return err
	}
	if err := writeKerberos(ca, f); err != nil {
		return err
	}
	c.ca = ca
	c.say(readyLine(ca, f))
	go c.serve(in) // ends with its input or with the process: nothing interrupts a read
	<-ctx.Done()
	return nil
}

// readyLine tells a person or a script all that a client needs.
func readyLine(ca *adcstest.Server, f flags) string {
	line := "ready"
	words := [][2]string{
		{"host", ca.Host()}, {"name", ca.Name()}, {"epm", ca.EndpointMapper()}, {"ca", ca.Addr()},
		{"objects", ca.ObjectAddr()},
		{"user", ca.User().Account()}, {"password-file", absolute(f.passwordFile)}, {"roots", absolute(f.caFile)},
	}
	if f.ccache != "" {
		words = append(words, [2]string{"ccache", absolute(f.ccache)})
	}
	if f.krb5Conf != "" {
		words = append(words, [2]string{"krb5-conf", absolute(f.krb5Conf)})
	}
	for _, p := range words {
		if strings.ContainsAny(p[1], " \"\t") {
			p[1] = strconv.Quote(p[1])
		}
		line += " " + p[0] + "=" + p[1]
	}
	return line
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// password reads the account's password, or makes one.
func password(file string) (string, error) {
	p, err := cli.Password(file, "")
	if !errors.Is(err, os.ErrNotExist) {
		return p, err
	}
	if p, err = pkcs12.NewPassword(); err != nil {
		return "", err
	}
	return p, cli.WritePrivate(file, []byte(p+"\n"))
}
