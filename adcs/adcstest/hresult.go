package adcstest

import "fmt"

// Dispositions of a request (MS-WCCE section 3.2.1.4.2.1); 0 is incomplete, anything else an HRESULT.
const (
	dispIncomplete uint32 = 0
	dispError      uint32 = 1
	dispDenied     uint32 = 2
	dispIssued     uint32 = 3
	dispPending    uint32 = 5
	dispRevoked    uint32 = 6
)

// The HRESULTs that the authority answers with (MS-WCCE section 2.2.4, winerror.h).
const (
	hrAccessDenied      uint32 = 0x80070005
	hrInvalidHandle     uint32 = 0x80070006
	hrInvalidData       uint32 = 0x8007000D
	hrInvalidArg        uint32 = 0x80070057
	hrUnexpected        uint32 = 0x8000FFFF
	hrBadSignature      uint32 = 0x80090006
	hrUnknownAlgorithm  uint32 = 0x80091002
	hrInvalidMsgType    uint32 = 0x80091004
	hrASN1EndOfData     uint32 = 0x80093102
	hrASN1BadTag        uint32 = 0x8009310B
	hrBadRequestSubject uint32 = 0x80094001
	hrBadRequestStatus  uint32 = 0x80094003
	hrPropertyEmpty     uint32 = 0x80094004
	hrServerSuspended   uint32 = 0x80094006
	hrEnrollDenied      uint32 = 0x80094011
	hrTemplateDenied    uint32 = 0x80094012
	hrAdminDenied       uint32 = 0x80094014
	hrWeakKey           uint32 = 0x80094016
	hrUnsupportedType   uint32 = 0x80094800
	hrNoCertType        uint32 = 0x80094801
	hrTemplateConflict  uint32 = 0x80094802
	hrTemplateVersion   uint32 = 0x80094807
	hrSignaturePolicy   uint32 = 0x80094809
	hrUPNRequired       uint32 = 0x8009480D
	hrDNSRequired       uint32 = 0x8009480F
	hrKeyLength         uint32 = 0x80094811
	hrEmailRequired     uint32 = 0x80094812
	hrSIDRequired       uint32 = 0x80094821
)

// state says for people what a disposition is.
func state(disposition uint32) string {
	switch disposition {
	case dispIssued:
		return "is issued"
	case dispDenied:
		return "is denied"
	case dispRevoked:
		return "was issued, and is revoked"
	case dispPending:
		return "is held"
	}
	return fmt.Sprintf("has the disposition %d", disposition)
}

// hresultText returns the symbolic name and the text of a code as an English CA shows them; both are "" for a code
// that the authority does not know.
func hresultText(code uint32) (name, text string) {
	switch code {
	case hrInvalidArg:
		return "ERROR_INVALID_PARAMETER", "The parameter is incorrect."
	case hrBadSignature:
		return "NTE_BAD_SIGNATURE", "Invalid Signature."
	case hrUnknownAlgorithm:
		return "CRYPT_E_UNKNOWN_ALGO", "Unknown cryptographic algorithm."
	case hrInvalidMsgType:
		return "CRYPT_E_INVALID_MSG_TYPE", "Invalid cryptographic message type."
	case hrASN1EndOfData:
		return "CRYPT_E_ASN1_EOD", "ASN1 unexpected end of data."
	case hrInvalidData:
		return "ERROR_INVALID_DATA", "The data is invalid."
	case hrASN1BadTag:
		return "CRYPT_E_ASN1_BADTAG", "ASN1 bad tag value met."
	case hrServerSuspended:
		return "CERTSRV_E_SERVER_SUSPENDED", "Certificate service has been suspended for a database restore operation."
	}
	return certsrvText(code)
}

