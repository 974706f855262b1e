package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/examples/internal/cli"
)

// step is a command that may come next.
type step struct {
	When    string `json:"when"`
	Command string `json:"command"`
}

// advise says what can be done next about a request that the CA has, or may have.
func (r *report) advise(err error) {
	then := func(when, command string) { r.Next = append(r.Next, step{when, command}) }
	switch {
	case r.ExitStatus == exitHeld:
		then("when the manager has decided", r.retrieve(""))
	case r.ExitStatus == exitUnknown:
		then("if the CA's database shows the request, with its id for ID", r.retrieve(""))
	case r.ExitStatus == exitFailed && r.RequestID != 0 && r.KeyFile != "" && r.P12 == "":
		then("when that is mended", r.retrieve(""))
	case r.ExitStatus == exitRejected:
		then("to revoke the certificate, on the CA", fmt.Sprintf(`certutil -config "%s\%s" -revoke %s`, r.Host, r.CA, r.Serial))
		switch {
		case r.fromDirectory:
			then("to take what the template has made of it", r.retrieve(" -from-directory"))
		case errors.Is(err, adcs.MismatchChain):
			then("if the CA is trusted, when -roots is mended", r.retrieve(""))
		case errors.Is(err, adcs.MismatchValidity):
			then("when the clocks agree", r.retrieve(""))
		}
	}
}

// retrieve is the command that fetches the certificate.
func (r *report) retrieve(more string) string {
	id := "ID"
	if r.RequestID != 0 {
		id = fmt.Sprint(r.RequestID)
	}
	return fmt.Sprintf("enroll -retrieve %s -key-file %s%s%s", id, cli.Quoted(r.KeyFile), r.again, more)
}

// again is what a later call for the same request has to repeat of the flags of this one.
func again(s *flag.FlagSet) string {
	var b strings.Builder
	s.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "host", "epm", "ca", "template", "user", "password-file", "keytab", "ccache", "krb5-conf", "kdc", "spn", "auth", "transport",
			"roots", "out", "p12-password-file", "profile", "platform", "friendly-name", "timeout":
			fmt.Fprintf(&b, " -%s %s", f.Name, cli.Quoted(f.Value.String()))
		case "force", "from-directory", "allow-ntlm", "current-account":
			if f.Value.String() == "true" {
				fmt.Fprintf(&b, " -%s", f.Name)
			}
		}
	})
	return b.String()
}
