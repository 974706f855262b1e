package adcs

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/internal/dcom"
)

// Description is what a CA says about itself. Nothing in it is trusted: certificates that a CA presents prove nothing
// about it. Texts are those of a remote host, cleaned and bounded as in [RequestError].
type Description struct {
	// Name is the CA's common name, as [New] takes it.
	Name string
	// SanitizedName and ShortName are that name as Windows puts it into file names and into the directory, where the CA's
	// enrollment service goes by the short one ([MS-WCCE], section 3.1.1.4.1.1).
	SanitizedName, ShortName string
	// DNSName is the name of the CA's host.
	DNSName string
	// ParentName is the CA that issued this one's certificate, host\name; empty for a root.
	ParentName string

	Type CAType
	// FileVersion and ProductVersion are those of the CA's software, for instance "10.0:20348.1".
	FileVersion, ProductVersion string
	// Policy is the name of the CA's policy module.
	Policy string
	// AdvancedServer says that the CA issues from templates of version 2 and above.
	AdvancedServer bool
	// RoleSeparation says that an account may hold only one of the CA's roles.
	RoleSeparation bool

	// Certificates are the CA's own, one for each time that it was renewed, the oldest first; their index is the CA's. The
	// last one is that which the CA signs with.
	Certificates []CACertificate

	// Exchange is the certificate to encrypt keys to that the CA archives, and what else is only for the CA; nil if there
	// is none. A CA whose last one has expired makes one when it is asked.
	Exchange *x509.Certificate

	// KRACertificates is the number of key recovery agents, and KRARequired how many of them an archived key is encrypted
	// to.
	KRACertificates, KRARequired int

	// Templates are the certificate templates that the CA issues from, in its order. A standalone CA has none.
	Templates []PublishedTemplate

	// CDP, AIA and OCSP are the URLs that the CA puts into certificates: where its CRLs are, its own certificate, and its
	// OCSP responders.
	CDP, AIA, OCSP []string

	// Properties is what the CA can be asked for.
	Properties []CAProperty

	// Missing is what could not be learnt, and why: what an older CA does not know, a root has not got, or this account
	// may not see.
	Missing []MissingProperty
}

// CAType is the kind of a CA: [MS-WCCE], section 2.2.2.4.
type CAType int32

// The kinds. Enterprise CAs belong to a forest and issue from its templates.
const (
	EnterpriseRoot        CAType = 0
	EnterpriseSubordinate CAType = 1
	StandaloneRoot        CAType = 3
	StandaloneSubordinate CAType = 4
	UnknownCAType         CAType = 5
)

// String is the kind in words.
func (t CAType) String() string {
	switch t {
	case EnterpriseRoot:
		return "enterprise root CA"
	case EnterpriseSubordinate:
		return "enterprise subordinate CA"
	case StandaloneRoot:
		return "standalone root CA"
	case StandaloneSubordinate:
		return "standalone subordinate CA"
	}
	return fmt.Sprintf("CA of unknown type %d", int32(t))
}

// CACertificateState is what a CA thinks of one of its certificates: [MS-WCCE], section 3.2.1.4.3.2.19.
type CACertificateState uint8

// The states.
const (
	CACertificateIncomplete CACertificateState = 0
	CACertificateError      CACertificateState = 1
	CACertificateRevoked    CACertificateState = 2
	CACertificateValid      CACertificateState = 3
	CACertificateExpired    CACertificateState = 4
	CACertificateUnknown    CACertificateState = 255 // the CA does not say
)

