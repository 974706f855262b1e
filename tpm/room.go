package tpm

import (
	"errors"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

// maxObjects is how many objects every TPM has room for (TPM_PT_HR_TRANSIENT_MIN of the PC client profile; swtpm's too).
// Linux' resource manager gives no program more, and answers the fourth by flushing all of them.
const maxObjects = 3

// makeRoom flushes something if an error of a command says that the TPM has no memory left, and says whether that may have
// helped.
func (c *conn) makeRoom(command tpm2.TPMCC, err error) bool {
	switch {
	case errors.Is(err, tpm2.TPMRCObjectMemory), errors.Is(err, tpm2.TPMRCMemory), errors.Is(err, tpm2.TPMRCObjectHandles):
		if c.evict(command) {
			return true
		}
	case errors.Is(err, tpm2.TPMRCSessionMemory), errors.Is(err, tpm2.TPMRCSessionHandles):
	default:
		return false
	}
	return c.flushStrangers()
}

// evict flushes an object. Keys that the section works with stay, and storage keys while the command may be about one.
func (c *conn) evict(command tpm2.TPMCC) bool {
	if h, ok := c.t.cache.evict(c.used); ok {
		return c.flush(h) == nil
	}
	return !needsParent(command) && c.dropParent()
}

func needsParent(command tpm2.TPMCC) bool {
	switch command {
	case tpm2.TPMCCCreate, tpm2.TPMCCLoad, tpm2.TPMCCStartAuthSession, tpm2.TPMCCImport:
		return true
	}
	return false
}

// dropParent flushes a transient storage key, which is made again if it is needed again.
func (c *conn) dropParent() bool {
	i := slices.IndexFunc(c.parents, func(p parent) bool { return !persistent(p.Handle) })
	if i < 0 {
		return false
	}
	h := c.parents[i].Handle
	c.parents = slices.Delete(c.parents, i, i+1)
	return c.flush(h) == nil
}

// reclaimLost flushes what an answer that was lost may have left in the TPM. Our own things are flushed too: the session
// may be out of step.
func (c *conn) reclaimLost() error {
	if !c.t.wire.settle() || !c.t.wire.lost {
		return nil
	}
	c.t.cache.drop()
	c.t.wire.lost = false
	c.sweep()
	if c.failed == nil {
		c.flushStrangers()
	}
	if c.failed != nil {
		c.t.wire.lost = true
	}
	return c.failed
}

// flushStrangers flushes, once in a section, what is loaded in a TPM that is ours alone and that we don't know of: it was
// left behind by a program that ended without flushing it, or by an answer that was lost.
func (c *conn) flushStrangers() bool {
	if c.t.wire.reach != exclusive || c.cleared {
		return false
	}
	c.cleared = true
	helped := false
	for _, kind := range []tpm2.TPMHandle{typeTransient, typeHMAC} { // typeHMAC: all sessions that are loaded (part 2, 7.2)
		for _, h := range c.loadedHandles(kind << 24) {
			if _, ours := c.t.wire.loaded[h]; !ours && volatile(h) && c.flush(h) == nil {
				helped = true
			}
		}
	}
	return helped
}

// loadedHandles asks the TPM what is loaded of a type.
func (c *conn) loadedHandles(from tpm2.TPMHandle) []tpm2.TPMHandle {
	const enough = 64
	response, err := execute(c, tpm2.GetCapability{
		Capability: tpm2.TPMCapHandles, Property: uint32(from), PropertyCount: enough,
	})
	if err != nil {
		return nil
	}
	list, err := response.CapabilityData.Data.Handles()
	if err != nil {
		return nil
	}
	return list.Handle
}
