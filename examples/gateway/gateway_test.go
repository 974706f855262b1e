package main

import (
	"bufio"
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

	"github.com/adcskit/adcskit/examples/internal/cli"
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
	require.ErrorContains(t, err, "init makes it")
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
	_, err = call(path, "code", "nobody", `ca.corp.test\Corp CA`)
	require.ErrorContains(t, err, "not found")
	_, err = call(path, "connectors", "nobody")
	require.ErrorContains(t, err, `no tenant "nobody"`)
	_, err = call(path, "code", "acme")
	require.ErrorContains(t, err, "no jobs")
	_, err = call(path, "code", "acme", "no-backslash")
	require.ErrorContains(t, err, `HOST\NAME`)

	order := filepath.Join(filepath.Dir(path), "order.json")
	testNobodyTakesIt(t, path, order)

	text, err = call(path, "connectors", "acme")
	require.NoError(t, err)
	require.Equal(t, "[]", text)
	for _, args := range [][]string{
		{"approve", "acme", "none"}, {"drain", "acme", "none"}, {"delete", "acme", "none"},
		{"reattest", "acme", "none"},
		{"replace", "acme", "none", "other"}, {"assign", "acme", "none", `h\n`},
		{"job", "acme", "none"}, {"fetch", "acme", "none", "d"}, {"cancel", "acme", "none"},
	} {
		_, err = call(path, args...)
		require.ErrorContains(t, err, "not found", args)
	}
	_, err = call(path, "nonsense", "acme")
	require.ErrorContains(t, err, "nonsense")
	require.Equal(t, 2, cli.ExitStatus(err))

	require.NoError(t, os.WriteFile(order, []byte(`{"template":"T","password":"do-not-tell"}`), 0o600))
	_, err = call(path, "order", "acme", order, filepath.Join(filepath.Dir(path), "d1"))
	require.ErrorContains(t, err, "ca.host")
	require.NotContains(t, err.Error(), "do-not-tell")
}

// testNobodyTakesIt: an order that waits says why, and when its command is ended how to go on.
func testNobodyTakesIt(t *testing.T, path, file string) {
	text, err := os.ReadFile("order.example.json")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	ctx, interrupt := context.WithCancel(t.Context())
	said, out := io.Pipe()
	ended := make(chan error, 1)
	name := filepath.Join(filepath.Dir(path), "d2")
	go func() { ended <- run(ctx, []string{"-config", path, "order", "acme", file, name}, out) }()
	lines := bufio.NewScanner(said)
	require.True(t, lines.Scan())
	id := strings.Fields(lines.Text())[1]
	require.Equal(t, "job "+id+" placed", lines.Text())
	require.True(t, lines.Scan())
	require.Equal(t, "job "+id+" queued: no connected connector has this CA assigned", lines.Text())
	interrupt()
	require.EqualError(t, <-ended, "interrupted; the job goes on: gateway fetch acme "+id+" "+name)
	job, err := call(path, "job", "acme", id)
	require.NoError(t, err)
	require.Contains(t, job, `"waiting": "no connected connector`)
	password, err := os.ReadFile(name + ".password")
	require.NoError(t, err)
	testJobs(t, path, id, strings.TrimSpace(string(password)))
	testReplacesNothing(t, path, file, name)
	_, err = call(path, "cancel", "acme", id)
	require.NoError(t, err)
	answer, err := call(path, "fetch", "acme", id, name)
	require.EqualError(t, err, "no certificate was issued")
	require.Contains(t, answer, "cancelled cancelled")
	_, err = call(path, "order", "acme", file, filepath.Join(filepath.Dir(path), "none", "d3"))
	require.ErrorContains(t, err, "d3")
}

