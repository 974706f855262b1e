package connector_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// chip is a store whose files are worth nothing without it, like a TPM.
type chip struct {
	kind string
	seed string // another one: another chip, or the same one after it was cleared

	mu   sync.Mutex
	gone error // what every use of its keys fails with
	made int
}

func newChip(seed string) *chip { return &chip{kind: "chip", seed: seed} }

func (c *chip) Kind() string { return c.kind }

var errOtherChip = errors.New("chip: the pin is of another chip")

func (c *chip) Bind(pin []byte) ([]byte, error) {
	if pin != nil && string(pin) != c.seed {
		return nil, errOtherChip
	}
	return []byte(c.seed), nil
}

func (c *chip) make() ([]byte, error) {
	if err := c.fails(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.made++
	c.mu.Unlock()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CHIP KEY", Bytes: append([]byte(c.seed+"|"), der...)}), nil
}

func (c *chip) NewSigner() ([]byte, error) { return c.make() }

func (c *chip) NewKeyExchanger() ([]byte, error) { return c.make() }

func (c *chip) open(file []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(file)
	if block == nil || block.Type != "CHIP KEY" {
		return nil, errors.New("chip: not one of its files")
	}
	der, ok := bytes.CutPrefix(block.Bytes, []byte(c.seed+"|"))
	if !ok {
		return nil, errOtherChip
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	return key.(*ecdsa.PrivateKey), nil
}

func (c *chip) Signer(file []byte) (crypto.Signer, error) {
	key, err := c.open(file)
	if err != nil {
		return nil, err
	}
	return &flakySigner{Signer: key, chip: c}, nil
}

func (c *chip) KeyExchanger(file []byte) (ecdh.KeyExchanger, error) {
	key, err := c.open(file)
	if err != nil {
		return nil, err
	}
	box, err := key.ECDH()
	if err != nil {
		return nil, err
	}
	return &flakyBox{KeyExchanger: box, chip: c}, nil
}

// fail makes every use of a key fail, or work again with nil.
func (c *chip) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = err
}

func (c *chip) fails() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

var errChip = errors.New("chip: does not answer")

func spkiOf(t *testing.T, pub crypto.PublicKey) []byte {
	t.Helper()
	der, err := wsproto.MarshalPublicKey(pub)
	require.NoError(t, err)
	return der
}

func keysOf(t *testing.T, id *connector.Identity) string {
	t.Helper()
	return string(spkiOf(t, id.Signer().Public())) + string(spkiOf(t, id.Decryption().PublicKey()))
}

func openIn(t *testing.T, dir string, store connector.KeyStore) *connector.Identity {
	t.Helper()
	id, err := connector.OpenIdentity(dir, store)
	require.NoError(t, err)
	return id
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestIdentityInAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	first := openIn(t, dir, newChip("a"))
	assert.Equal(t, "chip", first.Kind())
	assert.Len(t, first.Instance(), 32)
	assert.ElementsMatch(t, []string{"identity.pem", "decryption.pem", "state.json"}, files(t, dir))
	r := connector.Registration{TenantKey: wsproto.Fingerprint{1}.String(), Connector: "connector-1"}
	require.NoError(t, first.Register(r))
	again := openIn(t, dir, newChip("a"))
	assert.Equal(t, keysOf(t, first), keysOf(t, again))
	assert.Equal(t, first.Instance(), again.Instance())
	assert.Equal(t, r, *again.Registration())
	assert.Nil(t, again.Rotation())
	assert.Empty(t, again.Former())
}

// TestSoftwareIdentityStaysAsItWas: what an older version has written is opened, and nothing is added to it.
func TestSoftwareIdentityStaysAsItWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	id := loadIdentity(t, dir)
	assert.Equal(t, connector.KindSoftware, id.Kind())
	raw, err := os.ReadFile(filepath.Join(dir, "state.json"))
	require.NoError(t, err)
	assert.Equal(t, "{\n  \"instance\": \""+id.Instance()+"\"\n}\n", string(raw))
	require.NoError(t, id.Register(connector.Registration{TenantKey: "k", Connector: "c"}))
	raw, err = os.ReadFile(filepath.Join(dir, "state.json"))
	require.NoError(t, err)
	assert.Equal(t, "{\n  \"instance\": \""+id.Instance()+"\",\n  \"registration\": {\n    \"tenantKey\": \"k\",\n"+
		"    \"connector\": \"c\"\n  }\n}\n", string(raw))
}

func TestIdentityRaceInAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	c := newChip("a")
	var wg sync.WaitGroup
	ids, errs := make([]*connector.Identity, 8), make([]error, 8)
	for i := range ids {
		wg.Go(func() { ids[i], errs[i] = connector.OpenIdentity(dir, c) })
	}
	wg.Wait()
	for i, id := range ids {
		require.NoError(t, errs[i])
		assert.Equal(t, ids[0].Instance(), id.Instance())
		assert.Equal(t, keysOf(t, ids[0]), keysOf(t, id))
	}
	assert.Equal(t, 2, c.made, "no key is made in vain")
}

