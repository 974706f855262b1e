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
	fmt.Fprintf(&b, "%s at %s (%q)\n", p.who, p.Host, p.CA)
	for steps := p.Steps; len(steps) > 0; {
		if names := unreached(steps); len(names) > 1 {
			fmt.Fprintf(&b, row, steps[0].Transport, "the rest", "skipped", "not reached: "+strings.Join(names, ", "))
			steps = steps[len(names):]
			continue
		}
		steps[0].write(&b)
		steps = steps[1:]
	}
	fmt.Fprintln(&b, p.verdict())
	_, err := io.WriteString(out, b.String())
	return err
}

// row is a line of the table: transport, step, status, text.
const row = "  %-5s %-10s %-9s %s\n"

// unreached names the steps at the beginning that were all skipped for the same failed one on the way.
func unreached(steps []checkStep) (names []string) {
	for _, s := range steps {
		if s.Status != "skipped" || s.Transport == "" || s.Transport != steps[0].Transport || s.Detail != steps[0].Detail {
			break
		}
		names = append(names, s.Name)
	}
	return names
}

// write writes one line, and what to do below it if the step failed.
func (s *checkStep) write(b *strings.Builder) {
	status := s.Status
	if s.Bypassed {
		status = "(failed)"
	}
	fmt.Fprintf(b, row, s.Transport, s.Name, status, cmp.Or(s.Detail, s.Summary))
	if s.Status != "failed" {
		return
	}
	for _, text := range []string{strings.TrimPrefix(s.Error, "adcs: "), s.Summary, s.Remedy} {
		if text != "" && text != cmp.Or(s.Detail, s.Summary) {
			fmt.Fprintf(b, row, "", "", "", text)
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
		return fmt.Sprintf("passed by transport %s; skipped: %d", p.Transport, skipped)
	}
	return fmt.Sprintf("passed by transport %s", p.Transport)
}
