package adtest

import "time"

// Security descriptors of templates, in SDDL.
const (
	// AdminsEnroll lets domain and enterprise administrators enroll and write, and authenticated users read.
	AdminsEnroll = "O:EAG:EAD:PAI(OA;;RPWPCR;" + EnrollRight + ";;DA)(OA;;RPWPCR;" + EnrollRight + ";;EA)" +
		"(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;EA)(A;;LCRPLORC;;;AU)"
	// UsersEnroll lets domain users enroll too, ComputersEnroll domain computers, who also enroll by themselves.
	UsersEnroll     = AdminsEnroll + "(OA;;RPWPCR;" + EnrollRight + ";;DU)"
	ComputersEnroll = AdminsEnroll + "(OA;;RPWPCR;" + EnrollRight + ";;DC)(OA;;RPWPCR;" + AutoEnrollRight + ";;DC)"
)

// EnrollSDDL lets an account enroll, and authenticated users only read.
func EnrollSDDL(sid string) string {
	return "O:EAG:EAD:PAI(OA;;CR;" + EnrollRight + ";;" + sid + ")(A;;LCRPLORC;;;AU)"
}

// The purposes of certificates, as extended key usage.
const (
	ClientAuth     = "1.3.6.1.5.5.7.3.2"
	ServerAuth     = "1.3.6.1.5.5.7.3.1"
	SecureEmail    = "1.3.6.1.5.5.7.3.4"
	SmartcardLogon = "1.3.6.1.4.1.311.20.2.2"
	encryptedFiles = "1.3.6.1.4.1.311.10.3.4"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// defaultTemplates are some that AD CS installs, with its values (MS-CRTD 3, appendix A), and so of schema version 1.
func defaultTemplates() []Template {
	return []Template{{
		Name: "User", SchemaVersion: 1, Flags: 0x1023a, EnrollmentFlags: 0x29, NameFlags: 0xa6000000, KeyFlags: 0x10,
		MinKeySize: 2048, EKUs: []string{encryptedFiles, SecureEmail, ClientAuth},
		Validity: year, Renewal: 42 * day, SDDL: UsersEnroll,
	}, {
		Name: "Machine", DisplayName: "Computer", SchemaVersion: 1, Flags: 0x10260, EnrollmentFlags: 0x20,
		NameFlags: 0x18000000, MinKeySize: 2048, EKUs: []string{ClientAuth, ServerAuth},
		Validity: year, Renewal: 42 * day, SDDL: ComputersEnroll,
	}, {
		Name: "WebServer", DisplayName: "Web Server", SchemaVersion: 1, Flags: 0x10241, NameFlags: 1,
		MinKeySize: 2048, EKUs: []string{ServerAuth}, Validity: 2 * year, Renewal: 42 * day,
	}}
}

// templateLDIF is the default templates as LDIF.
func templateLDIF() string {
	ldif := ""
	for _, t := range defaultTemplates() {
		ldif += t.entry().ldif(rdn(t.Name) + "," + templatesDN)
	}
	return ldif
}
