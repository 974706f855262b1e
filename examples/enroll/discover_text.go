package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// print writes the list, or one JSON object.
func (l *listing) print(out, complaints io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(l)
	}
	var b strings.Builder
	if l.Error != "" {
		fmt.Fprintf(&b, "enroll: %s: %s\n", l.Directory, strings.TrimPrefix(l.Error, "discovery: "))
		line(&b, l.Summary)
		line(&b, l.Remedy)
		_, err := io.WriteString(complaints, b.String())
		return err
	}
	fmt.Fprintf(&b, "%s, as %s\n", l.Directory, l.Account)
	for _, ca := range l.CAs {
		ca.write(&b)
	}
	for _, t := range l.Templates {
		t.write(&b)
	}
	for _, f := range l.Findings {
		f.write(&b)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (ca listedCA) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nCA %q on %s\n", ca.Name, cmp.Or(ca.Host, "no host"))
	if ca.NotAfter != nil {
		fmt.Fprintf(b, "  valid      until %s\n", ca.NotAfter.Format(time.DateOnly))
	}
	fmt.Fprintf(b, "  in NTAuth  %v\n  templates  %s\n", ca.Trusted, several(ca.Templates))
}

func (t listedTemplate) write(b *strings.Builder) {
	fmt.Fprintf(b, "\ntemplate %q (%s)\n  published  %s\n", t.Name, t.DisplayName, several(t.CAs))
	fmt.Fprintf(b, "  keys       %s, at least %d bits\n", cmp.Or(t.Algorithm, "any that the CA takes"), t.MinKeySize)
	fmt.Fprintf(b, "  subject    from the %s\n  purposes   %s\n", t.Subject, several(t.Purposes))
	fmt.Fprintf(b, "  valid      %d days; schema version %d; approval needed: %v\n", t.Days, t.Schema, t.Approval)
	fmt.Fprintf(b, "  enroll     %s; this account: %v\n", several(t.Enrollers), t.MayEnroll)
}

func (f finding) write(b *strings.Builder) {
	about := fmt.Sprintf("template %q", f.Template)
	if f.Template == "" {
		about = "CA " + several(f.CAs)
	}
	fmt.Fprintf(b, "\n%s: %s (%s)\n", strings.ToUpper(f.Severity), about, f.Code)
	line(b, strings.ToUpper(f.Text[:1])+f.Text[1:]+".")
	line(b, f.Remedy)
}

// several writes names, or that there is none.
func several(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
