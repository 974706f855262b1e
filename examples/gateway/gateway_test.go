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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
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
	for _, bad := range []any{"soon", "-1s", "0s", 30} {
		_, err = call(write(t, func(m map[string]any) { m["timing"] = map[string]any{"lease": bad} }), "init")
		require.Error(t, err, bad)
	}
	_, err = call(write(t, func(m map[string]any) { m["timing"] = map[string]any{"leese": "30s"} }), "init")
	require.ErrorContains(t, err, "leese")
	_, err = call(write(t, nil), "serve")
	require.ErrorContains(t, err, "init makes one")
}

func TestTiming(t *testing.T) {
	c, err := loadConfig(write(t, func(m map[string]any) { m["timing"] = map[string]any{"lease": "20s", "drain": "1m30s"} }))
	require.NoError(t, err)
	require.Equal(t, &gateway.Timing{Lease: 20 * time.Second, Drain: 90 * time.Second}, c.Timing.gateway())
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

	order := filepath.Join(filepath.Dir(path), "order.json")
	require.NoError(t, os.WriteFile(order, []byte(`{"ca":{"host":"h","name":"n"},"template":"T","subject":"CN=d","key":"p256"}`), 0o600))
	interrupted, interrupt := context.WithCancel(ctx)
	placed, said := io.Pipe()
	serving.Go(func() {
		said.CloseWithError(run(interrupted, []string{"-config", path, "order", "acme", order, filepath.Join(t.TempDir(), "d")}, said))
	})
	line := make([]byte, 100)
	n, err := placed.Read(line)
	require.NoError(t, err)
	require.Regexp(t, `^job \S+ queued\n$`, string(line[:n]))
	interrupt()
	_, err = io.ReadAll(placed)
	require.ErrorContains(t, err, "interrupted")
	job := strings.Fields(string(line[:n]))[1]
	_, err = call(path, "cancel", "acme", job)
	require.NoError(t, err)
	text, err = call(path, "fetch", "acme", job, filepath.Join(t.TempDir(), "d"))
	require.ErrorContains(t, err, "no certificate was issued")
	require.Contains(t, text, "cancelled cancelled")

	text, err = call(path, "connectors", "acme")
	require.NoError(t, err)
	require.Equal(t, "[]", text)
	for _, args := range [][]string{
		{"approve", "acme", "none"}, {"drain", "acme", "none"}, {"assign", "acme", "none", `h\n`}, {"job", "acme", "none"},
		{"fetch", "acme", "none", "d"}, {"cancel", "acme", "none"},
	} {
		_, err = call(path, args...)
		require.ErrorContains(t, err, "not found", args)
	}
	_, err = call(path, "nonsense", "acme")
	require.ErrorContains(t, err, "nonsense")

	require.NoError(t, os.WriteFile(order, []byte(`{"template":"T","password":"do-not-tell"}`), 0o600))
	_, err = call(path, "order", "acme", order, filepath.Join(filepath.Dir(path), "d1"))
	require.ErrorContains(t, err, "ca.host")
	require.NotContains(t, err.Error(), "do-not-tell")
}
