package connector_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

func loadIdentity(t *testing.T, dir string) *connector.Identity {
	t.Helper()
	id, err := connector.LoadOrCreateIdentity(dir)
	require.NoError(t, err)
	return id
}

func TestIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "identity")
	first := loadIdentity(t, dir)
	assert.Len(t, first.Instance(), 32)
	assert.Nil(t, first.Registration())
	again := loadIdentity(t, dir)
	assert.Equal(t, first.Instance(), again.Instance())
	assert.True(t, first.Signer().Public().(*ecdsa.PublicKey).Equal(again.Signer().Public()))
	assert.True(t, first.Decryption().PublicKey().Equal(again.Decryption().PublicKey()))

	r := connector.Registration{TenantKey: wsproto.Fingerprint{1}.String()}
	require.NoError(t, first.Register(r))
	r.Connector = "connector-1"
	require.NoError(t, first.Register(r))
	require.NoError(t, first.Register(r))
	assert.Equal(t, r, *loadIdentity(t, dir).Registration())
	r.TenantKey = wsproto.Fingerprint{2}.String()
	require.ErrorContains(t, first.Register(r), "another tenant key")
	assert.Equal(t, wsproto.Fingerprint{1}.String(), loadIdentity(t, dir).Registration().TenantKey)

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
		}
		names = append(names, e.Name())
	}
	assert.ElementsMatch(t, []string{"identity.pem", "decryption.pem", "state.json"}, names, "nothing is left behind")
}

// TestIdentityRace: processes that start at once end with one identity.
func TestIdentityRace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	var wg sync.WaitGroup
	ids := make([]*connector.Identity, 8)
	for i := range ids {
		wg.Go(func() { ids[i], _ = connector.LoadOrCreateIdentity(dir) })
	}
	wg.Wait()
	for _, id := range ids {
		require.NotNil(t, id)
		assert.Equal(t, ids[0].Instance(), id.Instance())
		assert.True(t, ids[0].Signer().Public().(*ecdsa.PublicKey).Equal(id.Signer().Public()))
		assert.True(t, ids[0].Decryption().PublicKey().Equal(id.Decryption().PublicKey()))
	}
}

// TestIdentityDamaged: a connector never becomes another one silently.
func TestIdentityDamaged(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	encode := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	write := func(name string, content []byte) func(dir string) {
		return func(dir string) { require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600)) }
	}
	for want, spoil := range map[string]func(dir string){
		"identity.pem is missing":   func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "identity.pem"))) },
		"decryption.pem is missing": func(dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "decryption.pem"))) },
		"state.json is damaged":     write("state.json", []byte("{}")),
		"state.json is larger":      write("state.json", make([]byte, 100<<10)),
		"not a private key in PEM":  write("identity.pem", []byte("nonsense")),
		"identity.pem: not a P-25":  write("identity.pem", encode(rsaKey)),
		"decryption.pem: not a P-":  write("decryption.pem", encode(p384)),
		"are the same": func(dir string) {
			raw, err := os.ReadFile(filepath.Join(dir, "identity.pem"))
			require.NoError(t, err)
			write("decryption.pem", raw)(dir)
		},
	} {
		dir := filepath.Join(t.TempDir(), "identity")
		loadIdentity(t, dir)
		spoil(dir)
		_, err := connector.LoadOrCreateIdentity(dir)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "PRIVATE")
	}
	// Interrupted between the two keys, before the state file: the creation goes on.
	dir := filepath.Join(t.TempDir(), "identity")
	first := loadIdentity(t, dir)
	require.NoError(t, os.Remove(filepath.Join(dir, "state.json")))
	require.NoError(t, os.Remove(filepath.Join(dir, "decryption.pem")))
	assert.True(t, first.Signer().Public().(*ecdsa.PublicKey).Equal(loadIdentity(t, dir).Signer().Public()))
}

func TestIdentityPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	dir := filepath.Join(t.TempDir(), "identity")
	loadIdentity(t, dir)
	for _, name := range []string{"", "identity.pem", "decryption.pem", "state.json"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(path, info.Mode().Perm()|0o040))
		_, err = connector.LoadOrCreateIdentity(dir)
		require.ErrorContains(t, err, "chmod go=", name)
		require.NoError(t, os.Chmod(path, info.Mode().Perm()))
	}
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	loadIdentity(t, link) // as systemd's StateDirectory is
	require.NoError(t, os.Rename(filepath.Join(dir, "identity.pem"), filepath.Join(dir, "moved.pem")))
	require.NoError(t, os.Symlink("moved.pem", filepath.Join(dir, "identity.pem")))
	_, err := connector.LoadOrCreateIdentity(dir)
	require.ErrorContains(t, err, "neither a file nor a directory")
}

// TestConfig: every mistake is found by New, before anything is dialled.
func TestConfig(t *testing.T) {
	s := newScript(t)
	s.cfg.Options = &s.opts
	_, err := connector.New(s.cfg)
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	same, err := s.signer.ECDH()
	require.NoError(t, err)
	for want, spoil := range map[string]func(c *connector.Config){
		"must be pinned":      func(c *connector.Config) { c.TenantKey = wsproto.Fingerprint{} },
		"of another tenant":   func(c *connector.Config) { c.Enrollment = wsproto.NewEnrollmentCode(wsproto.Fingerprint{9}) },
		"Tenant is missing":   func(c *connector.Config) { c.Tenant = "" },
		"Tenant is longer":    func(c *connector.Config) { c.Tenant = strings.Repeat("x", 256) },
		"or not UTF-8":        func(c *connector.Config) { c.Tenant = "acme\xff" },
		"Instance is missing": func(c *connector.Config) { c.Instance = "" },
		"Issuer is missing":   func(c *connector.Config) { c.Issuer = nil },
		"Policy is missing":   func(c *connector.Config) { c.Policy = nil },
		"Identity and Decr":   func(c *connector.Config) { c.Identity = nil },
		"identity key":        func(c *connector.Config) { c.Identity = key },
		"are the same":        func(c *connector.Config) { c.Decryption = same },
		"no host":             func(c *connector.Config) { c.URL, c.Options.Authority = "nonsense", "" },
		"Capacity":            func(c *connector.Config) { c.Options.Capacity = 2000 },
		"a time is negative":  func(c *connector.Config) { c.Options.Grace = -1 },
		"siblings":            func(c *connector.Config) { c.Options.Siblings = make([]connector.Sibling, 16) },
		"sibling":             func(c *connector.Config) { c.Options.Siblings = make([]connector.Sibling, 1) },
		"of this connector":   func(c *connector.Config) { c.Options.Siblings = []connector.Sibling{siblingOf(t, s)} },
	} {
		c, o := s.cfg, s.opts
		c.Options = &o
		spoil(&c)
		_, err := connector.New(c)
		assert.ErrorContains(t, err, want)
		assert.True(t, err == nil || strings.HasPrefix(err.Error(), "connector: "), err)
	}
}

func siblingOf(t *testing.T, s *script) connector.Sibling {
	identity, err := wsproto.MarshalPublicKey(s.signer.Public())
	require.NoError(t, err)
	decryption, err := wsproto.MarshalPublicKey(s.decrypt.PublicKey())
	require.NoError(t, err)
	return connector.Sibling{Name: "self", IdentityKey: identity, DecryptionKey: decryption}
}
