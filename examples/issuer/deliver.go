package issuer

import (
	"context"
	"crypto/x509"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// Finish verifies what the CA issued and encodes the .p12: the key, the certificate, and the CAs up to the root, which
// the device gets by other means; of these CAs, and of the root, what the order's platform wants, if it names one. Key
// and certificate are named after the certificate's subject. For a recipient it makes a new password each time.
func (i *Issuer) Finish(_ context.Context, o *connector.Order, p *connector.Prepared, r *connector.CAResult) (*connector.Bundle, error) {
	ca, err := i.ca(o.CA)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return nil, err
	}
	expect, err := adcs.ExpectRequest(p.Request)
	if err != nil {
		return nil, err
	}
	expect.Roots, expect.Template = ca.Roots, o.Template
	if o.SubjectSource == fromDirectory {
		expect.FromDirectory, expect.Subject = true, nil
	}
	for _, der := range r.Chain {
		if c, err := x509.ParseCertificate(der); err == nil { // what cannot be parsed builds no chain
			expect.Intermediates = append(expect.Intermediates, c)
		}
	}
	chain, err := adcs.Verify(leaf, expect)
	if err != nil {
		return nil, rejection(err)
	}
	options, password, err := delivery(o)
	if err != nil {
		return nil, err
	}
	if options.Profile.Shape() == pkcs12.AsGiven { // that of a platform knows whether the root belongs into the file
		chain = chain[:max(1, len(chain)-1)]
	}
	options.FriendlyName = pkcs12.NameFor(leaf)
	p12, err := options.Encode(p.Key, chain, password)
	if err != nil {
		return nil, err
	}
	return &connector.Bundle{PKCS12: p12, Password: password}, nil
}

// delivery returns how the .p12 of an order is made, and its password: that of the order, or a new one for its
// recipient, which the connector seals together with the .p12. Without an error, Finish fails for neither of them.
func delivery(o *connector.Order) (pkcs12.Options, string, error) {
	profile, err := pkcs12.ParseProfile(o.Profile)
	options, password := pkcs12.Options{Profile: profile}, o.Password
	if err == nil {
		err = options.Check()
	}
	if err == nil && o.Recipient != nil {
		password, err = pkcs12.NewPassword()
	}
	if err == nil {
		err = pkcs12.CheckPassword(password)
	}
	return options, password, err
}

// ready returns the CA of an order that can be delivered. Prepare has looked at that, but what is resumed may come from
// another connector, which knew more platforms.
func (i *Issuer) ready(o *connector.Order) (entry, error) {
	if _, _, err := delivery(o); err != nil {
		return entry{}, &connector.CAError{
			Kind: connector.CAInvalid, Reason: wsproto.ReasonOrderUnsupported, Message: err.Error(), Err: err,
		}
	}
	return i.ca(o.CA)
}
