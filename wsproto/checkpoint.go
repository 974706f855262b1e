package wsproto

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/adcskit/adcskit/internal/envelope"
	"github.com/adcskit/adcskit/internal/wipe"
)

// CheckpointError says why a checkpoint cannot be used. The constants are all there are.
type CheckpointError string

// What can be wrong with a checkpoint.
const (
	ErrCheckpointMalformed CheckpointError = "malformed or out of bounds"
	ErrCheckpointMaker     CheckpointError = "made by a connector that is not pinned"
	ErrCheckpointSignature CheckpointError = "its signature does not verify"
	ErrCheckpointJob       CheckpointError = "made for another tenant, job, attempt or sequence"
	ErrCheckpointOrder     CheckpointError = "made for another order"
	ErrCheckpointAccount   CheckpointError = "made with another CA account, or for another CA"
	ErrCheckpointSealed    CheckpointError = "not encrypted to this connector, or changed"
	ErrCheckpointKey       CheckpointError = "its private key, request and public-key hash do not belong together"
)

// Error says what is wrong.
func (e CheckpointError) Error() string { return "wsproto: checkpoint: " + string(e) }

// Reason returns the machine reason of the refusal or outcome that follows.
func (e CheckpointError) Reason() Reason {
	switch e {
	case ErrCheckpointMaker:
		return ReasonCheckpointMaker
	case ErrCheckpointSignature, ErrCheckpointMalformed:
		return ReasonCheckpointSignature
	case ErrCheckpointJob:
		return ReasonCheckpointJob
	case ErrCheckpointOrder:
		return ReasonCheckpointOrder
	case ErrCheckpointAccount:
		return ReasonCheckpointAccount
	case ErrCheckpointSealed:
		return ReasonCheckpointSealed
	case ErrCheckpointKey:
		return ReasonCheckpointKey
	}
	return ReasonInternal
}

// CheckpointSecret is the encrypted part of a checkpoint. It redacts itself.
type CheckpointSecret struct {
	PrivateKey []byte // PKCS#8, DER
	Request    []byte // PKCS#10 certification request, DER
}

// String tells nothing.
func (s CheckpointSecret) String() string { return "[redacted]" }

