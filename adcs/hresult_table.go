package adcs

// The HRESULTs of a CA that this package knows. Each one's Explanation says what it means, and [Explain] what to do.
//
// The codes are those of winerror.h; [MS-WCCE] says for most of them when a CA returns them (sections 2.2.4,
// 3.2.1.4.2.1 and 3.2.2.6.2.1).
const (
	ErrBadRequestSubject            HResult = 0x80094001 // CERTSRV_E_BAD_REQUESTSUBJECT
	ErrNoRequest                    HResult = 0x80094002 // CERTSRV_E_NO_REQUEST
	ErrBadRequestStatus             HResult = 0x80094003 // CERTSRV_E_BAD_REQUESTSTATUS
	ErrPropertyEmpty                HResult = 0x80094004 // CERTSRV_E_PROPERTY_EMPTY
	ErrInvalidCACertificate         HResult = 0x80094005 // CERTSRV_E_INVALID_CA_CERTIFICATE
	ErrServerSuspended              HResult = 0x80094006 // CERTSRV_E_SERVER_SUSPENDED
	ErrEncodingLength               HResult = 0x80094007 // CERTSRV_E_ENCODING_LENGTH
	ErrRoleConflict                 HResult = 0x80094008 // CERTSRV_E_ROLECONFLICT
	ErrRestrictedOfficer            HResult = 0x80094009 // CERTSRV_E_RESTRICTEDOFFICER
	ErrKeyArchivalNotConfigured     HResult = 0x8009400A // CERTSRV_E_KEY_ARCHIVAL_NOT_CONFIGURED
	ErrNoValidKRA                   HResult = 0x8009400B // CERTSRV_E_NO_VALID_KRA
	ErrBadRequestKeyArchival        HResult = 0x8009400C // CERTSRV_E_BAD_REQUEST_KEY_ARCHIVAL
	ErrNoCAAdminDefined             HResult = 0x8009400D // CERTSRV_E_NO_CAADMIN_DEFINED
	ErrBadRenewalCertAttribute      HResult = 0x8009400E // CERTSRV_E_BAD_RENEWAL_CERT_ATTRIBUTE
	ErrNoDBSessions                 HResult = 0x8009400F // CERTSRV_E_NO_DB_SESSIONS
	ErrAlignmentFault               HResult = 0x80094010 // CERTSRV_E_ALIGNMENT_FAULT
	ErrEnrollDenied                 HResult = 0x80094011 // CERTSRV_E_ENROLL_DENIED
	ErrTemplateDenied               HResult = 0x80094012 // CERTSRV_E_TEMPLATE_DENIED
	ErrDownlevelDC                  HResult = 0x80094013 // CERTSRV_E_DOWNLEVEL_DC_SSL_OR_UPGRADE
	ErrAdminDeniedRequest           HResult = 0x80094014 // CERTSRV_E_ADMIN_DENIED_REQUEST
	ErrNoPolicyServer               HResult = 0x80094015 // CERTSRV_E_NO_POLICY_SERVER
	ErrWeakSignatureOrKey           HResult = 0x80094016 // CERTSRV_E_WEAK_SIGNATURE_OR_KEY
	ErrKeyAttestationNotSupported   HResult = 0x80094017 // CERTSRV_E_KEY_ATTESTATION_NOT_SUPPORTED
	ErrEncryptionCertRequired       HResult = 0x80094018 // CERTSRV_E_ENCRYPTION_CERT_REQUIRED
	ErrUnsupportedCertType          HResult = 0x80094800 // CERTSRV_E_UNSUPPORTED_CERT_TYPE
	ErrNoCertType                   HResult = 0x80094801 // CERTSRV_E_NO_CERT_TYPE
	ErrTemplateConflict             HResult = 0x80094802 // CERTSRV_E_TEMPLATE_CONFLICT
	ErrSubjectAltNameRequired       HResult = 0x80094803 // CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED
	ErrArchivedKeyRequired          HResult = 0x80094804 // CERTSRV_E_ARCHIVED_KEY_REQUIRED
	ErrSMIMERequired                HResult = 0x80094805 // CERTSRV_E_SMIME_REQUIRED
	ErrBadRenewalSubject            HResult = 0x80094806 // CERTSRV_E_BAD_RENEWAL_SUBJECT
	ErrBadTemplateVersion           HResult = 0x80094807 // CERTSRV_E_BAD_TEMPLATE_VERSION
	ErrTemplatePolicyRequired       HResult = 0x80094808 // CERTSRV_E_TEMPLATE_POLICY_REQUIRED
	ErrSignaturePolicyRequired      HResult = 0x80094809 // CERTSRV_E_SIGNATURE_POLICY_REQUIRED
	ErrSignatureCount               HResult = 0x8009480A // CERTSRV_E_SIGNATURE_COUNT
	ErrSignatureRejected            HResult = 0x8009480B // CERTSRV_E_SIGNATURE_REJECTED
	ErrIssuancePolicyRequired       HResult = 0x8009480C // CERTSRV_E_ISSUANCE_POLICY_REQUIRED
	ErrSubjectUPNRequired           HResult = 0x8009480D // CERTSRV_E_SUBJECT_UPN_REQUIRED
	ErrSubjectDirectoryGUIDRequired HResult = 0x8009480E // CERTSRV_E_SUBJECT_DIRECTORY_GUID_REQUIRED
	ErrSubjectDNSRequired           HResult = 0x8009480F // CERTSRV_E_SUBJECT_DNS_REQUIRED
	ErrArchivedKeyUnexpected        HResult = 0x80094810 // CERTSRV_E_ARCHIVED_KEY_UNEXPECTED
	ErrKeyLength                    HResult = 0x80094811 // CERTSRV_E_KEY_LENGTH
	ErrSubjectEmailRequired         HResult = 0x80094812 // CERTSRV_E_SUBJECT_EMAIL_REQUIRED
	ErrUnknownCertType              HResult = 0x80094813 // CERTSRV_E_UNKNOWN_CERT_TYPE
	ErrCertTypeOverlap              HResult = 0x80094814 // CERTSRV_E_CERT_TYPE_OVERLAP
	ErrTooManySignatures            HResult = 0x80094815 // CERTSRV_E_TOO_MANY_SIGNATURES
	ErrRenewalBadPublicKey          HResult = 0x80094816 // CERTSRV_E_RENEWAL_BAD_PUBLIC_KEY
	ErrInvalidEK                    HResult = 0x80094817 // CERTSRV_E_INVALID_EK
	ErrInvalidIDBinding             HResult = 0x80094818 // CERTSRV_E_INVALID_IDBINDING
	ErrInvalidAttestation           HResult = 0x80094819 // CERTSRV_E_INVALID_ATTESTATION
	ErrKeyAttestation               HResult = 0x8009481A // CERTSRV_E_KEY_ATTESTATION
	ErrCorruptKeyAttestation        HResult = 0x8009481B // CERTSRV_E_CORRUPT_KEY_ATTESTATION
	ErrExpiredChallenge             HResult = 0x8009481C // CERTSRV_E_EXPIRED_CHALLENGE
	ErrInvalidResponse              HResult = 0x8009481D // CERTSRV_E_INVALID_RESPONSE
	ErrInvalidRequestID             HResult = 0x8009481E // CERTSRV_E_INVALID_REQUESTID
	ErrPrecertificateMismatch       HResult = 0x8009481F // CERTSRV_E_REQUEST_PRECERTIFICATE_MISMATCH
	ErrPendingClientResponse        HResult = 0x80094820 // CERTSRV_E_PENDING_CLIENT_RESPONSE
	ErrDirectorySIDRequired         HResult = 0x80094821 // CERTSRV_E_SEC_EXT_DIRECTORY_SID_REQUIRED
	ErrInvalidArg                   HResult = 0x80070057 // E_INVALIDARG
	ErrAccessDenied                 HResult = 0x80070005 // E_ACCESSDENIED
	ErrFileNotFound                 HResult = 0x80070002 // ERROR_FILE_NOT_FOUND
	ErrInvalidData                  HResult = 0x8007000D // ERROR_INVALID_DATA
	ErrServerUnavailable            HResult = 0x800706BA // RPC_S_SERVER_UNAVAILABLE
	ErrInvalidMessageType           HResult = 0x80091004 // CRYPT_E_INVALID_MSG_TYPE
	ErrNoSigner                     HResult = 0x8009200E // CRYPT_E_NO_SIGNER
	ErrRevocationOffline            HResult = 0x80092013 // CRYPT_E_REVOCATION_OFFLINE
	ErrNoSuchObject                 HResult = 0x80072030 // ERROR_DS_NO_SUCH_OBJECT
	ErrDirectoryDown                HResult = 0x8007203A // ERROR_DS_SERVER_DOWN
	ErrBadSignature                 HResult = 0x80090006 // NTE_BAD_SIGNATURE
	ErrUnknownAlgorithm             HResult = 0x80091002 // CRYPT_E_UNKNOWN_ALGO
	ErrNoRevocationCheck            HResult = 0x80092012 // CRYPT_E_NO_REVOCATION_CHECK
	ErrASN1EndOfData                HResult = 0x80093102 // CRYPT_E_ASN1_EOD
	ErrASN1BadTag                   HResult = 0x8009310B // CRYPT_E_ASN1_BADTAG
	ErrCertificateExpired           HResult = 0x800B0101 // CERT_E_EXPIRED
	ErrUntrustedRoot                HResult = 0x800B0109 // CERT_E_UNTRUSTEDROOT
	ErrWrongUsage                   HResult = 0x800B0110 // CERT_E_WRONG_USAGE
	ErrCertificateRevoked           HResult = 0x80092010 // CRYPT_E_REVOKED
	ErrSignerNotFound               HResult = 0x8009100E // CRYPT_E_SIGNER_NOT_FOUND
	ErrNoneMapped                   HResult = 0x80070534 // ERROR_NONE_MAPPED

	// Those of DCOM (MS-ERREF section 2.1).
	ErrClassNotRegistered  HResult = 0x80040154 // REGDB_E_CLASSNOTREG
	ErrNoInterface         HResult = 0x80004002 // E_NOINTERFACE
	ErrObjectNotRegistered HResult = 0x800401FD // CO_E_OBJNOTREG
	ErrRunAsLogonFailure   HResult = 0x8000401A // CO_E_RUNAS_LOGON_FAILURE
	ErrObjectDisconnected  HResult = 0x80010108 // RPC_E_DISCONNECTED
	ErrComVersion          HResult = 0x80010110 // RPC_E_VERSION_MISMATCH
	ErrInvalidObject       HResult = 0x80010114 // RPC_E_INVALID_OBJECT
	ErrObjectAccessDenied  HResult = 0x8001011B // RPC_E_ACCESS_DENIED
	ErrRemoteDisabled      HResult = 0x8001011C // RPC_E_REMOTE_DISABLED
	ErrServerExecFailure   HResult = 0x80080005 // CO_E_SERVER_EXEC_FAILURE
	ErrServerStopping      HResult = 0x80080008 // CO_E_SERVER_STOPPING
)

