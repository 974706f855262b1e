package wsproto

// Reason is a machine reason. The set is closed: a receiver treats one that it does not know like no reason.
type Reason string

// The reasons. They say why an offer was refused, why a job ended as it did, or what is wrong with a CA.
const (
	ReasonBusy        Reason = "busy"         // the connector has no capacity left
	ReasonDraining    Reason = "draining"     // the connector takes no new jobs
	ReasonNotAssigned Reason = "not-assigned" // the CA is not assigned to this connector
	ReasonInternal    Reason = "internal"     // the connector failed
	ReasonCredential  Reason = "credential"   // the credential for the CA is stopped after a failed logon

	ReasonPolicy          Reason = "policy"           // local policy, no closer reason
	ReasonPolicyCA        Reason = "policy-ca"        // local policy: the CA
	ReasonPolicyTemplate  Reason = "policy-template"  // local policy: the template
	ReasonPolicySubject   Reason = "policy-subject"   // local policy: the subject
	ReasonPolicyName      Reason = "policy-name"      // local policy: a subject alternative name
	ReasonPolicySID       Reason = "policy-sid"       // local policy: the SID
	ReasonPolicyRate      Reason = "policy-rate"      // local policy: too many orders
	ReasonPolicyPassword  Reason = "policy-password"  // local policy: passwords may not be ordered
	ReasonPolicyRecipient Reason = "policy-recipient" // local policy: the recipient is not pinned

	ReasonOrderInvalid     Reason = "order-invalid"     // the order is malformed or contradicts itself
	ReasonOrderCritical    Reason = "order-critical"    // a critical member is not understood
	ReasonOrderUnsupported Reason = "order-unsupported" // the order asks for what this connector cannot do

	ReasonCheckpointMaker     Reason = "checkpoint-maker"     // made by a connector that is not pinned
	ReasonCheckpointAccount   Reason = "checkpoint-account"   // made with another CA account
	ReasonCheckpointOrder     Reason = "checkpoint-order"     // made for another order
	ReasonCheckpointJob       Reason = "checkpoint-job"       // made for another tenant, job or attempt
	ReasonCheckpointKey       Reason = "checkpoint-key"       // the key in it does not match the request
	ReasonCheckpointSignature Reason = "checkpoint-signature" // its signature does not verify
	ReasonCheckpointSealed    Reason = "checkpoint-sealed"    // it is not encrypted to this connector

	ReasonLease       Reason = "lease"        // no lease, or it ended before the submit
	ReasonSuperseded  Reason = "superseded"   // a newer attempt exists
	ReasonCancelled   Reason = "cancelled"    // by the tenant
	ReasonDeadline    Reason = "deadline"     // the time of the job ran out
	ReasonNoConnector Reason = "no-connector" // no connector can serve the order

	ReasonCAUnavailable Reason = "ca-unavailable" // not reached, or it does not answer
	ReasonCALogon       Reason = "ca-logon"       // the CA's host refused the credential
	ReasonCAAccess      Reason = "ca-access"      // the account may not use the CA
	ReasonCADenied      Reason = "ca-denied"      // denied by the CA's policy or its manager
	ReasonCATemplate    Reason = "ca-template"    // the CA does not issue this template, or not to this account
	ReasonCARequest     Reason = "ca-request"     // the CA finds the request wrong: key, subject, encoding
	ReasonCAHeld        Reason = "ca-held"        // held for the CA's manager
	ReasonCAFailed      Reason = "ca-failed"      // any other failure at the CA
	ReasonAnswerLost    Reason = "answer-lost"    // the CA's answer is lost after the request may have been sent

	ReasonCertificateKey      Reason = "certificate-key"      // issued for another key
	ReasonCertificateName     Reason = "certificate-name"     // issued with other names
	ReasonCertificateChain    Reason = "certificate-chain"    // issued, but no chain to a trusted root
	ReasonCertificateMismatch Reason = "certificate-mismatch" // issued, but otherwise not what was ordered
	ReasonBundle              Reason = "bundle"               // the .p12 could not be made
)

// Reasons lists all reasons, as PROTOCOL.md does.
func Reasons() []Reason {
	return []Reason{
		ReasonBusy, ReasonDraining, ReasonNotAssigned, ReasonInternal, ReasonCredential,
		ReasonPolicy, ReasonPolicyCA, ReasonPolicyTemplate, ReasonPolicySubject, ReasonPolicyName, ReasonPolicySID,
		ReasonPolicyRate, ReasonPolicyPassword, ReasonPolicyRecipient,
		ReasonOrderInvalid, ReasonOrderCritical, ReasonOrderUnsupported,
		ReasonCheckpointMaker, ReasonCheckpointAccount, ReasonCheckpointOrder, ReasonCheckpointJob, ReasonCheckpointKey,
		ReasonCheckpointSignature, ReasonCheckpointSealed,
		ReasonLease, ReasonSuperseded, ReasonCancelled, ReasonDeadline, ReasonNoConnector,
		ReasonCAUnavailable, ReasonCALogon, ReasonCAAccess, ReasonCADenied, ReasonCATemplate, ReasonCARequest,
		ReasonCAHeld, ReasonCAFailed, ReasonAnswerLost,
		ReasonCertificateKey, ReasonCertificateName, ReasonCertificateChain, ReasonCertificateMismatch, ReasonBundle,
	}
}
