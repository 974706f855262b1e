package adcstest

// The HRESULTs about signatures around a request and the certificates of those who made them.
const (
	hrNoneMapped        uint32 = 0x80070534
	hrSignerNotFound    uint32 = 0x8009100E
	hrNoSigner          uint32 = 0x8009200E
	hrCertRevoked       uint32 = 0x80092010
	hrRestrictedOfficer uint32 = 0x80094009
	hrBadRenewalCert    uint32 = 0x8009400E
	hrBadRenewalSubject uint32 = 0x80094806
	hrSignatureCount    uint32 = 0x8009480A
	hrSignatureRejected uint32 = 0x8009480B
	hrCertExpired       uint32 = 0x800B0101
	hrUntrustedRoot     uint32 = 0x800B0109
	hrWrongUsage        uint32 = 0x800B0110
)

// signedText is hresultText for them.
func signedText(code uint32) (name, text string) {
	switch code {
	case hrNoneMapped:
		return "ERROR_NONE_MAPPED", "No mapping between account names and security IDs was done."
	case hrSignerNotFound:
		return "CRYPT_E_SIGNER_NOT_FOUND", "Cannot find the original signer."
	case hrNoSigner:
		return "CRYPT_E_NO_SIGNER", "The signed cryptographic message does not have a signer for the specified signer index."
	case hrCertRevoked:
		return "CRYPT_E_REVOKED", "The certificate is revoked."
	case hrRestrictedOfficer:
		return "CERTSRV_E_RESTRICTEDOFFICER",
			"The operation is denied. The user has no permissions to enroll on behalf of this user or for this template."
	case hrBadRenewalCert:
		return "CERTSRV_E_BAD_RENEWAL_CERT_ATTRIBUTE",
			"The request contains an invalid renewal certificate attribute."
	case hrBadRenewalSubject:
		return "CERTSRV_E_BAD_RENEWAL_SUBJECT", "The request was made on behalf of a subject other than the caller."
	case hrSignatureCount:
		return "CERTSRV_E_SIGNATURE_COUNT", "The request is missing one or more required signatures."
	case hrSignatureRejected:
		return "CERTSRV_E_SIGNATURE_REJECTED",
			"One or more signatures did not include the required application or issuance policies. The request is missing one or " +
				"more required valid signatures."
	case hrCertExpired:
		return "CERT_E_EXPIRED", "A required certificate is not within its validity period when verifying against the current " +
			"system clock or the timestamp in the signed file."
	case hrUntrustedRoot:
		return "CERT_E_UNTRUSTEDROOT",
			"A certificate chain processed, but terminated in a root certificate which is not trusted by the trust provider."
	case hrWrongUsage:
		return "CERT_E_WRONG_USAGE", "The certificate is not valid for the requested usage."
	}
	return "", ""
}
