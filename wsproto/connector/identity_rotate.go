package connector

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/adcskit/adcskit/wsproto"
)

// Errors of a rotation.
var (
	// ErrRotating says that the tenant has not acknowledged the last rotation yet.
	ErrRotating = errors.New("connector: identity: the tenant has not acknowledged the last rotation of the keys yet; connect first")
	// ErrNotRegistered says that there is no registration that a rotation could carry over.
	ErrNotRegistered = errors.New("connector: identity: not registered yet, so that there is nothing to rotate: " +
		"move the directory away to begin with other keys")
	// ErrFormerKeys says that open jobs still need as many former keys as a tenant keeps for a connector.
	ErrFormerKeys = errors.New("connector: identity: jobs that have not ended need too many former keys; " +
		"rotate when they have ended")
	// ErrIdentityChanged says that another process has rotated the keys: what this one knows is not true any more.
	ErrIdentityChanged = errors.New("connector: identity: the keys are not those any more that this process uses; start again")
)

// Rotate makes new keys in a store, or in software with a nil one, and has the old identity key sign them for the tenant.
// The store may be of another kind than the old keys': so a connector moves from software to a TPM. The new keys are in
// use from then on, in this Identity and when it is opened again with that store; a [Connector] has to be made anew.
//
// It is safe against a loss of power at every step: either the old keys are in use, as if nothing had been done, or the
// new ones with their statement. While somebody holds the keys in use ([Identity.Hold]), this one included, it is refused
// with [ErrIdentityInUse]. The tenant acknowledges the new keys when the connector connects with them (see
// [Identity.Acknowledge]); until then another rotation is refused with [ErrRotating]. Siblings that have pinned the old
// keys have to be told the new ones. There is no way back: if the tenant refuses the new keys, such as software after a TPM,
// register anew. The tenant is that of [Config].
func (id *Identity) Rotate(tenant string, store KeyStore) error {
	if store == nil {
		store = softwareKeys{}
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	unlock, err := id.lock()
	if err != nil {
		return err
	}
	defer unlock()
	switch s := &id.state; {
	case s.Rotation != nil:
		return ErrRotating
	case s.Registration == nil || s.Registration.Connector == "":
		return ErrNotRegistered
	case len(s.Former) >= wsproto.MaxFormerKeys:
		return ErrFormerKeys
	}
	if err := id.checkUnheld(); err != nil {
		return err
	}
	set, err := id.prepareKeySet(store)
	if err != nil {
		return err
	}
	keys, err := id.makeKeys(set, store)
	if err == nil {
		err = id.commit(tenant, set, keys)
	}
	if err != nil {
		return errors.Join(err, id.abandon())
	}
	id.store = store
	return nil
}

// abandon deletes what the state on disk does not use: the new keys, unless a write that failed has put them in use all the
// same. Then this process has to start again.
func (id *Identity) abandon() error {
	now, err := id.folder.loadState()
	if err != nil || now == nil {
		return err
	}
	return id.folder.clean(now)
}

// prepareKeySet names the files of the new keys, first of all in the state: so they are deleted if nothing comes of it.
func (id *Identity) prepareKeySet(store KeyStore) (*keySet, error) {
	var pin []byte
	if old := id.state.keys(); old.Kind == store.Kind() {
		pin = old.Pin
	}
	pin, err := store.Bind(pin)
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %s cannot be used for keys: %w", store.Kind(), err)
	}
	name := randomName()
	set := &keySet{
		Kind: store.Kind(), Pin: pin, IdentityFile: "identity-" + name + ".pem", DecryptionFile: "decryption-" + name + ".pem",
	}
	next := id.state
	next.Unused = append(slices.Clone(next.Unused), set.IdentityFile, set.DecryptionFile)
	return set, id.put(&next)
}

// makeKeys makes the new keys, and opens them from their files.
func (id *Identity) makeKeys(set *keySet, store KeyStore) (openKeys, error) {
	f := id.folder
	if err := f.createKey(set.IdentityFile, store, store.NewSigner); err != nil {
		return openKeys{}, err
	}
	if err := f.createKey(set.DecryptionFile, store, store.NewKeyExchanger); err != nil {
		return openKeys{}, err
	}
	keys, err := f.openKeySet(*set, store)
	if err != nil {
		return openKeys{}, err
	}
	return keys, set.describe(keys)
}

// commit takes the new keys into use, by one write of the state.
func (id *Identity) commit(tenant string, set *keySet, keys openKeys) error {
	old := id.state.keys()
	if err := old.describe(id.keys); err != nil {
		return err
	}
	statement, err := wsproto.SignRotation(id.keys.signer, tenant, wsproto.RotationKeys{
		PreviousDecryption: old.DecryptionKey, Identity: set.IdentityKey, Decryption: set.DecryptionKey,
	})
	if err != nil {
		return fmt.Errorf("connector: identity: the old key has to sign the new ones: %w", err)
	}
	next := id.state
	next.Keys, next.Rotation = set, statement
	next.Former = append([]keySet{old}, next.Former...)
	next.Unused = slices.DeleteFunc(slices.Clone(next.Unused), func(name string) bool {
		return name == set.IdentityFile || name == set.DecryptionFile
	})
	former := FormerKeys{IdentityKey: old.IdentityKey, DecryptionKey: old.DecryptionKey, Decryption: id.keys.decryption}
	if err := id.put(&next); err != nil {
		return err
	}
	id.keys, id.former = keys, append([]FormerKeys{former}, id.former...)
	return nil
}