// String is the state in a word.
func (s CACertificateState) String() string {
	switch s {
	case CACertificateIncomplete:
		return "incomplete"
	case CACertificateError:
		return "unavailable"
	case CACertificateRevoked:
		return "revoked"
	case CACertificateValid:
		return "valid"
	case CACertificateExpired:
		return "expired"
	case CACertificateUnknown:
		return "unknown"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// CACertificate is one of a CA's own certificates.
type CACertificate struct {
	// Certificate is nil if the CA has lost it, or it cannot be parsed; see Description.Missing.
	Certificate *x509.Certificate
	// Chain holds the certificates above it, as far as the CA knows them, in no particular order.
	Chain []*x509.Certificate
	State CACertificateState
	// Key is the index of the first certificate with this key: a CA is renewed with its key or with a new one. It is -1 if
	// the CA does not say.
	Key int
}

// PublishedTemplate is a certificate template that a CA issues from.
type PublishedTemplate struct {
	Name string // its cn, as Request.Template takes it
	OID  string // empty for some templates of version 1
}

// CAProperty is something that a CA can be asked for: [MS-WCCE], section 2.2.2.3.
type CAProperty struct {
	ID      int32  // CR_PROP_x of certcli.h
	Name    string // in the CA's language
	Type    uint8  // 1 number, 2 date, 3 binary, 4 text
	Indexed bool   // one for each of the CA's certificates, or of something else
}

// MissingProperty is something that a CA did not say.
type MissingProperty struct {
	ID    int32 // CR_PROP_x of certcli.h; 0 for the list of properties
	Index int   // of an indexed property; -1 for the newest
	Err   error // an [HResult], or an *[AnswerError]
}

// Current is the certificate that the CA signs with: the last one. It is nil if the CA did not show it.
func (d *Description) Current() *CACertificate {
	if n := len(d.Certificates); n > 0 && d.Certificates[n-1].Certificate != nil {
		return &d.Certificates[n-1]
	}
	return nil
}

// Issuer is the one of the CA's certificates by which a certificate was issued, or nil. Of several with the same key it
// is the last one that was there when the certificate began to be valid; a CA lets that be some minutes before it was
// issued.
func (d *Description) Issuer(issued *x509.Certificate) *CACertificate {
	var found *CACertificate
	for i := range d.Certificates {
		c := &d.Certificates[i]
		if c.Certificate == nil || !bytes.Equal(issued.RawIssuer, c.Certificate.RawSubject) ||
			issued.CheckSignatureFrom(c.Certificate) != nil {
			continue
		}
		if found == nil || !c.Certificate.NotBefore.After(issued.NotBefore.Add(maxBackdate)) {
			found = c
		}
	}
	return found
}

// maxBackdate is how long before its issue a certificate begins to be valid: ClockSkewMinutes, of which the default is
// 10.
const maxBackdate = 15 * time.Minute

// Describe asks the CA about itself, over DCOM whatever Options.Transport says. It makes some thirty calls, one after
// the other, on one connection of its own, which counts as one of Options.Connections.
//
// What the CA does not know or does not tell is left out and listed in Description.Missing. Errors: *[RequestError] if
// the CA refuses to say its name, above all because it goes by another one ([ErrInvalidArg]) or takes no remote
// requests ([ErrEnrollDenied]); [ErrLogon]; *[RPCError], if DCOM is closed for instance; *[AnswerError], and errors of
// the network and of ctx.
func (c *Client) Describe(ctx context.Context) (*Description, error) {
	var d *Description
	err := c.inspect(ctx, func(ctx context.Context, q *caQuery) (err error) {
		d, err = q.describe(ctx)
		return err
	})
	return d, err
}

// CRL returns the newest CRL of the CA that goes by an index of Description.Certificates, -1 for the one that the CA
// signs with: the base CRL, or the delta CRL. It is signed by the CA, but nothing about it was checked. It has at most
// 4 MiB.
//
// Errors are those of [Client.Describe]; *[RequestError] if there is none.
func (c *Client) CRL(ctx context.Context, index int, delta bool) (*x509.RevocationList, error) {
	id := int32(dcom.PropBaseCRL)
	if delta {
		id = dcom.PropDeltaCRL
	}
	if index < -1 || index >= maxCACertificates {
		return nil, fmt.Errorf("%w: index %d of a CRL", ErrInvalidRequest, index)
	}
	var list *x509.RevocationList
	err := c.inspect(ctx, func(ctx context.Context, q *caQuery) error {
		value, err := q.value(ctx, id, int32(index), dcom.TypeBinary)
		if err != nil {
			return refusedQuery(err)
		}
		if len(value) == 0 {
			return &RequestError{Code: ErrFileNotFound, Message: "the CA has published no such CRL"}
		}
		if list, err = x509.ParseRevocationList(value); err != nil {
			return &AnswerError{0, fmt.Sprintf("a CRL that cannot be parsed: %v", err)}
		}
		return nil
	})
	return list, err
}