// Format tells nothing, whatever the verb.
func (s CheckpointSecret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue tells nothing.
func (s CheckpointSecret) LogValue() slog.Value { return slog.StringValue(s.String()) }

const (
	// MaxSealedParts is how many keys a checkpoint can be encrypted to: its maker's and those of pinned siblings.
	MaxSealedParts = 16
	// maxCheckpointSecret bounds the encoded secret, in bytes.
	maxCheckpointSecret = 32 << 10
	// timeLayout is how the time of a checkpoint stands on the wire and under its signature.
	timeLayout = "2006-01-02T15:04:05Z"
)

// SealCheckpoint completes a checkpoint: it takes the clear part of c (State, CA, Account, RequestID, Time, Tenant,
// Job, Attempt, Sequence, OrderDigest), checks that the private key belongs to the request, encrypts the secret to
// each of the keys (the maker's own decryption key first, then pinned siblings; at most [MaxSealedParts]), and signs
// all of it with the identity key. The time is cut to whole seconds in UTC. If the identity key fails, the error matches
// *KeyError.
func SealCheckpoint(c Checkpoint, secret CheckpointSecret, identity crypto.Signer, to ...*ecdh.PublicKey) (*Checkpoint, error) {
	if identity == nil {
		return nil, ErrKeyType
	}
	maker, err := FingerprintKey(identity.Public())
	if err != nil {
		return nil, err
	}
	hash, err := secret.check()
	if err != nil {
		return nil, err
	}
	c.PublicKeyHash, c.Maker = hash, maker[:]
	c.Time = c.Time.UTC().Truncate(time.Second)
	c.Sealed, c.Signature = nil, nil
	if err := c.encrypt(secret.encode(), to); err != nil {
		return nil, err
	}
	if c.Signature, err = sign(identity, c.signedBytes()); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &c, nil
}

// encrypt makes the parts, and wipes the plaintext.
func (c *Checkpoint) encrypt(plaintext []byte, to []*ecdh.PublicKey) error {
	defer clear(plaintext)
	if len(to) == 0 || len(to) > MaxSealedParts {
		return fmt.Errorf("wsproto: a checkpoint is encrypted to 1 to %d keys, not %d", MaxSealedParts, len(to))
	}
	if len(plaintext) > maxCheckpointSecret {
		return ErrTooLarge
	}
	info := c.sealInfo()
	for _, pub := range to {
		part, err := sealPart(pub, info, plaintext)
		if err != nil {
			return err
		}
		c.Sealed = append(c.Sealed, part)
	}
	return nil
}

func sealPart(pub *ecdh.PublicKey, info, plaintext []byte) (SealedPart, error) {
	id, err := FingerprintKey(pub)
	if err != nil {
		return SealedPart{}, err
	}
	encapsulation, ciphertext, err := envelope.Seal(pub, info, plaintext)
	if err != nil {
		return SealedPart{}, fmt.Errorf("wsproto: encrypting a checkpoint: %w", err)
	}
	return SealedPart{Key: id[:], Encapsulation: encapsulation, Ciphertext: ciphertext}, nil
}

// VerifyCheckpoint checks what a tenant can check before it stores a checkpoint: bounds, that tenant, job, attempt,
// sequence and order digest are those of the message and the order, and the signature of the session's identity key.
// The error is a CheckpointError.
func VerifyCheckpoint(p *CheckpointParams, tenant string, orderDigest []byte, identityKey *ecdsa.PublicKey) error {
	c := &p.Checkpoint
	if c.Validate() != nil {
		return ErrCheckpointMalformed
	}
	if c.Tenant != tenant || c.Job != p.Job || c.Attempt != p.Attempt || c.Sequence != p.Sequence {
		return ErrCheckpointJob
	}
	if !bytes.Equal(c.OrderDigest, orderDigest) {
		return ErrCheckpointOrder
	}
	return c.verifyMaker([]*ecdsa.PublicKey{identityKey})
}

// CheckpointExpectation is what a checkpoint must be before a connector goes on with its job.
type CheckpointExpectation struct {
	Makers      []*ecdsa.PublicKey // identity keys: the connector's own and those of pinned siblings
	Tenant      string
	Job         string
	Attempt     int64        // of the offer; the checkpoint is of this attempt or an earlier one
	OrderDigest []byte       // of the order in the offer
	CA          CAAssignment // of the order in the offer
	Account     string       // the connector's own account at this CA
}

// OpenCheckpoint checks a checkpoint in this order: bounds, maker, signature, job, order, CA and account; then it
// decrypts the part for key, and checks that private key, request and public-key hash belong together. The error is a
// CheckpointError and holds nothing of the content; or it matches *KeyError, and then nothing is wrong with the checkpoint
// so far. The secret is the caller's to wipe.
func OpenCheckpoint(c *Checkpoint, key ecdh.KeyExchanger, want CheckpointExpectation) (*CheckpointSecret, error) {
	if c == nil || c.Validate() != nil {
		return nil, ErrCheckpointMalformed
	}
	if err := c.verifyMaker(want.Makers); err != nil {
		return nil, err
	}
	switch {
	case c.Tenant != want.Tenant || c.Job != want.Job || c.Attempt > want.Attempt:
		return nil, ErrCheckpointJob
	case !bytes.Equal(c.OrderDigest, want.OrderDigest):
		return nil, ErrCheckpointOrder
	case c.Account != want.Account || c.CA != want.CA:
		return nil, ErrCheckpointAccount
	}
	plaintext, err := c.unseal(key)
	if err != nil {
		return nil, err
	}
	return c.accept(plaintext)
}

// accept reads what was decrypted, which becomes the secret's; what is not accepted is wiped.
func (c *Checkpoint) accept(plaintext []byte) (secret *CheckpointSecret, err error) {
	defer func() {
		if err != nil {
			clear(plaintext)
		}
	}()
	secret, err = decodeSecret(plaintext)
	if err != nil {
		return nil, err
	}
	hash, err := secret.check()
	if err != nil || !bytes.Equal(hash, c.PublicKeyHash) {
		return nil, ErrCheckpointKey
	}
	return secret, nil
}

// verifyMaker finds the maker among keys and verifies the signature.
func (c *Checkpoint) verifyMaker(keys []*ecdsa.PublicKey) error {
	for _, pub := range keys {
		id, err := FingerprintKey(pub)
		if err != nil || !id.Equal(c.Maker) {
			continue
		}
		if verify(pub, c.signedBytes(), c.Signature) != nil {
			return ErrCheckpointSignature
		}
		return nil
	}
	return ErrCheckpointMaker
}

func (c *Checkpoint) unseal(key ecdh.KeyExchanger) ([]byte, error) {
	if key == nil {
		return nil, ErrCheckpointSealed
	}
	id, err := FingerprintKey(key.PublicKey())
	if err != nil {
		return nil, ErrCheckpointSealed
	}
	for _, part := range c.Sealed {
		if !id.Equal(part.Key) {
			continue
		}
		plaintext, err := envelope.Open(key, c.sealInfo(), part.Encapsulation, part.Ciphertext)
		if failed, ok := errors.AsType[*envelope.KeyError](err); ok {
			return nil, &KeyError{Use: "decrypt", Err: failed.Err}
		}
		if err != nil {
			return nil, ErrCheckpointSealed
		}
		return plaintext, nil
	}
	return nil, ErrCheckpointSealed
}

// sealInfo is the info of HPKE (RFC 9180, section 5.1): it ties the encrypted part to where it belongs.
func (c *Checkpoint) sealInfo() []byte {
	b := envelope.AppendString(nil, string(ContextCheckpointSeal))
	b = envelope.AppendString(b, c.Tenant)
	b = envelope.AppendString(b, c.Job)
	b = envelope.AppendUint64(b, uint64(c.Attempt))
	b = envelope.AppendUint64(b, uint64(c.Sequence))
	b = envelope.AppendField(b, c.OrderDigest)
	return envelope.AppendField(b, c.Maker)
}

// signedBytes is what the maker signs: every member, clear and encrypted, in the order of PROTOCOL.md.
func (c *Checkpoint) signedBytes() []byte {
	b := envelope.AppendString(nil, string(ContextCheckpoint))
	b = envelope.AppendString(b, c.Tenant)
	b = envelope.AppendString(b, c.Job)
	b = envelope.AppendUint64(b, uint64(c.Attempt))
	b = envelope.AppendUint64(b, uint64(c.Sequence))
	b = envelope.AppendField(b, c.OrderDigest)
	b = envelope.AppendField(b, c.Maker)
	b = envelope.AppendString(b, string(c.State))
	b = envelope.AppendString(b, c.CA.Host)
	b = envelope.AppendString(b, c.CA.Name)
	b = envelope.AppendString(b, c.Account)
	b = envelope.AppendField(b, c.PublicKeyHash)
	b = envelope.AppendUint64(b, uint64(c.RequestID))
	b = envelope.AppendString(b, c.Time.UTC().Format(timeLayout))
	b = envelope.AppendUint64(b, uint64(len(c.Sealed)))
	for _, part := range c.Sealed {
		b = envelope.AppendField(b, part.Key)
		b = envelope.AppendField(b, part.Encapsulation)
		b = envelope.AppendField(b, part.Ciphertext)
	}
	return b
}

// encode writes the plaintext of the encrypted part: two fields.
func (s CheckpointSecret) encode() []byte {
	b := make([]byte, 0, 8+len(s.PrivateKey)+len(s.Request))
	b = envelope.AppendField(b, s.PrivateKey)
	return envelope.AppendField(b, s.Request)
}

func decodeSecret(plaintext []byte) (*CheckpointSecret, error) {
	key, rest, err := envelope.CutField(plaintext)
	if err != nil {
		return nil, ErrCheckpointKey
	}
	request, rest, err := envelope.CutField(rest)
	if err != nil || len(rest) != 0 {
		return nil, ErrCheckpointKey
	}
	return &CheckpointSecret{PrivateKey: key, Request: request}, nil
}

var errSecretKey = errors.New("wsproto: the private key does not belong to the certification request")

// check tests that the private key belongs to the request, and returns the hash of their public key.
func (s CheckpointSecret) check() ([]byte, error) {
	request, err := x509.ParseCertificateRequest(s.Request)
	if err != nil {
		return nil, errSecretKey
	}
	key, err := x509.ParsePKCS8PrivateKey(s.PrivateKey)
	if err != nil {
		return nil, errSecretKey
	}
	defer wipe.Key(key)
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errSecretKey
	}
	pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(request.PublicKey) {
		return nil, errSecretKey
	}
	hash := sha256.Sum256(request.RawSubjectPublicKeyInfo)
	return hash[:], nil
}
