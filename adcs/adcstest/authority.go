package adcstest

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/adcskit/adcskit/internal/adcsasn1"
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
	// second says that it is ICertRequestD2::Request2, which has a serial number of its own to look for.
	second bool
	serial string
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
	accounts  []string // that exist besides those of the directory, DOMAIN\name
	managers  []string // accounts, groups or SIDs that may read and decide every request; nil for nobody
	officers  []string // accounts, groups or SIDs that may decide on requests and revoke; nil for nobody
	readers   []string // accounts, groups or SIDs that may read every request; nil for nobody
	enrollers []string // accounts, groups or SIDs that may enroll at this CA at all; nil for everybody
	profile   Profile
	now       func() time.Time // nil for time.Now
}

// authority is the certification authority behind a [Server]. Its methods are safe for concurrent use.
type authority struct {
	cfg       authorityConfig
	names     []string // by which it is addressed
	templates *templateTable
	directory *directory
	managers  principals
	officers  principals
	readers   principals
	enrollers principals
	signing   atomic.Pointer[[]*pki] // one for each certificate of the CA, oldest first; the slice is never written to
	impostor  func() (*pki, error)   // a hierarchy of the same names, made when first asked for
	now       func() time.Time

	exchangeMu sync.Mutex // held while a key is made, which takes a while
	exchange   exchange

	mu   sync.Mutex
	rows []*row // request id n is at n-1
	crls crlTable
}

// newAuthority checks the configuration and makes the CA's keys and certificates.
func newAuthority(cfg authorityConfig) (*authority, error) {
	if !utf8.ValidString(cfg.name) || cfg.name == "" || utf8.RuneCountInString(cfg.name) > maxCAName {
		return nil, fmt.Errorf("CA name %q does not have 1 to %d characters", cfg.name, maxCAName)
	}
	if _, noAddress := netip.ParseAddr(cfg.host); noAddress != nil && cfg.host != "" && adcsasn1.CheckDNS(cfg.host) != nil {
		return nil, fmt.Errorf("host %q is neither a DNS name nor an address", cfg.host)
	}
	if err := cfg.profile.validate(); err != nil {
		return nil, err
	}
	a := &authority{cfg: cfg, names: namesOf(cfg.name), now: cfg.now}
	if a.now == nil {
		a.now = time.Now
	}
	var err error
	if a.templates, err = newTemplateTable(cfg.templates); err != nil {
		return nil, err
	}
	if a.directory, err = newDirectory(cfg.directory, cfg.host); err != nil {
		return nil, err
	}
	a.managers = newPrincipals(append([]string{}, cfg.managers...)) // nobody, unless named
	a.officers = newPrincipals(append([]string{}, cfg.officers...))
	a.readers = newPrincipals(append([]string{}, cfg.readers...))
	a.enrollers = newPrincipals(cfg.enrollers)
	newHierarchy := func() (*pki, error) { return newPKI(cfg.name, cfg.host, cfg.profile, a.now()) }
	a.impostor = sync.OnceValues(newHierarchy)
	first, err := newHierarchy()
	a.signing.Store(&[]*pki{first})
	return a, err
}

// certificate returns the certificate of the issuing CA.
func (a *authority) certificate() *x509.Certificate { return a.current().issuing().cert }

// chain returns the certificates of the CAs, the issuing one first and the root last.
func (a *authority) chain() []*x509.Certificate {
	tiers := a.current().tiers
	certs := make([]*x509.Certificate, len(tiers))
	for i, t := range tiers {
		certs[i] = t.cert
	}
	return certs
}

// certServerRequest runs one call (MS-WCCE section 3.2.1.4.2.1).
func (a *authority) certServerRequest(c caller, in certServerRequest, t tampering) certServerResponse {
	out := a.serve(c, in, t)
	if out.requestID != 0 {
		out.requestID += t.requestIDOffset
	}
	return out
}

func (a *authority) serve(c caller, in certServerRequest, t tampering) certServerResponse {
	if !a.isNamed(in.authority) {
		return failed(hrInvalidArg)
	}
	text, ok := attributeText(in.attributes)
	if !ok {
		return failed(hrInvalidArg)
	}
	if !a.enrollers.has(a.directory.lookup(c)) {
		return failed(hrEnrollDenied)
	}
	if len(in.request) == 0 {
		return a.inspect(c, in, text, t)
	}
	if in.requestID != 0 { // only the answer to a challenge has both, and this CA asks none
		return failed(hrInvalidArg)
	}
	return a.submit(c, in, text, t)
}

