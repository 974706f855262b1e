// Summary reads the output of go test -json and prints what a person wants of it: a line a package, the output of
// whatever failed, skipped tests with their reasons, the ten slowest tests, and the counts. Exit status 1 if a test or
// a package failed, if no test ran, or, with CI=true, if one was skipped.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type timing struct {
	name    string
	seconds float64
}

type summary struct {
	passed, failed  int
	output          map[string]*strings.Builder
	slow            []timing
	skips, failures []string
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: summary FILE")
		os.Exit(2)
	}
	f, err := os.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer f.Close()
	s := &summary{output: map[string]*strings.Builder{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text()) // what the go command itself has to say
			continue
		}
		s.add(e)
	}
	if err := lines.Err(); err != nil {
		s.failures = append(s.failures, fmt.Sprintf("reading the results: %v", err))
	}
	os.Exit(s.print())
}

func (s *summary) add(e event) {
	name := e.Package
	if name == "" {
		name = e.ImportPath
	}
	if e.Test != "" {
		name += " " + e.Test
	}
	switch e.Action {
	case "output", "build-output":
		if s.output[name] == nil {
			s.output[name] = new(strings.Builder)
		}
		s.output[name].WriteString(e.Output)
	case "build-fail":
		s.failures = append(s.failures, name)
	case "fail":
		s.failures = append(s.failures, name)
		if e.Test != "" {
			s.failed++
		}
	case "skip":
		if e.Test != "" {
			s.skips = append(s.skips, name)
		}
	case "pass":
		if e.Test == "" {
			fmt.Printf("   ok %s %.1f s\n", strings.TrimPrefix(e.Package, "github.com/adcskit/adcskit/"), e.Elapsed)
			return
		}
		s.passed++
		s.slow = append(s.slow, timing{name, e.Elapsed})
	}
	if e.Action == "pass" {
		delete(s.output, name)
	}
}

// unexpected reports whether a test was skipped for another reason than that nobody named the folder with the messages
// that are not ours to ship.
func (s *summary) unexpected(name string) bool {
	out := s.output[name]
	return os.Getenv("ADCSKIT_VECTORS") != "" || out == nil || !strings.Contains(out.String(), "ADCSKIT_VECTORS")
}

func (s *summary) print() int {
	for _, name := range s.failures {
		fmt.Printf("--- FAILED: %s\n", name)
		if out := s.output[name]; out != nil {
			fmt.Print(out.String())
		}
	}
	for _, name := range s.skips {
		fmt.Printf("skipped: %s\n", name)
		if out := s.output[name]; out != nil {
			fmt.Print(out.String())
		}
	}
	slices.SortFunc(s.slow, func(a, b timing) int { return cmp.Compare(b.seconds, a.seconds) })
	fmt.Println("the ten slowest:")
	for _, t := range s.slow[:min(10, len(s.slow))] {
		fmt.Printf("  %7.2f s  %s\n", t.seconds, strings.TrimPrefix(t.name, "github.com/adcskit/adcskit/"))
	}
	status := 0
	if len(s.failures) > 0 || s.passed == 0 {
		status = 1
	}
	if slices.ContainsFunc(s.skips, s.unexpected) && os.Getenv("CI") == "true" {
		fmt.Println("With CI=true a skipped test is a failure.")
		status = 1
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", s.passed, s.failed, len(s.skips))
	return status
}
