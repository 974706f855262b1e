package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

func newConnector(tenant, id string) *gateway.Connector {
	return &gateway.Connector{
		Tenant: tenant, ID: id, State: wsproto.StatePending, IdentityKey: []byte{1}, DecryptionKey: []byte{2},
		Instance: "i", Host: "h", OS: "linux", Software: "s 1", Source: "192.0.2.1", Attestation: gateway.LevelUnverified,
		AttestationDetail: "no certificate", Evidence: []byte{3}, Predecessor: "p", Successor: "q",
		Former:   []gateway.FormerKeys{{Connector: "p", Decryption: []byte{4}, Replaced: base()}},
		Capacity: 4, Registered: base(), Code: "c", CAs: []wsproto.CAAssignment{ca("A"), ca("B")}, Revision: 3,
		Session: "x", Seen: base().Add(time.Second),
		Status: wsproto.Status{InFlight: 1, CAs: []wsproto.CAHealth{{CA: ca("A"), Healthy: true, Message: "m"}}},
	}
}

func connectors(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	_, err := s.Connector(ctx, "t", "b")
	require.ErrorIs(t, err, gateway.ErrNotFound)
	list, err := s.Connectors(ctx, "t")
	require.NoError(t, err)
	require.Empty(t, list)

	b := newConnector("t", "b")
	require.NoError(t, s.PutConnector(ctx, b))
	require.NoError(t, s.PutConnector(ctx, newConnector("t", "a")))
	require.NoError(t, s.PutConnector(ctx, newConnector("u", "a")), "another tenant may use the same id")
	require.ErrorIs(t, s.PutConnector(ctx, newConnector("t", "a")), gateway.ErrConflict)
	got, err := s.Connector(ctx, "t", "b")
	require.NoError(t, err)
	require.Equal(t, b, got)

	list, err = s.Connectors(ctx, "t")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "a", list[0].ID)
	require.Equal(t, b, list[1])
	list[1].CAs[0].Name = "changed by the reader"
	list[1].Former[0].Connector = "changed by the reader"

	got, err = s.Connector(ctx, "t", "b")
	require.NoError(t, err)
	require.Equal(t, "p", got.Former[0].Connector, "what a reader changes is its own")
	require.Equal(t, "A", got.CAs[0].Name)
	b = newConnector("t", "b")
	b.Version, b.State = 1, wsproto.StateActive
	require.NoError(t, s.PutConnector(ctx, b))
	got.State = wsproto.StateRevoked
	require.ErrorIs(t, s.PutConnector(ctx, got), gateway.ErrConflict, "a stale update")
	got, err = s.Connector(ctx, "t", "b")
	require.NoError(t, err)
	require.Equal(t, b, got)

	require.ErrorIs(t, s.DeleteConnector(ctx, "t", "b", 1), gateway.ErrConflict)
	require.NoError(t, s.DeleteConnector(ctx, "t", "b", 2))
	require.ErrorIs(t, s.DeleteConnector(ctx, "t", "b", 2), gateway.ErrNotFound)
	list, err = s.Connectors(ctx, "t")
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func concurrentConnector(t *testing.T, s gateway.Store) {
	ctx := context.WithoutCancel(t.Context())
	require.NoError(t, s.PutConnector(ctx, newConnector("t", "a")))
	won := together(t, 8, func(int) error {
		c := newConnector("t", "a")
		c.Version = 1
		return s.PutConnector(ctx, c)
	})
	require.Equal(t, 1, won)
}

func codes(t *testing.T, s gateway.Store) {
	ctx := t.Context()
	_, err := s.Code(ctx, "t", "a")
	require.ErrorIs(t, err, gateway.ErrNotFound)
	code := &gateway.Code{
		Tenant: "t", ID: "a", Verifier: []byte{1}, Expires: time.Now().UTC().Truncate(time.Second).Add(time.Hour),
		CAs: []wsproto.CAAssignment{ca("A")},
	}
	require.NoError(t, s.PutCode(ctx, code))
	require.ErrorIs(t, s.PutCode(ctx, &gateway.Code{Tenant: "t", ID: "a"}), gateway.ErrConflict)
	_, err = s.Code(ctx, "u", "a")
	require.ErrorIs(t, err, gateway.ErrNotFound, "a code belongs to its tenant")
	got, err := s.Code(ctx, "t", "a")
	require.NoError(t, err)
	require.Equal(t, code, got)
	code.UsedBy = "c"
	require.NoError(t, s.PutCode(ctx, code))
	got.UsedBy = "d"
	require.ErrorIs(t, s.PutCode(ctx, got), gateway.ErrConflict, "a code is used once")
}

func concurrentCode(t *testing.T, s gateway.Store) {
	ctx := context.WithoutCancel(t.Context())
	code := &gateway.Code{Tenant: "t", ID: "a", Expires: time.Now().Add(time.Hour)}
	require.NoError(t, s.PutCode(ctx, code))
	won := together(t, 8, func(int) error {
		return s.PutCode(ctx, &gateway.Code{Tenant: "t", ID: "a", Version: 1, Expires: code.Expires, UsedBy: "c"})
	})
	require.Equal(t, 1, won)
}
