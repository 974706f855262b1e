// Testca is an AD CS in a process: an endpoint mapper and a certification authority that speak DCE/RPC, for trying out
// clients without Windows. It keeps nothing: keys and requests are gone when it ends.
//
//	testca -epm-port 11135     (without the flag: 135 where it may, else a free one)
//	enroll -host 127.0.0.1 -epm 127.0.0.1:11135 -ca "Test CA" -template Device -subject CN=device -auth ntlm …
//
// Templates, users, directory and the like come from a JSON file: -config; example.json shows one. When testca is ready
// it prints one line that begins with "ready" and goes on with NAME=VALUE, quoted where there are blanks. What is held
// for the manager is decided on standard input: "list", "approve ID", "deny ID".
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

type flags struct {
	epmPort, port            int
	epmPortGiven             bool
	host, name, user, listen string
	passwordFile, caFile     string
	config                   string
}

const synopsis = `Testca is an AD CS in a process, for trying out clients. It runs until it is interrupted.

  testca -epm-port 11135
  enroll -host 127.0.0.1 -epm 127.0.0.1:11135 -ca "Test CA" -template Device -user 'CORP\enroller' \
      -password-file testca.password -auth ntlm -subject CN=device -roots testca.pem

The line that begins with "ready" tells addresses and files. On standard input it takes: list, approve ID, deny ID.
Exit status: 0 after an interrupt, 1 for an error.

Flags:
`

func parseFlags(args []string) (flags, error) {
	var f flags
	s := flag.NewFlagSet("testca", flag.ContinueOnError)
	s.IntVar(&f.epmPort, "epm-port", 135, "`port` of the endpoint mapper; 0 for a free one. Without this flag it is 135, "+
		"where clients look, or a free one where that is for root")
	s.IntVar(&f.port, "port", 0, "`port` of the CA; 0 for a free one, which clients learn from the endpoint mapper")
	s.StringVar(&f.listen, "listen", "127.0.0.1", "IP `address` to listen at")
	s.StringVar(&f.host, "host", "ca.corp.test", "DNS `name` that the CA has in certificates and in NTLM")
	s.StringVar(&f.name, "name", "Test CA", "common `name` of the CA")
	s.StringVar(&f.user, "user", `CORP\enroller`, "`account` that can log on, besides those of the configuration")
	s.StringVar(&f.passwordFile, "password-file", "testca.password",
		"`file` with the account's password; made, with a random one, if it is not there")
	s.StringVar(&f.caFile, "ca-file", "testca.pem", "`file` to write the root's certificate to, in PEM")
	s.StringVar(&f.config, "config", "", "JSON `file` with templates, users, directory and the like")
	s.Usage = func() {
		fmt.Fprint(s.Output(), synopsis)
		s.PrintDefaults()
	}
	if err := s.Parse(args); err != nil {
		return f, err
	}
	s.Visit(func(given *flag.Flag) { f.epmPortGiven = f.epmPortGiven || given.Name == "epm-port" })
	if s.NArg() > 0 {
		return f, fmt.Errorf("unknown argument %q", s.Arg(0))
	}
	return f, nil
}

func main() {
	f, err := parseFlags(os.Args[1:])
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
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, f flags, in io.Reader, out io.Writer) error {
	opts, err := options(f)
	if err != nil {
		return err
	}
	ca, err := start(opts, f)
	if err != nil {
		return err
	}
	defer ca.Close()
	chain := ca.Chain()
	if err := os.WriteFile(f.caFile, cli.EncodeCertificates(chain[len(chain)-1]), 0o644); err != nil {
		return err
	}
	fmt.Fprintln(out, readyLine(ca, f))
	go commands(ca, in, out) // ends with its input or with the process: nothing interrupts a read
	<-ctx.Done()
	return nil
}

// readyLine tells a person or a script all that a client needs.
func readyLine(ca *adcstest.Server, f flags) string {
	line := "ready"
	for _, p := range [][2]string{
		{"host", ca.Host()}, {"name", ca.Name()}, {"epm", ca.EndpointMapper()}, {"ca", ca.Addr()},
		{"user", ca.User().Account()}, {"password-file", absolute(f.passwordFile)}, {"roots", absolute(f.caFile)},
	} {
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
