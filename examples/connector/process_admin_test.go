//go:build unix

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// jobAnswer is what the administration says about a job.
type jobAnswer struct {
	Job, State, Refusal, Waiting string

	Outcome *wsproto.Outcome
}

// call speaks to the administration as its documentation says, and returns the status.
func (l *lab) call(method, path string, body, result any) int {
	l.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(l.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://gateway/tenants/acme/"+path, bytes.NewReader(text))
	require.NoError(l.t, err)
	response, err := l.admin.Do(request)
	require.NoError(l.t, err)
	defer response.Body.Close()
	require.NoError(l.t, json.NewDecoder(response.Body).Decode(result))
	return response.StatusCode
}

// order places an order and returns its job.
func (l *lab) order(template, device, key string) string {
	l.t.Helper()
	name := device + ".devices.corp.test"
	password := "secret-of-" + device
	l.secrets = append(l.secrets, password)
	var a jobAnswer
	status := l.call("POST", "jobs", map[string]any{
		"ca": map[string]string{"host": "ca.corp.test", "name": "Test CA"}, "template": template,
		"subject": "CN=" + name, "dns": []string{name}, "key": key, "password": password,
	}, &a)
	require.Equal(l.t, http.StatusOK, status)
	return a.Job
}

// orders places some on P-256 and returns their jobs.
func (l *lab) orders(device string, n int) []string {
	l.t.Helper()
	var jobs []string
	for i := range n {
		jobs = append(jobs, l.order("Device", fmt.Sprintf("%s-%d", device, i), "p256"))
	}
	return jobs
}

// job asks for a job until it is as check wants it.
func (l *lab) job(id string, check func(*jobAnswer) bool) *jobAnswer {
	l.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		a := new(jobAnswer)
		require.Equal(l.t, http.StatusOK, l.call("GET", "jobs/"+id+"?wait=100ms", nil, a))
		if check(a) {
			return a
		}
		require.True(l.t, time.Now().Before(deadline), "job %s: %+v", id, a)
	}
}

// outcome waits for the final outcome of a job.
func (l *lab) outcome(id string) *wsproto.Outcome {
	l.t.Helper()
	return l.job(id, func(a *jobAnswer) bool { return a.State == "done" }).Outcome
}

// rows returns how many requests the CA has for each subject.
func (l *lab) rows() map[string]int {
	l.t.Helper()
	_, err := fmt.Fprintln(l.ca.in, "list")
	require.NoError(l.t, err)
	rows := make(map[string]int)
	text := l.ca.await(`(?s)((?:^request \d[^\n]*\n)*)^total \d+$`)[1]
	for _, m := range regexp.MustCompile(`subject="CN=([^".]*)`).FindAllStringSubmatch(text, -1) {
		rows[m[1]]++
	}
	return rows
}
