package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// stages are where the time of a job goes, as the connector measured it: key and request, waiting for the lease, the CA,
// fetching what it had held, and verification and .p12.
var stages = [...]string{"prepare", "checkpoint", "submit", "retrieve", "finish"}

func printTable(w io.Writer, results []result) {
	fmt.Fprint(w, "\nMilliseconds in each stage: prepare (key and request), checkpoint (waiting for the lease), submit (the CA),\n"+
		"retrieve (fetching what was held), finish (verification and .p12); total is from the order to the outcome.\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "subject\tkey\tCA request\toutcome\tserial\t%s\ttotal\n", strings.Join(stages[:], "\t"))
	for _, r := range results {
		id := "-"
		if r.outcome.RequestID != 0 {
			id = fmt.Sprint(r.outcome.RequestID)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t", r.order.order.Subject, r.order.order.Key, id, r.outcome.Kind,
			cmp.Or(r.outcome.Serial, "-"))
		for _, s := range stages {
			if ms, ok := r.outcome.TimingsMS[s]; ok {
				fmt.Fprintf(t, "%d\t", ms)
			} else {
				fmt.Fprint(t, "-\t")
			}
		}
		fmt.Fprintf(t, "%d\n", r.total.Milliseconds())
	}
	t.Flush()
	for _, r := range results {
		switch {
		case r.err != nil:
			fmt.Fprintf(w, "WRONG  %s: %v\n", r.name, r.err)
		case r.outcome.Message != "" && r.outcome.Kind != "issued":
			fmt.Fprintf(w, "%s: %s (%s)\n", r.name, r.outcome.Message, r.outcome.Reason)
		}
	}
}
