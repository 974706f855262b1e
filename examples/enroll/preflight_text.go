package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// print writes the table, or one JSON object.
func (p *preflight) print(out, complaints io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(p)
	}
	if p.Steps == nil {
		_, err := fmt.Fprintf(complaints, "enroll: %s\n  enroll -h explains the flags\n", strings.TrimPrefix(p.Error, "adcs: "))
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s (%q)\n", p.Account, p.Host, p.CA)
	for _, s := range p.Steps {
		s.write(&b)
	}
	fmt.Fprintln(&b, p.verdict())
	_, err := io.WriteString(out, b.String())
	return err
}

// write writes one line, and what to do below it if the step failed.
func (s *checkStep) write(b *strings.Builder) {
	status := s.Status
	if s.Bypassed {
		status = "(failed)"
	}
	fmt.Fprintf(b, "  %-5s %-10s %-9s %s\n", s.Transport, s.Name, status, cmp.Or(s.Detail, s.Summary))
	if s.Status != "failed" {
		return
	}
	for _, text := range []string{strings.TrimPrefix(s.Error, "adcs: "), s.Summary, s.Remedy} {
		if text != "" && text != cmp.Or(s.Detail, s.Summary) {
			fmt.Fprintf(b, "  %-5s %-10s %-9s %s\n", "", "", "", text)
		}
	}
}

func (p *preflight) verdict() string {
	skipped := 0
	for _, s := range p.Steps {
		if s.Status == "skipped" {
			skipped++
		}
	}
	switch {
	case p.ExitStatus != exitIssued:
		return fmt.Sprintf("failed: mend step %q, and check again", p.Failed)
	case skipped > 0:
		return fmt.Sprintf("passed by transport %s; %d steps were skipped", p.Transport, skipped)
	}
	return fmt.Sprintf("passed by transport %s", p.Transport)
}
