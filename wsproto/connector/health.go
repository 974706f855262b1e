package connector

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/adcskit/adcskit/wsproto"
)

// health remembers how each CA looked when it was last used.
type health struct {
	changed func()

	mu       sync.Mutex
	cas      map[wsproto.CAAssignment]wsproto.CAHealth
	assigned []wsproto.CAAssignment
}

// used records the end of a call to a CA and says what it tells about the credential.
func (h *health) used(ca wsproto.CAAssignment, err error) use {
	e := classify(err)
	state := wsproto.CAHealth{CA: ca, Healthy: true}
	result := useWorked
	if e != nil {
		switch e.Kind {
		case CALogon:
			state.Healthy, state.Reason, result = false, wsproto.ReasonCALogon, useRefused
		case CAUnavailable, CAUnknown:
			state.Healthy, state.Reason, result = false, wsproto.ReasonCAUnavailable, useNone
		case CAInvalid:
			return useNone
		case CARefused, CAFailed:
		}
	}
	h.set(state)
	return result
}

func (h *health) set(state wsproto.CAHealth) {
	h.mu.Lock()
	if h.cas == nil {
		h.cas = make(map[wsproto.CAAssignment]wsproto.CAHealth)
	}
	old, known := h.cas[state.CA]
	if known || len(h.cas) < wsproto.MaxCAs {
		h.cas[state.CA] = state
	}
	h.mu.Unlock()
	if !known || old != state {
		h.changed()
	}
}

// assign takes over the CAs that the tenant assigns: others are forgotten, and those that serves does not know are
// reported.
func (h *health) assign(cas []wsproto.CAAssignment, serves func(wsproto.CAAssignment) bool) {
	h.mu.Lock()
	old := h.cas
	h.assigned = cas
	h.cas = make(map[wsproto.CAAssignment]wsproto.CAHealth, len(cas))
	for _, ca := range cas {
		if !serves(ca) {
			h.cas[ca] = wsproto.CAHealth{CA: ca, Reason: wsproto.ReasonPolicyCA, Message: "this connector has no credential for the CA"}
		} else if state, known := old[ca]; known {
			h.cas[ca] = state
		}
	}
	h.mu.Unlock()
	h.changed()
}

// reloaded forgets failed logons: the credentials are new, and nothing is known about them.
func (h *health) reloaded() {
	h.mu.Lock()
	maps.DeleteFunc(h.cas, func(_ wsproto.CAAssignment, state wsproto.CAHealth) bool {
		return state.Reason == wsproto.ReasonCALogon
	})
	h.mu.Unlock()
	h.changed()
}

// list returns the state of every CA that was used or assigned and cannot be, in a stable order. rests says why the
// credential of an assigned CA is not used now, or returns "".
func (h *health) list(rests func(wsproto.CAAssignment) string) []wsproto.CAHealth {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := maps.Clone(h.cas)
	for _, ca := range h.assigned {
		_, known := states[ca]
		if why := rests(ca); why != "" && (known || len(states) < wsproto.MaxCAs) {
			states[ca] = wsproto.CAHealth{CA: ca, Reason: wsproto.ReasonCredential, Message: boundText(why)}
		}
	}
	out := make([]wsproto.CAHealth, 0, len(states))
	for _, state := range states {
		out = append(out, state)
	}
	slices.SortFunc(out, func(a, b wsproto.CAHealth) int {
		return strings.Compare(a.CA.Host+"\\"+a.CA.Name, b.CA.Host+"\\"+b.CA.Name)
	})
	return out
}
