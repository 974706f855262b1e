//go:build integration && linux

package issuer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// laptop is what wpa_supplicant is configured with: the block of the documents, and what a person changes in it.
type laptop struct {
	p12      []byte // as it was delivered
	password string
	root     []byte // PEM

	identity string // "" for that of the documents
	tls13    bool
}

// conf writes the laptop's files and returns its configuration.
func (l laptop) conf(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	p12, root := filepath.Join(folder, "alice.p12"), filepath.Join(folder, "root.pem")
	writeSecret(t, p12, l.p12)
	writeSecret(t, root, l.root)
	text, err := os.ReadFile("../wifi/wpa_supplicant.conf")
	require.NoError(t, err)
	conf := string(text)
	change := func(from, to string) {
		t.Helper()
		require.Equal(t, 1, strings.Count(conf, from), "%s in the block of the documents", from)
		conf = strings.Replace(conf, from, to, 1)
	}
	change("/etc/ssl/example/alice.p12", p12)
	change("/etc/ssl/example/root.pem", root)
	change("…", l.password)
	if l.identity != "" {
		change("alice@example.com", l.identity)
	}
	if l.tls13 {
		change("#phase1=", "phase1=")
	}
	return conf
}
