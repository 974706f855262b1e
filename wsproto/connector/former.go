package connector

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"fmt"
	"slices"
	"sync"

	"github.com/adcskit/adcskit/wsproto"
)

// formerKeys are the keys of before rotations that this process still has.
type formerKeys struct {
	mu   sync.Mutex
	keys []formerKey
}

type formerKey struct {
	maker *ecdsa.PublicKey
	box   ecdh.KeyExchanger
	id    wsproto.Fingerprint // of box
}

func (f *formerKeys) set(keys []FormerKeys) error {
	if len(keys) > wsproto.MaxFormerKeys {
		return fmt.Errorf("connector: configuration: more than %d former keys", wsproto.MaxFormerKeys)
	}
	for _, k := range keys {
		maker, err := wsproto.ParsePublicKey(k.IdentityKey)
		if err != nil {
			return fmt.Errorf("connector: configuration: former identity key: %w", err)
		}
		public, err := wsproto.ParseDecryptionKey(k.DecryptionKey)
		if err != nil || k.Decryption == nil || !public.Equal(k.Decryption.PublicKey()) {
			return fmt.Errorf("connector: configuration: former decryption key: %w", wsproto.ErrKeyType)
		}
		f.keys = append(f.keys, formerKey{maker: maker, box: k.Decryption, id: wsproto.FingerprintSPKI(k.DecryptionKey)})
	}
	return nil
}

// get returns the keys, which the caller does not change.
func (f *formerKeys) get() []formerKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys
}

func (f *formerKeys) ids() []wsproto.Fingerprint {
	keys := f.get()
	ids := make([]wsproto.Fingerprint, len(keys))
	for i, k := range keys {
		ids[i] = k.id
	}
	return ids
}

// retain forgets the keys that are not needed.
func (f *formerKeys) retain(needed []wsproto.Fingerprint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = slices.DeleteFunc(slices.Clone(f.keys), func(k formerKey) bool { return !slices.Contains(needed, k.id) })
}

// acknowledged notes that the tenant has said active to the keys in use.
func (c *Connector) acknowledged(needed []wsproto.Fingerprint) error {
	if c.opts.Rotation == nil && len(c.opts.Former) == 0 {
		return nil
	}
	c.former.retain(needed)
	return c.opts.OnAcknowledged(needed)
}

func fingerprints(list [][]byte) []wsproto.Fingerprint {
	out := make([]wsproto.Fingerprint, 0, len(list))
	for _, b := range list {
		if len(b) == len(wsproto.Fingerprint{}) {
			out = append(out, wsproto.Fingerprint(b))
		}
	}
	return out
}

// opener finds the key of this connector that a checkpoint is encrypted to. Without one it is the key in use, which says so.
func (c *Connector) opener(cp *wsproto.Checkpoint, former []formerKey) ecdh.KeyExchanger {
	for _, k := range former {
		if hasPart(cp, k.id) && !hasPart(cp, c.decryptionID()) {
			return k.box
		}
	}
	return c.cfg.Decryption
}

func (c *Connector) decryptionID() wsproto.Fingerprint {
	return wsproto.FingerprintSPKI(c.hello.DecryptionKey)
}

func hasPart(cp *wsproto.Checkpoint, key wsproto.Fingerprint) bool {
	return slices.ContainsFunc(cp.Sealed, func(p wsproto.SealedPart) bool { return key.Equal(p.Key) })
}

// madeBefore reports whether a checkpoint was made with one of this connector's former identity keys.
func madeBefore(cp *wsproto.Checkpoint, former []formerKey) bool {
	return slices.ContainsFunc(former, func(k formerKey) bool {
		id, err := wsproto.FingerprintKey(k.maker)
		return err == nil && id.Equal(cp.Maker)
	})
}
