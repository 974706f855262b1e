package adcstest

import (
	"crypto/x509"
	"errors"
	"sync"
	"time"
)

// The seam between the RPC server and the certification authority behind it. The server authenticates the caller,
// decodes the call and hands both to [authority.certServerRequest]; it knows nothing of certificates. The authority
// knows nothing of RPC.

// authLevel is the authentication level of a call (MS-RPCE section 2.2.1.1.8).
type authLevel uint8

const (
	levelNone      authLevel = 1
	levelConnect   authLevel = 2
	levelCall      authLevel = 3
	levelPacket    authLevel = 4
	levelIntegrity authLevel = 5
	levelPrivacy   authLevel = 6
)

// caller is who made a call, taken from the security context of the connection and never from the message itself.
type caller struct {
	// user is the account name without its domain, as configured (not as the peer spelled it).
	user string
	// domain is the NetBIOS name of the account's domain.
	domain string
	// sid is the account's SID, "" if it has none.
	sid string
	// level is the authentication level of the call.
	level authLevel
}

// account returns the caller as DOMAIN\name, the form in which a CA stores its requesters.
func (c caller) account() string { return c.domain + `\` + c.user }

// certServerRequest is the input of CertServerRequest (MS-ICPR section 3.2.4.1.1).
type certServerRequest struct {
	flags     uint32
	authority string // "" for a NULL pointer too
	requestID uint32
	// attributes is pctbAttribs as it came: UTF-16LE with a terminating NUL; nil for a NULL pointer.
	attributes []byte
	// request is pctbRequest as it came; nil for a NULL pointer.
	request []byte
}

// certServerResponse is the output of CertServerRequest.
type certServerResponse struct {
	requestID   uint32
	disposition uint32
	cert        []byte // the chain as CMS, or a CMC full response; nil for a NULL blob
	encodedCert []byte // the leaf, DER; nil for a NULL blob
	message     []byte // UTF-16LE with a terminating NUL; nil for a NULL blob
	ret         uint32 // the return value of the method, an HRESULT
}

// tampering says how the authority shall misbehave in one call. The zero value is an honest CA. The server fills it
// from the faults that a test has injected.
type tampering struct {
	// otherKey certifies a fresh P-256 key in place of the requested one.
	otherKey bool
	// subject, if not "", replaces the common name of the subject.
	subject string
	// requestIDOffset is added to the request id in the answer. The row in the database keeps the true one.
	requestIDOffset uint32
	// expired makes the certificate's validity end an hour before now.
	expired bool
	// otherIssuer signs with a CA of the same name that is not this one. The chain holds that other CA.
	otherIssuer bool
	// otherLeaf makes encodedCert differ from the leaf in the chain blob.
	otherLeaf bool
	// omitChain leaves every certificate but the leaf out of the chain blob.
	omitChain bool
}

// authorityConfig is what a server tells its authority. newAuthority checks it.
type authorityConfig struct {
	name      string     // common name of the CA
	host      string     // DNS name of the CA's host
	templates []Template // nil for DefaultTemplates
	directory []Entry
	managers  []string // accounts, groups or SIDs that may read and decide every request
	enrollers []string // accounts, groups or SIDs that may enroll at this CA at all; nil for everybody
	profile   Profile
	now       func() time.Time // nil for time.Now
}

// authority is the certification authority behind a [Server]. Its methods are safe for concurrent use.
type authority struct {
	cfg authorityConfig
	mu  sync.Mutex
}

// newAuthority checks the configuration and makes the CA's keys and certificates.
func newAuthority(cfg authorityConfig) (*authority, error) { return &authority{cfg: cfg}, nil }

// certServerRequest runs one call.
func (a *authority) certServerRequest(c caller, in certServerRequest, t tampering) certServerResponse {
	return certServerResponse{ret: 0x80094006}
}

// requests returns a copy of every row of the request table, oldest first.
func (a *authority) requests() []RequestInfo { return nil }

// approve issues a request that is held for the manager.
func (a *authority) approve(id uint32) error { return errors.ErrUnsupported }

// deny refuses a request that is held for the manager.
func (a *authority) deny(id uint32) error { return errors.ErrUnsupported }

// certificate returns the certificate of the issuing CA.
func (a *authority) certificate() *x509.Certificate { return nil }

// chain returns the certificates of the CAs, the issuing one first and the root last.
func (a *authority) chain() []*x509.Certificate { return nil }
