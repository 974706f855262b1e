package krb5

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// section is a part of a profile, which krb5.conf is: its values by key, in their order, and the sections in it.
type section struct {
	values map[string][]string
	subs   map[string]*section
}

func newSection() *section {
	return &section{values: map[string][]string{}, subs: map[string]*section{}}
}

func (s *section) sub(name string) *section {
	if s.subs[name] == nil {
		s.subs[name] = newSection()
	}
	return s.subs[name]
}

// value is the first value of a key, which is the one that counts.
func (s *section) value(key string) string {
	if v := s.values[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Limits of a profile.
const (
	maxNesting  = 8
	maxIncludes = 64
)

// profile reads the format of krb5.conf (https://web.mit.edu/kerberos/krb5-latest/doc/admin/conf_files/krb5_conf.html).
// It is our own: that of gokrb5 refuses a file for each setting that it does not know how to read, such as
// "dns_canonicalize_hostname = fallback" of a fresh Fedora, and knows no include.
type profile struct {
	root     *section
	stack    []*section // the sections that are open; none before the first one
	includes int
}

func parseProfile(text string) (*section, error) {
	p := &profile{root: newSection()}
	err := p.parse(text)
	return p.root, err
}

func (p *profile) parse(text string) error {
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if err := p.line(line); err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return nil
}

func (p *profile) line(line string) error {
	if name, path, ok := strings.Cut(line, " "); ok && (name == "include" || name == "includedir") {
		return p.include(name == "includedir", strings.TrimSpace(path))
	}
	if strings.HasPrefix(line, "module ") {
		return nil // a plug-in: nothing for us
	}
	if line[0] == '[' {
		name, _, ok := strings.Cut(line[1:], "]")
		if !ok {
			return errors.New("section without ]")
		}
		p.stack = []*section{p.root.sub(strings.TrimSpace(name))}
		return nil
	}
	if line[0] == '}' {
		if len(p.stack) < 2 {
			return errors.New("} without {")
		}
		p.stack = p.stack[:len(p.stack)-1]
		return nil
	}
	return p.assign(line)
}

func (p *profile) assign(line string) error {
	key, value, ok := strings.Cut(line, "=")
	if !ok || len(p.stack) == 0 {
		return errors.New("neither a section nor a setting")
	}
	key, value = strings.TrimRight(strings.TrimSpace(key), "*"), strings.TrimSpace(value)
	in := p.stack[len(p.stack)-1]
	if strings.HasPrefix(value, "{") {
		if len(p.stack) == maxNesting {
			return errors.New("sections in too many others")
		}
		p.stack = append(p.stack, in.sub(key))
		if rest := strings.TrimSpace(value[1:]); rest == "}" {
			p.stack = p.stack[:len(p.stack)-1]
		}
		return nil
	}
	in.values[key] = append(in.values[key], strings.Trim(value, `"`))
	return nil
}

// include reads another file, or the files of a folder whose names MIT takes: letters, digits, - and _, or ending in
// .conf.
func (p *profile) include(dir bool, path string) error {
	if !filepath.IsAbs(path) {
		return errors.New("include without an absolute path")
	}
	if !dir {
		return p.file(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil // an empty folder is often not there at all
	}
	for _, e := range entries {
		if includable(e.Name()) && !e.IsDir() {
			if err := p.file(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func includable(name string) bool {
	plain := !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
	return plain || strings.HasSuffix(name, ".conf") && name[0] != '.'
}

// file reads an included file, which begins and ends with a section of its own.
func (p *profile) file(path string) error {
	if p.includes++; p.includes > maxIncludes {
		return errors.New("too many files are included")
	}
	b, err := readFile(path)
	if err != nil {
		return err
	}
	outer := p.stack
	p.stack = nil
	err = p.parse(string(b))
	p.stack = outer
	return err
}
