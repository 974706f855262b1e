package connector

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// The files of an identity. The state file is written last: it says that the keys are complete.
const (
	identityFile   = "identity.pem"
	decryptionFile = "decryption.pem"
	stateFile      = "state.json"

	maxIdentityFile = 64 << 10
	pemType         = "PRIVATE KEY"
)

// Identity is what a connector keeps on disk: its two keys, its instance id and its registration. Any other crypto.Signer
// and ecdh.KeyExchanger for P-256 serve as well, such as keys in a TPM.
type Identity struct {
	dir        string
	signer     *ecdsa.PrivateKey
	decryption *ecdh.PrivateKey

	mu    sync.Mutex
	state identityState
}

// identityState is the state file.
type identityState struct {
	Instance     string        `json:"instance"`
	Registration *Registration `json:"registration,omitempty"`
}

// Registration is what a connector knows about its registration. None of it is secret.
type Registration struct {
	// TenantKey is the fingerprint of the tenant's key, pinned for good.
	TenantKey string `json:"tenantKey"`
	// Connector is the tenant's id for this connector; empty while the registration waits for approval.
	Connector string `json:"connector,omitempty"`
}

// LoadOrCreateIdentity opens the identity in a directory, or makes one there: the directory with mode 0700, the keys as
// PKCS#8 in PEM with mode 0600. Two processes that start in an empty directory end with the same identity.
//
// It refuses a directory or file that others may read or write, and a directory that has lost a key: a connector must
// not become another one without a person knowing. Move what is left of the directory away to register anew.
func LoadOrCreateIdentity(dir string) (*Identity, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	dir, err := filepath.EvalSymlinks(dir) // systemd makes StateDirectory a link
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	if err := checkPrivate(dir); err != nil {
		return nil, err
	}
	id := &Identity{dir: dir}
	complete, err := id.loadState()
	if err != nil {
		return nil, err
	}
	if id.signer, err = loadOrCreateKey(id.path(identityFile), !complete); err != nil {
		return nil, err
	}
	d, err := loadOrCreateKey(id.path(decryptionFile), !complete)
	if err != nil {
		return nil, err
	}
	if d.Equal(id.signer) {
		return nil, fmt.Errorf("connector: identity: %s: %w", dir, errKeysEqual)
	}
	if id.decryption, err = d.ECDH(); err != nil {
		return nil, fmt.Errorf("connector: identity: %s: %w", decryptionFile, err)
	}
	if complete {
		return id, nil
	}
	return id, id.createState()
}

func (id *Identity) path(name string) string { return filepath.Join(id.dir, name) }

// Signer returns the identity key.
func (id *Identity) Signer() crypto.Signer { return id.signer }

// Decryption returns the decryption key.
func (id *Identity) Decryption() ecdh.KeyExchanger { return id.decryption }

// Instance returns the random id of this installation.
func (id *Identity) Instance() string {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.state.Instance
}

// Registration returns what [Identity.Register] stored last, or nil.
func (id *Identity) Registration() *Registration {
	id.mu.Lock()
	defer id.mu.Unlock()
	if id.state.Registration == nil {
		return nil
	}
	r := *id.state.Registration
	return &r
}

// Register stores the registration durably. It fits [Config.OnRegistered]. Once a tenant key is pinned, another one is
// refused.
func (id *Identity) Register(r Registration) error {
	id.mu.Lock()
	defer id.mu.Unlock()
	if old := id.state.Registration; old != nil {
		if *old == r {
			return nil
		}
		if old.TenantKey != r.TenantKey {
			return fmt.Errorf("connector: identity: %s is registered under another tenant key (%s)", id.dir, old.TenantKey)
		}
	}
	next := id.state
	next.Registration = &r
	if err := writeState(id.path(stateFile), next, replaceFile); err != nil {
		return err
	}
	id.state = next
	return nil
}

// loadState reports whether the state file exists.
func (id *Identity) loadState() (bool, error) {
	raw, err := readPrivate(id.path(stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(raw, &id.state); err != nil || id.state.Instance == "" {
		return false, fmt.Errorf("connector: identity: %s is damaged; restore it or register anew", id.path(stateFile))
	}
	return true, nil
}

func (id *Identity) createState() error {
	var random [16]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	err := writeState(id.path(stateFile), identityState{Instance: hex.EncodeToString(random[:])}, createFile)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if ok, err := id.loadState(); err != nil || !ok { // perhaps another process was faster: its state counts
		return errors.Join(fmt.Errorf("connector: identity: %s cannot be read back", stateFile), err)
	}
	return nil
}

func writeState(path string, s identityState, put func(tmp, path string) error) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("connector: identity: %w", err)
	}
	return writePrivate(path, append(raw, '\n'), put)
}

func loadOrCreateKey(path string, create bool) (*ecdsa.PrivateKey, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if !create {
		return nil, fmt.Errorf("connector: identity: %s is missing; restore it or move the directory away to register anew", path)
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	raw := pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})
	defer clear(raw)
	clear(der)
	if err := writePrivate(path, raw, createFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return loadKey(path) // perhaps another process was faster: its key counts
}

func loadKey(path string) (*ecdsa.PrivateKey, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("connector: identity: %s is not a private key in PEM", path)
	}
	defer clear(block.Bytes)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("connector: identity: %s is not a P-256 key in PKCS#8", path)
	}
	return key, nil
}
