//go:build integration

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every file that quickstart writes is opened by OpenSSL with the password beside it, and its chain verified.
func TestOpenSSLReadsEveryFile(t *testing.T) {
	folder := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), options{count: 4, out: folder, parallel: 2}, &out), out.String())
	files, err := filepath.Glob(filepath.Join(folder, "*.p12"))
	require.NoError(t, err)
	require.Len(t, files, 5)
	for _, file := range files {
		password := "file:" + strings.TrimSuffix(file, ".p12") + ".password"
		openssl(t, "", "pkcs12", "-info", "-in", file, "-passin", password, "-nodes")
		leaf := openssl(t, "", "pkcs12", "-in", file, "-passin", password, "-clcerts", "-nokeys")
		openssl(t, leaf, "verify", "-CAfile", filepath.Join(folder, "ca.pem"), "-purpose", "sslclient")
	}
}

func openssl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	return out.String()
}
