package tpm

import (
	"bytes"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/go-tpm/tpm2"
)

// Options change how a TPM is used. The zero value fits a TPM that is provisioned as the TCG recommends.
type Options struct {
	// KeyAuth is the authorization value of the keys: those that are made get it, those that are loaded need it if their
	// file says that they have one. A file that says the opposite of what is true, as tpm2_encodeobject 5.4 writes it, is found
	// out. At most 32 octets; it travels encrypted when a key is made, and then no more.
	KeyAuth []byte
	// OwnerAuth and EndorsementAuth are the authorization values of the two hierarchies, usually empty. They are needed
	// to make the transient storage key, and to read and use an endorsement key. At most 64 octets each, if the TPM knows a
	// digest as long as that.
	OwnerAuth, EndorsementAuth []byte
	// Parent is the persistent handle of the storage key above the keys, by default 0x81000001 (TCG TPM v2.0 Provisioning
	// Guidance, table 2). If nothing is there, or something else than a storage key by the TCG's templates, a transient one is
	// made of the owner's seed, of the template that tpm2-tools and OpenSSL's provider use too. Nothing is made persistent.
	Parent uint32
	// ParentName is the name of that storage key (TPM 2.0 Library, part 1, 16). With it, a TPM that is another one or has
	// been cleared is refused with [ErrOtherTPM]. Without it, the storage key that is found first stays the only one until
	// the TPM is closed.
	ParentName []byte
	// Timeout bounds one command, by default two minutes: making an RSA key takes tens of seconds in a slow TPM.
	Timeout time.Duration
}

// auths holds authorization values where nobody prints them by accident: package fmt looks into structs, and not into
// functions.
type auths struct{ key, owner, endorsement func() []byte }

func (o *Options) auths() auths {
	hide := func(value []byte) func() []byte { return func() []byte { return value } }
	return auths{hide(o.KeyAuth), hide(o.OwnerAuth), hide(o.EndorsementAuth)}
}

// String says which options are set, without authorization values.
func (o Options) String() string {
	return fmt.Sprintf("tpm.Options{KeyAuth: %v, OwnerAuth: %v, EndorsementAuth: %v, Parent: %#x, ParentName: %x, Timeout: %v}",
		hidden(o.KeyAuth), hidden(o.OwnerAuth), hidden(o.EndorsementAuth), o.Parent, o.ParentName, o.Timeout)
}

// GoString is String.
func (o Options) GoString() string { return o.String() }

// LogValue is String.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

func hidden(auth []byte) string {
	if len(auth) == 0 {
		return "none"
	}
	return "(hidden)"
}

const (
	srkHandle   = 0x81000001
	maxAuth     = 32 // octets; the size of the digests of our keys' names, to which a TPM limits their authorization values
	maxOfOthers = 64 // octets; the size of the largest digest, to which a TPM limits those of hierarchies
	maxNameSize = 2 + 64
)

// checked returns the options with their defaults, and copies of what the caller could change.
func (o *Options) checked() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	for _, auth := range []struct {
		of    string
		value *[]byte
		most  int
	}{{"keys", &c.KeyAuth, maxAuth}, {"owner", &c.OwnerAuth, maxOfOthers}, {"endorsement hierarchy", &c.EndorsementAuth, maxOfOthers}} {
		// A TPM drops zeros at the end of an authorization value (part 1, 19.6.5), so they don't count here either.
		*auth.value = bytes.TrimRight(bytes.Clone(*auth.value), "\x00")
		if len(*auth.value) > auth.most {
			return c, fmt.Errorf("tpm: options: the authorization value of the %s has %d octets, more than %d",
				auth.of, len(*auth.value), auth.most)
		}
	}
	if c.Parent == 0 {
		c.Parent = srkHandle
	}
	if !persistent(tpm2.TPMHandle(c.Parent)) {
		return c, fmt.Errorf("tpm: options: the handle %#x of the parent is not one of a persistent object, "+
			"0x81000000 to 0x81ffffff", c.Parent)
	}
	if len(c.ParentName) > maxNameSize {
		return c, fmt.Errorf("tpm: options: the name of the parent has %d octets, more than %d", len(c.ParentName), maxNameSize)
	}
	c.ParentName = bytes.Clone(c.ParentName)
	if c.Timeout < 0 {
		return c, fmt.Errorf("tpm: options: the timeout %v is negative", c.Timeout)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	return c, nil
}
