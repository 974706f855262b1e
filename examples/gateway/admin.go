package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// What the administration speaks, besides the order and the outcome of wsproto.
type (
	codeRequest struct {
		CAs []wsproto.CAAssignment `json:"cas"`
	}
	codeAnswer struct {
		Code    string    `json:"code"`
		Expires time.Time `json:"expires"`
	}
	connectorAnswer struct { // as gateway.ConnectorInfo
		ID          string                    `json:"id"`
		State       wsproto.RegistrationState `json:"state"`
		Connected   bool                      `json:"connected"`
		Host        string                    `json:"host"`
		OS          string                    `json:"os"`
		Software    string                    `json:"software"`
		Source      string                    `json:"source"`
		Attestation string                    `json:"attestation"`
		Detail      string                    `json:"attestationDetail,omitempty"`
		Evidence    string                    `json:"evidence,omitempty"`
		Capacity    int                       `json:"capacity"`
		InFlight    int                       `json:"inFlight"`
		Registered  time.Time                 `json:"registered"`
		LastSeen    time.Time                 `json:"lastSeen"`
		CAs         []wsproto.CAAssignment    `json:"cas"`
		Health      []wsproto.CAHealth        `json:"health"`
		Successor   string                    `json:"successor,omitempty"`
		Predecessor string                    `json:"predecessor,omitempty"`
	}
	jobAnswer struct {
		Job     string           `json:"job"`
		State   gateway.JobState `json:"state,omitempty"`
		Attempt int64            `json:"attempt,omitempty"`
		Refusal string           `json:"refusal,omitempty"` // why a connector did not take it last
		Waiting string           `json:"waiting,omitempty"` // why nobody has it now
		Outcome *wsproto.Outcome `json:"outcome,omitempty"`
	}
)

// maxBody bounds a request, in bytes; maxWait bounds how long one waits for an outcome.
const (
	maxBody = 1 << 20
	maxWait = time.Minute
)

// adminHandler is the administration. Who can open its socket may do everything. tenants are those that there are.
func adminHandler(g *gateway.Gateway, tenants map[string]string) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request, tenant string) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			tenant := r.PathValue("tenant")
			if _, ok := tenants[tenant]; !ok {
				answer(w, nil, fmt.Errorf("%w: the configuration has no tenant %q", gateway.ErrNotFound, tenant))
				return
			}
			result, err := f(r, tenant)
			answer(w, result, err)
		})
	}
	handle("POST /tenants/{tenant}/codes", func(r *http.Request, tenant string) (any, error) {
		var request codeRequest
		if err := decode(r, &request); err != nil {
			return nil, err
		}
		code, expires, err := g.NewEnrollmentCode(r.Context(), tenant, &gateway.CodeOptions{CAs: request.CAs})
		return codeAnswer{Code: code.Reveal(), Expires: expires}, err
	})
	handle("GET /tenants/{tenant}/connectors", func(r *http.Request, tenant string) (any, error) {
		return connectors(g, r, tenant)
	})
	handle("PUT /tenants/{tenant}/connectors/{id}/cas", func(r *http.Request, tenant string) (any, error) {
		var cas []wsproto.CAAssignment
		if err := decode(r, &cas); err != nil {
			return nil, err
		}
		return nil, g.Assign(r.Context(), tenant, r.PathValue("id"), cas)
	})
	handle("POST /tenants/{tenant}/connectors/{id}/{action}", func(r *http.Request, tenant string) (any, error) {
		action, ok := map[string]func() error{
			"approve":  func() error { return g.Approve(r.Context(), tenant, r.PathValue("id")) },
			"reject":   func() error { return g.Reject(r.Context(), tenant, r.PathValue("id")) },
			"revoke":   func() error { return g.Revoke(r.Context(), tenant, r.PathValue("id")) },
			"delete":   func() error { return g.Delete(r.Context(), tenant, r.PathValue("id")) },
			"reattest": func() error { return g.Reattest(r.Context(), tenant, r.PathValue("id")) },
			"drain":    func() error { return g.DrainConnector(r.Context(), tenant, r.PathValue("id")) },
		}[r.PathValue("action")]
		if !ok {
			return nil, gateway.ErrNotFound
		}
		return nil, action()
	})
	handle("POST /tenants/{tenant}/connectors/{id}/replace/{new}", func(r *http.Request, tenant string) (any, error) {
		return nil, g.Replace(r.Context(), tenant, r.PathValue("id"), r.PathValue("new"))
	})
	handle("POST /tenants/{tenant}/jobs", func(r *http.Request, tenant string) (any, error) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, &gateway.OrderError{Problem: "cannot be read"}
		}
		life, err := queryDuration(r, "life")
		if err != nil {
			return nil, err
		}
		id, err := g.OrderText(r.Context(), tenant, text, &gateway.OrderOptions{
			ID: r.URL.Query().Get("id"), Life: life, Traceparent: r.Header.Get("Traceparent"),
		})
		return jobAnswer{Job: id}, err
	})
	handle("GET /tenants/{tenant}/jobs", func(r *http.Request, tenant string) (any, error) {
		return jobs(g, r, tenant)
	})
	handle("GET /tenants/{tenant}/jobs/{id}", func(r *http.Request, tenant string) (any, error) {
		return job(g, r, tenant)
	})
	handle("POST /tenants/{tenant}/jobs/{id}/cancel", func(r *http.Request, tenant string) (any, error) {
		return nil, g.Cancel(r.Context(), tenant, r.PathValue("id"))
	})
	return mux
}