// failed is the answer to a call that could not be processed: an error of the method, not of a request.
func failed(code uint32) certServerResponse {
	return certServerResponse{disposition: code, ret: code, message: wireString(describe(code))}
}

// submit takes a new request: it makes a row, asks the policy, and settles the row.
func (a *authority) submit(c caller, in certServerRequest, attributes string, t tampering) certServerResponse {
	r := a.addRow(c, in, attributes)
	req, why := a.openRequest(in.flags, in.request)
	var is *issuance
	if why == nil {
		is, why = a.decide(c, req, parseAttributes(attributes))
	}
	var cert issued
	if why == nil {
		is.tampering = t
		cert, why = a.conclude(is, r.id)
	}
	settled := a.settle(r, outcome{request: req, issuance: is, refusal: why, cert: cert})
	out := a.answer(settled, in.flags, t)
	if settled.disposition == dispDenied || settled.disposition == dispError {
		out.disposition = settled.status // a new request is answered with the HRESULT itself
	}
	return out
}

// conclude does what the template says with a request that is right in every other way: deny, hold or issue it.
func (a *authority) conclude(is *issuance, id uint32) (issued, *refusal) {
	if is.template.Hold && is.template.Deny == 0 {
		return issued{}, nil
	}
	return a.concludeApproved(is, id)
}

// concludeApproved is conclude for a request that is not to be held, or not any more.
func (a *authority) concludeApproved(is *issuance, id uint32) (issued, *refusal) {
	if t := is.template; t.Deny != 0 {
		return issued{}, &refusal{code: t.Deny, stage: stagePolicy, text: t.DenyMessage}
	}
	cert, err := a.sign(is, id)
	if err != nil {
		return issued{}, &refusal{code: hrInvalidArg, stage: stageBuild}
	}
	return cert, nil
}

// inspect answers for a request that is already there (MS-WCCE section 3.2.1.4.2.1.3). Attributes, if any, are the
// serial number to look for.
func (a *authority) inspect(c caller, in certServerRequest, serial string, t tampering) certServerResponse {
	if in.second { // MS-WCCE section 3.2.1.4.3.1.2
		serial = in.serial
		if in.requestID == 0 == (serial == "") {
			return failed(hrInvalidArg)
		}
	} else if in.requestID == 0 {
		return failed(hrInvalidArg)
	}
	r, ok := a.find(in.requestID, serial)
	if !ok {
		return failed(hrPropertyEmpty)
	}
	if !r.belongsTo(c) && a.rolesOf(c)&roleRead == 0 {
		return failed(hrAdminDenied)
	}
	out := a.answer(r, in.flags, t)
	switch r.disposition {
	case dispDenied:
		out.ret = hrAdminDenied // SHOULD, whoever denied it (MS-WCCE section 3.2.1.4.2.1.3)
	case dispError:
		out.disposition = r.status
	}
	return out
}

// answer turns a row into the output of the method.
func (a *authority) answer(r row, flags uint32, t tampering) certServerResponse {
	out := certServerResponse{requestID: r.id, disposition: r.disposition, message: wireString(r.message)}
	s := cmcStatus{status: cmcFailed, text: r.message, id: r.id, received: r.submitted}
	switch r.disposition {
	case dispIssued:
		s.status, s.leaf = cmcSuccess, r.cert.der
		out.encodedCert = r.cert.der
		if r.cert.handed != nil {
			out.encodedCert = r.cert.handed
		}
	case dispRevoked:
		s.status = cmcSuccess // it was issued (MS-WCCE section 3.2.1.4.2.1.4.8.2)
	case dispPending:
		s.status = cmcPending
	}
	var err error
	switch {
	case flags&flagFullResponse != 0 && !a.cfg.profile.NoFullResponse:
		out.cert, err = a.fullResponse(s, r.cert, flags, t)
	case r.disposition == dispIssued:
		out.cert, err = a.chainBlob(r.cert, flags, t)
	}
	if err != nil { // only signing can fail, and only with a broken random source
		return failed(hrServerSuspended)
	}
	return out
}
