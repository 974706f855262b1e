package connector_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto/connector"
)

// TestHold: nobody rotates keys that a connector runs with, and what is refused has changed nothing.
func TestHold(t *testing.T) {
	for name, store := range map[string]connector.KeyStore{"software": nil, "chip": newChip("a")} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "identity")
			id := openIn(t, dir, store)
			registered(t, id)
			before, names := keysOf(t, id), files(t, dir)
			release, err := id.Hold()
			require.NoError(t, err)
			again, err := openIn(t, dir, store).Hold() // a newer connector, to which this one hands over
			require.NoError(t, err)
			refused := func(who *connector.Identity) {
				t.Helper()
				err := who.Rotate(tenantName, store)
				require.ErrorIs(t, err, connector.ErrIdentityInUse)
				require.ErrorContains(t, err, dir)
				assert.Equal(t, before, keysOf(t, who))
				assert.Equal(t, names, files(t, dir))
			}
			refused(id)
			refused(openIn(t, dir, store))
			require.NoError(t, id.Acknowledge(nil), "the connector itself goes on to note what it is told")
			release()
			release()
			refused(openIn(t, dir, store))
			again()

			late := openIn(t, dir, store)
			require.NoError(t, openIn(t, dir, store).Rotate(tenantName, store))
			_, err = late.Hold()
			require.ErrorIs(t, err, connector.ErrIdentityChanged, "it was rotated since it was opened")

			now := openIn(t, dir, store)
			release, err = now.Hold()
			require.NoError(t, err, "the new keys")
			defer release()
			require.NoError(t, now.Acknowledge(nil), "the old key goes away")
			require.ErrorIs(t, openIn(t, dir, store).Rotate(tenantName, store), connector.ErrIdentityInUse)
			assert.Len(t, files(t, dir), 3)
		})
	}
}
