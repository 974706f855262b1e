package sealedbundle

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/envelope"
)

// Contexts: the first field of whatever is signed or encrypted.
const (
	signContext = "adcs-connector.v1 sealed delivery"
	sealContext = "adcs-connector.v1 sealed delivery seal"
)

// Content is what a bundle holds.
type Content struct {
	PKCS12   []byte
	Password string
}

var (
	errSignerKey    = errors.New("sealed bundle: the signer's key is not a P-256 ECDSA key")
	errRecipientKey = errors.New("sealed bundle: the recipient's key is not a P-256 or X25519 key")
)

// Seal completes a bundle: it takes Tenant, Job, Recipient and Thumbprint of b, encrypts the content to the recipient's
// key and signs all of it with the identity key, which may live in hardware and signs once: its failure is an
// *envelope.KeyError, and so is a signature that does not verify. The buffer of the plaintext is wiped.
func Seal(b Bundle, content Content, identity crypto.Signer, to *ecdh.PublicKey) (*Bundle, error) {
	if err := content.check(); err != nil {
		return nil, err
	}
	if err := b.address(identity, to); err != nil {
		return nil, err
	}
	plaintext := content.encode()
	defer clear(plaintext)
	var err error
	if b.Encapsulation, b.Ciphertext, err = envelope.Seal(to, b.Info(), plaintext); err != nil {
		return nil, fmt.Errorf("sealed bundle: encrypting: %w", err)
	}
	digest := sha256.Sum256(b.Signed())
	if b.Signature, err = identity.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		return nil, &envelope.KeyError{Err: err}
	}
	if err := b.Verify(); err != nil { // its maker has made a wrong one
		return nil, &envelope.KeyError{Err: err}
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return &b, nil
}

// address fills in who signs and who can open.
func (b *Bundle) address(identity crypto.Signer, to *ecdh.PublicKey) error {
	if identity == nil {
		return errSignerKey
	}
	pub, ok := identity.Public().(*ecdsa.PublicKey)
	if !ok || pub == nil || pub.Curve != elliptic.P256() {
		return errSignerKey
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return errSignerKey
	}
	recipient, err := envelope.Fingerprint(to)
	if err != nil {
		return errRecipientKey
	}
	signer := sha256.Sum256(spki)
	b.Version, b.Connector, b.SignerKey = Version, signer[:], spki
	b.RecipientKey, b.KEM = recipient[:], kemOf(to)
	return nil
}

// signer returns the key that the bundle says it is signed with, if its fingerprint is the one that it says.
func (b *Bundle) signer() (*ecdsa.PublicKey, error) {
	if sum := sha256.Sum256(b.SignerKey); string(sum[:]) != string(b.Connector) {
		return nil, fmt.Errorf("%w: connector", ErrMalformed)
	}
	if pub, err := envelope.ParsePublicKey(b.SignerKey); err != nil || pub.Curve() != ecdh.P256() {
		return nil, fmt.Errorf("%w: signerKey", ErrMalformed)
	}
	parsed, err := x509.ParsePKIXPublicKey(b.SignerKey)
	pub, ok := parsed.(*ecdsa.PublicKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: signerKey", ErrMalformed)
	}
	return pub, nil
}

// Verify checks the signature with the key that the bundle names. Whether that key is trusted is for the caller to decide.
// Errors match [ErrSignature] and [ErrMalformed].
func (b *Bundle) Verify() error {
	pub, err := b.signer()
	if err != nil {
		return err
	}
	digest := sha256.Sum256(b.Signed())
	if !ecdsa.VerifyASN1(pub, digest[:], b.Signature) {
		return ErrSignature
	}
	return nil
}

// Open decrypts the content. It does not verify: [Bundle.Verify] comes first. Errors match [ErrRecipient], [ErrSealed] and
// [ErrContent], or are those of a key in hardware, *envelope.KeyError. The .p12 is the caller's to wipe.
func (b *Bundle) Open(key ecdh.KeyExchanger) (*Content, error) {
	if key == nil {
		return nil, ErrRecipient
	}
	id, err := envelope.Fingerprint(key.PublicKey())
	if err != nil || string(id[:]) != string(b.RecipientKey) {
		return nil, ErrRecipient
	}
	plaintext, err := envelope.Open(key, b.Info(), b.Encapsulation, b.Ciphertext)
	if failed, ok := errors.AsType[*envelope.KeyError](err); ok {
		return nil, failed
	}
	if err != nil {
		return nil, ErrSealed
	}
	return decodeContent(plaintext)
}

// Info is the info of HPKE (RFC 9180, section 5.1): what the bundle is bound to besides the recipient's key.
func (b *Bundle) Info() []byte { return b.header(sealContext) }

// Signed is what the identity key signs.
func (b *Bundle) Signed() []byte {
	out := b.header(signContext)
	out = envelope.AppendField(out, b.Encapsulation)
	return envelope.AppendField(out, b.Ciphertext)
}

// header is every clear member, in the order of PROTOCOL.md.
func (b *Bundle) header(context string) []byte {
	out := envelope.AppendString(nil, context)
	out = envelope.AppendUint64(out, uint64(b.Version))
	out = envelope.AppendString(out, b.Tenant)
	out = envelope.AppendString(out, b.Job)
	out = envelope.AppendField(out, b.Connector)
	out = envelope.AppendField(out, b.SignerKey)
	out = envelope.AppendString(out, b.Recipient)
	out = envelope.AppendField(out, b.RecipientKey)
	out = envelope.AppendString(out, b.KEM)
	return envelope.AppendField(out, b.Thumbprint)
}

func (c *Content) check() error {
	if len(c.PKCS12) == 0 || len(c.PKCS12) > MaxPKCS12 || c.Password == "" || len(c.Password) > MaxPassword {
		return fmt.Errorf("sealed bundle: the .p12 has 1 to %d bytes, its password 1 to %d", MaxPKCS12, MaxPassword)
	}
	return nil
}

// encode writes the plaintext: two fields.
func (c *Content) encode() []byte {
	b := make([]byte, 0, 8+len(c.PKCS12)+len(c.Password)) // in one piece, so that wiping it wipes all
	b = envelope.AppendField(b, c.PKCS12)
	return envelope.AppendString(b, c.Password)
}

// decodeContent reads the plaintext. The .p12 is copied, and the plaintext wiped.
func decodeContent(plaintext []byte) (*Content, error) {
	defer clear(plaintext)
	p12, rest, err := envelope.CutField(plaintext)
	if err != nil {
		return nil, ErrContent
	}
	password, rest, err := envelope.CutField(rest)
	if err != nil || len(rest) != 0 {
		return nil, ErrContent
	}
	c := &Content{PKCS12: append([]byte(nil), p12...), Password: string(password)}
	if c.check() != nil {
		clear(c.PKCS12)
		return nil, ErrContent
	}
	return c, nil
}
