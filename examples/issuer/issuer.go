// Package issuer is the composition of this SDK: it maps an order to calls of keygen, adcs and pkcs12, and decides
// nothing by itself. Local policy, the order of steps and what a lost answer means are the connector's; what a
// certificate must be is [adcs.Verify]'s.
package issuer

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// CA is a certification authority that the issuer can use.
type CA struct {
	Host, Name string
	Credential adcs.Credential
	Roots      *x509.CertPool // what certificates of this CA must chain to; required
	Options    *adcs.Options  // may be nil

	// NoFind leaves lost answers unknown. Otherwise they are looked up in the CA's database, over DCOM; that it may read
	// there is part of what an account can do that may enroll.
	NoFind bool
}

// Issuer implements [connector.Issuer] and [connector.Finder]. It is safe for concurrent use.
type Issuer struct {
	// Keys is where key pairs come from; nil makes each when its order comes. It is set before the first order.
	Keys Keys

	cas map[wsproto.CAAssignment]entry
}

type entry struct {
	CA
	client *adcs.Client
}

var (
	_ connector.Issuer        = (*Issuer)(nil)
	_ connector.PartialFinder = (*Issuer)(nil)
)

// New makes a client for each CA, without I/O. The caller has to Close the issuer.
func New(cas ...CA) (*Issuer, error) {
	i := &Issuer{cas: make(map[wsproto.CAAssignment]entry, len(cas))}
	for _, ca := range cas {
		id := identify(wsproto.CAAssignment{Host: ca.Host, Name: ca.Name})
		if ca.Roots == nil {
			return nil, errors.Join(fmt.Errorf("issuer: CA %q: no roots to verify its certificates with", ca.Name), i.Close())
		}
		if _, ok := i.cas[id]; ok {
			return nil, errors.Join(fmt.Errorf("issuer: CA %q on %q is configured twice", ca.Name, ca.Host), i.Close())
		}
		client, err := adcs.New(ca.Host, ca.Name, ca.Credential, ca.Options)
		if err != nil {
			return nil, errors.Join(err, i.Close())
		}
		i.cas[id] = entry{ca, client}
	}
	return i, nil
}

// Close closes the clients.
func (i *Issuer) Close() error {
	var errs []error
	for _, ca := range i.cas {
		errs = append(errs, ca.client.Close())
	}
	return errors.Join(errs...)
}

// identify makes the names of a CA comparable: neither host names nor CA names are sensitive to case.
func identify(ca wsproto.CAAssignment) wsproto.CAAssignment {
	return wsproto.CAAssignment{Host: strings.ToLower(ca.Host), Name: strings.ToLower(ca.Name)}
}

func (i *Issuer) ca(a wsproto.CAAssignment) (entry, error) {
	ca, ok := i.cas[identify(a)]
	if !ok {
		return entry{}, &connector.CAError{Kind: connector.CAInvalid, Message: "this connector has no credential for the CA"}
	}
	return ca, nil
}

// Account returns the user that the CA sees.
func (i *Issuer) Account(a wsproto.CAAssignment) (string, error) {
	ca, err := i.ca(a)
	return ca.Credential.User(), err
}

// Prepare makes the key pair and the certification request, after it has checked what Finish will need.
func (i *Issuer) Prepare(ctx context.Context, o *connector.Order) (*connector.Prepared, error) {
	request, err := certificationRequest(o)
	if err != nil {
		return nil, &connector.Rejection{Reason: wsproto.ReasonOrderInvalid, Message: err.Error(), Err: err}
	}
	alg, algErr := keygen.ParseAlgorithm(o.Key)
	_, _, deliveryErr := delivery(o)
	if err := errors.Join(algErr, deliveryErr); err != nil {
		return nil, &connector.Rejection{Reason: wsproto.ReasonOrderUnsupported, Message: err.Error(), Err: err}
	}
	return i.prepare(ctx, alg, request)
}

// Submit sends the request to the CA.
func (i *Issuer) Submit(ctx context.Context, o *connector.Order, p *connector.Prepared) (*connector.CAResult, error) {
	ca, err := i.ready(o)
	if err != nil {
		return nil, err
	}
	return result(ca.client.Submit(ctx, adcs.Request{CSR: p.Request, Template: o.Template}))
}

// Retrieve asks the CA for a request that it holds.
func (i *Issuer) Retrieve(ctx context.Context, o *connector.Order, requestID uint32) (*connector.CAResult, error) {
	ca, err := i.ready(o)
	if err != nil {
		return nil, err
	}
	return retrieved(ca.client.Retrieve(ctx, requestID))
}

const fromDirectory = "directory"

// certificationRequest says what an order asks for. What comes from the directory is not asked for.
func certificationRequest(o *connector.Order) (*keygen.Request, error) {
	if o.SubjectSource == fromDirectory {
		return &keygen.Request{}, nil
	}
	r := &keygen.Request{
		Subject: o.Subject, DNSNames: o.DNS, EmailAddresses: o.Email, URIs: o.URI, UPNs: o.UPN,
		SID: o.SID, SIDForm: keygen.SIDForm(o.SIDForm),
	}
	for _, text := range o.IP {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("issuer: ip: %w", err)
		}
		r.IPAddresses = append(r.IPAddresses, addr)
	}
	return r, nil
}
