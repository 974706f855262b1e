package adcs

import (
	"errors"
	"fmt"
	"strings"
)

// explainLadder explains a ladder that led nowhere by each of its steps. A logon that failed, which ended it, is
// explained by itself: it is what has to be mended.
func explainLadder(err error) (Explanation, bool) {
	e, ok := errors.AsType[*LadderError](err)
	if !ok || len(e.Steps) == 0 {
		return Explanation{}, false
	}
	if last := e.Steps[len(e.Steps)-1].Err; errors.Is(last, ErrLogon) || noTickets(last) || len(e.Steps) == 1 {
		return Explain(last), true
	}
	all := Explanation{Summary: "No transport leads to the CA.", Retry: RetryAfter}
	var remedies []string
	for _, s := range e.Steps {
		step := Explain(s.Err)
		all.Summary += fmt.Sprintf(" %s: %s", s.Transport.long(), step.Summary)
		remedies = append(remedies, fmt.Sprintf("%s: %s", s.Transport.long(), step.Remedy))
		if step.Retry != RetryAfter {
			all.Retry = RetryOperator
		}
	}
	all.Remedy = "One of these is enough. " + strings.Join(remedies, " ")
	return all, true
}

// long is the transport as a person knows it.
func (t Transport) long() string {
	switch t {
	case TransportTCP:
		return "RPC over TCP"
	case TransportNamedPipe:
		return "RPC over a named pipe"
	case TransportDCOM:
		return "DCOM"
	}
	return string(t)
}