// testReplacesNothing: what an order has written may be all that there is of a key.
func testReplacesNothing(t *testing.T, path, file, name string) {
	password := name + ".password"
	secret, err := os.ReadFile(password)
	require.NoError(t, err, "the job goes on")
	for _, there := range []string{password, name + ".p12"} {
		require.NoError(t, os.WriteFile(there, secret, 0o600))
		_, err = call(path, "order", "acme", file, name)
		require.ErrorContains(t, err, there+" is there already")
		require.Equal(t, 2, cli.ExitStatus(err))
		require.NoError(t, os.Remove(there))
	}
	require.NoError(t, os.WriteFile(file, []byte(`{"template":"T"}`), 0o600))
	_, err = call(path, "order", "acme", file, name)
	require.ErrorContains(t, err, "ca.host")
	require.NoFileExists(t, password, "there is nothing that it would open")
	text, err := os.ReadFile("order.example.json")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
}

// TestURLAndTenants: what is part of every signature is checked when the configuration is read.
func TestURLAndTenants(t *testing.T) {
	for _, url := range []string{
		"https://localhost", "ws://localhost", "localhost:8443", "wss://", "wss://:8443", "wss://localhost:", "wss://localhost:0",
		"wss://localhost:65536", "wss://localhost/", "wss://localhost/connect/acme", "wss://localhost?x", "wss://localhost#x",
		"wss://u:secret@localhost", "wss://local host", "wss://localhost?", "wss://localhost#",
	} {
		_, err := call(write(t, func(m map[string]any) { m["url"] = url }), "init")
		require.ErrorContains(t, err, "url: ", url)
		require.NotContains(t, err.Error(), "secret")
	}
	for _, url := range []string{"wss://localhost", "wss://gateway.example:443", "wss://[::1]:8443"} {
		_, err := call(write(t, func(m map[string]any) { m["url"] = url }), "init")
		require.NoError(t, err, url)
	}
	for _, name := range []string{"", ".", "..", "a/b", "a b", "a?b", "ä", "-a", strings.Repeat("a", 65)} {
		_, err := call(write(t, func(m map[string]any) { m["tenants"] = map[string]string{name: "k"} }), "init")
		require.ErrorContains(t, err, "tenants: ", name)
	}
}

// TestCertificateFiles: a certificate that is no good is named, and init overwrites nothing that is there.
func TestCertificateFiles(t *testing.T) {
	path := write(t, nil)
	_, err := call(path, "init")
	require.NoError(t, err)
	at := func(name string) string { return filepath.Join(filepath.Dir(path), name) }
	key, err := os.ReadFile(at("tls.key"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(at("tls.pem")))
	_, err = call(path, "init")
	require.NoError(t, err)
	again, err := os.ReadFile(at("tls.key"))
	require.NoError(t, err)
	require.Equal(t, key, again)
	require.NoError(t, os.WriteFile(at("tls.pem"), []byte("nonsense"), 0o600))
	for _, command := range []string{"init", "serve"} {
		_, err = call(path, command)
		require.ErrorContains(t, err, at("tls.pem"), command)
		require.ErrorContains(t, err, "let init make new ones")
	}
}

// TestLook: what a person reads about a job that nobody takes.
func TestLook(t *testing.T) {
	ca := wsproto.CAAssignment{Host: "h", Name: "n"}
	other := wsproto.CAAssignment{Host: "H", Name: "n"}
	all := []gateway.ConnectorInfo{
		{ID: "a", State: wsproto.StateActive, Connected: true, CAs: []wsproto.CAAssignment{other}},
		{ID: "b", State: wsproto.StatePending, Connected: true},
		{ID: "c", State: wsproto.StateActive, CAs: []wsproto.CAAssignment{ca}},
		{ID: "d", State: wsproto.StateActive, Connected: true},
		{ID: "e", State: wsproto.StateRevoked, Connected: true, CAs: []wsproto.CAAssignment{ca}},
	}
	serving, hints := look(all, ca)
	require.Zero(t, serving)
	require.Equal(t, []string{
		`connector a has 'H\n'`, "connector b waits to be approved", "connector c has it and is not connected",
		"connector d has no CA",
	}, hints)
	all[3].CAs = append(all[3].CAs, ca)
	serving, _ = look(all, ca)
	require.Equal(t, 1, serving)
}
