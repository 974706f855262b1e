package adcs

import (
	"context"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Remote is an object on the CA's host, for tests.
type Remote = remote

// RemoteFunc is a Remote.
type RemoteFunc func(ctx context.Context, iid rpc.UUID, opnum uint16, stub []byte) ([]byte, error)

func (f RemoteFunc) call(ctx context.Context, iid rpc.UUID, opnum uint16, stub []byte) ([]byte, error) {
	return f(ctx, iid, opnum, stub)
}

// Close does nothing.
func (f RemoteFunc) Close() error { return nil }

// FindOn is Client.Find with an administration object.
func FindOn(ctx context.Context, object Remote, lookup Lookup) ([]*Row, error) {
	return findOn(ctx, &admin{object, "Corp CA"}, lookup)
}

// ManagerOn is a Manager with an administration object.
func ManagerOn(object Remote) *Manager {
	return &Manager{ca: "Corp CA", administer: func(ctx context.Context, f func(context.Context, *admin) error) error {
		return f(ctx, &admin{object, "Corp CA"})
	}}
}

// Limits that tests go to.
const (
	ViewPage  = viewPage
	ViewLimit = viewLimit
	MaxFound  = maxFound
)

// DatabaseSerial calls databaseSerial.
func DatabaseSerial(serial string) (string, error) { return databaseSerial(serial) }
