package adcstest

import "github.com/adcskit/adcskit/internal/csra"

// The columns of the CA's database, as Windows Server 2022 has them (MS-CSRA section 3.1.1, note 4). Columns that this
// CA keeps nothing for are NULL in every row.

// dbColumn is a column of a table.
type dbColumn struct {
	typ  csra.Type
	id   uint32
	max  uint32 // bytes of a value
	name string
	text string // that people see
}

// indexed is the type of a column that is looked up quickly.
func indexed(t csra.Type) csra.Type { return t | csra.Indexed }

// requestColumns are the columns of the request table that speak of requests (section 3.1.1.1).
func requestColumns() []dbColumn {
	return []dbColumn{
		{indexed(csra.TypeInteger), 0x1000, 4, "Request.RequestID", "Request ID"},
		{csra.TypeBinary, 0x1001, 65536, "Request.RawRequest", "Binary Request"},
		{csra.TypeBinary, 0x1002, 65536, "Request.RawArchivedKey", "Archived Key"},
		{csra.TypeString, 0x1003, 8192, "Request.KeyRecoveryHashes", "Key Recovery Agent Hashes"},
		{csra.TypeBinary, 0x1004, 16384, "Request.RawOldCertificate", "Old Certificate"},
		{csra.TypeString, 0x1005, 32768, "Request.RequestAttributes", "Request Attributes"},
		{csra.TypeInteger, 0x1006, 4, "Request.RequestType", "Request Type"},
		{csra.TypeInteger, 0x1007, 4, "Request.RequestFlags", "Request Flags"},
		{csra.TypeInteger, 0x1008, 4, "Request.StatusCode", "Request Status Code"},
		{indexed(csra.TypeInteger), 0x1009, 4, "Request.Disposition", "Request Disposition"},
		{csra.TypeString, 0x100a, 8192, "Request.DispositionMessage", "Request Disposition Message"},
		{indexed(csra.TypeDate), 0x100b, 8, "Request.SubmittedWhen", "Request Submission Date"},
		{indexed(csra.TypeDate), 0x100c, 8, "Request.ResolvedWhen", "Request Resolution Date"},
		{csra.TypeDate, 0x100d, 8, "Request.RevokedWhen", "Revocation Date"},
		{indexed(csra.TypeDate), 0x100e, 8, "Request.RevokedEffectiveWhen", "Effective Revocation Date"},
		{csra.TypeInteger, 0x100f, 4, "Request.RevokedReason", "Revocation Reason"},
		{indexed(csra.TypeString), 0x1010, 2048, "Request.RequesterName", "Requester Name"},
		{indexed(csra.TypeString), 0x1011, 2048, "Request.CallerName", "Caller Name"},
		{csra.TypeString, 0x1012, 8192, "Request.SignerPolicies", "Signer Policies"},
		{csra.TypeString, 0x1013, 8192, "Request.SignerApplicationPolicies", "Signer Application Policies"},
		{csra.TypeInteger, 0x1014, 4, "Request.Officer", "Officer"},
		{csra.TypeString, 0x1015, 8192, "Request.DistinguishedName", "Request Distinguished Name"},
		{csra.TypeBinary, 0x1016, 4096, "Request.RawName", "Request Binary Name"},
		{csra.TypeString, 0x1017, 8192, "Request.Country", "Request Country/Region"},
		{csra.TypeString, 0x1018, 8192, "Request.Organization", "Request Organization"},
		{csra.TypeString, 0x1019, 8192, "Request.OrgUnit", "Request Organization Unit"},
		{csra.TypeString, 0x101a, 8192, "Request.CommonName", "Request Common Name"},
		{csra.TypeString, 0x101b, 8192, "Request.Locality", "Request City"},
		{csra.TypeString, 0x101c, 8192, "Request.State", "Request State"},
		{csra.TypeString, 0x101d, 8192, "Request.Title", "Request Title"},
		{csra.TypeString, 0x101e, 8192, "Request.GivenName", "Request First Name"},
		{csra.TypeString, 0x101f, 8192, "Request.Initials", "Request Initials"},
		{csra.TypeString, 0x1020, 8192, "Request.SurName", "Request Last Name"},
		{csra.TypeString, 0x1021, 8192, "Request.DomainComponent", "Request Domain Component"},
		{csra.TypeString, 0x1022, 8192, "Request.EMail", "Request Email Address"},
		{csra.TypeString, 0x1023, 8192, "Request.StreetAddress", "Request Street Address"},
		{csra.TypeString, 0x1024, 8192, "Request.UnstructuredName", "Request Unstructured Name"},
		{csra.TypeString, 0x1025, 8192, "Request.UnstructuredAddress", "Request Unstructured Address"},
		{csra.TypeString, 0x1026, 8192, "Request.DeviceSerialNumber", "Request Device Serial Number"},
		{csra.TypeBinary, 0x1027, 4096, "Request.AttestationChallenge", "Attestation Challenge"},
		{csra.TypeString, 0x1028, 144, "Request.EndorsementKeyHash", "Endorsement Key Hash"},
		{csra.TypeString, 0x1029, 144, "Request.EndorsementCertificateHash", "Endorsement Certificate Hash"},
		{csra.TypeBinary, 0x102a, 16384, "Request.RawPrecertificate", "Binary Precertificate"},
		{csra.TypeInteger, 0x102b, 4, "Request.CRLPartitionIndex", "CRL Partition Index"},
		{csra.TypeBinary, 0x102c, 16384, "Request.LinterCertificate", "Binary Linter Certificate"},
	}
}

