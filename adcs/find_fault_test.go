package adcs_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/csra"
)

// TestFindMeetsFaults has each fault in each call that a look-up makes. It ends in an error before the deadline, and
// says nothing about the request; after it the client works again, and nothing is left of it when it is closed.
func TestFindMeetsFaults(t *testing.T) {
	calls := map[string]func(adcstest.Call) bool{
		"making the object": func(c adcstest.Call) bool { return c.Interface == "IActivation" },
	}
	for name, op := range map[string]csra.Opnum{
		"the columns": csra.OpEnumViewColumnTable, "the first rows": csra.OpOpenView, "more rows": csra.OpEnumView,
	} {
		calls[name] = func(c adcstest.Call) bool { return c.Interface == "ICertAdminD2" && c.OpNum == uint16(op) }
	}
	for _, row := range faultTable() {
		if row.issuing || row.certificate || row.off {
			continue // they are in the answers to requests
		}
		t.Run(row.name, func(t *testing.T) {
			b := newFindBench(t, &row)
			for name, is := range calls {
				t.Run(name, func(t *testing.T) { b.meet(t, is) })
			}
		})
	}
}

// findBench is a CA with more than a page of requests, whose calls can be made to go wrong.
type findBench struct {
	*adcstest.Server
	row   *faultRow
	armed atomic.Pointer[func(adcstest.Call) bool] // which calls meet the fault
	met   atomic.Bool
}

func newFindBench(t *testing.T, row *faultRow) *findBench {
	b := &findBench{row: row}
	b.Server = newServer(t, &adcstest.Options{Readers: []string{`CORP\enroller`}, Fault: func(c adcstest.Call) *adcstest.Fault {
		if is := b.armed.Load(); is == nil || !(*is)(c) {
			return nil
		}
		b.met.Store(true)
		return &row.fault
	}})
	c := newClient(t, b.Server, &adcs.Options{Transport: adcs.TransportTCP})
	for range adcs.ViewPage + 1 {
		_, csr := newCSR(t, "pc1.corp.test")
		require.NoError(t, second(c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})))
	}
	return b
}

// meet has a look-up meet the fault.
func (b *findBench) meet(t *testing.T, is func(adcstest.Call) bool) {
	network := &openConns{dial: b.DialContext}
	c := newClient(t, b.Server, &adcs.Options{Transport: adcs.TransportTCP, DialContext: network.DialContext})
	last := b.Requests()[adcs.ViewPage]
	lookup := adcs.Lookup{Request: last.Raw}
	b.met.Store(false)
	b.armed.Store(&is)
	limit := 20 * time.Second
	if b.row.silent {
		limit = 300 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	rows, err := c.Find(ctx, lookup)
	b.armed.Store(nil)
	require.Error(t, err)
	if !b.row.silent {
		require.NoError(t, ctx.Err(), "not by the deadline")
		assert.True(t, b.met.Load())
	}
	assert.Empty(t, rows)
	assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	checkExplanation(t, adcs.Explain(err))

	rows, err = c.Find(t.Context(), lookup)
	require.NoError(t, err)
	assert.Equal(t, []uint32{last.ID}, idsOf(rows))
	require.NoError(t, c.Close())
	assert.Zero(t, network.open.Load(), "connections that are left")
}
