//go:build integration

package matrix_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outcome is what a tool made of a file.
type outcome struct {
	Refused []byte   // what it said when it did not import the file; nil: it did
	Problem []byte   // what it said when something else went wrong: signing, verifying, building the chain
	Leaf    []byte   // the certificate that it has for the key
	CAs     [][]byte // the other certificates
	Name    []byte   // the friendlyName as it shows it
	Wrong   []byte   // what it said to the wrong password; nil: it opened the file

	// One of the two is there, made with the imported key: a signature over the message with SHA-256 (PKCS #1 v1.5 or
	// ECDSA), or the message signed as CMS. The tool itself has verified it, with the imported certificate.
	Signature []byte
	CMS       []byte
}

// refused and problem make outcomes of a tool's words.
func refused(said string) outcome { return outcome{Refused: []byte("said: " + said)} }
func problem(said string) outcome { return outcome{Problem: []byte("said: " + said)} }

var errRefused = errors.New("refused")

// check returns an error that says what is wrong with an outcome, if anything is.
func (f *file) check(t *testing.T, tool tool, o outcome) error {
	t.Helper()
	name := f.friendlyName
	if f.row.windows && tool.ofKey {
		name = ""
	}
	switch want := tool.shown(name); {
	case o.Refused != nil:
		return fmt.Errorf("%w: %s", errRefused, o.Refused)
	case o.Problem != nil:
		return errors.New(string(o.Problem))
	case !bytes.Equal(o.Leaf, f.leaf.Raw):
		return errors.New("another certificate belongs to the key")
	case string(o.Name) != want:
		return fmt.Errorf("the name is %q, not %q", o.Name, want)
	case o.Wrong == nil:
		return errors.New("it opens with a wrong password")
	case !strings.Contains(string(o.Wrong), tool.wrong):
		return fmt.Errorf("a wrong password is called: %s", o.Wrong)
	}
	if err := f.checkCAs(o.CAs); err != nil {
		return err
	}
	return f.checkSignature(t, o)
}

// checkCAs takes them in any order.
func (f *file) checkCAs(got [][]byte) error {
	want := make([][]byte, len(f.cas))
	for i, ca := range f.cas {
		want[i] = ca.Raw
	}
	slices.SortFunc(got, bytes.Compare)
	slices.SortFunc(want, bytes.Compare)
	if !slices.EqualFunc(got, want, bytes.Equal) {
		return fmt.Errorf("%d CA certificates, which are not the %d of the file", len(got), len(want))
	}
	return nil
}

// checkSignature verifies with the certificate that went into the file. That of a CMS message is verified by OpenSSL.
func (f *file) checkSignature(t *testing.T, o outcome) error {
	t.Helper()
	signed := []byte(message)
	if o.CMS == nil {
		algorithm := x509.SHA256WithRSA
		if f.leaf.PublicKeyAlgorithm == x509.ECDSA {
			algorithm = x509.ECDSAWithSHA256
		}
		return f.leaf.CheckSignature(algorithm, signed, o.Signature)
	}
	d := tempFolder(t)
	write(t, d.path("message.cms"), o.CMS)
	write(t, d.path("leaf.pem"), pemOf(f.leaf))
	said, err := d.run("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "message.cms", "-out", "message",
		"-nointern", "-noverify", "-certfile", "leaf.pem")
	if err != nil {
		return fmt.Errorf("OpenSSL on the signature: %s", said)
	}
	if !bytes.Equal(d.read(t, "message"), signed) {
		return errors.New("another message was signed")
	}
	return nil
}

// folder is where a tool's commands run.
type folder string

func tempFolder(t *testing.T) folder {
	t.Helper()
	return folder(t.TempDir())
}

func (d folder) path(name string) string { return filepath.Join(string(d), name) }

func (d folder) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(d.path(name))
	require.NoError(t, err)
	return data
}

// run returns what a command says on both channels.
func (d folder) run(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = string(d)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run for what cannot go wrong because of a file.
func (d folder) must(t *testing.T, program string, args ...string) string {
	t.Helper()
	said, err := d.run(program, args...)
	require.NoError(t, err, "%s %s: %s", program, strings.Join(args, " "), said)
	return said
}

// fromPEM returns the DER of every certificate in a text.
func fromPEM(text []byte) [][]byte {
	var list [][]byte
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return list
		}
		if block.Type == "CERTIFICATE" {
			list = append(list, block.Bytes)
		}
	}
}

// eachFile opens one file after the other, each in a folder of its own.
func eachFile(open func(t *testing.T, s *set, f *file, d folder) outcome) func(*testing.T, *set) map[string]outcome {
	return func(t *testing.T, s *set) map[string]outcome {
		outcomes := map[string]outcome{}
		for _, f := range s.files {
			outcomes[f.name] = open(t, s, f, tempFolder(t))
		}
		return outcomes
	}
}

// in returns the path of one of the files of the set.
func (s *set) in(name string) string { return filepath.Join(s.dir, name) }
