package connector_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

func registered(t *testing.T, id *connector.Identity) {
	t.Helper()
	require.NoError(t, id.Register(connector.Registration{TenantKey: wsproto.Fingerprint{1}.String(), Connector: "connector-1"}))
}

// checkStatement checks what a tenant checks, and returns the previous keys.
func checkStatement(t *testing.T, id *connector.Identity) string {
	t.Helper()
	r := id.Rotation()
	require.NotNil(t, r)
	require.NoError(t, wsproto.VerifyRotation(tenantName, &wsproto.Hello{
		IdentityKey: spkiOf(t, id.Signer().Public()), DecryptionKey: spkiOf(t, id.Decryption().PublicKey()), Rotation: r,
	}))
	return string(r.IdentityKey) + string(r.DecryptionKey)
}

// agrees checks that a former key is the one that belongs to its public key.
func agrees(t *testing.T, k connector.FormerKeys) {
	t.Helper()
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	public, err := wsproto.ParseDecryptionKey(k.DecryptionKey)
	require.NoError(t, err)
	want, err := peer.ECDH(public)
	require.NoError(t, err)
	got, err := k.Decryption.ECDH(peer.PublicKey())
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestRotate(t *testing.T) {
	for name, stores := range map[string][2]connector.KeyStore{
		"in software": {nil, nil}, "to a chip": {nil, newChip("a")}, "in a chip": {newChip("a"), newChip("a")},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "identity")
			id := openIn(t, dir, stores[0])
			registered(t, id)
			old, instance := keysOf(t, id), id.Instance()
			require.NoError(t, id.Rotate(tenantName, stores[1]))
			current := keysOf(t, id)
			for _, now := range []*connector.Identity{id, openIn(t, dir, stores[1])} {
				assert.Equal(t, current, keysOf(t, now))
				assert.Equal(t, old, checkStatement(t, now))
				assert.Equal(t, instance, now.Instance(), "it is the same connector")
				assert.Equal(t, "connector-1", now.Registration().Connector)
				require.Len(t, now.Former(), 1)
				agrees(t, now.Former()[0])
				require.ErrorIs(t, now.Rotate(tenantName, stores[1]), connector.ErrRotating)
			}
			assert.Len(t, files(t, dir), 5)

			// Acknowledged, while a job still needs the old decryption key.
			box := wsproto.FingerprintSPKI(id.Former()[0].DecryptionKey)
			require.NoError(t, id.Acknowledge([]wsproto.Fingerprint{{7}, box}))
			assert.NoFileExists(t, filepath.Join(dir, "identity.pem"), "the old identity key signs nothing any more")
			assert.FileExists(t, filepath.Join(dir, "decryption.pem"))
			for _, now := range []*connector.Identity{id, openIn(t, dir, stores[1])} {
				assert.Nil(t, now.Rotation())
				require.Len(t, now.Former(), 1)
				agrees(t, now.Former()[0])
				require.NoError(t, now.Acknowledge([]wsproto.Fingerprint{box}))
			}

			// Once more, and then nothing needs the old ones.
			require.NoError(t, id.Rotate(tenantName, stores[1]))
			require.Len(t, id.Former(), 2)
			assert.Equal(t, current, checkStatement(t, id))
			require.NoError(t, id.Acknowledge(nil))
			last := openIn(t, dir, stores[1])
			assert.Equal(t, keysOf(t, id), keysOf(t, last))
			assert.Empty(t, last.Former())
			assert.Empty(t, id.Former())
			assert.Len(t, files(t, dir), 3, "the old keys are deleted")
		})
	}
}

func TestRotateRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	id := openIn(t, dir, nil)
	before := keysOf(t, id)
	require.ErrorIs(t, id.Rotate(tenantName, nil), connector.ErrNotRegistered)
	require.NoError(t, id.Register(connector.Registration{TenantKey: wsproto.Fingerprint{1}.String()}))
	require.ErrorIs(t, id.Rotate(tenantName, nil), connector.ErrNotRegistered)
	registered(t, id)
	broken := newChip("a")
	broken.fail(errChip)
	require.ErrorIs(t, id.Rotate(tenantName, broken), errChip)
	assert.Equal(t, before, keysOf(t, id))
	assert.Nil(t, id.Rotation())
	assert.Len(t, files(t, dir), 3)
	assert.Equal(t, before, keysOf(t, openIn(t, dir, nil)))

	other := openIn(t, dir, nil)
	require.NoError(t, id.Rotate(tenantName, nil))
	require.ErrorIs(t, other.Rotate(tenantName, nil), connector.ErrIdentityChanged)
	require.ErrorIs(t, other.Register(connector.Registration{TenantKey: wsproto.Fingerprint{1}.String(), Connector: "x"}),
		connector.ErrIdentityChanged, "an older process does not undo the rotation")
	assert.Equal(t, keysOf(t, id), keysOf(t, openIn(t, dir, nil)))
}

