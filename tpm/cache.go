package tpm

import (
	"bytes"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

// maxLoaded is how many keys stay loaded. A raw TPM has room for three objects, and needs one of them to work with; for a
// resource manager, each one that is loaded makes each command slower.
const maxLoaded = 2

// cache is what stays loaded between two exclusive sections.
type cache struct {
	pin     []byte   // name of the storage key, once it is known; it stays
	session *session // nil: none yet
	keys    []loadedKey
}

// loadedKey is a key in the TPM. The one that was used last is the last in the cache.
type loadedKey struct {
	handle tpm2.TPMHandle
	name   []byte
}

func newCache(pin []byte) cache { return cache{pin: pin} }

// drop forgets what is loaded, so that it is flushed when the section ends.
func (c *cache) drop() { c.session, c.keys = nil, nil }

// keeps says whether something stays loaded.
func (c *cache) keeps(h tpm2.TPMHandle) bool {
	return c.session != nil && c.session.handle == h ||
		slices.ContainsFunc(c.keys, func(k loadedKey) bool { return k.handle == h })
}

// find returns the handle of a key and makes it the one that was used last.
func (c *cache) find(name []byte) (tpm2.TPMHandle, bool) {
	i := slices.IndexFunc(c.keys, func(k loadedKey) bool { return bytes.Equal(k.name, name) })
	if i < 0 {
		return 0, false
	}
	k := c.keys[i]
	c.keys = append(slices.Delete(c.keys, i, i+1), k)
	return k.handle, true
}

// add keeps a key, and stops keeping the same one under another handle, and the one that has not been used for longest if
// there are too many.
func (c *cache) add(k loadedKey) {
	c.keys = slices.DeleteFunc(c.keys, func(same loadedKey) bool { return bytes.Equal(same.name, k.name) })
	c.keys = append(c.keys, k)
	if len(c.keys) > maxLoaded {
		c.keys = slices.Delete(c.keys, 0, 1)
	}
}

// evict takes out the key that has not been used for longest, except those that are in use.
func (c *cache) evict(used []tpm2.TPMHandle) (tpm2.TPMHandle, bool) {
	i := slices.IndexFunc(c.keys, func(k loadedKey) bool { return !slices.Contains(used, k.handle) })
	if i < 0 {
		return 0, false
	}
	h := c.keys[i].handle
	c.keys = slices.Delete(c.keys, i, i+1)
	return h, true
}
