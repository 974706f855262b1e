package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// commands is the manager: it reads "list", "approve ID" and "deny ID" until its input ends.
func commands(ca *adcstest.Server, in io.Reader, out io.Writer) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			fmt.Fprintln(out, command(ca, line))
		}
	}
}

// command does one command and returns what to print.
func command(ca *adcstest.Server, line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	if verb == "list" {
		return list(ca.Requests())
	}
	decide := map[string]func(uint32) error{"approve": ca.Approve, "deny": ca.Deny}[verb]
	id, err := strconv.ParseUint(strings.TrimSpace(rest), 10, 32)
	if decide == nil || err != nil {
		return "usage: list | approve ID | deny ID"
	}
	if err := decide(uint32(id)); err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("done %s %d", verb, id)
}

// list prints one request a line, and their number at last.
func list(requests []adcstest.RequestInfo) string {
	var b strings.Builder
	for _, r := range requests {
		fmt.Fprintf(&b, "request %d disposition=%d requester=%s template=%q subject=%q serial=%s\n",
			r.ID, r.Disposition, r.Requester, r.Template, r.Subject, r.Serial)
	}
	return b.String() + fmt.Sprintf("total %d", len(requests))
}
