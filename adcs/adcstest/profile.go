package adcstest

// Profile says what the CA itself looks like. The zero value is a P-256 issuing CA under an offline P-256 root.
type Profile struct {
	// RSA makes RSA-2048 keys for the CAs in place of P-256 ones.
	RSA bool
	// SelfSigned makes the issuing CA its own root.
	SelfSigned bool
	// Intermediates is the number of CAs between the root and the issuing CA, at most 100.
	Intermediates int
	// CDP and AIA are URLs that issued certificates name for the CRL and for the CA's certificate.
	CDP, AIA []string
	// NoFullResponse makes the CA ignore CR_IN_FULLRESPONSE and answer with a plain chain.
	NoFullResponse bool
}
