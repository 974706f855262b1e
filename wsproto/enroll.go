package wsproto

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/adcskit/adcskit/internal/envelope"
)

const (
	enrollmentPrefix   = "adcs1"
	enrollmentID       = 8
	enrollmentSecret   = 20 // 160 random bits
	enrollmentChecksum = 4
	enrollmentSize     = enrollmentID + enrollmentSecret + sha256.Size + enrollmentChecksum
	maxEnrollmentText  = 512
)

// EnrollmentCode registers one connector, once: a public id, a secret, and the fingerprint of the tenant's key, so that
// who has the code also knows whom to trust. All printing of it but [EnrollmentCode.Reveal] shows the id only.
type EnrollmentCode struct {
	id     [enrollmentID]byte
	secret [enrollmentSecret]byte
	tenant Fingerprint
}

// ErrEnrollmentCode says that a text is not an enrollment code, or was not copied completely.
var ErrEnrollmentCode = errors.New("wsproto: not an enrollment code, or not copied completely")

// NewEnrollmentCode makes a code with 160 random bits for the tenant whose key has this fingerprint.
func NewEnrollmentCode(tenantKey Fingerprint) EnrollmentCode {
	c := EnrollmentCode{tenant: tenantKey}
	rand.Read(c.id[:]) // never fails since Go 1.24
	rand.Read(c.secret[:])
	return c
}

// ParseEnrollmentCode reads what [EnrollmentCode.Reveal] writes. Case, white space and hyphens do not matter. Every
// error is ErrEnrollmentCode and holds nothing of the text.
func ParseEnrollmentCode(text string) (EnrollmentCode, error) {
	if len(text) > maxEnrollmentText {
		return EnrollmentCode{}, ErrEnrollmentCode
	}
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n-", r) {
			return -1
		}
		return r
	}, strings.ToLower(text))
	body, ok := strings.CutPrefix(text, enrollmentPrefix)
	if !ok {
		return EnrollmentCode{}, ErrEnrollmentCode
	}
	raw, err := enrollmentEncoding().DecodeString(body)
	if err != nil || len(raw) != enrollmentSize || enrollmentEncoding().EncodeToString(raw) != body {
		return EnrollmentCode{}, ErrEnrollmentCode
	}
	sum := sha256.Sum256(raw[:enrollmentSize-enrollmentChecksum])
	if string(sum[:enrollmentChecksum]) != string(raw[enrollmentSize-enrollmentChecksum:]) {
		return EnrollmentCode{}, ErrEnrollmentCode
	}
	var c EnrollmentCode
	n := copy(c.id[:], raw)
	n += copy(c.secret[:], raw[n:])
	copy(c.tenant[:], raw[n:])
	return c, nil
}

func enrollmentEncoding() *base32.Encoding {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
}

// Reveal returns the code as one line of lower-case letters and digits, for a person to copy. It is a secret.
func (c EnrollmentCode) Reveal() string {
	raw := make([]byte, 0, enrollmentSize)
	raw = append(raw, c.id[:]...)
	raw = append(raw, c.secret[:]...)
	raw = append(raw, c.tenant[:]...)
	sum := sha256.Sum256(raw)
	return enrollmentPrefix + enrollmentEncoding().EncodeToString(append(raw, sum[:enrollmentChecksum]...))
}

// ID returns the public id of the code: 16 hexadecimal digits.
func (c EnrollmentCode) ID() string { return hex.EncodeToString(c.id[:]) }

// TenantKey returns the fingerprint of the tenant's key.
func (c EnrollmentCode) TenantKey() Fingerprint { return c.tenant }

// IsZero reports whether c is no code at all.
func (c EnrollmentCode) IsZero() bool { return c == EnrollmentCode{} }

// Hash returns what the tenant stores instead of the code: SHA-256 over the fields context, id and secret. It is also
// the key of the MAC, so who reads it can enroll in the place of the connector until the code is used or expires; but
// the code itself cannot be computed from it.
func (c EnrollmentCode) Hash() []byte {
	b := envelope.AppendString(nil, string(ContextEnrollmentKey))
	b = envelope.AppendField(b, c.id[:])
	b = envelope.AppendField(b, c.secret[:])
	sum := sha256.Sum256(b)
	return sum[:]
}

// MAC proves knowledge of the code for one handshake: HMAC-SHA-256 with [EnrollmentCode.Hash] as the key, over the
// transcript of b in [ContextEnrollment].
func (c EnrollmentCode) MAC(b Binding) EnrollmentMAC {
	return EnrollmentMAC{ID: c.ID(), MAC: enrollmentMAC(c.Hash(), b)}
}

// VerifyEnrollment checks a MAC against the stored hash of the code that [EnrollmentMAC.ID] names, in constant time.
// That a code is used once and not after its time is for the caller to hold.
func VerifyEnrollment(hash []byte, b Binding, mac []byte) bool {
	return len(hash) == sha256.Size && subtle.ConstantTimeCompare(enrollmentMAC(hash, b), mac) == 1
}

func enrollmentMAC(hash []byte, b Binding) []byte {
	m := hmac.New(sha256.New, hash)
	m.Write(b.Transcript(ContextEnrollment))
	return m.Sum(nil)
}

// String returns the id, never the secret.
func (c EnrollmentCode) String() string { return "enrollment code " + c.ID() }

// Format writes what String returns, whatever the verb.
func (c EnrollmentCode) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue returns what String returns.
func (c EnrollmentCode) LogValue() slog.Value { return slog.StringValue(c.String()) }