// certsrvText is hresultText for the codes of the CA itself (0x800940xx) and of its policy module (0x800948xx).
func certsrvText(code uint32) (name, text string) {
	switch code {
	case hrBadRequestSubject:
		return "CERTSRV_E_BAD_REQUESTSUBJECT", "The request subject name is invalid or too long."
	case hrBadRequestStatus:
		return "CERTSRV_E_BAD_REQUESTSTATUS", "The request's current status does not allow this operation."
	case hrPropertyEmpty:
		return "CERTSRV_E_PROPERTY_EMPTY", "The requested property value is empty."
	case hrEnrollDenied:
		return "CERTSRV_E_ENROLL_DENIED",
			"The permissions on this CA do not allow the current user to enroll for certificates."
	case hrTemplateDenied:
		return "CERTSRV_E_TEMPLATE_DENIED",
			"The permissions on the certificate template do not allow the current user to enroll for this type of certificate."
	case hrAdminDenied:
		return "CERTSRV_E_ADMIN_DENIED_REQUEST", "The request was denied by a certificate manager or CA administrator."
	case hrWeakKey:
		return "CERTSRV_E_WEAK_SIGNATURE_OR_KEY", "The request contains a weak signature or key."
	case hrUnsupportedType:
		return "CERTSRV_E_UNSUPPORTED_CERT_TYPE", "The requested certificate template is not supported by this CA."
	case hrNoCertType:
		return "CERTSRV_E_NO_CERT_TYPE", "The request contains no certificate template information."
	case hrTemplateConflict:
		return "CERTSRV_E_TEMPLATE_CONFLICT", "The request contains conflicting template information."
	case hrTemplateVersion:
		return "CERTSRV_E_BAD_TEMPLATE_VERSION",
			"The request template version is newer than the supported template version."
	case hrSignaturePolicy:
		return "CERTSRV_E_SIGNATURE_POLICY_REQUIRED", "The request is missing required signature policy information."
	case hrUPNRequired:
		return "CERTSRV_E_SUBJECT_UPN_REQUIRED",
			"The User Principal Name is unavailable and cannot be added to the Subject Alternate name."
	case hrDNSRequired:
		return "CERTSRV_E_SUBJECT_DNS_REQUIRED",
			"The DNS name is unavailable and cannot be added to the Subject Alternate name."
	case hrKeyLength:
		return "CERTSRV_E_KEY_LENGTH",
			"The public key does not meet the minimum size required by the specified certificate template."
	case hrEmailRequired:
		return "CERTSRV_E_SUBJECT_EMAIL_REQUIRED",
			"The EMail name is unavailable and cannot be added to the Subject or Subject Alternate name."
	case hrSIDRequired:
		return "CERTSRV_E_SEC_EXT_DIRECTORY_SID_REQUIRED",
			"The SID of the requester is unavailable and cannot be added to the security extension."
	}
	return signedText(code)
}

// describe returns a code as Windows writes it at the end of a message: text, hexadecimal, decimal and name.
func describe(code uint32) string {
	name, text := hresultText(code)
	if name == "" {
		return fmt.Sprintf("0x%08x (%d)", code, int32(code))
	}
	switch facility := code >> 16 & 0x1FFF; facility {
	case 7: // FACILITY_WIN32: Windows shows the Win32 error inside
		return fmt.Sprintf("%s 0x%08x (WIN32: %d %s)", text, code, code&0xFFFF, name)
	default:
		return fmt.Sprintf("%s 0x%08x (%d %s)", text, code, int32(code), name)
	}
}

// refusal is why the authority does not do what a caller asks.
type refusal struct {
	code uint32
	// stage is where it happened, in the words of a CA's database: "Error Parsing Request", …
	stage string
	// detail is put between stage and description; may be "".
	detail string
	// text replaces the whole description; may be "".
	text string
}

// The stages of a request as a CA names them.
const (
	stageParse  = "Error Parsing Request"
	stageVerify = "Error Verifying Request Signature or Signing Certificate"
	stagePolicy = "Denied by Policy Module"
	stageBuild  = "Error Constructing or Publishing Certificate"
)

func parseError(code uint32) *refusal  { return &refusal{code: code, stage: stageParse} }
func policyError(code uint32) *refusal { return &refusal{code: code, stage: stagePolicy} }

// message is the disposition message: two blanks after the stage, as Windows has them.
func (r *refusal) message() string {
	if r.text != "" {
		return r.stage + "  " + r.text
	}
	if r.detail != "" {
		return fmt.Sprintf("%s  0x%08x, %s\r\n%s", r.stage, r.code, r.detail, describe(r.code))
	}
	return r.stage + "  " + describe(r.code)
}

// denied tells a refusal by policy from a failure.
func (r *refusal) denied() bool { return r.stage == stagePolicy }
