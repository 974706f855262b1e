package main

import (
	"fmt"
	"time"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// timing are waits, such as "30s".
type timing struct {
	Lease       duration `json:"lease"`       // how long after a checkpoint a connector may submit
	RPCDeadline duration `json:"rpcDeadline"` // how long it may wait for a CA then
	Margin      duration `json:"margin"`      // added to both before a job of a connector that vanished is offered again
	Stall       duration `json:"stall"`       // how long one that is connected may do nothing visible for a job
	Life        duration `json:"life"`        // how long an order waits for a connector
	Resolve     duration `json:"resolve"`     // how long one that may have been submitted waits for one that knows more
	Retention   duration `json:"retention"`   // how long a finished job is kept
	Drain       duration `json:"drain"`       // how long jobs may go on when a connector or the gateway drains
}

func (t timing) gateway() *gateway.Timing {
	return &gateway.Timing{
		Lease: time.Duration(t.Lease), RPCDeadline: time.Duration(t.RPCDeadline), Margin: time.Duration(t.Margin),
		Stall: time.Duration(t.Stall), Life: time.Duration(t.Life), Resolve: time.Duration(t.Resolve), Retention: time.Duration(t.Retention),
		Drain: time.Duration(t.Drain),
	}
}

// duration is a time.Duration that JSON has as text.
type duration time.Duration

// UnmarshalText takes what time.ParseDuration does, if it is more than zero.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed <= 0 {
		return fmt.Errorf("%q is no duration such as 30s", text)
	}
	*d = duration(parsed)
	return nil
}