// TestRotateWithADeadKey: without the old key there is no statement, and nothing is left of the new ones.
func TestRotateWithADeadKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	c := newChip("a")
	id := openIn(t, dir, c)
	registered(t, id)
	before := keysOf(t, id)
	c.fail(errChip)
	err := id.Rotate(tenantName, nil)
	require.ErrorIs(t, err, errChip)
	require.ErrorContains(t, err, "the old key has to sign")
	assert.Equal(t, before, keysOf(t, id))
	assert.Len(t, files(t, dir), 3)
	c.fail(nil)
	require.NoError(t, id.Rotate(tenantName, nil))
}

// TestFormerKeyIsLost: the connector goes on without a former key that cannot be opened, and says so when it is needed.
func TestFormerKeyIsLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	id := openIn(t, dir, newChip("a"))
	registered(t, id)
	require.NoError(t, id.Rotate(tenantName, nil))
	again := openIn(t, dir, nil)
	require.Len(t, again.Former(), 1)
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, err = again.Former()[0].Decryption.ECDH(peer.PublicKey())
	require.ErrorContains(t, err, "has chip keys, not software keys")
	assert.True(t, again.Former()[0].Decryption.PublicKey().Equal(id.Former()[0].Decryption.PublicKey()))
	require.NoError(t, os.Remove(filepath.Join(dir, "decryption.pem")))
	assert.Len(t, openIn(t, dir, nil).Former(), 1)
}

// TestFormerKeyIsAnother: a file in the place of a former key is not taken for it.
func TestFormerKeyIsAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	id := openIn(t, dir, nil)
	registered(t, id)
	require.NoError(t, id.Rotate(tenantName, nil))
	raw, err := os.ReadFile(filepath.Join(dir, "identity.pem"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "decryption.pem"), raw, 0o600))
	again := openIn(t, dir, nil)
	require.Len(t, again.Former(), 1)
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, err = again.Former()[0].Decryption.ECDH(peer.PublicKey())
	require.ErrorContains(t, err, "another key")
}

// crashAt ends the process without any clean-up before the nth change on disk.
func crashAt(n int) func(string) error {
	return func(what string) error {
		if n--; n < 0 {
			fmt.Println("crashed before", what)
			os.Exit(3)
		}
		return nil
	}
}

// TestRotateWithABrokenDisk makes each change on disk fail once: the process says so and goes on with keys that are on
// disk, or is told to start again.
func TestRotateWithABrokenDisk(t *testing.T) {
	errDisk := errors.New("disk full")
	kept, rotated := 0, 0
	for n := 0; ; n++ {
		require.Less(t, n, 100)
		dir := filepath.Join(t.TempDir(), "identity")
		left := 1000
		id, err := connector.OpenIdentityInSteps(dir, nil, func(string) error {
			if left--; left == -1 {
				return errDisk
			}
			return nil
		})
		require.NoError(t, err)
		registered(t, id)
		old := keysOf(t, id)
		left = n
		err = id.Rotate(tenantName, nil)
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errDisk)
		require.Equal(t, old, keysOf(t, id), "a rotation that failed changes nothing in this process")
		now := openIn(t, dir, nil)
		if keysOf(t, now) == old {
			kept++
			assert.Len(t, files(t, dir), 3, "%v", files(t, dir))
			require.NoError(t, id.Rotate(tenantName, nil))
			assert.Equal(t, old, checkStatement(t, openIn(t, dir, nil)))
			continue
		}
		rotated++
		assert.Equal(t, old, checkStatement(t, now))
		agrees(t, now.Former()[0])
		require.ErrorIs(t, id.Rotate(tenantName, nil), connector.ErrIdentityChanged)
	}
	assert.Greater(t, kept, 8)
	assert.Equal(t, 1, rotated, "the state was in place, but not certainly for good")
}

// TestCrashHelper is the process that crashes.
func TestCrashHelper(t *testing.T) {
	dir, at := os.Getenv("CONNECTOR_CRASH_DIR"), os.Getenv("CONNECTOR_CRASH_AT")
	if dir == "" {
		return // it is run by the tests of crashes
	}
	n, err := strconv.Atoi(at)
	require.NoError(t, err)
	var store connector.KeyStore
	if os.Getenv("CONNECTOR_CRASH_FROM") == "chip" {
		store = newChip("a")
	}
	id, err := connector.OpenIdentityInSteps(dir, store, crashAt(n))
	require.NoError(t, err)
	switch os.Getenv("CONNECTOR_CRASH_IN") {
	case "rotate":
		require.NoError(t, id.Rotate(tenantName, newChip("a")))
	case "acknowledge":
		require.NoError(t, id.Acknowledge(nil))
	}
}

// crash runs a change in a process that ends before its nth step, and reports whether it did.
func crash(t *testing.T, dir, in, from string, n int) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashHelper$", "-test.v")
	cmd.Env = append(os.Environ(), "CONNECTOR_CRASH_DIR="+dir, "CONNECTOR_CRASH_IN="+in, "CONNECTOR_CRASH_FROM="+from,
		fmt.Sprint("CONNECTOR_CRASH_AT=", n))
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "crashed before") {
		require.Equal(t, 3, cmd.ProcessState.ExitCode())
		return true
	}
	require.NoError(t, err, "%s", out)
	return false
}

