package tpm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

// ErrOtherTPM is matched by errors about a TPM whose storage key is not the pinned one: it is another TPM, or this one has
// been cleared. The keys that were made under the pinned one are gone then. If somebody has only taken the storage key
// from its persistent handle, they work again when it is back.
var ErrOtherTPM = errors.New("tpm: this is another TPM, or it has been cleared, or its storage key was taken away: keys " +
	"that were made in it before are gone, make new ones and register them")

// parent is a storage key: keys are made and loaded under it, sessions are salted to it.
type parent struct {
	tpm2.NamedHandle
	public *tpm2.TPMTPublic
	// file is the handle that a file of a key under this parent names: a persistent one, or TPM_RH_OWNER for the transient
	// key that is made of the owner's seed.
	file tpm2.TPMHandle
	rsa  bool
}

// storageTemplate returns a template of a transient storage key: the TCG's for storage keys, with an empty unique
// field, which draft-bottomley-tpm2-keys prescribes for keys whose parent is a hierarchy. A TPM makes the same key of it
// again and again, until it is cleared.
func storageTemplate(rsa bool) *tpm2.TPMTPublic {
	template := tpm2.ECCSRKTemplate
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	if rsa {
		template = tpm2.RSASRKTemplate
		template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{})
	}
	return &template
}

// storageKey is true for the public area of a key that fits one of the templates, whatever its unique field.
func storageKey(public *tpm2.TPMTPublic) bool {
	return fits(storageTemplate(public.Type == tpm2.TPMAlgRSA), public)
}

// fits is true for a public area that was made of a template: all is equal but the unique field.
func fits(template, public *tpm2.TPMTPublic) bool {
	made := *template
	made.Unique = public.Unique
	return made.Type == public.Type && bytes.Equal(tpm2.Marshal(made), tpm2.Marshal(*public))
}

// parent returns the storage key that is pinned, else the first that is found, which is pinned then.
func (c *conn) parent() (parent, error) {
	pin := c.t.cache.pin
	fixed, err := c.persistentParent(tpm2.TPMHandle(c.t.opts.Parent))
	if err == nil && !storageKey(fixed.public) {
		err = errNoParent
	}
	if err == nil && (pin == nil || bytes.Equal(pin, fixed.Name.Buffer)) {
		c.t.cache.pin = fixed.Name.Buffer
		return fixed, nil
	}
	if err != nil && !errors.Is(err, errNoParent) {
		return parent{}, err
	}
	made, err := c.transientParent(false)
	switch {
	case err != nil:
		return parent{}, err
	case pin == nil:
		c.t.cache.pin = made.Name.Buffer
	case !bytes.Equal(pin, made.Name.Buffer):
		return parent{}, ErrOtherTPM
	}
	return made, nil
}

// parentOf returns the storage key that the file of a key names, whatever its template: tpm2_createprimary has one of its
// own, under which others make keys. It is the transient one also if the persistent one is gone, since that is often the
// same.
func (c *conn) parentOf(handle tpm2.TPMHandle, rsa bool) (parent, error) {
	if persistent(handle) {
		p, err := c.persistentParent(handle)
		if err == nil || !errors.Is(err, errNoParent) {
			return p, err
		}
	}
	return c.transientParent(rsa)
}

var errNoParent = errors.New("no storage key")

// persistentParent reads what is at a persistent handle. Its error matches errNoParent if that is nothing, or no storage
// key, by the TCG's templates or not.
func (c *conn) persistentParent(handle tpm2.TPMHandle) (parent, error) {
	if p, ok := c.knownParent(func(p parent) bool { return p.Handle == handle }); ok {
		return p, nil
	}
	response, err := run(c, tpm2.ReadPublic{ObjectHandle: handle})
	switch {
	case errors.Is(err, tpm2.TPMRCHandle):
		return parent{}, fmt.Errorf("tpm: %w at %#x", errNoParent, uint32(handle))
	case err != nil:
		return parent{}, err
	}
	public, name, err := publicArea(response.OutPublic)
	if err != nil || !bytes.Equal(name.Buffer, response.Name.Buffer) {
		return parent{}, c.malformed(errors.Join(errors.New("the public area of the storage key does not fit its name"), err))
	}
	if a := public.ObjectAttributes; !a.Restricted || !a.Decrypt || !a.UserWithAuth {
		return parent{}, fmt.Errorf("tpm: %w at %#x", errNoParent, uint32(handle))
	}
	at := tpm2.NamedHandle{Handle: handle, Name: *name}
	return c.foundParent(parent{at, public, handle, public.Type == tpm2.TPMAlgRSA}), nil
}

