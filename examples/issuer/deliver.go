package issuer

import (
	"context"
	"crypto/x509"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// Finish verifies what the CA issued and encodes the .p12: the key, the certificate, and the CAs up to the root, which
// the device gets by other means; of these CAs, and of the root, what the order's platform wants, if it names one. For
// a recipient it makes a new password each time.
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
	profile, err := profile(o)
	if err != nil {
		return nil, err
	}
	password, err := password(o)
	if err != nil {
		return nil, err
	}
	if profile.Shape() == pkcs12.AsGiven { // that of a platform knows whether the root belongs into the file
		chain = chain[:max(1, len(chain)-1)]
	}
	p12, err := pkcs12.Encode(profile, p.Key, chain, password)
	if err != nil {
		return nil, err
	}
	return &connector.Bundle{PKCS12: p12, Password: password}, nil
}

// password is that of the order, or a new one for its recipient: the connector seals it together with the .p12.
func password(o *connector.Order) (string, error) {
	if o.Recipient != nil {
		return pkcs12.NewPassword()
	}
	return o.Password, nil
}

// checkPassword makes sure that Finish will not fail for the password.
func checkPassword(o *connector.Order) error {
	password, err := password(o)
	if err != nil {
		return err
	}
	return pkcs12.CheckPassword(password)
}

func profile(o *connector.Order) (pkcs12.Profile, error) {
	if o.Profile == "" {
		return pkcs12.Compat(), nil
	}
	return pkcs12.ParseProfile(o.Profile)
}