// Acknowledge notes that the tenant has said active to the keys in use, and deletes what is not needed any more: the old
// identity key, and former decryption keys, unless needed names them (SHA-256 of the SubjectPublicKeyInfo).
func (id *Identity) Acknowledge(needed []wsproto.Fingerprint) error {
	id.mu.Lock()
	defer id.mu.Unlock()
	keep := func(k *keySet) bool { return slices.Contains(needed, wsproto.FingerprintSPKI(k.DecryptionKey)) }
	settled := !slices.ContainsFunc(id.state.Former, func(k keySet) bool { return !keep(&k) || k.IdentityFile != "" })
	if id.state.Rotation == nil && settled {
		return nil
	}
	return id.change(func(s *identityState) error {
		s.Rotation = nil
		var left []keySet
		for _, k := range s.Former {
			s.Unused = append(s.Unused, k.files(keep(&k))...)
			if k.IdentityFile = ""; keep(&k) {
				left = append(left, k)
			}
		}
		s.Former = left
		return nil
	})
}

// files are the ones to delete of former keys.
func (s *keySet) files(keepDecryption bool) (names []string) {
	if s.IdentityFile != "" {
		names = append(names, s.IdentityFile)
	}
	if !keepDecryption {
		names = append(names, s.DecryptionFile)
	}
	return names
}

// change changes the state durably, then deletes what is not used any more.
func (id *Identity) change(f func(*identityState) error) error {
	unlock, err := id.lock()
	if err != nil {
		return err
	}
	defer unlock()
	next := id.state
	next.Unused = slices.Clone(next.Unused)
	if err := f(&next); err != nil {
		return err
	}
	if err := id.put(&next); err != nil {
		return err
	}
	return id.folder.clean(&id.state)
}

// lock locks the folder, and takes over what other processes have noted there. If they have changed the keys in use, this
// process knows nothing any more.
func (id *Identity) lock() (unlock func(), err error) {
	_, unlock, err = id.folder.lock()
	if err != nil {
		return nil, err
	}
	now, err := id.folder.loadState()
	if err == nil && (now == nil || !id.state.sameKeys(now)) {
		err = fmt.Errorf("%w: %s", ErrIdentityChanged, id.folder.dir)
	}
	if err != nil {
		unlock()
		return nil, err
	}
	id.adopt(now)
	return unlock, nil
}

// adopt makes a state that is on disk the one in memory.
func (id *Identity) adopt(s *identityState) {
	id.state = *s
	id.former = slices.DeleteFunc(slices.Clone(id.former), func(k FormerKeys) bool {
		return !slices.ContainsFunc(s.Former, func(set keySet) bool { return bytes.Equal(set.DecryptionKey, k.DecryptionKey) })
	})
}

// sameKeys reports whether two states are of the same connector with the same keys in use.
func (s *identityState) sameKeys(other *identityState) bool {
	return s.Instance == other.Instance && reflect.DeepEqual(s.keys(), other.keys())
}

// put writes the state, and only then believes it.
func (id *Identity) put(next *identityState) error {
	if err := id.folder.replaceState(next); err != nil {
		return err
	}
	id.adopt(next)
	return nil
}

// openFormer opens former decryption keys. One that cannot be opened says so when it is used: the connector goes on
// without it.
func (f folder) openFormer(sets []keySet, store KeyStore) []FormerKeys {
	var out []FormerKeys
	for _, set := range sets {
		key, err := f.openFormerKey(set, store)
		if err != nil {
			public, perr := wsproto.ParseDecryptionKey(set.DecryptionKey)
			if perr != nil {
				continue // not reached: the state is valid
			}
			key = lostKey{public: public, err: err}
		}
		out = append(out, FormerKeys{IdentityKey: set.IdentityKey, DecryptionKey: set.DecryptionKey, Decryption: key})
	}
	return out
}

func (f folder) openFormerKey(set keySet, store KeyStore) (ecdh.KeyExchanger, error) {
	if set.Kind == KindSoftware {
		store = softwareKeys{}
	}
	if set.Kind != store.Kind() {
		return nil, &KindError{Folder: f.dir, Has: set.Kind, Asked: store.Kind()}
	}
	if _, err := store.Bind(set.Pin); err != nil {
		return nil, err
	}
	key, err := f.openKeyExchanger(set.DecryptionFile, store)
	if err != nil {
		return nil, err
	}
	public, err := wsproto.MarshalPublicKey(key.PublicKey())
	if err != nil || !bytes.Equal(public, set.DecryptionKey) {
		return nil, fmt.Errorf("connector: identity: %s holds another key than the one that belongs here", f.path(set.DecryptionFile))
	}
	return key, nil
}

// lostKey stands for a key that cannot be opened.
type lostKey struct {
	public *ecdh.PublicKey
	err    error
}

func (k lostKey) PublicKey() *ecdh.PublicKey { return k.public }

func (k lostKey) Curve() ecdh.Curve { return k.public.Curve() }

func (k lostKey) ECDH(*ecdh.PublicKey) ([]byte, error) { return nil, k.err }
