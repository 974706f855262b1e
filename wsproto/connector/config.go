package connector

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/adcskit/adcskit/wsproto"
)

// Config is what a Connector needs. Every field is required unless it says otherwise.
type Config struct {
	// URL is where the gateway listens: wss://host[:port]/path.
	URL string
	// Tenant is the tenant's id, as the gateway knows it: at most 255 bytes of UTF-8. It is part of every signature.
	Tenant string
	// TenantKey is the fingerprint of the tenant's key. A gateway that proves another one is not talked to. Zero takes it
	// from Enrollment.
	TenantKey wsproto.Fingerprint
	// Enrollment registers this connector when it connects first. It may be left out: then the registration waits for
	// approval, and TenantKey is required. It is not sent any more once the registration is active.
	Enrollment wsproto.EnrollmentCode

	// Identity is the identity key: P-256, ECDSA. [Identity.Configure] fills in this field and the next two.
	Identity crypto.Signer
	// Decryption is the decryption key: P-256.
	Decryption ecdh.KeyExchanger
	// Instance is the random id of this installation, stable over restarts.
	Instance string

	// Issuer makes keys and talks to CAs.
	Issuer Issuer
	// Policy is asked on every offer before anything else is done for it: nil accepts, and a *PolicyError says which
	// rule refuses. It is called from many goroutines, must not block for long, and has no default. See [Rules.Allow].
	Policy func(ctx context.Context, order Order) error

	// Options are optional.
	Options *Options
}

// Options of a [Config]. Zero values mean what is said.
type Options struct {
	// Authority is the gateway's authority as the tenant signs it. Empty: from the URL, see [wsproto.Authority].
	Authority string
	// Attester proves to the tenant that Identity and Decryption are in hardware. Nil: they are software to the tenant.
	Attester Attester
	// Rotation says whose place Identity and Decryption take, until the tenant has acknowledged it. See [Identity.Rotation].
	Rotation *wsproto.Rotation
	// Former are keys of before rotations: checkpoints that were made with them and for them are opened, as long as the
	// tenant names them. See [Identity.Former].
	Former []FormerKeys

	// Siblings are pinned: their checkpoints are accepted, and they can open this connector's. See [Policy.Siblings].
	Siblings []Sibling
	// Capacity is how many jobs are worked on at once. Zero means 8; the most is 1024.
	Capacity int
	// Grace is how long jobs may go on after the context of Run has ended. Zero means 30 s.
	Grace time.Duration
	// PendingRetry is when a request that the CA holds should be offered again. Zero means a minute.
	PendingRetry time.Duration
	// Backoff changes how reconnects are spread. Nil means the protocol's numbers.
	Backoff *wsproto.BackoffOptions

	// Dial opens the connection. Nil means WebSocket over TLS, with Roots and Pins, through the proxy that the
	// environment names (HTTPS_PROXY, NO_PROXY).
	Dial func(ctx context.Context) (wsproto.Transport, error)
	// Roots are trusted for the gateway's TLS certificate besides those of the system.
	Roots []*x509.Certificate
	// Pins are SHA-256 hashes of public keys (SubjectPublicKeyInfo). If there are any, the verified chain of the gateway
	// must hold one of them.
	Pins []wsproto.Fingerprint

	// OnEvent is told about the connection. It is called from goroutines of Run, one call at a time and in order, and must
	// not block: the connection waits for it.
	OnEvent func(Event)
	// OnJob is told how each job ended, from the goroutine of the job. It must not block for long.
	OnJob func(JobReport)
	// OnRefused is told of each offer that is refused, from the goroutine of the offer, before the tenant is answered. It
	// must not block: the answer waits for it. Offers for which there is no room now are not refused, and not told.
	OnRefused func(RefusedOffer)
	// OnRegistered stores the pin of the tenant's key and the connector's id, from a goroutine of Run, before the first
	// job is taken. An error ends Run: a connector that forgets whom it trusts must not go on. See [Identity.Register].
	OnRegistered func(Registration) error
	// OnAcknowledged is told, from a goroutine of Run, that the tenant has said active to the keys in use, and which former
	// decryption keys it still needs: the others can be deleted. It is called for connectors that have a Rotation or Former
	// keys. An error is told in an [Event], and nothing else follows. See [Identity.Acknowledge].
	OnAcknowledged func(needed []wsproto.Fingerprint) error
}

// Attester proves that the keys of a connector are in hardware, in a format that the tenant's verifier knows. Its errors
// are told in an [Event], and the connection is tried again.
type Attester interface {
	// Evidence returns what is said about the keys in each hello: a JSON value, always the same.
	Evidence(ctx context.Context) (json.RawMessage, error)
	// Activate answers the credentials of a challenge, with a JSON value. It is called when the tenant wants proof, which
	// it does not at each connect, and only after the tenant has proved itself.
	Activate(ctx context.Context, credentials json.RawMessage) (json.RawMessage, error)
}

const (
	defaultCapacity     = 8
	maxCapacity         = 1024
	maxTenant           = 255 // bytes, of checkpoints and sealed bundles
	defaultGrace        = 30 * time.Second
	defaultPendingRetry = time.Minute
)

