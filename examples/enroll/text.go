package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// print writes the report: results to out, complaints to complaints, or one JSON object to out.
func (r *report) print(out, complaints io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	var b strings.Builder
	if r.P12 != "" {
		r.writeResult(&b)
	}
	_, err := io.WriteString(out, b.String())
	b.Reset()
	if r.Error != "" {
		r.writeError(&b)
		fmt.Fprint(complaints, b.String()) // nobody is left who could be told that this fails
	}
	return err
}

func (r *report) writeResult(b *strings.Builder) {
	fmt.Fprintf(b, "issued: request %d of %q\n", r.RequestID, r.CA)
	fmt.Fprintf(b, "  subject  %q\n  issuer   %q\n  serial   %s\n", r.Subject, r.Issuer, r.Serial)
	fmt.Fprintf(b, "  valid    %s to %s\n", r.NotBefore.Format(time.DateTime), r.NotAfter.Format(time.DateTime))
	fmt.Fprintf(b, "  chain    %s\n  file     %s\n", r.chain(), r.P12)
	if r.P12PasswordFile != "" {
		fmt.Fprintf(b, "  password in %s\n", r.P12PasswordFile)
	}
	if r.Configuration != "" {
		fmt.Fprintf(b, "  profile  %s: give the device this one, in which the .p12 and the CAs are; it asks for the password\n", r.Configuration)
	}
	switch {
	case r.RemovedKeyFile != "":
		fmt.Fprintf(b, "  key file %s is removed: the key is in %s\n", r.RemovedKeyFile, r.P12)
	case r.Error == "":
		fmt.Fprintf(b, "  key file %s stays: enroll did not write it, or somebody has changed it since; it holds the key "+
			"in clear\n", r.KeyFile)
	}
}

func (r *report) chain() string {
	if r.ChainVerified {
		return "verified up to a root of -roots"
	}
	return "NOT checked against anything trusted: give -roots FILE"
}

// writeError says what went wrong, where and for whom, and what to do. What the error says already is not said again.
func (r *report) writeError(b *strings.Builder) {
	text := strings.TrimPrefix(r.Error, "adcs: ")
	if r.ExitStatus == exitUsage {
		fmt.Fprintf(b, "enroll: %s\n  enroll -h explains the flags\n", text)
		return
	}
	fmt.Fprintf(b, "enroll: %s at %s (%q): %s\n", r.who, r.Host, r.CA, text)
	if r.Serial != "" {
		fmt.Fprintf(b, "  request %d, serial %s\n", r.RequestID, r.Serial)
	} else if r.ExitStatus == exitHeld {
		fmt.Fprintf(b, "  request %d\n", r.RequestID)
	}
	if _, summary, found := strings.Cut(r.Summary, ": "); !found || !strings.Contains(r.Error, strings.TrimSuffix(summary, ".")) {
		line(b, r.Summary)
	}
	line(b, r.Remedy)
	if r.KeyFile != "" {
		fmt.Fprintf(b, "  the key is in %s\n", r.KeyFile)
	}
	for _, next := range r.Next {
		fmt.Fprintf(b, "  %s:\n    %s\n", next.When, next.Command)
	}
}

func line(b *strings.Builder, text string) {
	if text != "" {
		fmt.Fprintf(b, "  %s\n", text)
	}
}