// transientParent makes a storage key of the owner's seed. It is flushed when the section ends.
func (c *conn) transientParent(rsa bool) (parent, error) {
	if p, ok := c.knownParent(func(p parent) bool { return !persistent(p.Handle) && p.rsa == rsa }); ok {
		return p, nil
	}
	auth, err := c.ownerAuth()
	if err != nil {
		return parent{}, err
	}
	response, err := run(c, tpm2.CreatePrimary{PrimaryHandle: auth, InPublic: tpm2.New2B(*storageTemplate(rsa))})
	if err != nil {
		return parent{}, err
	}
	public, name, err := publicArea(response.OutPublic)
	if err != nil || !bytes.Equal(name.Buffer, response.Name.Buffer) || !storageKey(public) {
		return parent{}, c.malformed(errors.Join(errors.New("the storage key that was made is not what was asked for"), err))
	}
	at := tpm2.NamedHandle{Handle: response.ObjectHandle, Name: *name}
	return c.foundParent(parent{at, public, tpm2.TPMRHOwner, rsa}), nil
}

func (c *conn) knownParent(is func(parent) bool) (parent, bool) {
	if i := slices.IndexFunc(c.parents, is); i >= 0 {
		return c.parents[i], true
	}
	return parent{}, false
}

func (c *conn) foundParent(p parent) parent {
	c.parents = append(c.parents, p)
	return p
}

// ownerAuth returns what authorizes one command on the owner hierarchy. If it has an authorization value, that is an HMAC
// session, flushed when the section ends; a password would travel in the clear. The session is for making the storage key,
// so it cannot be salted to it; it is salted to a key of the null hierarchy, so that a listener cannot try passwords on it.
func (c *conn) ownerAuth() (tpm2.AuthHandle, error) {
	h := tpm2.AuthHandle{Handle: tpm2.TPMRHOwner, Name: tpm2.HandleName(tpm2.TPMRHOwner), Auth: tpm2.PasswordAuth(nil)}
	if len(c.t.auth.owner()) == 0 {
		return h, nil
	}
	if c.owner == nil {
		s, err := c.ownerSession()
		if err != nil {
			return h, err
		}
		c.owner = s
	}
	h.Auth = authorization{session: c.owner, auth: c.t.auth.owner()}
	return h, nil
}

// ownerSession starts a session that is salted to a key of the null hierarchy.
func (c *conn) ownerSession() (*session, error) {
	response, err := run(c, tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHNull, InPublic: tpm2.New2B(*storageTemplate(false))})
	if err != nil {
		return nil, err
	}
	public, _, err := publicArea(response.OutPublic)
	if err != nil || !storageKey(public) {
		return nil, c.malformed(errors.Join(errors.New("the key for a salt is not what was asked for"), err))
	}
	s, err := c.saltedSession(response.ObjectHandle, public, tpm2.TPMSEHMAC)
	if err != nil {
		return nil, err
	}
	return s, c.flush(response.ObjectHandle)
}

// publicArea parses a public area and computes its name.
func publicArea(area tpm2.TPM2BPublic) (*tpm2.TPMTPublic, *tpm2.TPM2BName, error) {
	public, err := area.Contents()
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(tpm2.Marshal(*public), area.Bytes()) {
		return nil, nil, errors.New("a public area with more or other octets than it should have")
	}
	name, err := tpm2.ObjectName(public)
	return public, name, err
}