// TestRotateCrashes stops a rotation before each of its changes on disk: afterwards either the old keys are in use and a
// rotation can be made, or the new ones with their statement.
func TestRotateCrashes(t *testing.T) {
	for _, from := range []string{"software", "chip"} {
		t.Run(from, func(t *testing.T) {
			var store connector.KeyStore
			if from == "chip" {
				store = newChip("a")
			}
			kept, rotated := 0, 0
			for n := 0; ; n++ {
				require.Less(t, n, 100)
				dir := filepath.Join(t.TempDir(), "identity")
				id := openIn(t, dir, store)
				registered(t, id)
				old := keysOf(t, id)
				crashed := crash(t, dir, "rotate", from, n)
				now, err := connector.OpenIdentity(dir, newChip("a"))
				if err != nil {
					require.ErrorContains(t, err, "has software keys")
					now = openIn(t, dir, nil)
				}
				if keysOf(t, now) == old {
					kept++
					require.True(t, crashed)
					assert.Nil(t, now.Rotation())
					assert.Empty(t, now.Former())
					assert.Len(t, files(t, dir), 3, "what was begun is gone: %v", files(t, dir))
					require.NoError(t, now.Rotate(tenantName, newChip("a")))
				} else {
					rotated++
				}
				assert.Equal(t, old, checkStatement(t, now))
				require.Len(t, now.Former(), 1)
				agrees(t, now.Former()[0])
				assert.Len(t, files(t, dir), 5, "%v", files(t, dir))
				if !crashed {
					break
				}
			}
			assert.Greater(t, kept, 8)
			assert.Greater(t, rotated, 1)
		})
	}
}

// TestAcknowledgeCrashes stops before each change that follows the tenant's acknowledgement.
func TestAcknowledgeCrashes(t *testing.T) {
	for n := 0; ; n++ {
		require.Less(t, n, 100)
		dir := filepath.Join(t.TempDir(), "identity")
		c := newChip("a")
		id := openIn(t, dir, c)
		registered(t, id)
		require.NoError(t, id.Rotate(tenantName, c))
		current := keysOf(t, id)
		crashed := crash(t, dir, "acknowledge", "chip", n)
		now := openIn(t, dir, c)
		assert.Equal(t, current, keysOf(t, now))
		if now.Rotation() != nil {
			require.True(t, crashed)
			require.Len(t, now.Former(), 1)
			agrees(t, now.Former()[0])
			require.NoError(t, now.Acknowledge(nil))
		}
		assert.Empty(t, now.Former())
		assert.Len(t, files(t, dir), 3, "%v", files(t, dir))
		if !crashed {
			break
		}
	}
}

// TestCreateCrashes stops before each change of a creation: it goes on with the keys that are there.
func TestCreateCrashes(t *testing.T) {
	for n := 0; ; n++ {
		require.Less(t, n, 100)
		dir := filepath.Join(t.TempDir(), "identity")
		crashed := crash(t, dir, "", "chip", n)
		c := newChip("a")
		id := openIn(t, dir, c)
		assert.Len(t, files(t, dir), 3, "%v", files(t, dir))
		assert.LessOrEqual(t, c.made, 2)
		if !crashed {
			assert.Zero(t, c.made)
			break
		}
		assert.Equal(t, keysOf(t, id), keysOf(t, openIn(t, dir, c)))
	}
}

// TestRaceOfProcesses: processes that start at once end with one identity, and one of those that rotate at once has done it.
func TestRaceOfProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	race := func(in string) (failed int) {
		var wg sync.WaitGroup
		results := make([]bool, 4)
		for i := range results {
			wg.Go(func() {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashHelper$")
				cmd.Env = append(os.Environ(), "CONNECTOR_CRASH_DIR="+dir, "CONNECTOR_CRASH_IN="+in, "CONNECTOR_CRASH_FROM=chip",
					"CONNECTOR_CRASH_AT=1000")
				results[i] = cmd.Run() == nil
			})
		}
		wg.Wait()
		for _, ok := range results {
			if !ok {
				failed++
			}
		}
		return failed
	}
	require.Zero(t, race(""))
	id := openIn(t, dir, newChip("a"))
	require.Zero(t, race(""))
	assert.Equal(t, keysOf(t, id), keysOf(t, openIn(t, dir, newChip("a"))))
	assert.Len(t, files(t, dir), 3)
	registered(t, id)
	old := keysOf(t, id)
	assert.Equal(t, 3, race("rotate"))
	id = openIn(t, dir, newChip("a"))
	assert.Equal(t, old, checkStatement(t, id))
	require.Len(t, id.Former(), 1)
	assert.Len(t, files(t, dir), 5)
}