// withDefaults copies, so the caller's struct is never written to and nil works.
func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Capacity == 0 {
		out.Capacity = defaultCapacity
	}
	if out.Grace == 0 {
		out.Grace = defaultGrace
	}
	if out.PendingRetry == 0 {
		out.PendingRetry = defaultPendingRetry
	}
	if out.OnEvent == nil {
		out.OnEvent = func(Event) {}
	}
	if out.OnJob == nil {
		out.OnJob = func(JobReport) {}
	}
	if out.OnRefused == nil {
		out.OnRefused = func(RefusedOffer) {}
	}
	if out.OnRegistered == nil {
		out.OnRegistered = func(Registration) error { return nil }
	}
	if out.OnAcknowledged == nil {
		out.OnAcknowledged = func([]wsproto.Fingerprint) error { return nil }
	}
	return out
}

// check completes the configuration and says what is wrong with it.
func (c *Config) check(o *Options) error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("connector: configuration: "+what))
		}
	}
	if c.TenantKey == (wsproto.Fingerprint{}) {
		c.TenantKey = c.Enrollment.TenantKey()
	}
	pinned := c.TenantKey != (wsproto.Fingerprint{})
	need(pinned, "the tenant's key must be pinned: give TenantKey or an enrollment code")
	need(c.Enrollment.IsZero() || c.TenantKey == c.Enrollment.TenantKey(),
		"the enrollment code is of another tenant key than the pinned one")
	need(c.Tenant != "", "Tenant is missing")
	need(len(c.Tenant) <= maxTenant && utf8.ValidString(c.Tenant), fmt.Sprintf("Tenant is longer than %d bytes, or not UTF-8", maxTenant))
	need(c.Instance != "", "Instance is missing")
	need(c.Issuer != nil, "Issuer is missing")
	need(c.Policy != nil, "Policy is missing: there is no default")
	need(o.Capacity > 0 && o.Capacity <= maxCapacity, fmt.Sprintf("Capacity is not in 1 to %d", maxCapacity))
	need(o.Grace >= 0 && o.PendingRetry >= time.Millisecond, "a time is negative")
	errs = append(errs, c.checkKeys(), c.checkAuthority(o))
	return errors.Join(errs...)
}

func (c *Config) checkKeys() error {
	if c.Identity == nil || c.Decryption == nil {
		return errors.New("connector: configuration: Identity and Decryption are needed")
	}
	identity, ok := c.Identity.Public().(*ecdsa.PublicKey)
	if _, err := wsproto.MarshalPublicKey(c.Identity.Public()); err != nil || !ok {
		return fmt.Errorf("connector: configuration: identity key: %w", wsproto.ErrKeyType)
	}
	if _, err := wsproto.MarshalPublicKey(c.Decryption.PublicKey()); err != nil {
		return fmt.Errorf("connector: configuration: decryption key: %w", err)
	}
	if same, err := identity.ECDH(); err == nil && same.Equal(c.Decryption.PublicKey()) {
		return fmt.Errorf("connector: configuration: %w", errKeysEqual)
	}
	return nil
}

func (c *Config) checkAuthority(o *Options) error {
	if o.Authority != "" && o.Dial != nil {
		return nil
	}
	authority, err := wsproto.Authority(c.URL)
	if err != nil {
		return fmt.Errorf("connector: configuration: %w", err)
	}
	if o.Authority == "" {
		o.Authority = authority
	}
	return nil
}

// Event tells about the connection.
type Event struct {
	State State
	// Connector is the tenant's id for this connector, once it is known.
	Connector string
	// RegistrationURL is where a person approves the registration, while it is pending; may be empty.
	RegistrationURL string
	// Err is why the connection ended or could not be made; in StateConnected, what OnAcknowledged returned.
	Err error
	// RetryIn is when it is tried again, in StateDisconnected.
	RetryIn time.Duration
	// Alarm says that a person must look at Err: another instance may use the same key, or the gateway is not the one
	// that was pinned.
	Alarm bool
}

// State is how the connection stands.
type State string

// The states of the connection.
const (
	StateConnecting   State = "connecting"
	StatePending      State = "pending"      // connected; the registration waits for approval
	StateConnected    State = "connected"    // connected and active: jobs are taken
	StateDraining     State = "draining"     // no new jobs are taken
	StateDisconnected State = "disconnected" // waiting for the next attempt
	StateStopped      State = "stopped"      // Run returns
)

// JobReport tells how a job ended. It holds no secrets.
type JobReport struct {
	Job     string
	Attempt int64
	Order   wsproto.Order // without its password
	// Outcome is what the tenant acknowledged, without the bundle. Its Kind is empty if the job was dropped.
	Outcome wsproto.Outcome
	// Err is why the job was dropped, or what the outcome does not tell the tenant.
	Err error
}

// RefusedOffer tells why an offer was refused. It holds no secrets.
type RefusedOffer struct {
	Job     string
	Attempt int64
	Order   wsproto.Order // without its password; empty if it could not be read
	Scope   wsproto.RefusalScope
	Reason  wsproto.Reason
	Message string // as the tenant is told it
	Err     error  // what the tenant is not told; may be nil
}
