package cms

import (
	"crypto"
	"encoding/asn1"
)

// OIDData is id-data (RFC 5652, section 4).
func OIDData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }

// OIDSignedData is id-signedData (RFC 5652, section 5).
func OIDSignedData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} }

// OIDPKIData is id-cct-PKIData, the content of a CMC request (RFC 5272, section 3.2.1).
func OIDPKIData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 12, 2} }

// OIDPKIResponse is id-cct-PKIResponse, the content of a CMC full response (RFC 5272, section 4.2).
func OIDPKIResponse() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 12, 3}
}

// OIDRenewalCertificate is szOID_RENEWAL_CERTIFICATE, the attribute of a PKCS#10 request that holds the certificate to
// be renewed (MS-WCCE section 2.2.2.7.3).
func OIDRenewalCertificate() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 13, 1}
}

// OIDNameValuePair is szENROLLMENT_NAME_VALUE_PAIR (MS-WCCE section 2.2.2.7.10).
func OIDNameValuePair() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 13, 2, 1}
}

func oidContentType() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3} }
func oidMessageDigest() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
}
func oidRSA() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} }

// oidNoSignature is id-alg-noSignature, a signature that is only a hash (RFC 2797, section 3.3.3.1).
func oidNoSignature() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 6, 2} }

// hashes are those that signatures are made with. SHA-1 and MD5 are not among them.
func hashes() []crypto.Hash { return []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} }

// oidHash is the OID of a hash of hashes (RFC 5754, section 2).
func oidHash(h crypto.Hash) asn1.ObjectIdentifier {
	last := 1
	switch h {
	case crypto.SHA384:
		last = 2
	case crypto.SHA512:
		last = 3
	}
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, last}
}

// oidECDSA is ecdsa-with-SHA2 (RFC 5758, section 3.2).
func oidECDSA(h crypto.Hash) asn1.ObjectIdentifier {
	last := 2
	switch h {
	case crypto.SHA384:
		last = 3
	case crypto.SHA512:
		last = 4
	}
	return asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, last}
}

// oidRSAWith is sha2WithRSAEncryption (RFC 5754, section 3.2).
func oidRSAWith(h crypto.Hash) asn1.ObjectIdentifier {
	last := 11
	switch h {
	case crypto.SHA384:
		last = 12
	case crypto.SHA512:
		last = 13
	}
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last}
}