// certificateColumns are the columns of the request table that speak of certificates (section 3.1.1.1).
func certificateColumns() []dbColumn {
	return []dbColumn{
		{indexed(csra.TypeInteger), 0x2000, 4, "RequestID", "Issued Request ID"},
		{csra.TypeBinary, 0x2001, 16384, "RawCertificate", "Binary Certificate"},
		{indexed(csra.TypeString), 0x2002, 128, "CertificateHash", "Certificate Hash"},
		{indexed(csra.TypeString), 0x2003, 254, "CertificateTemplate", "Certificate Template"},
		{csra.TypeInteger, 0x2004, 4, "EnrollmentFlags", "Template Enrollment Flags"},
		{csra.TypeInteger, 0x2005, 4, "GeneralFlags", "Template General Flags"},
		{csra.TypeInteger, 0x2006, 4, "PrivateKeyFlags", "Private Key Flags"},
		{indexed(csra.TypeString), 0x2007, 128, "SerialNumber", "Serial Number"},
		{csra.TypeInteger, 0x2008, 4, "IssuerNameId", "Issuer Name ID"},
		{csra.TypeDate, 0x2009, 8, "NotBefore", "Certificate Effective Date"},
		{indexed(csra.TypeDate), 0x200a, 8, "NotAfter", "Certificate Expiration Date"},
		{csra.TypeString, 0x200b, 128, "SubjectKeyIdentifier", "Issued Subject Key Identifier"},
		{csra.TypeBinary, 0x200c, 4096, "RawPublicKey", "Binary Public Key"},
		{csra.TypeInteger, 0x200d, 4, "PublicKeyLength", "Public Key Length"},
		{csra.TypeString, 0x200e, 254, "PublicKeyAlgorithm", "Public Key Algorithm"},
		{csra.TypeBinary, 0x200f, 4096, "RawPublicKeyAlgorithmParameters", "Public Key Algorithm Parameters"},
		{csra.TypeInteger, 0x2010, 4, "PublishExpiredCertInCRL", "Publish Expired Certificate in CRL"},
		{indexed(csra.TypeString), 0x2011, 2048, "UPN", "User Principal Name"},
		{csra.TypeString, 0x2012, 8192, "DistinguishedName", "Issued Distinguished Name"},
		{csra.TypeBinary, 0x2013, 4096, "RawName", "Issued Binary Name"},
		{csra.TypeString, 0x2014, 8192, "Country", "Issued Country/Region"},
		{csra.TypeString, 0x2015, 8192, "Organization", "Issued Organization"},
		{csra.TypeString, 0x2016, 8192, "OrgUnit", "Issued Organization Unit"},
		{indexed(csra.TypeString), 0x2017, 8192, "CommonName", "Issued Common Name"},
		{csra.TypeString, 0x2018, 8192, "Locality", "Issued City"},
		{csra.TypeString, 0x2019, 8192, "State", "Issued State"},
		{csra.TypeString, 0x201a, 8192, "Title", "Issued Title"},
		{csra.TypeString, 0x201b, 8192, "GivenName", "Issued First Name"},
		{csra.TypeString, 0x201c, 8192, "Initials", "Issued Initials"},
		{csra.TypeString, 0x201d, 8192, "SurName", "Issued Last Name"},
		{csra.TypeString, 0x201e, 8192, "DomainComponent", "Issued Domain Component"},
		{csra.TypeString, 0x201f, 8192, "EMail", "Issued Email address"},
		{csra.TypeString, 0x2020, 8192, "StreetAddress", "Issued Street Address"},
		{csra.TypeString, 0x2021, 8192, "UnstructuredName", "Issued Unstructured Name"},
		{csra.TypeString, 0x2022, 8192, "UnstructuredAddress", "Issued Unstructured Address"},
		{csra.TypeString, 0x2023, 8192, "DeviceSerialNumber", "Issued Device Serial Number"},
	}
}

