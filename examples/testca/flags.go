package main

import (
	"flag"
	"fmt"
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

The line that begins with "ready" tells addresses and files. On standard input it takes:
  list                     the requests that the CA has
  approve ID, deny ID      the manager's decision on one that is held
  pause, resume            the CA works on, but its answers wait; "waiting N" tells how many do
  lose                     the connection is cut in place of the next answer
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
