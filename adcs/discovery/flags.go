package discovery

// GeneralFlags are the flags of a template (MS-CRTD 2.4).
type GeneralFlags uint32

// The general flags that matter.
const (
	FlagMachineType GeneralFlags = 0x00000040 // for machines, not users
	FlagIsCA        GeneralFlags = 0x00000080 // for CA certificates
	FlagDontPersist GeneralFlags = 0x00001000 // the CA need not keep a row
)

// NameFlags say where subject and alternative names come from (MS-CRTD 2.28).
type NameFlags uint32

// The name flags. Those from NameDomainDNS on have the CA take a value from the requester's object in the directory.
const (
	NameEnrolleeSupplies    NameFlags = 0x00000001 // subject, and with it everything else, from the request
	NameFromOldCertificate  NameFlags = 0x00000008 // renewals keep subject and names
	NameEnrolleeSuppliesAlt NameFlags = 0x00010000 // alternative names from the request
	NameDomainDNS           NameFlags = 0x00400000
	NameSPN                 NameFlags = 0x00800000
	NameDirectoryGUID       NameFlags = 0x01000000
	NameUPN                 NameFlags = 0x02000000
	NameEmail               NameFlags = 0x04000000
	NameDNS                 NameFlags = 0x08000000
	SubjectDNSAsCN          NameFlags = 0x10000000
	SubjectEmail            NameFlags = 0x20000000
	SubjectCommonName       NameFlags = 0x40000000
	SubjectDirectoryPath    NameFlags = 0x80000000
)

// EnrollmentFlags say how requests are treated (MS-CRTD 2.26).
type EnrollmentFlags uint32

// The enrollment flags.
const (
	EnrollSMIMECapabilities   EnrollmentFlags = 0x00000001
	EnrollPendAll             EnrollmentFlags = 0x00000002 // a manager approves
	EnrollPublishToKRA        EnrollmentFlags = 0x00000004
	EnrollPublishToDirectory  EnrollmentFlags = 0x00000008
	EnrollCheckUserCert       EnrollmentFlags = 0x00000010
	EnrollAuto                EnrollmentFlags = 0x00000020
	EnrollReenrollBySignature EnrollmentFlags = 0x00000040 // a renewal is approved by the old certificate
	EnrollUserInteraction     EnrollmentFlags = 0x00000100
	EnrollRemoveInvalid       EnrollmentFlags = 0x00000400
	EnrollOnBehalfOf          EnrollmentFlags = 0x00000800
	EnrollOCSPNoCheck         EnrollmentFlags = 0x00001000
	EnrollReuseKeyOnFullToken EnrollmentFlags = 0x00002000
	EnrollNoRevocationInfo    EnrollmentFlags = 0x00004000
	EnrollBasicConstraints    EnrollmentFlags = 0x00008000
	EnrollKeyBasedRenewal     EnrollmentFlags = 0x00010000
	EnrollPoliciesFromRequest EnrollmentFlags = 0x00020000
	EnrollSkipAutoRenewal     EnrollmentFlags = 0x00040000
	EnrollNoSecurityExtension EnrollmentFlags = 0x00080000 // no SID extension
)

// KeyFlags say what keys are for a template (MS-CRTD 2.27).
type KeyFlags uint32

// The key flags.
const (
	KeyArchival           KeyFlags = 0x00000001 // the CA wants the private key, too
	KeyExportable         KeyFlags = 0x00000010
	KeyStrongProtection   KeyFlags = 0x00000020
	KeyAlternateSignature KeyFlags = 0x00000040
	KeySameForRenewal     KeyFlags = 0x00000080
	KeyLegacyProvider     KeyFlags = 0x00000100
	KeyAttestPreferred    KeyFlags = 0x00001000
	KeyAttestRequired     KeyFlags = 0x00002000
)

// Has reports whether all of some flags are set.
func (f GeneralFlags) Has(flags GeneralFlags) bool { return f&flags == flags }

// Has reports whether all of some flags are set.
func (f NameFlags) Has(flags NameFlags) bool { return f&flags == flags }

// Has reports whether all of some flags are set.
func (f EnrollmentFlags) Has(flags EnrollmentFlags) bool { return f&flags == flags }

// Has reports whether all of some flags are set.
func (f KeyFlags) Has(flags KeyFlags) bool { return f&flags == flags }