// TestIdentityRaceOfKinds: one of two processes with different stores makes the identity, and the other is told.
func TestIdentityRaceOfKinds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			var store connector.KeyStore
			if i%2 == 0 {
				store = newChip("a")
			}
			_, errs[i] = connector.OpenIdentity(dir, store)
		})
	}
	wg.Wait()
	for i, err := range errs {
		if errs[i%2] == nil {
			require.NoError(t, err)
			continue
		}
		var kind *connector.KindError
		require.ErrorAs(t, err, &kind)
		assert.NotEqual(t, kind.Has, kind.Asked)
	}
	assert.NotEqual(t, errs[0] == nil, errs[1] == nil)
}

// TestIdentityOfAnotherStore: a connector never becomes another one, and the error says what to do.
func TestIdentityOfAnotherStore(t *testing.T) {
	broken := newChip("a")
	broken.fail(errChip)
	other := newChip("a")
	other.kind = "vault"
	write := func(name string, content []byte) func(dir string) {
		return func(dir string) { require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600)) }
	}
	foreign := filepath.Join(t.TempDir(), "identity")
	openIn(t, foreign, newChip("a"))
	exchange, err := os.ReadFile(filepath.Join(foreign, "identity.pem"))
	require.NoError(t, err)
	for name, test := range map[string]struct {
		made, opened connector.KeyStore
		spoil        func(dir string)
		want         []string
	}{
		"software as chip":  {nil, newChip("a"), nil, []string{"has software keys, not chip keys", "move the directory away"}},
		"chip as software":  {newChip("a"), nil, nil, []string{"has chip keys, not software keys", "move the directory away"}},
		"chip as vault":     {newChip("a"), other, nil, []string{"has chip keys, not vault keys"}},
		"a cleared chip":    {newChip("a"), newChip("b"), nil, []string{"another chip", "cleared or replaced", "register anew"}},
		"a missing file":    {newChip("a"), newChip("a"), func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "identity.pem"))) }, []string{"identity.pem is missing", "restore it"}},
		"a missing box":     {newChip("a"), newChip("a"), func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "decryption.pem"))) }, []string{"decryption.pem is missing"}},
		"another's file":    {newChip("a"), newChip("a"), write("identity.pem", exchange), []string{"identity.pem holds another key"}},
		"another's box":     {newChip("a"), newChip("a"), write("decryption.pem", exchange), []string{"decryption.pem holds another key"}},
		"a broken file":     {newChip("a"), newChip("a"), write("identity.pem", []byte("nonsense")), []string{"identity.pem: chip: not one of its files"}},
		"no state, chip":    {newChip("a"), nil, func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "state.json"))) }, []string{`a "CHIP KEY" in PEM`}},
		"no state, files":   {nil, newChip("a"), func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "state.json"))) }, []string{"has software keys, not chip keys"}},
		"a path in a state": {nil, nil, write("state.json", []byte(`{"instance":"x","keys":{"kind":"software","identityFile":"../identity.pem","decryptionFile":"decryption.pem"}}`)), []string{"is damaged"}},
		"no kind":           {nil, nil, write("state.json", []byte(`{"instance":"x","keys":{"identityFile":"identity.pem","decryptionFile":"decryption.pem"}}`)), []string{"is damaged"}},
		"unused elsewhere":  {nil, nil, write("state.json", []byte(`{"instance":"x","unused":["/etc/passwd"]}`)), []string{"is damaged"}},
		"former without":    {nil, nil, write("state.json", []byte(`{"instance":"x","former":[{"kind":"software","decryptionFile":"decryption.pem"}]}`)), []string{"is damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "identity")
			openIn(t, dir, test.made)
			if test.spoil != nil {
				test.spoil(dir)
			}
			before := files(t, dir)
			_, err := connector.OpenIdentity(dir, test.opened)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			assert.Equal(t, before, files(t, dir), "nothing is made or deleted")
		})
	}
	_, err = connector.OpenIdentity(filepath.Join(t.TempDir(), "identity"), broken)
	require.ErrorIs(t, err, errChip)
}

func newBox(t *testing.T) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	return key
}

// careless is a store that compares no pin.
type careless struct{ *chip }

func (c careless) Bind([]byte) ([]byte, error) { return []byte(c.seed), nil }

func TestIdentityOfACarelessStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	openIn(t, dir, careless{newChip("a")})
	_, err := connector.OpenIdentity(dir, careless{newChip("b")})
	require.ErrorContains(t, err, "it is another one")
	openIn(t, dir, careless{newChip("a")})
}
