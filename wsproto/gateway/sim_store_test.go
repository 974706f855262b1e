package gateway_test

import (
	"context"
	"errors"
	mrand "math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// TestSimulationWithDoubtfulStore is TestSimulation on a store whose writes are late, fail, or are said to have failed
// though they are there.
func TestSimulationWithDoubtfulStore(t *testing.T) {
	for seed := range simSeeds() {
		t.Run(strconv.Itoa(seed), func(t *testing.T) { simulate(t, uint64(seed), true) })
	}
}

type doubtful struct {
	gateway.Store
	d *dice
}

func newDoubtful(s gateway.Store, seed uint64) *doubtful {
	return &doubtful{Store: s, d: &dice{r: mrand.New(mrand.NewPCG(seed, 8))}}
}

func (s *doubtful) write(write func() error) error {
	if s.d.chance(10) {
		time.Sleep(s.d.between(0, 20*time.Second))
	}
	if s.d.chance(5) {
		return errDown
	}
	err := write()
	if err == nil && s.d.chance(5) {
		return errDown
	}
	return err
}

func (s *doubtful) PutJob(ctx context.Context, j *gateway.Job) error {
	return s.write(func() error { return s.Store.PutJob(ctx, j) })
}

func (s *doubtful) DeleteJob(ctx context.Context, tenant, id string, version int64) error {
	return s.write(func() error { return s.Store.DeleteJob(ctx, tenant, id, version) })
}

func (s *doubtful) PutConnector(ctx context.Context, c *gateway.Connector) error {
	return s.write(func() error { return s.Store.PutConnector(ctx, c) })
}

func (s *doubtful) DeleteConnector(ctx context.Context, tenant, id string, version int64) error {
	return s.write(func() error { return s.Store.DeleteConnector(ctx, tenant, id, version) })
}

func (s *doubtful) PutCode(ctx context.Context, c *gateway.Code) error {
	return s.write(func() error { return s.Store.PutCode(ctx, c) })
}

// insist does what a person does: it tries again when the store has failed.
func insist(f func() error) error {
	for {
		err := f()
		if !errors.Is(err, errDown) && !errors.Is(err, wsproto.CodeUnavailable) && !errors.Is(err, wsproto.ErrConnectionLost) {
			return err
		}
	}
}
