package gateway

import "time"

// Timing are the waits of a gateway. A zero field means its default.
type Timing struct {
	// Lease is how long after a checkpoint a connector may submit. Default 30 seconds.
	Lease time.Duration
	// RPCDeadline is the longest time that a connector may wait for a CA after its lease ended. Default 2 minutes.
	RPCDeadline time.Duration
	// Margin is added to Lease and RPCDeadline before a job is offered elsewhere; it covers what the clocks of connectors,
	// and of gateways that share a store, drift apart meanwhile. Default 30 seconds.
	Margin time.Duration
	// Hello and Authenticate are how long a new connection may take for each. Defaults 10 and 30 seconds.
	Hello        time.Duration
	Authenticate time.Duration
	// Attestation is how long the AttestationVerifier may take for each call. Default 5 seconds.
	Attestation time.Duration
	// Heartbeat is the interval of pings; a connection that misses two is dropped. Default 25 seconds.
	Heartbeat time.Duration
	// Reauthenticate is the age at which a session must prove its key again. One that has former keys which are not needed any
	// more is drained then, so that the connector learns of it. Default 12 hours.
	Reauthenticate time.Duration
	// Offer is how long a connector may take to answer an offer. Default 15 seconds.
	Offer time.Duration
	// Stall is how long a connected connector may do nothing visible for a job before that is offered again. Default
	// 5 minutes.
	Stall time.Duration
	// Life is how long an order waits for a connector, unless it says otherwise. Default 1 hour.
	Life time.Duration
	// Resolve is how long a job that may have been submitted waits for a connector that can look it up before its outcome
	// is unknown. Default 15 minutes.
	Resolve time.Duration
	// Hold is how long a request held by the CA is asked for before the job counts as lost. Default 30 days.
	Hold time.Duration
	// Retrieve is how long to wait before a held request is asked for, if the connector does not say. Default 5 minutes.
	Retrieve time.Duration
	// Retention is how long a finished job is kept. Default 30 days.
	Retention time.Duration
	// Code is how long an enrollment code is good for. Default and maximum 15 minutes.
	Code time.Duration
	// Drain is how long a connection that was told to drain may go on. Default 1 minute.
	Drain time.Duration
	// Poll is the interval at which Run looks for work that nobody told it of. Default 1 second.
	Poll time.Duration
}

func orDefault(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}

// withDefaults returns a copy without zero fields.
func (t *Timing) withDefaults() Timing {
	var c Timing
	if t != nil {
		c = *t
	}
	orDefault(&c.Lease, 30*time.Second)
	orDefault(&c.RPCDeadline, 2*time.Minute)
	orDefault(&c.Margin, 30*time.Second)
	orDefault(&c.Hello, 10*time.Second)
	orDefault(&c.Authenticate, 30*time.Second)
	orDefault(&c.Attestation, 5*time.Second)
	orDefault(&c.Heartbeat, 25*time.Second)
	orDefault(&c.Reauthenticate, 12*time.Hour)
	orDefault(&c.Offer, 15*time.Second)
	orDefault(&c.Stall, 5*time.Minute)
	orDefault(&c.Life, time.Hour)
	orDefault(&c.Resolve, 15*time.Minute)
	orDefault(&c.Hold, 30*24*time.Hour)
	orDefault(&c.Retrieve, 5*time.Minute)
	orDefault(&c.Retention, 30*24*time.Hour)
	orDefault(&c.Code, 15*time.Minute)
	c.Code = min(c.Code, 15*time.Minute)
	orDefault(&c.Drain, time.Minute)
	orDefault(&c.Poll, time.Second)
	return c
}

// Limits bound what a gateway spends on its peers. A zero field means its default.
type Limits struct {
	// MessageBytes bounds one message. Default 1 MiB.
	MessageBytes int
	// Capacity bounds the jobs in flight at one connector, whatever it asks for. Default 64.
	Capacity int
	// Connections bounds the connections of one tenant; Handshakes those of them that have not authenticated. Defaults
	// 10,000 and 100.
	Connections int
	Handshakes  int
	// Pending bounds the registrations of one tenant that wait for approval. Default 100.
	Pending int
	// FailedEnrollments bounds wrong enrollment codes, and wrong evidence, from one source to one tenant within a minute.
	// Default 10.
	FailedEnrollments int
	// Attempts bounds how often a job is given to connectors that vanish with it. Default 10.
	Attempts int
}

func orLimit(n *int, def int) {
	if *n <= 0 {
		*n = def
	}
}

// withDefaults returns a copy without zero fields.
func (l *Limits) withDefaults() Limits {
	var c Limits
	if l != nil {
		c = *l
	}
	orLimit(&c.MessageBytes, 1<<20)
	orLimit(&c.Capacity, 64)
	orLimit(&c.Connections, 10_000)
	orLimit(&c.Handshakes, 100)
	orLimit(&c.Pending, 100)
	orLimit(&c.FailedEnrollments, 10)
	orLimit(&c.Attempts, 10)
	return c
}
