package wsproto

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/adcskit/adcskit/internal/envelope"
)

// Context separates the uses of a key: a signature or MAC made for one can never be taken for another.
type Context string

// The contexts of protocol v1.
const (
	ContextChallenge       Context = "adcs-connector.v1 tenant challenge"
	ContextAuthenticate    Context = "adcs-connector.v1 connector authenticate"
	ContextRechallenge     Context = "adcs-connector.v1 tenant rechallenge"
	ContextReauthenticate  Context = "adcs-connector.v1 connector reauthenticate"
	ContextEnrollmentKey   Context = "adcs-connector.v1 enrollment key"
	ContextEnrollment      Context = "adcs-connector.v1 enrollment mac"
	ContextCheckpoint      Context = "adcs-connector.v1 checkpoint"
	ContextCheckpointSeal  Context = "adcs-connector.v1 checkpoint seal"
	ContextSealedDelivery  Context = "adcs-connector.v1 sealed delivery"
	ContextSealedSeal      Context = "adcs-connector.v1 sealed delivery seal"
	ContextRecipient       Context = "adcs-connector.v1 recipient"
	ContextConnectorRotate Context = "adcs-connector.v1 connector rotate"
)

// Contexts lists the contexts, as PROTOCOL.md does.
func Contexts() []Context {
	return []Context{
		ContextChallenge, ContextAuthenticate, ContextRechallenge, ContextReauthenticate, ContextEnrollmentKey,
		ContextEnrollment, ContextCheckpoint, ContextCheckpointSeal, ContextSealedDelivery, ContextSealedSeal, ContextRecipient,
		ContextConnectorRotate,
	}
}

// Binding is what the proofs of a handshake cover besides their context. Tenant and Authority are each side's own
// configuration and never taken from a message, so that a proof made for one gateway is worth nothing at another. Hello
// and Challenge are exact bytes: the params of session.hello as they stood in the frame, and the content of
// [SignedChallenge.Challenge].
type Binding struct {
	Tenant    string
	Authority string // see [Authority]
	Hello     []byte
	Challenge []byte
	Again     bool // a session.reauthenticate in a running session, not its beginning
}

// Transcript returns the bytes that a proof in this context is made over: five fields, each with its length before it
// as a big-endian uint32: context, tenant, authority, SHA-256 of the hello, SHA-256 of the challenge.
func (b Binding) Transcript(c Context) []byte {
	hello, challenge := sha256.Sum256(b.Hello), sha256.Sum256(b.Challenge)
	out := make([]byte, 0, 5*4+len(c)+len(b.Tenant)+len(b.Authority)+2*sha256.Size)
	out = envelope.AppendString(out, string(c))
	out = envelope.AppendString(out, b.Tenant)
	out = envelope.AppendString(out, b.Authority)
	out = envelope.AppendField(out, hello[:])
	return envelope.AppendField(out, challenge[:])
}

func (b Binding) tenantContext() Context {
	if b.Again {
		return ContextRechallenge
	}
	return ContextChallenge
}

func (b Binding) connectorContext() Context {
	if b.Again {
		return ContextReauthenticate
	}
	return ContextAuthenticate
}

// SignChallenge makes the tenant's signature of a [SignedChallenge]. The key is a P-256 ECDSA key.
func SignChallenge(tenantKey crypto.Signer, b Binding) ([]byte, error) {
	return sign(tenantKey, b.Transcript(b.tenantContext()))
}

// ErrTenantKey says that a challenge was made with another tenant key than the pinned one: the gateway is not the one
// that this connector was registered with.
var ErrTenantKey = errors.New("wsproto: the challenge was not made with the pinned tenant key")

// ErrVersion says that the other side chose a protocol version that this package does not speak.
var ErrVersion = errors.New("wsproto: no common protocol version")

// VerifyChallenge decodes the challenge of b, and checks its bounds, that its tenant key is the pinned one, its
// signature, and that its version is [Version]. Errors match ErrTenantKey, ErrSignature and ErrVersion.
func VerifyChallenge(pin Fingerprint, b Binding, signature []byte) (*Challenge, error) {
	var c Challenge
	if err := Unmarshal(b.Challenge, &c); err != nil {
		return nil, err
	}
	if FingerprintSPKI(c.TenantKey) != pin {
		return nil, ErrTenantKey
	}
	pub, err := ParsePublicKey(c.TenantKey)
	if err != nil {
		return nil, err
	}
	if err := verify(pub, b.Transcript(b.tenantContext()), signature); err != nil {
		return nil, err
	}
	if c.Version != Version {
		return nil, ErrVersion
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &c, nil
}

// SignAuthenticate makes the connector's signature of an [Authenticate]. The key is the identity key of the hello.
func SignAuthenticate(identity crypto.Signer, b Binding) ([]byte, error) {
	return sign(identity, b.Transcript(b.connectorContext()))
}

// VerifyAuthenticate checks the connector's signature with the identity key of its hello (SubjectPublicKeyInfo). Errors
// match ErrKeyType and ErrSignature.
func VerifyAuthenticate(identityKey []byte, b Binding, signature []byte) error {
	pub, err := ParsePublicKey(identityKey)
	if err != nil {
		return err
	}
	return verify(pub, b.Transcript(b.connectorContext()), signature)
}

// Authority returns the gateway authority of a URL as both sides must use it in a [Binding]: host in lower case, and
// the port unless it is the default one of the scheme (443 for wss and https, 80 for ws and http).
func Authority(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" {
		return "", errors.New("wsproto: the gateway's URL has no host")
	}
	var standard string
	switch u.Scheme {
	case "wss", "https":
		standard = "443"
	case "ws", "http":
		standard = "80"
	default:
		return "", fmt.Errorf("wsproto: the gateway's URL has the scheme %q; use wss", bound(u.Scheme, 16))
	}
	host := strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" && port != standard {
		return net.JoinHostPort(host, port), nil
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]", nil
	}
	return host, nil
}
