package discovery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Account is whose rights are judged.
type Account struct {
	Name string // as Windows writes it, sAMAccountName
	DN   string // "" for an account of another domain than the server's
	SID  SID
	// Token is the SID and those of all groups that the account is in, directly or not.
	Token []SID
}

// String is the name, or else the SID.
func (a Account) String() string {
	if a.Name != "" {
		return a.Name
	}
	return string(a.SID)
}

// maxToken bounds the groups of an account. Windows allows 1,015.
const maxToken = 5000

// account finds out who is logged on, or another account of the server's domain.
func (d *directory) account(root object, name string) (Account, error) {
	var p problems
	domain := root.text("defaultNamingContext", &p)
	if name == "" {
		return d.self(domain)
	}
	a, err := d.find(domain, name)
	if err != nil {
		return Account{}, err
	}
	token, err := d.base(a.DN, "tokenGroups")
	if err != nil {
		return Account{}, err
	}
	return a, a.setToken(token)
}

// self is who is logged on: the server tells what is in the token of the connection (rootDSE's tokenGroups, MS-ADTS
// 3.1.1.3.2), of which one SID is no group's. There is none in the directory if the account is of another domain.
func (d *directory) self(domain string) (a Account, err error) {
	token, err := d.base("", "tokenGroups")
	if err != nil {
		return a, err
	}
	if err := a.setToken(token); err != nil {
		return a, err
	}
	var candidates []SID
	for _, sid := range a.Token {
		if sid.domainRID() != "" {
			candidates = append(candidates, sid)
		}
	}
	for part := range slices.Chunk(candidates, principalsAtOnce) {
		filter := "(&(objectClass=user)" + anySID(part) + ")"
		found, err := d.search(domain, ldap.ScopeWholeSubtree, filter, accountAttributes())
		if err != nil {
			return a, err
		}
		if len(found) == 1 {
			return a, a.set(found[0])
		}
	}
	if len(a.Token) > 0 {
		a.SID = a.Token[0]
	}
	return a, nil
}

func accountAttributes() []string { return []string{"sAMAccountName", "objectSid"} }

// set takes name and SID of an object.
func (a *Account) set(o object) (err error) {
	var p problems
	a.Name, a.DN = o.text("sAMAccountName", &p), o.dn
	if sids := o.values("objectSid"); len(sids) == 1 {
		a.SID, err = wholeSID(sids[0])
	}
	return err
}

// setToken takes the groups of an object.
func (a *Account) setToken(o object) error {
	if a.SID != "" {
		a.Token = []SID{a.SID}
	}
	values := o.values("tokenGroups")
	if len(values) == 0 {
		return errNoGroups // everybody is in a group
	}
	if len(values) > maxToken {
		return fmt.Errorf("%w: %d groups of an account", ErrTooLarge, len(values))
	}
	for _, v := range values {
		sid, err := wholeSID(v)
		if err != nil {
			return err
		}
		if !slices.Contains(a.Token, sid) {
			a.Token = append(a.Token, sid)
		}
	}
	return nil
}

// find looks an account up by any form of its name.
func (d *directory) find(domain, name string) (a Account, err error) {
	sam, upn := name, name
	if _, after, ok := strings.Cut(name, `\`); ok {
		sam, upn = after, after
	} else if before, _, ok := strings.Cut(name, "@"); ok {
		sam = before
	}
	filter := fmt.Sprintf("(&(objectSid=*)(|(sAMAccountName=%s)(userPrincipalName=%s)))",
		ldap.EscapeFilter(sam), ldap.EscapeFilter(upn))
	found, err := d.search(domain, ldap.ScopeWholeSubtree, filter, accountAttributes())
	if err != nil {
		return a, err
	}
	if len(found) != 1 {
		return a, fmt.Errorf("%w: %d are named %q in the domain of the server", ErrUnknownAccount, len(found), short(name))
	}
	return a, a.set(found[0])
}

// Principal is who has a right.
type Principal struct {
	SID  SID
	Name string // "" if it is not known
	// Only is the distinguished name of the one member of a group that has no other.
	Only string
	// Empty is true for a group without members.
	Empty bool
}

// String is the name, or else the SID.
func (p Principal) String() string {
	if p.Name != "" {
		return p.Name
	}
	return string(p.SID)
}

// maxPrincipals bounds the SIDs that are looked up; the others stay without a name.
const maxPrincipals, principalsAtOnce = 1000, 50

// principals looks SIDs up. What is not found is of another domain, or gone.
func (d *directory) principals(domain string, sids []SID) (map[SID]Principal, error) {
	found := map[SID]Principal{}
	var ask []SID
	for _, sid := range sids {
		found[sid] = Principal{SID: sid, Name: sid.wellKnown()}
		// Everybody is in some groups without being a member: as primary group, or by what they are.
		if sid.wellKnown() == "" && sid.domainRID() != "" && len(ask) < maxPrincipals {
			ask = append(ask, sid)
		}
	}
	for part := range slices.Chunk(ask, principalsAtOnce) {
		objects, err := d.search(domain, ldap.ScopeWholeSubtree, anySID(part),
			append(accountAttributes(), "objectClass", "member"))
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if p, ok := newPrincipal(o); ok {
				found[p.SID] = p
			}
		}
	}
	return found, nil
}

func newPrincipal(o object) (p Principal, ok bool) {
	sids := o.values("objectSid")
	if len(sids) != 1 {
		return p, false
	}
	sid, err := wholeSID(sids[0])
	if err != nil {
		return p, false
	}
	var problems problems
	p = Principal{SID: sid, Name: o.text("sAMAccountName", &problems)}
	isGroup := func(class []byte) bool { return strings.EqualFold(string(class), "group") }
	if !slices.ContainsFunc(o.values("objectClass"), isGroup) {
		return p, true
	}
	// Many members come as member;range=0-1499, which is another attribute.
	members, more := o.values("member"), o.hasPrefix("member;")
	p.Empty = len(members) == 0 && !more
	if len(members) == 1 && !more {
		p.Only = string(members[0])
	}
	return p, true
}

// hasPrefix reports whether there is an attribute whose name begins like this.
func (o object) hasPrefix(prefix string) bool {
	for name := range o.attrs {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// anySID is a filter for objects with one of several SIDs.
func anySID(sids []SID) string {
	var filter strings.Builder
	for _, sid := range sids {
		fmt.Fprintf(&filter, "(objectSid=%s)", escapeBytes(sid.encode()))
	}
	return "(|" + filter.String() + ")"
}

// escapeBytes writes bytes for a filter (RFC 4515 section 3).
func escapeBytes(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\%02x`, c)
	}
	return s.String()
}

// short bounds a name for an error.
func short(name string) string {
	if len(name) > 100 {
		return strings.ToValidUTF8(name[:100], "") + "..."
	}
	return name
}
