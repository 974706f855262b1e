package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

type (
	// jobsAnswer is a page of a list, the newest job first.
	jobsAnswer struct {
		Jobs []listedJob `json:"jobs"`
		Next string      `json:"next,omitempty"` // goes into ?before= for the next page; empty on the last one
	}
	// listedJob is what a list tells of a job: no password, and nothing that it delivered.
	listedJob struct {
		Job       string               `json:"job"`
		State     gateway.JobState     `json:"state"`
		Created   time.Time            `json:"created"`
		CA        wsproto.CAAssignment `json:"ca"`
		Template  string               `json:"template"`
		Name      string               `json:"name"` // the subject, or the first alternative name
		Attempt   int64                `json:"attempt"`
		Connector string               `json:"connector,omitempty"`
		Outcome   *wsproto.Outcome     `json:"outcome,omitempty"`
	}
)

// jobSelections are what a list may be of.
func jobSelections() []string {
	return []string{string(gateway.AllJobs), string(gateway.OpenJobs), string(gateway.EndedJobs)}
}

// jobs answers a page of the jobs of a tenant: ?select=open|ended&before=….
func jobs(g *gateway.Gateway, r *http.Request, tenant string) (any, error) {
	query := r.URL.Query()
	q := gateway.JobQuery{Tenant: tenant, Select: gateway.JobSelection(query.Get("select")), Limit: jobsPage}
	if !slices.Contains(jobSelections(), string(q.Select)) {
		return nil, &errRequest{"select is open or ended"}
	}
	if before := query.Get("before"); before != "" {
		var at string
		var err error
		at, q.BeforeID, _ = strings.Cut(before, "/")
		if q.BeforeTime, err = time.Parse(time.RFC3339Nano, at); err != nil || q.BeforeID == "" {
			return nil, &errRequest{"before is not what an earlier page has as next"}
		}
	}
	infos, err := g.Jobs(r.Context(), q)
	if err != nil {
		return nil, err
	}
	a := jobsAnswer{Jobs: make([]listedJob, len(infos))}
	for i := range infos {
		a.Jobs[i] = listed(&infos[i])
	}
	if len(infos) == jobsPage {
		last := infos[len(infos)-1]
		a.Next = last.Created.UTC().Format(time.RFC3339Nano) + "/" + last.ID
	}
	return a, nil
}

// jobsPage is how many jobs a page has.
const jobsPage = 100

func listed(info *gateway.JobInfo) listedJob {
	j := listedJob{
		Job: info.ID, State: info.State, Created: info.Created, CA: info.CA, Attempt: info.Attempt, Connector: info.Connector,
		Outcome: info.Outcome,
	}
	var order wsproto.Order
	if json.Unmarshal(info.Order, &order) == nil { // it was checked when it was placed
		names := slices.Concat([]string{order.Subject}, order.DNS, order.UPN, order.Email, order.URI, order.IP)
		names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
		j.Template, j.Name = order.Template, strings.Join(names[:min(1, len(names))], "")
	}
	return j
}

// jobs prints a line for each job of the tenant, newest first.
func (c *client) jobs(ctx context.Context, selection string) error {
	for before := ""; ; {
		var page jobsAnswer
		query := url.Values{"select": {selection}, "before": {before}}
		if err := c.do(ctx, "GET", "/jobs?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		for _, j := range page.Jobs {
			if _, err := fmt.Fprintln(c.out, j.line()); err != nil {
				return err
			}
		}
		if before = page.Next; before == "" {
			return nil
		}
	}
}

// line is one job for people. What others have written is quoted.
func (j *listedJob) line() string {
	line := fmt.Sprintf("%s %s %s %s %q %q", j.Created.UTC().Format(time.RFC3339), j.Job, j.State,
		listCAs([]wsproto.CAAssignment{j.CA}), j.Template, j.Name)
	if j.Outcome != nil {
		line += " " + describe(j.Outcome)
	}
	return line
}
