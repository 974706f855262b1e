package connector

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/adcskit/adcskit/wsproto"
)

// The files of a new identity. The state file is written last: it says that the keys are complete.
const (
	identityFile   = "identity.pem"
	decryptionFile = "decryption.pem"
	stateFile      = "state.json"
)

// identityState is the state file. None of it is secret. A new identity with software keys has no more than its first two
// members.
type identityState struct {
	Instance     string        `json:"instance"`
	Registration *Registration `json:"registration,omitempty"`

	Keys     *keySet           `json:"keys,omitempty"`     // nil: software, in the files of a new identity
	Rotation *wsproto.Rotation `json:"rotation,omitempty"` // of Keys; until the tenant has acknowledged it
	Former   []keySet          `json:"former,omitempty"`   // newest first
	Unused   []string          `json:"unused,omitempty"`   // files that may be there, and are to be deleted
}

// keySet names the two keys of a connector.
type keySet struct {
	Kind           string `json:"kind"`
	Pin            []byte `json:"pin,omitempty"`
	IdentityFile   string `json:"identityFile,omitempty"` // of former keys, empty once it is deleted
	DecryptionFile string `json:"decryptionFile"`
	IdentityKey    []byte `json:"identityKey,omitempty"` // SubjectPublicKeyInfo; empty in a new identity with software keys
	DecryptionKey  []byte `json:"decryptionKey,omitempty"`
}

// Registration is what a connector knows about its registration. None of it is secret.
type Registration struct {
	// TenantKey is the fingerprint of the tenant's key, pinned for good.
	TenantKey string `json:"tenantKey"`
	// Connector is the tenant's id for this connector; empty while the registration waits for approval.
	Connector string `json:"connector,omitempty"`
}

// keys returns the keys in use.
func (s *identityState) keys() keySet {
	if s.Keys == nil {
		return keySet{Kind: KindSoftware, IdentityFile: identityFile, DecryptionFile: decryptionFile}
	}
	return *s.Keys
}

// errDamaged says that the state file cannot be used.
var errDamaged = errors.New("damaged; restore it or register anew")

// loadState returns nil if there is no state file.
func (f folder) loadState() (*identityState, error) {
	raw, err := f.read(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s identityState
	if err := json.Unmarshal(raw, &s); err != nil || !s.valid() {
		return nil, fmt.Errorf("connector: identity: %s is %w", f.path(stateFile), errDamaged)
	}
	return &s, nil
}

// keyFile matches the names of key files: those of a new identity, and those that a rotation makes.
var keyFile = regexp.MustCompile(`^(identity|decryption)(-[0-9a-f]{16})?\.pem$`)

// valid checks what the files are found by.
func (s *identityState) valid() bool {
	ok := s.Instance != ""
	for _, name := range s.Unused {
		ok = ok && keyFile.MatchString(name)
	}
	for _, k := range append([]keySet{s.keys()}, s.Former...) {
		ok = ok && k.Kind != "" && keyFile.MatchString(k.DecryptionFile)
		ok = ok && (k.IdentityFile == "" || keyFile.MatchString(k.IdentityFile))
	}
	for _, k := range s.Former {
		_, identity := wsproto.ParsePublicKey(k.IdentityKey)
		_, decryption := wsproto.ParsePublicKey(k.DecryptionKey)
		ok = ok && identity == nil && decryption == nil
	}
	return ok && s.keys().IdentityFile != ""
}

// createState writes the first state. If another process was faster, its state counts.
func (f folder) createState(s *identityState) (*identityState, error) {
	s.Instance = randomName()
	s.Instance += randomName()
	raw, err := s.encode()
	if err == nil {
		err = f.create(stateFile, raw)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	loaded, err := f.loadState()
	if err == nil && loaded == nil {
		err = fmt.Errorf("connector: identity: %s cannot be read back", f.path(stateFile))
	}
	return loaded, err
}

func (f folder) replaceState(s *identityState) error {
	raw, err := s.encode()
	if err != nil {
		return err
	}
	return f.replace(stateFile, raw)
}

func (s *identityState) encode() ([]byte, error) {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("connector: identity: %w", err)
	}
	return append(raw, '\n'), nil
}

// clean deletes what is not used any more, and then says so in the state.
func (f folder) clean(s *identityState) error {
	if len(s.Unused) == 0 {
		return nil
	}
	for _, name := range s.Unused {
		if err := f.remove(name); err != nil {
			return err
		}
	}
	next := *s
	next.Unused = nil
	if err := f.replaceState(&next); err != nil {
		return err
	}
	*s = next
	return nil
}

// randomName returns 16 hexadecimal digits.
func randomName() string {
	var random [8]byte
	rand.Read(random[:]) // never fails, see crypto/rand
	return hex.EncodeToString(random[:])
}
