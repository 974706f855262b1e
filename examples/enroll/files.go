package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
)

// distinct refuses two flags with one file, where that would overwrite or remove what the other one is for.
func (f *flags) distinct() error {
	files := [][2]string{
		{"-out", f.out}, {"-key-file", f.keyFile}, {"-password-file", f.passwordFile}, {"-roots", f.rootsFile},
		{"-p12-password-file", f.p12PasswordFile}, {"-renew", f.renew}, {"-agent-cert", f.agentCert},
	}
	if f.p12PasswordFile == "" {
		files[4] = [2]string{"the file for the password of the .p12", f.beside(".password")}
	}
	if f.apple() {
		files = append(files, [2]string{"the configuration profile", f.configuration()})
	}
	seen := map[string]string{}
	for _, file := range files {
		if file[1] == "" {
			continue
		}
		path, err := filepath.Abs(file[1])
		if err != nil {
			return err
		}
		if other, ok := seen[path]; ok {
			return fmt.Errorf("%s and %s are the same file, %s", other, file[0], path)
		}
		seen[path] = file[0]
	}
	return nil
}

// beside is a file name like that of the .p12.
func (f *flags) beside(extension string) string { return strings.TrimSuffix(f.out, ".p12") + extension }

// occupied reports whether something is at path that could be lost. An empty file, such as mktemp makes, is not.
func occupied(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && (info.Size() > 0 || !info.Mode().IsRegular())
}

// canWrite finds out whether the results will have a place to go, where nothing is that -force would have to replace.
func (e *enrollment) canWrite() error {
	results := []string{e.out}
	if e.madeP12Pass {
		results = append(results, e.beside(".password"))
	}
	if e.apple() {
		results = append(results, e.configuration())
	}
	for _, path := range results {
		if err := cli.CanWrite(path); err != nil {
			return err
		}
		if occupied(path) && !e.force {
			return &usageError{fmt.Errorf("%s is there already: choose another -out, or replace it with -force", path)}
		}
	}
	return nil
}
