package adcs

import (
	"context"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/krb5"
)

// Client submits requests to one CA as one user. It is safe for concurrent use. Make one with [New] and close it.
//
// Until the CA's host has accepted the credential, and again when that is more than a minute ago, one new connection at a
// time tries it. When it is refused, the calls that wait fail with it, and so does every call for an hour, without
// asking: accounts are locked after a few wrong passwords. A new client tries again at once; whether there should be one
// is for a person to decide.
type Client struct {
	host, ca string
	cred     Credential
	opts     Options
	ladder   *ladder
	pool     *pool
	logon    *logon
	tickets  *krb5.Client // nil with AuthNTLM and for the account of this process
	fallback *fallback
	com      *comVersion
}

// New makes a client for the CA with the common name ca on a host (its DNS name). It does no I/O: the first call
// connects. Errors match [ErrInvalidRequest], or errors.ErrUnsupported for [CurrentAccount] where there is none.
func New(host, ca string, cred Credential, opts *Options) (*Client, error) {
	if err := checkName("host", host); err != nil {
		return nil, err
	}
	if err := checkName("CA", ca); err != nil {
		return nil, err
	}
	if err := cred.check(); err != nil {
		return nil, err
	}
	o, err := opts.withDefaults(host)
	if err != nil {
		return nil, err
	}
	if o.Auth == AuthNTLM && !cred.forNTLM() {
		return nil, fmt.Errorf("%w: NTLM needs a password or an NT hash", ErrInvalidRequest)
	}
	c := &Client{host: host, ca: ca, cred: cred, opts: o, pool: newPool(o.Connections), logon: newLogon(),
		fallback: &fallback{}, com: &comVersion{}}
	if o.Auth != AuthNTLM && cred.system == nil {
		c.tickets = newKerberos(host, cred, &c.opts)
	}
	c.ladder = c.ladderFor(o.Transport)
	return c, nil
}

// Close cancels the calls that are under way, waits for them and closes every connection. Calls that come later return
// net.ErrClosed. Close is idempotent; its error is always nil.
func (c *Client) Close() error {
	c.pool.close()
	return nil
}

// Submit sends a certification request. The result is Issued, with the certificate, or Pending: use [Client.Wait] or
// [Client.Retrieve] then, with the request id. Nothing about the certificate is checked; [Verify] does that.
//
// Errors: [ErrInvalidRequest] if the request was not sent because of what it is; *[RequestError] if the CA refused;
// [ErrLogon]; *[RPCError] if the CA's host refused before the request was sent, or refused it under its signature;
// errors of the network and of ctx if the request was not sent; and *[OutcomeUnknownError], which matches
// [ErrOutcomeUnknown], if it was sent and there is no answer that can be used, whatever the cause: a fault that is not
// signed, as those of Windows are not, is no such answer, and is found in the error by [errors.As]. A request whose
// outcome is unknown must not be submitted again. When ctx ends, so does the connection, and the outcome is unknown
// unless nothing had been sent yet.
func (c *Client) Submit(ctx context.Context, r Request) (*Result, error) {
	prepared, err := r.prepare()
	if err != nil {
		return nil, err
	}
	ctx, leave, err := c.pool.enter(ctx, c.opts.Timeout)
	if err != nil {
		return nil, err
	}
	defer leave()
	a, sent, err := c.call(ctx, &certServerRequest{
		flags: prepared.flags, authority: c.ca, attributes: prepared.attributes, request: prepared.csr,
	}, false)
	var result *Result
	if err == nil {
		result, err = parseAnswer(a, 0)
	}
	var unusable *AnswerError
	if err != nil && (a == nil && !sent.IsZero() || errors.As(err, &unusable)) {
		return nil, &OutcomeUnknownError{CA: c.ca, Time: sent, PublicKeyHash: prepared.publicKeyHash, Err: err}
	}
	return result, err
}

// Retrieve asks for the outcome of a request. It changes nothing at the CA and is repeated once if a connection that
// had been at rest was dead.
//
// Errors are those of [Client.Submit], without ErrOutcomeUnknown. A request that the CA does not know is a
// *[RequestError] that matches [ErrPropertyEmpty]. [ErrNotOwner] is for one that it does not show to this account:
// nothing is known about it then.
func (c *Client) Retrieve(ctx context.Context, requestID uint32) (*Result, error) {
	if requestID == 0 {
		return nil, fmt.Errorf("%w: request id 0", ErrInvalidRequest)
	}
	ctx, leave, err := c.pool.enter(ctx, c.opts.Timeout)
	if err != nil {
		return nil, err
	}
	defer leave()
	a, _, err := c.call(ctx, &certServerRequest{flags: flagsRetrieve, authority: c.ca, requestID: requestID}, true)
	if err != nil {
		return nil, err
	}
	return parseAnswer(a, requestID)
}

// pingID is the id of a request that cannot exist: a CA counts up from 1, and its ids are positive numbers of 32 bits.
const pingID = 1<<32 - 1

// Ping makes a harmless call with the client's credential: it retrieves a request that cannot exist. It returns nil if
// the CA says that there is no such request, or that it does not show it. A CA that was addressed by a wrong name says
// [ErrInvalidArg]; this and every other refusal is returned as a *[RequestError]. Other errors are those of
// [Client.Retrieve].
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.Retrieve(ctx, pingID)
	if errors.Is(err, ErrNotOwner) {
		return nil
	}
	refused, ok := errors.AsType[*RequestError](err)
	if !ok {
		return err
	}
	for _, code := range []error{ErrPropertyEmpty, ErrAdminDeniedRequest, ErrNoRequest, ErrBadRequestStatus} {
		if errors.Is(refused, code) {
			return nil
		}
	}
	if refused.Code == 0 {
		return nil
	}
	return err
}
