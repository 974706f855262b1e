package gateway_test

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// FuzzOrderText gives the gateway texts of orders: what it refuses leaves no trace, and what it takes in is what a
// connector decodes, without its password once it is over.
func FuzzOrderText(f *testing.F) {
	for _, seed := range []string{
		`{"ca":{"host":"h","name":"n"},"template":"T","subject":"CN=a","key":"p256","password":"pw"}`,
		`{"ca":{"host":"h","name":"n"},"template":"T","dns":["a.test"],"key":"p256","password":"<&>","future":{"a":[1,2.50]}}`,
		`{"ca":{"host":"h","name":"n"},"template":"T","subjectSource":"directory","key":"k","recipient":{"id":"r","key":"MCowBQYDK2VuAyEAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHwA="},"critical":["key"]}`,
		`{"ca":{"host":"h","name":"n"},"template":"T","subject":"CN=a","key":"k","password":"p","critical":["password"]}`,
		`{"ca":{"host":"h","name":"n"},"template":"T","template":"U"}`, `{}`, `[]`, `null`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	key := newKey(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		store := gateway.NewMemoryStore()
		g, err := gateway.New(gateway.Config{
			Tenant:    func(*http.Request) (string, error) { return "t", nil },
			TenantKey: func(context.Context, string) (crypto.Signer, error) { return key, nil },
			Authority: "a", Store: store,
		})
		require.NoError(t, err)
		defer g.Close()
		const id = "3f2b8c1e-0000-4000-8000-000000000001"
		_, err = g.OrderText(t.Context(), "t", text, &gateway.OrderOptions{ID: id})
		job, missing := store.Job(t.Context(), "t", id)
		if err != nil {
			var refused *gateway.OrderError
			require.ErrorAs(t, err, &refused)
			require.True(t, errors.Is(missing, gateway.ErrNotFound))
			return
		}
		require.NoError(t, missing)
		order, err := wsproto.DecodeOrder(job.Order)
		require.NoError(t, err)
		require.Equal(t, order.CA, job.CA)
		require.NoError(t, g.Cancel(t.Context(), "t", id))
		job, err = store.Job(t.Context(), "t", id)
		require.NoError(t, err)
		var stripped wsproto.Order
		require.NoError(t, wsproto.Unmarshal(job.Order, &stripped))
		require.Empty(t, stripped.Password)
	})
}
