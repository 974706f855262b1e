package sealed

import (
	"crypto"
	"crypto/ecdh"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/internal/envelope"
	"github.com/adcskit/adcskit/internal/sealedbundle"
)

// Bounds, in bytes.
const (
	// MaxBundle is the size of a sealed bundle that [Open] takes.
	MaxBundle = sealedbundle.MaxText
	// MaxPKCS12 is the size of the largest .p12 that fits into one.
	MaxPKCS12 = sealedbundle.MaxPKCS12
)

// Header is what can be read of a bundle without opening it.
type Header struct {
	Tenant     string            // 1 to 255 bytes
	Job        string            // 1 to 64 bytes
	Recipient  string            // its id in the order, 1 to 255 bytes
	Thumbprint [sha256.Size]byte // SHA-256 of the certificate in DER

	// What follows is filled in by Inspect and Open; Seal takes it from the keys.

	Connector    [sha256.Size]byte // fingerprint of the connector's identity key: SHA-256 of SignerKey
	SignerKey    []byte            // that key: SubjectPublicKeyInfo, DER, P-256
	RecipientKey [sha256.Size]byte // fingerprint of the recipient's key
	KEM          string            // "P-256" or "X25519"
}

// Bundle is what was sealed. It redacts itself.
type Bundle struct {
	Header   Header
	PKCS12   []byte // DER; the caller's to wipe
	Password string // of PKCS12, at most 255 bytes
}

// String tells whose bundle it is, and nothing of what is in it.
func (b Bundle) String() string {
	return fmt.Sprintf("bundle of job %q for recipient %q", b.Header.Job, b.Header.Recipient)
}

// Format writes what String returns, whatever the verb.
func (b Bundle) Format(f fmt.State, _ rune) { io.WriteString(f, b.String()) }

// LogValue returns what String returns.
func (b Bundle) LogValue() slog.Value { return slog.StringValue(b.String()) }

// Seal encrypts a bundle to the recipient's key, on P-256 or of X25519, and signs it with the identity key of a connector:
// P-256, ECDSA, perhaps in hardware, which signs once. It returns the JSON object that is the outcome's sealed member.
// It checks no .p12, and it does not check that the password is a good one; pkcs12.NewPassword makes one.
func Seal(identity crypto.Signer, to *ecdh.PublicKey, b Bundle) ([]byte, error) {
	made, err := sealedbundle.Seal(sealedbundle.Bundle{
		Tenant: b.Header.Tenant, Job: b.Header.Job, Recipient: b.Header.Recipient, Thumbprint: b.Header.Thumbprint[:],
	}, sealedbundle.Content{PKCS12: b.PKCS12, Password: b.Password}, identity, to)
	if err != nil {
		return nil, public(err)
	}
	text, err := made.Encode()
	return text, public(err)
}

// Inspect reads the header of a bundle and verifies that the key which it names has signed it. It proves nothing about who
// that is: see [Open]. Errors match [ErrMalformed] and [ErrSignature].
func Inspect(bundle []byte) (*Header, error) {
	b, err := sealedbundle.Parse(bundle)
	if err != nil {
		return nil, public(err)
	}
	if err := b.Verify(); err != nil {
		return nil, public(err)
	}
	h := header(b)
	return &h, nil
}

// Expect is what a bundle must be before [Open] decrypts it.
type Expect struct {
	// Signers are the fingerprints of the connectors that may have made the bundle: see [Fingerprint]. One at least is
	// required. A job can move to another connector before it ends, so name all that serve the CA.
	Signers [][sha256.Size]byte
	// Tenant, Job and Recipient must be those of the header. Empty takes any.
	Tenant, Job, Recipient string
	// Thumbprint must be that of the header. Zero takes any.
	Thumbprint [sha256.Size]byte
}

// Open checks a bundle in this order: bounds, signer, signature, what is expected; then it decrypts it with the recipient's
// key, which may live in hardware. Errors match one of this package's, except those of the key. The .p12 is as the connector
// made it: that it holds the certificate of the header is for the caller to see (pkcs12.Decode).
func Open(bundle []byte, key ecdh.KeyExchanger, want Expect) (*Bundle, error) {
	b, err := sealedbundle.Parse(bundle)
	if err != nil {
		return nil, public(err)
	}
	h := header(b)
	if !slices.Contains(want.Signers, h.Connector) {
		return nil, fmt.Errorf("%w: its fingerprint is %x", ErrSigner, h.Connector)
	}
	if err := b.Verify(); err != nil {
		return nil, public(err)
	}
	if err := want.check(&h); err != nil {
		return nil, err
	}
	content, err := b.Open(key)
	if err != nil {
		return nil, public(err)
	}
	return &Bundle{Header: h, PKCS12: content.PKCS12, Password: content.Password}, nil
}

// check names the first member of a verified header that is not as expected.
func (w *Expect) check(h *Header) error {
	for _, c := range []struct{ name, want, got string }{
		{"tenant", w.Tenant, h.Tenant}, {"job", w.Job, h.Job}, {"recipient", w.Recipient, h.Recipient},
	} {
		if c.want != "" && c.want != c.got {
			return fmt.Errorf("%w: the %s is %q", ErrContext, c.name, c.got)
		}
	}
	if w.Thumbprint != [sha256.Size]byte{} && w.Thumbprint != h.Thumbprint {
		return fmt.Errorf("%w: the certificate is %x", ErrContext, h.Thumbprint)
	}
	return nil
}

func header(b *sealedbundle.Bundle) Header {
	h := Header{Tenant: b.Tenant, Job: b.Job, Recipient: b.Recipient, SignerKey: b.SignerKey, KEM: b.KEM}
	copy(h.Thumbprint[:], b.Thumbprint)
	copy(h.Connector[:], b.Connector)
	copy(h.RecipientKey[:], b.RecipientKey)
	return h
}

// Fingerprint returns the SHA-256 of a key's SubjectPublicKeyInfo: how connectors and recipients are named. spki is that
// encoding in DER, of a P-256 key with an uncompressed point or of an X25519 key; any other matches [ErrKey].
func Fingerprint(spki []byte) ([sha256.Size]byte, error) {
	if _, err := envelope.ParsePublicKey(spki); err != nil {
		return [sha256.Size]byte{}, ErrKey
	}
	return sha256.Sum256(spki), nil
}

// public turns the errors of the format into those of this package.
func public(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[sealedbundle.Error](err); ok {
		return fmt.Errorf("%w%s", Error(e), strings.TrimPrefix(err.Error(), e.Error())) // and which member
	}
	if failed, ok := errors.AsType[*envelope.KeyError](err); ok {
		return fmt.Errorf("sealed: the key failed: %w", failed.Err)
	}
	return fmt.Errorf("sealed: %w", err)
}
