package main

import (
	"context"
	"crypto"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// testJobs: the list has a line for the job, which tells no secrets.
func testJobs(t *testing.T, path, id, password string) {
	for _, args := range [][]string{{}, {"open"}} {
		list, err := call(path, append([]string{"jobs", "acme"}, args...)...)
		require.NoError(t, err)
		require.Regexp(t, `^\d{4}-\S+Z `+id+` queued '[^']+' "[^"]+" "[^"]+"$`, list)
		require.NotContains(t, list, password)
	}
	list, err := call(path, "jobs", "acme", "ended")
	require.NoError(t, err)
	require.Empty(t, list)
	for _, args := range [][]string{{"done"}, {"open", "ended"}} {
		_, err = call(path, append([]string{"jobs", "acme"}, args...)...)
		require.ErrorContains(t, err, "jobs")
	}
}

// TestJobsPages: every job is listed once, over several pages.
func TestJobsPages(t *testing.T) {
	g, err := gateway.New(gateway.Config{
		Tenant:    func(r *http.Request) (string, error) { return "acme", nil },
		TenantKey: func(context.Context, string) (crypto.Signer, error) { return nil, gateway.ErrNotFound },
		Authority: "gateway.example", Store: gateway.NewMemoryStore(),
	})
	require.NoError(t, err)
	defer g.Close()
	at := time.Now()
	const n = 2*jobsPage + 1
	for range n {
		_, err := g.Order(t.Context(), "acme", wsproto.Order{
			CA: wsproto.CAAssignment{Host: "h", Name: "n"}, Template: "T", DNS: []string{"a.example"}, Key: "p256",
			Password: "do-not-tell",
		}, nil)
		require.NoError(t, err)
	}
	server := httptest.NewServer(adminHandler(g, map[string]string{"acme": ""}))
	defer server.Close()
	var out strings.Builder
	c := &client{http: server.Client(), tenant: "acme", base: server.URL + "/tenants/acme", out: &out}
	require.NoError(t, c.command(t.Context(), "jobs", nil))
	seen := make(map[string]bool)
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line)
		require.Equal(t, []string{"queued", `'h\n'`, `"T"`, `"a.example"`}, fields[2:])
		when, err := time.Parse(time.RFC3339, fields[0])
		require.NoError(t, err)
		require.WithinDuration(t, at, when, time.Minute)
		seen[fields[1]] = true
	}
	require.Len(t, seen, n)
	require.Equal(t, n, strings.Count(out.String(), "\n"))
	require.NotContains(t, out.String(), "do-not-tell")

	for _, query := range []string{"select=done", "before=x", "before=2026-01-01T00:00:00Z/", "before=/x"} {
		resp, err := server.Client().Get(server.URL + "/tenants/acme/jobs?" + query)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, query)
	}
}
