package connector

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"

	"github.com/adcskit/adcskit/wsproto"
)

// KindError says that the keys of an identity are of another kind than they were to be opened with.
type KindError struct {
	Folder string
	Has    string // [KindSoftware], or the Kind of a [KeyStore]
	Asked  string
}

// Error says what can be done about it.
func (e *KindError) Error() string {
	return fmt.Sprintf("connector: identity: %s has %s keys, not %s keys: open them as they are and rotate them, or move the "+
		"directory away to register anew", e.Folder, e.Has, e.Asked)
}

// openKeys are the keys in use.
type openKeys struct {
	signer     crypto.Signer
	decryption ecdh.KeyExchanger
}

// openKeySet opens the keys that a state names.
func (f folder) openKeySet(set keySet, store KeyStore) (k openKeys, err error) {
	if set.Kind != store.Kind() {
		return k, &KindError{Folder: f.dir, Has: set.Kind, Asked: store.Kind()}
	}
	now, err := store.Bind(set.Pin)
	if err == nil && !bytes.Equal(now, set.Pin) {
		err = errors.New("it is another one")
	}
	if err != nil {
		return k, fmt.Errorf("connector: identity: %s: the %s that has its keys cannot be used: %w; if it was cleared or "+
			"replaced, the keys are lost: move the directory away to register anew", f.dir, set.Kind, err)
	}
	if k.signer, err = f.openSigner(set.IdentityFile, store); err != nil {
		return k, err
	}
	if k.decryption, err = f.openKeyExchanger(set.DecryptionFile, store); err != nil {
		return k, err
	}
	return k, f.checkKeys(k, set)
}

// checkKeys finds two files that hold the same key, and files that were exchanged for others.
func (f folder) checkKeys(k openKeys, set keySet) error {
	identity, ok := k.signer.Public().(*ecdsa.PublicKey)
	spki, err := wsproto.MarshalPublicKey(k.signer.Public())
	if !ok || err != nil {
		return fmt.Errorf("connector: identity: %s: %w", f.path(set.IdentityFile), wsproto.ErrKeyType)
	}
	box, err := wsproto.MarshalPublicKey(k.decryption.PublicKey())
	if err != nil {
		return fmt.Errorf("connector: identity: %s: %w", f.path(set.DecryptionFile), wsproto.ErrKeyType)
	}
	if same, err := identity.ECDH(); err == nil && same.Equal(k.decryption.PublicKey()) {
		return fmt.Errorf("connector: identity: %s: %w", f.dir, errKeysEqual)
	}
	for _, file := range []struct {
		name        string
		known, here []byte
	}{{set.IdentityFile, set.IdentityKey, spki}, {set.DecryptionFile, set.DecryptionKey, box}} {
		if len(file.known) > 0 && !bytes.Equal(file.known, file.here) {
			return fmt.Errorf("connector: identity: %s holds another key than the one that belongs here; restore it or move the "+
				"directory away to register anew", f.path(file.name))
		}
	}
	return nil
}

// createKeySet makes the keys of a new identity, or takes those that an interrupted creation or another process has made.
func (f folder) createKeySet(store KeyStore) (*keySet, error) {
	pin, err := store.Bind(nil)
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %s cannot be used for keys: %w", store.Kind(), err)
	}
	set := &keySet{Kind: store.Kind(), Pin: pin, IdentityFile: identityFile, DecryptionFile: decryptionFile}
	if err := f.createKey(identityFile, store, store.NewSigner); err != nil {
		return nil, err
	}
	if err := f.createKey(decryptionFile, store, store.NewKeyExchanger); err != nil {
		return nil, err
	}
	return set, nil
}

func (f folder) createKey(name string, store KeyStore, make func() ([]byte, error)) error {
	raw, err := f.read(name)
	if err == nil {
		defer clear(raw)
		return f.checkKind(raw, store)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if raw, err = make(); err != nil {
		return fmt.Errorf("connector: identity: making a %s key: %w", store.Kind(), err)
	}
	defer clear(raw)
	if err := f.create(name, raw); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // perhaps another process was faster: its key counts
}

// checkKind finds out before anything is tried that a file is of the other kind.
func (f folder) checkKind(raw []byte, store KeyStore) error {
	if has, asked := isSoftware(raw), store.Kind() == KindSoftware; has && !asked {
		return &KindError{Folder: f.dir, Has: KindSoftware, Asked: store.Kind()}
	}
	return nil
}

// openSigner opens an identity key.
func (f folder) openSigner(name string, store KeyStore) (crypto.Signer, error) {
	raw, err := f.readKey(name, store)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	key, err := store.Signer(raw)
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %s: %w", f.path(name), err)
	}
	return key, nil
}

// openKeyExchanger opens a decryption key.
func (f folder) openKeyExchanger(name string, store KeyStore) (ecdh.KeyExchanger, error) {
	raw, err := f.readKey(name, store)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	key, err := store.KeyExchanger(raw)
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %s: %w", f.path(name), err)
	}
	return key, nil
}

func (f folder) readKey(name string, store KeyStore) ([]byte, error) {
	raw, err := f.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("connector: identity: %s is missing; restore it or move the directory away to register anew",
			f.path(name))
	}
	if err != nil {
		return nil, err
	}
	if err := f.checkKind(raw, store); err != nil {
		clear(raw)
		return nil, err
	}
	return raw, nil
}
