package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// errRequest is what is wrong with a request to the administration.
type errRequest struct{ text string }

func (e *errRequest) Error() string { return e.text }

// job answers what is known about a job; with ?wait=30s it waits for the outcome that long.
func job(g *gateway.Gateway, r *http.Request, tenant string) (any, error) {
	id := r.PathValue("id")
	wait, err := queryDuration(r, "wait")
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), min(wait, maxWait))
		defer cancel()
		if _, err := g.Wait(ctx, tenant, id); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
	info, err := g.Job(r.Context(), tenant, id)
	if err != nil {
		return nil, err
	}
	a := jobAnswer{Job: info.ID, State: info.State, Attempt: info.Attempt, Outcome: info.Outcome}
	if why := info.LastRefusal; why != nil && info.State != gateway.JobDone {
		a.Refusal = fmt.Sprintf("%s: %s (connector %s)", why.Reason, why.Message, why.Connector)
	}
	a.Waiting, err = waiting(r.Context(), g, tenant, &info)
	return a, err
}

// connectors answers what is known about the connectors of a tenant.
func connectors(g *gateway.Gateway, r *http.Request, tenant string) (any, error) {
	infos, err := g.Connectors(r.Context(), tenant)
	answers := make([]connectorAnswer, 0, len(infos))
	for _, i := range infos {
		answers = append(answers, connectorAnswer(i))
	}
	return answers, err
}

// queryDuration reads a member of the query that may be missing.
func queryDuration(r *http.Request, name string) (time.Duration, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, &errRequest{name + " is no duration, such as 30s"}
	}
	return d, nil
}

// decode reads the body of a request; unknown members are refused.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && err != io.EOF {
		return &errRequest{"the body is not what this request takes: " + err.Error()}
	}
	return nil
}

// answer writes a result, or an error with the status that fits it.
func answer(w http.ResponseWriter, result any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		var order *gateway.OrderError
		var request *errRequest
		status := http.StatusInternalServerError
		switch {
		case errors.As(err, &order), errors.As(err, &request):
			status = http.StatusBadRequest
		case errors.Is(err, gateway.ErrNotFound):
			status = http.StatusNotFound
		case errors.Is(err, gateway.ErrConflict), errors.Is(err, gateway.ErrOrderConflict), errors.Is(err, gateway.ErrTooLate):
			status = http.StatusConflict
		}
		w.WriteHeader(status)
		result = map[string]string{"error": err.Error()}
	}
	if result == nil {
		result = struct{}{}
	}
	_ = json.NewEncoder(w).Encode(result) // the other side is gone
}
