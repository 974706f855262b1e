package connector

import (
	"crypto"
	"crypto/ecdh"
	"fmt"
	"slices"
	"sync"

	"github.com/adcskit/adcskit/wsproto"
)

// Identity is what a connector keeps on disk: its two keys, or what a [KeyStore] keeps of them there, its instance id and
// its registration. It is safe for concurrent use.
type Identity struct {
	folder folder
	store  KeyStore // that the keys in use were opened with

	mu     sync.Mutex
	state  identityState
	keys   openKeys
	former []FormerKeys // as in state.Former
}

// FormerKeys are keys that a connector had before a rotation. What was made with them and for them is still its own.
type FormerKeys struct {
	// IdentityKey and DecryptionKey are public (SubjectPublicKeyInfo, DER).
	IdentityKey, DecryptionKey []byte
	// Decryption is the former decryption key. It may fail whenever it is used, such as a key in hardware that is gone.
	Decryption ecdh.KeyExchanger
}

// LoadOrCreateIdentity is [OpenIdentity] with keys in software.
func LoadOrCreateIdentity(dir string) (*Identity, error) { return OpenIdentity(dir, nil) }

// OpenIdentity opens the identity in a directory, or makes one there: the directory with mode 0700, the files with mode
// 0600. With a store the keys are made in it, and the files hold what it returns; without one they are PKCS#8 in PEM.
// Processes that start at once in an empty directory end with the same identity.
//
// A connector must not become another one without a person knowing. So this refuses a directory or file that others may
// read or write, a directory that has lost a key or has another one, a store that is not the one that made the keys, such
// as a TPM that was cleared, and, with a *[KindError], keys of another kind than the store's. Move what is left of the
// directory away to register anew.
func OpenIdentity(dir string, store KeyStore) (*Identity, error) {
	return openIdentity(dir, store, nil)
}

func openIdentity(dir string, store KeyStore, step func(string) error) (*Identity, error) {
	if store == nil {
		store = softwareKeys{}
	}
	f, err := openFolder(dir, step)
	if err != nil {
		return nil, err
	}
	exclusive, unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if exclusive {
		if err := f.sweep(); err != nil {
			return nil, err
		}
	}
	state, err := f.loadState()
	if err != nil {
		return nil, err
	}
	if state == nil {
		return f.createIdentity(store)
	}
	if exclusive {
		if err := f.clean(state); err != nil {
			return nil, err
		}
	}
	keys, err := f.openKeySet(state.keys(), store)
	if err != nil {
		return nil, err
	}
	return &Identity{folder: f, store: store, state: *state, keys: keys, former: f.openFormer(state.Former, store)}, nil
}

// createIdentity makes a new one. The keys are opened again from their files, so that what is used now is what there will be.
func (f folder) createIdentity(store KeyStore) (*Identity, error) {
	set, err := f.createKeySet(store)
	if err != nil {
		return nil, err
	}
	keys, err := f.openKeySet(*set, store)
	if err != nil {
		return nil, err
	}
	state := new(identityState)
	if set.Kind != KindSoftware {
		if err := set.describe(keys); err != nil {
			return nil, err
		}
		state.Keys = set
	}
	if state, err = f.createState(state); err != nil {
		return nil, err
	}
	if other := state.keys(); other.Kind != set.Kind { // of a faster process
		return nil, &KindError{Folder: f.dir, Has: other.Kind, Asked: set.Kind}
	}
	if err := f.checkKeys(keys, state.keys()); err != nil {
		return nil, err
	}
	return &Identity{folder: f, store: store, state: *state, keys: keys}, nil
}

// describe fills in the public keys.
func (s *keySet) describe(k openKeys) (err error) {
	if s.IdentityKey, err = wsproto.MarshalPublicKey(k.signer.Public()); err != nil {
		return err
	}
	s.DecryptionKey, err = wsproto.MarshalPublicKey(k.decryption.PublicKey())
	return err
}

// Kind returns what holds the keys in use: [KindSoftware], or the Kind of the store.
func (id *Identity) Kind() string {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.state.keys().Kind
}

// Signer returns the identity key.
func (id *Identity) Signer() crypto.Signer {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.keys.signer
}

// Decryption returns the decryption key.
func (id *Identity) Decryption() ecdh.KeyExchanger {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.keys.decryption
}

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

// Rotation returns the statement about the keys in use that the tenant has not acknowledged yet, or nil.
func (id *Identity) Rotation() *wsproto.Rotation {
	id.mu.Lock()
	defer id.mu.Unlock()
	if id.state.Rotation == nil {
		return nil
	}
	r := *id.state.Rotation
	return &r
}

// Former returns the former keys that checkpoints may still need, the newest first.
func (id *Identity) Former() []FormerKeys {
	id.mu.Lock()
	defer id.mu.Unlock()
	return slices.Clone(id.former)
}

// Configure fills in what a configuration takes from the identity: the keys, the instance, the tenant's key once it is
// pinned, the statement about a rotation, former keys, and where registration and acknowledgement are noted. A tenant's
// key and callbacks that are set already stay as they are.
func (id *Identity) Configure(cfg *Config) {
	cfg.Identity, cfg.Decryption, cfg.Instance = id.Signer(), id.Decryption(), id.Instance()
	if r := id.Registration(); r != nil && cfg.TenantKey == (wsproto.Fingerprint{}) {
		cfg.TenantKey, _ = wsproto.ParseFingerprint(r.TenantKey) // the zero one is refused by New
	}
	var o Options
	if cfg.Options != nil {
		o = *cfg.Options
	}
	o.Rotation, o.Former = id.Rotation(), id.Former()
	if o.OnRegistered == nil {
		o.OnRegistered = id.Register
	}
	if o.OnAcknowledged == nil {
		o.OnAcknowledged = id.Acknowledge
	}
	cfg.Options = &o
}

// Register stores the registration durably. It fits [Options.OnRegistered]. Once a tenant key is pinned, another one is
// refused.
func (id *Identity) Register(r Registration) error {
	id.mu.Lock()
	defer id.mu.Unlock()
	if old := id.state.Registration; old != nil && *old == r {
		return nil
	}
	return id.change(func(s *identityState) error {
		if old := s.Registration; old != nil && old.TenantKey != r.TenantKey {
			return fmt.Errorf("connector: identity: %s is registered under another tenant key (%s)", id.folder.dir, old.TenantKey)
		}
		s.Registration = &r
		return nil
	})
}
