package adcsasn1

import "encoding/asn1"

// microsoft appends arcs to 1.3.6.1.4.1.311, the arc of Microsoft.
func microsoft(arcs ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311}, arcs...)
}

// OIDSubjectAltName is the extension of RFC 5280, section 4.2.1.6.
func OIDSubjectAltName() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 17} }

// OIDUPN is the type of the otherName that holds a user principal name (MS-WCCE section 2.2.2.7.5).
func OIDUPN() asn1.ObjectIdentifier { return microsoft(20, 2, 3) }

// OIDTemplateName is the version 1 template extension, szOID_ENROLL_CERTTYPE (MS-WCCE section 2.2.2.7.7.1).
func OIDTemplateName() asn1.ObjectIdentifier { return microsoft(20, 2) }

// OIDTemplate is the version 2 template extension, szOID_CERTIFICATE_TEMPLATE (MS-WCCE section 2.2.2.7.7.2).
func OIDTemplate() asn1.ObjectIdentifier { return microsoft(21, 7) }

// OIDApplicationPolicies is the application policy extension (MS-WCCE section 2.2.2.7.7.3).
func OIDApplicationPolicies() asn1.ObjectIdentifier { return microsoft(21, 10) }

// OIDSIDExtension is the SID security extension, szOID_NTDS_CA_SECURITY_EXT (MS-WCCE section 2.2.2.7.7.4).
func OIDSIDExtension() asn1.ObjectIdentifier { return microsoft(25, 2) }

// OIDObjectSID is the type of the otherName inside the SID security extension, szOID_NTDS_OBJECTSID.
func OIDObjectSID() asn1.ObjectIdentifier { return microsoft(25, 2, 1) }
