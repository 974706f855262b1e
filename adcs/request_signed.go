package adcs

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/cms"
)

// inner returns the PKCS#10 request in der and the request type for dwFlags. What is around it, if anything, is checked
// as a CA will check it, as far as this side can know. Errors match ErrInvalidRequest.
func inner(der []byte) (csr []byte, flags uint32, err error) {
	if !cms.IsContentInfo(der) {
		return der, flagsPKCS10, nil
	}
	sd, err := cms.Parse(der)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: the request is %v", ErrInvalidRequest, err)
	}
	if !sd.ContentType.Equal(cms.OIDData()) || len(sd.Content) == 0 {
		return nil, 0, fmt.Errorf("%w: the CMS message does not hold a PKCS#10 request, but content type %v",
			ErrInvalidRequest, sd.ContentType)
	}
	if len(sd.Signers) == 0 {
		return nil, 0, fmt.Errorf("%w: the CMS message has no signer", ErrInvalidRequest)
	}
	for i, signer := range sd.Signers {
		if err := checkSigner(sd, signer); err != nil {
			return nil, 0, fmt.Errorf("%w: signer %d of the CMS message: %v", ErrInvalidRequest, i+1, err)
		}
	}
	return sd.Content, flagsPKCS7, nil
}

// checkSigner verifies a signature with the certificate that is in the message. One of an algorithm that this side does
// not know is the CA's to judge.
func checkSigner(sd *cms.SignedData, der []byte) error {
	signer, err := cms.ParseSigner(der)
	if err != nil {
		return err
	}
	for _, raw := range sd.Certificates {
		cert, err := x509.ParseCertificate(raw)
		if err != nil || !signer.Names(cert) {
			continue
		}
		if err := signer.Verify(sd, cert); err != nil && !errors.Is(err, cms.ErrAlgorithm) {
			return err
		}
		return nil
	}
	return errors.New("its certificate is not in the message")
}
