package discovery

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestDefaultTemplates has the templates that an enterprise CA comes with: nothing about them is dangerous, and none
// builds the subject of devices but those that the account may enroll for.
func TestDefaultTemplates(t *testing.T) {
	const (
		admins      = domain + "512"
		enterprise  = domain + "519"
		computers   = domain + "515"
		controllers = domain + "516"
		readOnly    = domain + "498"
		radius      = domain + "553"
		everyDC     = SID("S-1-5-9")
		serverAuth  = "1.3.6.1.5.5.7.3.1"
		encryptFile = "1.3.6.1.4.1.311.10.3.4"
		mail        = "1.3.6.1.5.5.7.3.4"
	)
	const person = SubjectDirectoryPath | SubjectEmail | NameUPN | NameEmail
	for _, c := range []struct {
		name       string
		schema     int
		names      NameFlags
		enrollment EnrollmentFlags
		purposes   []string
		signatures int
		who        []SID
		mine       bool // domain users may enroll
	}{
		{"User", 1, person, 0x29, []string{PurposeClientAuth, mail, encryptFile}, 0, []SID{users}, true},
		{"EFS", 1, SubjectDirectoryPath | NameUPN, 0x29, []string{encryptFile}, 0, []SID{users}, true},
		{"ClientAuth", 1, SubjectDirectoryPath | NameUPN, 0x20, []string{PurposeClientAuth}, 0, []SID{users}, true},
		{"Administrator", 1, person, 0x29, []string{"1.3.6.1.4.1.311.10.3.1", PurposeClientAuth}, 0, nil, false},
		{"Machine", 1, SubjectDNSAsCN | NameDNS, 0x20, []string{PurposeClientAuth, serverAuth}, 0, []SID{computers}, false},
		{"Workstation", 2, NameDNS, 0x20, []string{PurposeClientAuth}, 0, []SID{computers}, false},
		{"DomainController", 1, SubjectDNSAsCN | NameDNS | NameDirectoryGUID, 0x28, []string{PurposeClientAuth, serverAuth}, 0,
			[]SID{controllers, readOnly, everyDC}, false},
		{"KerberosAuthentication", 2, NameDomainDNS | NameDNS, 0x20,
			[]string{PurposeClientAuth, serverAuth, PurposeSmartcardLogon, "1.3.6.1.5.2.3.5"}, 0,
			[]SID{controllers, readOnly, everyDC}, false},
		{"RASAndIASServer", 2, SubjectCommonName | NameDNS, 0x20, []string{PurposeClientAuth, serverAuth}, 0, []SID{radius}, false},
		{"WebServer", 1, NameEnrolleeSupplies, 0, []string{serverAuth}, 0, nil, false},
		{"OfflineRouter", 1, NameEnrolleeSupplies, 0, []string{PurposeClientAuth}, 0, nil, false},
		{"SubCA", 1, NameEnrolleeSupplies, 0, nil, 0, nil, false},
		{"CrossCA", 2, NameEnrolleeSupplies, 8, nil, 1, nil, false},
		{"EnrollmentAgent", 1, SubjectDirectoryPath | NameUPN, 0x20, []string{PurposeEnrollmentAgent}, 0, nil, false},
		{"EnrollmentAgentOffline", 1, NameEnrolleeSupplies, 0, []string{PurposeEnrollmentAgent}, 0, nil, false},
		{"SmartcardLogon", 1, SubjectDirectoryPath | NameUPN, 0, []string{PurposeClientAuth, PurposeSmartcardLogon}, 0, nil, false},
		{"KeyRecoveryAgent", 2, SubjectDirectoryPath | NameUPN, 0x27, []string{"1.3.6.1.4.1.311.21.6"}, 0, nil, false},
		{"OCSPResponseSigning", 3, SubjectDNSAsCN | NameDNS, 0x5000, []string{"1.3.6.1.5.5.7.3.9"}, 0, nil, false},
	} {
		// The masks are those that Windows writes: RPWPCR for an extended right, everything but CR, and to read.
		access := Access{Owner: enterprise}
		for _, sid := range append([]SID{admins, enterprise}, c.who...) {
			access.aces = append(access.aces, ace{mask: 0x00000130, object: guidEnroll, sid: sid})
		}
		access.aces = append(access.aces, ace{mask: 0x000f00ff, sid: admins}, ace{mask: 0x000f00ff, sid: enterprise},
			ace{mask: 0x00020094, sid: SIDAuthenticatedUsers})
		s := snapshot()
		s.Templates = []*Template{{
			Name: c.name, Schema: c.schema, NameFlags: c.names, EnrollmentFlags: c.enrollment, EKUs: c.purposes,
			Signatures: c.signatures, Access: access, CAs: []string{"CA"},
		}}
		var codes []Code
		for _, f := range s.Findings() {
			codes = append(codes, f.Code)
		}
		if c.mine {
			assert.Equal(t, []Code{FindingDirectorySubject}, codes, c.name)
		} else {
			assert.Empty(t, codes, c.name)
		}
	}
}