// extensionColumns are the columns of the extension table (section 3.1.1.3).
func extensionColumns() []dbColumn {
	return []dbColumn{
		{indexed(csra.TypeInteger), 0x4000, 4, "ExtensionRequestId", "Extension Request Id"},
		{csra.TypeString, 0x4001, 254, "ExtensionName", "Extension Name"},
		{csra.TypeInteger, 0x4002, 4, "ExtensionFlags", "Extension Flags"},
		{csra.TypeBinary, 0x4003, 4096, "ExtensionRawValue", "Extension Raw Value"},
	}
}

// attributeColumns are the columns of the attribute table (section 3.1.1.2).
func attributeColumns() []dbColumn {
	return []dbColumn{
		{indexed(csra.TypeInteger), 0x3000, 4, "AttributeRequestId", "Attribute Request Id"},
		{csra.TypeString, 0x3001, 254, "AttributeName", "Attribute Name"},
		{csra.TypeString, 0x3002, 8192, "AttributeValue", "Attribute Value"},
	}
}

// crlColumns are the columns of the CRL table (section 3.1.1.4).
func crlColumns() []dbColumn {
	return []dbColumn{
		{indexed(csra.TypeInteger), 0x5000, 4, "CRLRowId", "CRL Row ID"},
		{indexed(csra.TypeInteger), 0x5001, 4, "CRLNumber", "CRL Number"},
		{csra.TypeInteger, 0x5002, 4, "CRLMinBase", "CRL Minimum Base"},
		{csra.TypeInteger, 0x5003, 4, "CRLNameId", "CRL Name ID"},
		{csra.TypeInteger, 0x5004, 4, "CRLCount", "CRL Count"},
		{csra.TypeDate, 0x5005, 8, "CRLThisUpdate", "CRL This Update"},
		{indexed(csra.TypeDate), 0x5006, 8, "CRLNextUpdate", "CRL Next Update"},
		{csra.TypeDate, 0x5007, 8, "CRLThisPublish", "CRL This Publish"},
		{indexed(csra.TypeDate), 0x5008, 8, "CRLNextPublish", "CRL Next Publish"},
		{csra.TypeDate, 0x5009, 8, "CRLEffective", "CRL Effective"},
		{indexed(csra.TypeDate), 0x500a, 8, "CRLPropagationComplete", "CRL Propagation Complete"},
		{indexed(csra.TypeDate), 0x500b, 8, "CRLLastPublish", "CRL Last Published"},
		{indexed(csra.TypeInteger), 0x500c, 4, "CRLPublishAttempts", "CRL Publish Attempts"},
		{csra.TypeInteger, 0x500d, 4, "CRLPublishFlags", "CRL Publish Flags"},
		{indexed(csra.TypeInteger), 0x500e, 4, "CRLPublishStatusCode", "CRL Publish Status Code"},
		{csra.TypeString, 0x500f, 8192, "CRLPublishError", "CRL Publish Error Information"},
		{csra.TypeBinary, 0x5010, 536870912, "CRLRawCRL", "CRL Raw CRL"},
		{csra.TypeInteger, 0x5011, 4, "CRLPartitionIndex", "CRL Partition Index"},
	}
}
