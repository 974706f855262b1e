package adcstest

import (
	"crypto/x509"
	"time"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/dcom"
)

// Authority is the certification authority without the RPC server in front of it.
type Authority struct{ a *authority }

// AuthorityConfig is authorityConfig with fields that an external test can set.
type AuthorityConfig struct {
	Name, Host          string
	Templates           []Template
	Directory           []Entry
	Managers, Enrollers []string
	Officers, Readers   []string
	Profile             Profile
	Now                 func() time.Time
}

// AuthorityCall is a CertServerRequest.
type AuthorityCall struct {
	Account            [2]string // domain and name
	Flags, RequestID   uint32
	Authority          string
	Attributes, Raw    []byte
	OtherKey           bool
	Subject            string
	RequestIDOffset    uint32
	Expired            bool
	OtherIssuer        bool
	OtherLeaf, NoChain bool
}

// AuthorityAnswer is what it answers.
type AuthorityAnswer struct {
	RequestID, Disposition, Return uint32
	Cert, EncodedCert, Message     []byte
}

func NewAuthority(c AuthorityConfig) (*Authority, error) {
	a, err := newAuthority(authorityConfig{
		name: c.Name, host: c.Host, templates: c.Templates, directory: c.Directory, managers: c.Managers,
		enrollers: c.Enrollers, officers: c.Officers, readers: c.Readers, profile: c.Profile, now: c.Now,
	})
	return &Authority{a}, err
}

func (a *Authority) Call(c AuthorityCall) AuthorityAnswer {
	out := a.a.certServerRequest(
		caller{domain: c.Account[0], user: c.Account[1], level: levelPrivacy},
		certServerRequest{
			flags: c.Flags, authority: c.Authority, requestID: c.RequestID, attributes: c.Attributes, request: c.Raw,
		},
		tampering{
			otherKey: c.OtherKey, subject: c.Subject, requestIDOffset: c.RequestIDOffset, expired: c.Expired,
			otherIssuer: c.OtherIssuer, otherLeaf: c.OtherLeaf, omitChain: c.NoChain,
		})
	return AuthorityAnswer{out.requestID, out.disposition, out.ret, out.cert, out.encodedCert, out.message}
}

func (a *Authority) Approve(id uint32) error        { return a.a.approve(id) }
func (a *Authority) Deny(id uint32) error           { return a.a.deny(id) }
func (a *Authority) Requests() []RequestInfo        { return a.a.requests() }
func (a *Authority) Certificate() *x509.Certificate { return a.a.certificate() }
func (a *Authority) Chain() []*x509.Certificate     { return a.a.chain() }

// Attribute is one parsed line of pctbAttribs.
type Attribute struct{ Name, Value string }

// ParseAttributes decodes and parses pctbAttribs.
func ParseAttributes(blob []byte) ([]Attribute, bool) {
	text, ok := attributeText(blob)
	var list []Attribute
	for _, a := range parseAttributes(text) {
		list = append(list, Attribute{a.name, a.value})
	}
	return list, ok
}

// WireString encodes a string as it is on the wire.
func WireString(s string) []byte { return wireString(s) }

// NamesOf returns the three names of a CA.
func NamesOf(name string) []string { return namesOf(name) }

// EncodeDN encodes a distinguished name of the directory.
func EncodeDN(dn string) ([]byte, error) { return encodeDN(dn) }

// RolesOf are the roles of an account of the domain CORP.
func (a *Authority) RolesOf(user string) uint32 {
	return a.a.rolesOf(caller{domain: "CORP", user: user})
}

func (a *Authority) Resubmit(id uint32) (disposition, hr uint32) {
	return a.a.resubmit(caller{domain: "CORP", user: "admin"}, id)
}
func (a *Authority) DenyRequest(id uint32) uint32 { return a.a.denyBy(`CORP\admin`, id) }
func (a *Authority) Revoke(serial string, reason uint32, effective time.Time) uint32 {
	return a.a.revoke(`CORP\admin`, serial, reason, effective)
}
func (a *Authority) Validity(serial string) (reason, disposition uint32) { return a.a.validity(serial) }
func (a *Authority) PublishCRLs(next time.Time, flags uint32) uint32 {
	return a.a.publishCRLs(`CORP\admin`, next, flags)
}
func (a *Authority) Renew(newKey bool) error           { return a.a.renew(newKey) }
func (a *Authority) Certificates() []*x509.Certificate { return a.a.certificates() }
func (a *Authority) CrossCertificates(i int) (forward, backward []byte) {
	return a.a.crossCertificates(i)
}
func (a *Authority) CRLs(delta bool) ([]*x509.RevocationList, error) { return a.a.crlList(delta) }

// Property is GetCAProperty, CACert is GetCACert.
func (a *Authority) Property(id, index, typ int32) ([]byte, uint32) {
	return a.a.property(id, index, typ)
}
func (a *Authority) CACert(what uint32) ([]byte, uint32) { return a.a.caCert(what) }

// Properties are those that the CA says it has.
func (a *Authority) Properties() []dcom.Property { return a.a.properties() }

// View is a view of the CA's database as one object has it.
type View struct {
	a    *authority
	slot viewSlot
}

func (a *Authority) NewView() *View { return &View{a: a.a, slot: viewSlot{count: &viewCount{}}} }

func (v *View) Open(m csra.OpenView) csra.Table          { return v.slot.open(v.a, newSchema(), &m) }
func (v *View) Enumerate(first, count uint32) csra.Table { return v.slot.enumerate(first, count) }
func (v *View) Close() uint32                            { return v.slot.close() }

// Columns is EnumViewColumnTable.
func Columns(table, first, count uint32) csra.Table { return newSchema().columns(table, first, count) }

// DefaultColumns is GetViewDefaultColumnSet.
func DefaultColumns(set uint32) ([]uint32, bool) { return defaultColumns(set) }
