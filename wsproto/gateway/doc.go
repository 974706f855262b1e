// Package gateway is the tenant's half of the protocol in wsproto: an http.Handler that connectors connect to, and the
// queue that gives them jobs and records what became of each.
//
//	g, err := gateway.New(gateway.Config{
//		Tenant:    func(r *http.Request) (string, error) { return r.PathValue("tenant"), nil },
//		TenantKey: func(context.Context, string) (crypto.Signer, error) { return key, nil },
//		Authority: "gateway.example.com",
//		Store:     gateway.NewMemoryStore(),
//		OnOutcome: func(ctx context.Context, o gateway.OutcomeEvent) error { return save(ctx, o) },
//	})
//	mux.Handle("/connect/{tenant}", g)
//	go g.Run(ctx)
//
//	cas := []wsproto.CAAssignment{{Host: "ca.corp.example", Name: "Corp CA"}}
//	code, _, err := g.NewEnrollmentCode(ctx, "acme", &gateway.CodeOptions{CAs: cas}) // for one connector, which serves these
//	id, err := g.Order(ctx, "acme", wsproto.Order{…}, nil)  // a job
//	outcome, err := g.Wait(ctx, "acme", id)
//
// A gateway serves many tenants; nothing of one is visible to another. What it must not forget is in a [Store], which is
// written by compare and swap only, so several gateways may share one.
//
// # Outcomes
//
// Every job ends with one outcome. It is handed to Config.OnOutcome at least once, with an id that is the same each time,
// until that returns nil; [Gateway.Job] is authoritative at any time. There are two things to expect besides: an outcome
// pending is followed by another, and an outcome unknown (a connector may have submitted the request and was never
// heard of again) is replaced if a definite one arrives later. A certificate is always recorded: one that was issued for
// an attempt that had been given up comes as an event with Extra set, for somebody to revoke.
//
// # Keys of connectors
//
// With Config.AttestationVerifier the gateway knows which connectors keep their keys in a TPM, and Config.Attestation says which
// ones it takes. The level is in [ConnectorInfo] and in the events before anybody approves. A connector takes new keys by
// itself, signed by the old ones: its record is another one then, and the old one is revoked, with Successor set. One that
// is lost is removed with [Gateway.Delete], or with [Gateway.Replace] if it was installed anew.
//
// # Secrets
//
// An order may hold a password, and an issued outcome the bundle that it opens. The password is removed from the store in
// the same write that records the final outcome; until then whoever reads the store can read it. A sealed order avoids
// both. Nothing of an order appears in an error of this package, except names of members.
package gateway
