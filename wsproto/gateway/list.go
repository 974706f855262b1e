package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

const (
	// MaxJobs is the largest page of [Gateway.Jobs].
	MaxJobs     = 1000
	defaultJobs = 100
)

// JobSelection says which jobs are listed.
type JobSelection string

// What can be selected.
const (
	AllJobs   JobSelection = ""
	OpenJobs  JobSelection = "open"  // not in state JobDone
	EndedJobs JobSelection = "ended" // in state JobDone
)

// A JobQuery selects jobs of one tenant. Newest first means ordered by (Created, ID), descending.
type JobQuery struct {
	Tenant string
	Select JobSelection
	// BeforeTime and BeforeID continue behind the last job of an earlier page, with its Created and ID; BeforeID is empty for
	// the first page.
	BeforeTime time.Time
	BeforeID   string
	// Limit is the largest number of jobs to return. A store gets at least one; for [Gateway.Jobs] zero means 100.
	Limit int
}

// Jobs lists jobs of a tenant, newest first, at most [MaxJobs] in a page; a page that is shorter than Limit is the last one.
// A list brings no bundles: PKCS12 and Sealed of outcomes are left out, [Gateway.Job] has them.
func (g *Gateway) Jobs(ctx context.Context, query JobQuery) ([]JobInfo, error) {
	if err := g.open(); err != nil {
		return nil, err
	}
	switch query.Select {
	case AllJobs, OpenJobs, EndedJobs:
	default:
		return nil, fmt.Errorf("gateway: no selection of jobs is called %q: it is %q, %q or empty", query.Select, OpenJobs, EndedJobs)
	}
	if query.Limit == 0 {
		query.Limit = defaultJobs
	}
	if query.Limit < 0 || query.Limit > MaxJobs {
		return nil, fmt.Errorf("gateway: a page of %d jobs: it has 1 to %d", query.Limit, MaxJobs)
	}
	jobs, err := g.cfg.Store.TenantJobs(ctx, query)
	if err != nil {
		return nil, err
	}
	out := make([]JobInfo, len(jobs))
	for i, j := range jobs {
		out[i] = j.info()
		if o := out[i].Outcome; o != nil {
			out[i].Outcome = new(withoutBundle(*o))
		}
		out[i].Extra = nil
		for _, o := range j.Extra {
			out[i].Extra = append(out[i].Extra, withoutBundle(o))
		}
	}
	return out, nil
}

func withoutBundle(o wsproto.Outcome) wsproto.Outcome {
	o.PKCS12, o.Sealed = nil, nil
	return o
}
