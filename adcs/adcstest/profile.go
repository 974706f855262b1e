package adcstest

import (
	"fmt"
	"slices"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// maxIntermediates bounds Profile.Intermediates; a chain of 40 P-256 CAs is longer than 20 KB.
const maxIntermediates = 100

// Profile says what the CA itself looks like. The zero value is a P-256 issuing CA under an offline P-256 root.
type Profile struct {
	// RSA makes RSA-2048 keys for the CAs in place of P-256 ones.
	RSA bool
	// SelfSigned makes the issuing CA its own root.
	SelfSigned bool
	// Intermediates is the number of CAs between the root and the issuing CA, at most 100.
	Intermediates int
	// CDP and AIA are URLs that certificates name for the CRL and for the CA's certificate.
	CDP, AIA []string
	// OCSP are URLs that certificates name for an OCSP responder. There is none.
	OCSP []string
	// NoFullResponse makes the CA ignore CR_IN_FULLRESPONSE and answer with a plain chain. MS-WCCE ties the flag to
	// DCOM; what a real CA does with it over ICertPassage is not known.
	NoFullResponse bool
}

func (p Profile) validate() error {
	switch {
	case p.Intermediates < 0 || p.Intermediates > maxIntermediates:
		return fmt.Errorf("%d intermediate CAs, at most %d", p.Intermediates, maxIntermediates)
	case p.SelfSigned && p.Intermediates > 0:
		return fmt.Errorf("a self-signed CA has no intermediate CAs")
	}
	for _, uri := range slices.Concat(p.CDP, p.AIA, p.OCSP) {
		if err := adcsasn1.CheckURI(uri); err != nil {
			return err
		}
	}
	return nil
}
