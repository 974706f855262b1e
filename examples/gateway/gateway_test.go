package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// write puts a configuration into a folder of its own and returns its path.
func write(t *testing.T, change func(m map[string]any)) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "gw") // short: the path of a socket is bounded
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	m := map[string]any{
		"listen": "127.0.0.1:0", "url": "wss://localhost:8443", "certificate": "tls.pem", "key": "tls.key",
		"admin": "admin.sock", "tenants": map[string]string{"acme": "acme.key"},
	}
	if change != nil {
		change(m)
	}
	text, err := json.Marshal(m)
	require.NoError(t, err)
	path := filepath.Join(folder, "gateway.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func call(path string, args ...string) (string, error) {
	var out bytes.Buffer
	err := run(context.Background(), append([]string{"-config", path}, args...), &out)
	return strings.TrimSpace(out.String()), err
}

func TestConfigIsStrict(t *testing.T) {
	_, err := call(write(t, func(m map[string]any) { m["lissten"] = ":1" }), "init")
	require.ErrorContains(t, err, "lissten")
	_, err = call(write(t, func(m map[string]any) { delete(m, "admin") }), "init")
	require.ErrorContains(t, err, "admin")
	_, err = call(write(t, func(m map[string]any) { m["url"] = "ftp://x" }), "init")
	require.Error(t, err)
	_, err = call(write(t, nil), "serve")
	require.ErrorContains(t, err, "init makes one")
}

func TestExampleConfig(t *testing.T) {
	c, err := loadConfig("gateway.example.json")
	require.NoError(t, err)
	require.Contains(t, c.Tenants, "acme")
}

func TestAdministration(t *testing.T) {
	path := write(t, nil)
	first, err := call(path, "init")
	require.NoError(t, err)
	again, err := call(path, "init")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(first, again), "the second time nothing is made")
	info, err := os.Stat(filepath.Join(filepath.Dir(path), "acme.key"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	_, err = call(path, "connectors", "acme")
	require.ErrorContains(t, err, "does it run")
	ctx, stop := context.WithCancel(t.Context())
	ready, log := io.Pipe()
	var serving sync.WaitGroup
	serving.Go(func() { log.CloseWithError(run(ctx, []string{"-config", path, "serve"}, log)) })
	_, err = ready.Read(make([]byte, 1024))
	require.NoError(t, err)
	go io.Copy(io.Discard, ready)
	defer serving.Wait()
	defer stop()

	info, err = os.Stat(filepath.Join(filepath.Dir(path), "admin.sock"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	_, err = call(path, "serve")
	require.ErrorContains(t, err, "running already")

	text, err := call(path, "code", "acme", `ca.corp.test\Corp CA`)
	require.NoError(t, err)
	code, err := wsproto.ParseEnrollmentCode(text)
	require.NoError(t, err)
	require.Contains(t, first, code.TenantKey().String())
	_, err = call(path, "code", "nobody")
	require.ErrorContains(t, err, "not found")
	_, err = call(path, "code", "acme", "no-backslash")
	require.ErrorContains(t, err, `HOST\NAME`)

	text, err = call(path, "connectors", "acme")
	require.NoError(t, err)
	require.Equal(t, "[]", text)
	for _, args := range [][]string{
		{"approve", "acme", "none"}, {"drain", "acme", "none"}, {"assign", "acme", "none", `h\n`}, {"job", "acme", "none"},
		{"cancel", "acme", "none"},
	} {
		_, err = call(path, args...)
		require.ErrorContains(t, err, "not found", args)
	}
	_, err = call(path, "nonsense", "acme")
	require.ErrorContains(t, err, "nonsense")

	order := filepath.Join(filepath.Dir(path), "order.json")
	require.NoError(t, os.WriteFile(order, []byte(`{"template":"T","password":"do-not-tell"}`), 0o600))
	_, err = call(path, "order", "acme", order, filepath.Join(filepath.Dir(path), "d1"))
	require.ErrorContains(t, err, "ca.host")
	require.NotContains(t, err.Error(), "do-not-tell")
}