// codeInfo is what the tables know about a code.
type codeInfo struct {
	name   string // symbolic name of the defining header or document
	text   string // one line: what it means
	remedy string // what an administrator can do
	retry  RetryClass
}

// hresults is never written to.
var hresults = map[HResult]codeInfo{
	ErrWrongUsage: {
		name: "CERT_E_WRONG_USAGE",
		text: "the certificate that signed the request is not good for that",
		remedy: "Sign requests on behalf of others with a certificate that has the usage Certificate Request Agent " +
			"(1.3.6.1.4.1.311.20.2.1).",
		retry: RetryNever,
	},
	ErrCertificateRevoked: {
		name:   "CRYPT_E_REVOKED",
		text:   "the certificate that signed the request was revoked",
		remedy: "Make a new request instead of a renewal, or get the enrollment agent a new certificate.",
		retry:  RetryNever,
	},
	ErrSignerNotFound: {
		name:   "CRYPT_E_SIGNER_NOT_FOUND",
		text:   "the certificate that signed the request is not in the request",
		remedy: "Put the certificate of every signer into the request.",
		retry:  RetryNever,
	},
	ErrNoneMapped: {
		name:   "ERROR_NONE_MAPPED",
		text:   "the domain does not know the account that the certificate is for",
		remedy: "Check the account in the request on behalf of it: DOMAIN\\name, with the domain's NetBIOS name.",
		retry:  RetryNever,
	},
	ErrBadRequestSubject: {
		name: "CERTSRV_E_BAD_REQUESTSUBJECT",
		text: "the subject of the request is missing or cannot be used",
		remedy: "Order a subject or a subject alternative name that the template allows; a template that takes " +
			"the subject from the request issues nothing without one.",
		retry: RetryNever,
	},
	ErrNoRequest: {
		name:   "CERTSRV_E_NO_REQUEST",
		text:   "the CA's row for this request holds no certification request",
		remedy: "Submit a new request; the row in the CA's database is incomplete.",
		retry:  RetryNever,
	},
	ErrBadRequestStatus: {
		name:   "CERTSRV_E_BAD_REQUESTSTATUS",
		text:   "the request is not in a state that allows this",
		remedy: "Look at the request in the CA's console (certsrv.msc): it was already issued, denied or revoked.",
		retry:  RetryNever,
	},
	ErrPropertyEmpty: {
		name: "CERTSRV_E_PROPERTY_EMPTY",
		text: "the CA does not know this request id",
		remedy: "Check that the request id belongs to this CA, and that its row was not deleted from the CA's " +
			"database.",
		retry: RetryNever,
	},
	ErrInvalidCACertificate: {
		name:   "CERTSRV_E_INVALID_CA_CERTIFICATE",
		text:   "the CA's own certificate is invalid, for example expired",
		remedy: "Renew or repair the CA's certificate on the CA.",
		retry:  RetryOperator,
	},
	ErrServerSuspended: {
		name: "CERTSRV_E_SERVER_SUSPENDED",
		text: "certificate services on the CA are suspended, for a backup or a restore",
		remedy: "Wait until the backup or restore on the CA has ended; if there is none, restart the service " +
			"certsvc.",
		retry: RetryAfter,
	},
	ErrEncodingLength: {
		name:   "CERTSRV_E_ENCODING_LENGTH",
		text:   "a value of the request is longer than the CA stores",
		remedy: "Shorten the subject or the names in the request.",
		retry:  RetryNever,
	},
	ErrRoleConflict: {
		name: "CERTSRV_E_ROLECONFLICT",
		text: "the account holds more than one role while the CA enforces role separation",
		remedy: "Use an account with one CA role only, or turn role separation off on the CA (certutil -delreg " +
			"ca\\RoleSeparationEnabled).",
		retry: RetryOperator,
	},
	ErrRestrictedOfficer: {
		name: "CERTSRV_E_RESTRICTEDOFFICER",
		text: "the CA restricts enrollment agents or certificate managers, and not for this account, template " +
			"or subject",
		remedy: "On the CA, tab Enrollment Agents or Certificate Managers, allow the account for this template " +
			"and these subjects.",
		retry: RetryOperator,
	},
	ErrKeyArchivalNotConfigured: {
		name:   "CERTSRV_E_KEY_ARCHIVAL_NOT_CONFIGURED",
		text:   "the template wants the key archived, the CA has no key archival",
		remedy: "Configure a recovery agent on the CA or use a template without key archival.",
		retry:  RetryOperator,
	},
	ErrNoValidKRA: {
		name:   "CERTSRV_E_NO_VALID_KRA",
		text:   "the CA has no valid key recovery certificate",
		remedy: "Renew the key recovery agent's certificate on the CA or use a template without key archival.",
		retry:  RetryOperator,
	},
	ErrBadRequestKeyArchival: {
		name:   "CERTSRV_E_BAD_REQUEST_KEY_ARCHIVAL",
		text:   "the request's archived key is malformed",
		remedy: "Use a template without key archival; this client does not archive keys.",
		retry:  RetryNever,
	},
	ErrNoCAAdminDefined: {
		name:   "CERTSRV_E_NO_CAADMIN_DEFINED",
		text:   "the change would leave the CA without an administrator",
		remedy: "Keep at least one account with the right Manage CA.",
		retry:  RetryNever,
	},
	ErrBadRenewalCertAttribute: {
		name:   "CERTSRV_E_BAD_RENEWAL_CERT_ATTRIBUTE",
		text:   "a renewal request does not carry the certificate that it renews",
		remedy: "Make a new request instead of a renewal, or put the old certificate into the renewal request.",
		retry:  RetryNever,
	},
	ErrNoDBSessions: {
		name:   "CERTSRV_E_NO_DB_SESSIONS",
		text:   "the CA has no free database session",
		remedy: "Try again later; lower the number of parallel requests, or raise DBSessionCount on the CA.",
		retry:  RetryAfter,
	},
	ErrAlignmentFault: {
		name:   "CERTSRV_E_ALIGNMENT_FAULT",
		text:   "a memory alignment fault in the CA",
		remedy: "Look into the CA's event log; this is a defect of the CA or of a module in it.",
		retry:  RetryOperator,
	},
	ErrEnrollDenied: {
		name: "CERTSRV_E_ENROLL_DENIED",
		text: "the account has no right to request certificates from this CA, or the CA takes no remote " +
			"requests",
		remedy: "Give the account the right Request Certificates on the CA (certsrv.msc, Properties, Security); " +
			"check that the CA's interface flag IF_NOREMOTEICERTREQUEST is not set.",
		retry: RetryOperator,
	},
	ErrTemplateDenied: {
		name: "CERTSRV_E_TEMPLATE_DENIED",
		text: "the account has no permission to enroll for this certificate template",
		remedy: "Give the account, or a group that it is in, the permission Enroll on the template (certtmpl.msc, " +
			"Security); a new group membership needs a new logon.",
		retry: RetryOperator,
	},
	ErrDownlevelDC: {
		name: "CERTSRV_E_DOWNLEVEL_DC_SSL_OR_UPGRADE",
		text: "the CA cannot sign its LDAP traffic to an old domain controller",
		remedy: "Upgrade the domain controller that the CA uses, or let the CA use LDAP over TLS " +
			"(LDAPF_SSLENABLE).",
		retry: RetryOperator,
	},
	ErrAdminDeniedRequest: {
		name:   "CERTSRV_E_ADMIN_DENIED_REQUEST",
		text:   "a CA manager denied the request, or the account may not read it",
		remedy: "Ask the CA's manager why the request was denied; retrieve with the account that submitted it.",
		retry:  RetryNever,
	},
	ErrNoPolicyServer: {
		name:   "CERTSRV_E_NO_POLICY_SERVER",
		text:   "no enrollment policy server is configured",
		remedy: "Configure an enrollment policy server, or name the CA and the template directly.",
		retry:  RetryOperator,
	},
	ErrWeakSignatureOrKey: {
		name:   "CERTSRV_E_WEAK_SIGNATURE_OR_KEY",
		text:   "the CA considers the signature algorithm or the key of the request too weak",
		remedy: "Order a stronger key (RSA 2048 or more, or P-256) and sign the request with SHA-256.",
		retry:  RetryNever,
	},
	ErrKeyAttestationNotSupported: {
		name:   "CERTSRV_E_KEY_ATTESTATION_NOT_SUPPORTED",
		text:   "the CA or the provider does not support the key attestation that the template asks for",
		remedy: "Use a template without key attestation, or set up key attestation on the CA.",
		retry:  RetryOperator,
	},
	ErrEncryptionCertRequired: {
		name:   "CERTSRV_E_ENCRYPTION_CERT_REQUIRED",
		text:   "the CA has no encryption (exchange) certificate that this request needs",
		remedy: "Let the CA issue itself a CA exchange certificate; the template CAExchange must be usable by it.",
		retry:  RetryOperator,
	},
	ErrUnsupportedCertType: {
		name: "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
		text: "the CA does not offer this certificate template",
		remedy: "Check the template's name (the cn, not the display name) and publish it on this CA (certsrv.msc, " +
			"Certificate Templates, New); the CA reads a new template after some minutes.",
		retry: RetryOperator,
	},
	ErrNoCertType: {
		name:   "CERTSRV_E_NO_CERT_TYPE",
		text:   "the request names no certificate template",
		remedy: "Name a template in the request.",
		retry:  RetryNever,
	},
	ErrTemplateConflict: {
		name:   "CERTSRV_E_TEMPLATE_CONFLICT",
		text:   "the request names more than one template, and they are not the same",
		remedy: "Name the template once: by attribute or by extension, not by two that differ.",
		retry:  RetryNever,
	},
	ErrSubjectAltNameRequired: {
		name:   "CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED",
		text:   "the template requires a subject alternative name",
		remedy: "Order a DNS name, e-mail address or UPN, as the template asks for.",
		retry:  RetryNever,
	},
	ErrArchivedKeyRequired: {
		name:   "CERTSRV_E_ARCHIVED_KEY_REQUIRED",
		text:   "the template requires the private key to be archived by the CA",
		remedy: "Use a template without key archival; this client never sends a private key to the CA.",
		retry:  RetryNever,
	},
	ErrSMIMERequired: {
		name:   "CERTSRV_E_SMIME_REQUIRED",
		text:   "the template requires S/MIME capabilities in the request",
		remedy: "Use a template that does not ask for S/MIME capabilities.",
		retry:  RetryNever,
	},
	ErrBadRenewalSubject: {
		name:   "CERTSRV_E_BAD_RENEWAL_SUBJECT",
		text:   "the subject of the renewal differs from that of the old certificate",
		remedy: "Renew with the same subject or make a new request.",
		retry:  RetryNever,
	},
	ErrBadTemplateVersion: {
		name: "CERTSRV_E_BAD_TEMPLATE_VERSION",
		text: "the request was made for a newer version of the template than the CA knows",
		remedy: "Wait for the directory to replicate and for the CA to read its templates, or name the template " +
			"without a version.",
		retry: RetryAfter,
	},
	ErrTemplatePolicyRequired: {
		name:   "CERTSRV_E_TEMPLATE_POLICY_REQUIRED",
		text:   "the template lacks a policy that the CA requires",
		remedy: "Let the template's owner add the certificate policy that the CA asks for.",
		retry:  RetryOperator,
	},
	ErrSignaturePolicyRequired: {
		name: "CERTSRV_E_SIGNATURE_POLICY_REQUIRED",
		text: "the template requires a registration authority's signature on the request",
		remedy: "Use a template that needs no authorized signature, or have the request signed by an enrollment " +
			"agent.",
		retry: RetryOperator,
	},
	ErrSignatureCount: {
		name: "CERTSRV_E_SIGNATURE_COUNT",
		text: "the request carries fewer authorized signatures than the template requires",
		remedy: "Set the template's number of authorized signatures to 0 (tab Issuance Requirements), or have the " +
			"request signed by an enrollment agent.",
		retry: RetryOperator,
	},
	ErrSignatureRejected: {
		name:   "CERTSRV_E_SIGNATURE_REJECTED",
		text:   "a signature on the request lacks the application or issuance policy that the template requires",
		remedy: "Sign with an enrollment agent certificate that has the policies the template asks for.",
		retry:  RetryOperator,
	},
	ErrIssuancePolicyRequired: {
		name:   "CERTSRV_E_ISSUANCE_POLICY_REQUIRED",
		text:   "the signature on the request lacks the issuance policy that the template requires",
		remedy: "Sign with a certificate that has the issuance policy the template asks for.",
		retry:  RetryOperator,
	},
	ErrSubjectUPNRequired: {
		name: "CERTSRV_E_SUBJECT_UPN_REQUIRED",
		text: "the template takes a user principal name from the directory and the account has none",
		remedy: "Set userPrincipalName of the account in the directory, or use a template that takes the subject " +
			"from the request.",
		retry: RetryOperator,
	},
	ErrSubjectDirectoryGUIDRequired: {
		name:   "CERTSRV_E_SUBJECT_DIRECTORY_GUID_REQUIRED",
		text:   "the template takes the directory GUID of the account and none was found",
		remedy: "Check that the requester is an account of this forest that the CA can read.",
		retry:  RetryOperator,
	},
	ErrSubjectDNSRequired: {
		name: "CERTSRV_E_SUBJECT_DNS_REQUIRED",
		text: "the template takes a DNS name from the directory and the account has none",
		remedy: "A machine template was used by an account without dNSHostName: use a template that takes the " +
			"subject from the request, or set the attribute.",
		retry: RetryOperator,
	},
	ErrArchivedKeyUnexpected: {
		name:   "CERTSRV_E_ARCHIVED_KEY_UNEXPECTED",
		text:   "the request carries an archived key that the template does not want",
		remedy: "Make the request without key archival.",
		retry:  RetryNever,
	},
	ErrKeyLength: {
		name: "CERTSRV_E_KEY_LENGTH",
		text: "the key is shorter than the template's minimum, or of another algorithm",
		remedy: "Order a longer key, or one of the template's algorithm (tab Cryptography: minimum key size and " +
			"algorithm).",
		retry: RetryNever,
	},
	ErrSubjectEmailRequired: {
		name: "CERTSRV_E_SUBJECT_EMAIL_REQUIRED",
		text: "the template takes an e-mail address from the directory and the account has none",
		remedy: "Set the attribute mail of the account in the directory, or use a template that takes the subject " +
			"from the request.",
		retry: RetryOperator,
	},
	ErrUnknownCertType: {
		name:   "CERTSRV_E_UNKNOWN_CERT_TYPE",
		text:   "a template that the CA is configured with does not exist in the directory",
		remedy: "Remove the missing template from the CA's list, or wait for the directory to replicate.",
		retry:  RetryOperator,
	},
	ErrCertTypeOverlap: {
		name:   "CERTSRV_E_CERT_TYPE_OVERLAP",
		text:   "the overlap period of the template is longer than its validity",
		remedy: "Correct the renewal period of the template.",
		retry:  RetryOperator,
	},
	ErrTooManySignatures: {
		name:   "CERTSRV_E_TOO_MANY_SIGNATURES",
		text:   "the request carries more signatures than the template allows",
		remedy: "Sign the request with as many signatures as the template asks for.",
		retry:  RetryNever,
	},
	ErrRenewalBadPublicKey: {
		name:   "CERTSRV_E_RENEWAL_BAD_PUBLIC_KEY",
		text:   "the template renews with the same key only, and the request has another",
		remedy: "Renew with the old key, or make a new request.",
		retry:  RetryNever,
	},
	ErrInvalidEK: {
		name: "CERTSRV_E_INVALID_EK",
		text: "the endorsement key of the TPM is not trusted by the CA",
		remedy: "Register the TPM's endorsement key or its issuer on the CA, or use a template without key " +
			"attestation.",
		retry: RetryOperator,
	},
	ErrInvalidIDBinding: {
		name:   "CERTSRV_E_INVALID_IDBINDING",
		text:   "the attestation identity binding in the request is not valid",
		remedy: "Use a template without key attestation, or make the request anew on the device.",
		retry:  RetryNever,
	},
	ErrInvalidAttestation: {
		name:   "CERTSRV_E_INVALID_ATTESTATION",
		text:   "the key attestation in the request is not valid",
		remedy: "Use a template without key attestation, or make the request anew on the device.",
		retry:  RetryNever,
	},
	ErrKeyAttestation: {
		name:   "CERTSRV_E_KEY_ATTESTATION",
		text:   "the template requires key attestation, which the request does not carry",
		remedy: "Use a template without key attestation; this client does not attest the keys of certificates.",
		retry:  RetryOperator,
	},
	ErrCorruptKeyAttestation: {
		name:   "CERTSRV_E_CORRUPT_KEY_ATTESTATION",
		text:   "the key attestation in the request is damaged",
		remedy: "Make the request anew, or use a template without key attestation.",
		retry:  RetryNever,
	},
	ErrExpiredChallenge: {
		name:   "CERTSRV_E_EXPIRED_CHALLENGE",
		text:   "the CA's attestation challenge has expired",
		remedy: "Submit a new request.",
		retry:  RetryAfter,
	},
	ErrInvalidResponse: {
		name:   "CERTSRV_E_INVALID_RESPONSE",
		text:   "the answer to the CA's attestation challenge is wrong",
		remedy: "Submit a new request, or use a template without key attestation.",
		retry:  RetryNever,
	},
	ErrInvalidRequestID: {
		name:   "CERTSRV_E_INVALID_REQUESTID",
		text:   "the request id of an attestation answer is wrong",
		remedy: "Submit a new request.",
		retry:  RetryNever,
	},
	ErrPrecertificateMismatch: {
		name:   "CERTSRV_E_REQUEST_PRECERTIFICATE_MISMATCH",
		text:   "the request does not match the precertificate",
		remedy: "Submit a new request.",
		retry:  RetryNever,
	},
	ErrPendingClientResponse: {
		name:   "CERTSRV_E_PENDING_CLIENT_RESPONSE",
		text:   "the CA waits for the client's answer to an attestation challenge",
		remedy: "Use a template without key attestation; this client does not answer attestation challenges.",
		retry:  RetryOperator,
	},
	ErrDirectorySIDRequired: {
		name: "CERTSRV_E_SEC_EXT_DIRECTORY_SID_REQUIRED",
		text: "the CA must put the account's SID into the certificate and found none in the directory",
		remedy: "Let the requester be an account with a SID in this forest, or order the SID with a template that " +
			"takes the subject from the request.",
		retry: RetryOperator,
	},
	ErrInvalidArg: {
		name:   "E_INVALIDARG",
		text:   "the CA refused an argument of the call, most often its own name",
		remedy: "Check the CA's name: its common name alone, without the host (certutil -cainfo name shows it).",
		retry:  RetryOperator,
	},
	ErrAccessDenied: {
		name: "E_ACCESSDENIED",
		text: "access denied",
		remedy: "Check that the account may log on to the CA over the network and has the right Request " +
			"Certificates on it.",
		retry: RetryOperator,
	},
	ErrFileNotFound: {
		name:   "ERROR_FILE_NOT_FOUND",
		text:   "the CA did not find a file or an object that it needs",
		remedy: "Look into the CA's event log for what it did not find.",
		retry:  RetryOperator,
	},
	ErrInvalidData: {
		name:   "ERROR_INVALID_DATA",
		text:   "the CA considers the request malformed",
		remedy: "Check the certification request, for example with: certutil -dump or openssl req -verify.",
		retry:  RetryNever,
	},
	ErrServerUnavailable: {
		name: "RPC_S_SERVER_UNAVAILABLE",
		text: "the CA takes no requests over this RPC interface, or cannot reach a server that it needs",
		remedy: "On the CA, clear the interface flag IF_NORPCICERTREQUEST (certutil -setreg ca\\InterfaceFlags), " +
			"and check that it reaches a domain controller.",
		retry: RetryOperator,
	},
	ErrInvalidMessageType: {
		name:   "CRYPT_E_INVALID_MSG_TYPE",
		text:   "the request is not of the type that it was sent as",
		remedy: "Send a PKCS#10 certification request in DER.",
		retry:  RetryNever,
	},
	ErrNoSigner: {
		name:   "CRYPT_E_NO_SIGNER",
		text:   "a signed request has no signer",
		remedy: "Sign the request, or send a plain PKCS#10 certification request.",
		retry:  RetryNever,
	},
	ErrRevocationOffline: {
		name: "CRYPT_E_REVOCATION_OFFLINE",
		text: "the CA could not check revocation, since a revocation list cannot be reached or has expired",
		remedy: "Publish the CA's and its parents' revocation lists again and check their distribution points " +
			"(pkiview.msc on the CA).",
		retry: RetryOperator,
	},
	ErrNoSuchObject: {
		name: "ERROR_DS_NO_SUCH_OBJECT",
		text: "the CA did not find the account, or another object, in the directory",
		remedy: "Check that the requester is an account of this forest that the CA can read, and wait for " +
			"replication if it is new.",
		retry: RetryOperator,
	},
	ErrDirectoryDown: {
		name:   "ERROR_DS_SERVER_DOWN",
		text:   "the CA reaches no domain controller",
		remedy: "Check the network and DNS of the CA's host, and that a domain controller is up.",
		retry:  RetryAfter,
	},
	ErrBadSignature: {
		name:   "NTE_BAD_SIGNATURE",
		text:   "the signature of the request does not verify",
		remedy: "Make the request anew; it was damaged, or signed with another key.",
		retry:  RetryNever,
	},
	ErrUnknownAlgorithm: {
		name:   "CRYPT_E_UNKNOWN_ALGO",
		text:   "the CA does not know an algorithm of the request",
		remedy: "Order an RSA or ECDSA key that the CA supports.",
		retry:  RetryNever,
	},
	ErrNoRevocationCheck: {
		name:   "CRYPT_E_NO_REVOCATION_CHECK",
		text:   "the CA could not check whether a certificate was revoked",
		remedy: "Check the distribution points in the CA's and its parents' certificates (pkiview.msc on the CA).",
		retry:  RetryOperator,
	},
	ErrASN1EndOfData: {
		name:   "CRYPT_E_ASN1_EOD",
		text:   "the request ends before it is complete",
		remedy: "Make the request anew; it was cut off.",
		retry:  RetryNever,
	},
	ErrASN1BadTag: {
		name:   "CRYPT_E_ASN1_BADTAG",
		text:   "the CA cannot decode the request",
		remedy: "Check the certification request, for example with: certutil -dump or openssl req -verify.",
		retry:  RetryNever,
	},
	ErrCertificateExpired: {
		name:   "CERT_E_EXPIRED",
		text:   "a certificate of the CA's chain, or one that signs the request, has expired",
		remedy: "Renew the CA's certificate, or the one of the enrollment agent; check the clocks.",
		retry:  RetryOperator,
	},
	ErrUntrustedRoot: {
		name: "CERT_E_UNTRUSTEDROOT",
		text: "the CA does not trust the root of a certificate that it needs",
		remedy: "Publish the root in the directory or install it on the CA (certutil -dspublish, certutil " +
			"-addstore root).",
		retry: RetryOperator,
	},
	ErrClassNotRegistered: {
		name:   "REGDB_E_CLASSNOTREG",
		text:   "the host does not know the object that takes certification requests",
		remedy: "Check that the host is the one on which the CA (the service certsvc) is installed.",
		retry:  RetryOperator,
	},
	ErrNoInterface: {
		name:   "E_NOINTERFACE",
		text:   "the object does not have the interface",
		remedy: "Check the version of the CA: it is older than what was asked for.",
		retry:  RetryOperator,
	},
	ErrObjectNotRegistered: {
		name:   "CO_E_OBJNOTREG",
		text:   "the host does not know the object any more",
		remedy: "Try again; the CA's service was probably restarted.",
		retry:  RetryAfter,
	},
	ErrRunAsLogonFailure: {
		name:   "CO_E_RUNAS_LOGON_FAILURE",
		text:   "the host could not log on the account that the object runs under",
		remedy: "Check the identity of CertSrv Request and CertSrv Admin in dcomcnfg on the CA.",
		retry:  RetryOperator,
	},
	ErrObjectDisconnected: {
		name:   "RPC_E_DISCONNECTED",
		text:   "the object has been disconnected",
		remedy: "Try again; the CA's service was probably restarted.",
		retry:  RetryAfter,
	},
	ErrComVersion: {
		name:   "RPC_E_VERSION_MISMATCH",
		text:   "the host speaks another version of DCOM",
		remedy: "Check that host and port belong to a Windows host; use the transport tcp or np.",
		retry:  RetryOperator,
	},
	ErrInvalidObject: {
		name:   "RPC_E_INVALID_OBJECT",
		text:   "the host does not know the object",
		remedy: "Try again; the CA's service was probably restarted.",
		retry:  RetryAfter,
	},
	ErrObjectAccessDenied: {
		name:   "RPC_E_ACCESS_DENIED",
		text:   "the host does not let the account call the object",
		remedy: dcomAccess,
		retry:  RetryOperator,
	},
	ErrRemoteDisabled: {
		name:   "RPC_E_REMOTE_DISABLED",
		text:   "the host does not allow DCOM from other hosts",
		remedy: "Enable Distributed COM on the CA's host (dcomcnfg, properties of the computer), or use the transport tcp or np.",
		retry:  RetryOperator,
	},
	ErrServerExecFailure: {
		name:   "CO_E_SERVER_EXEC_FAILURE",
		text:   "the host could not start what serves the object",
		remedy: "Start Active Directory Certificate Services (certsvc) on the CA, and look into its event log.",
		retry:  RetryOperator,
	},
	ErrServerStopping: {
		name:   "CO_E_SERVER_STOPPING",
		text:   "what serves the object is being stopped",
		remedy: "Try again later; the CA's service or its host is shutting down.",
		retry:  RetryAfter,
	},
}
