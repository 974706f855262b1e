package discovery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Limits of what is read of a directory.
const (
	pageSize   = 200
	maxObjects = 10_000 // of one search
	searchTime = 60     // seconds, for the server
)

// directory is an open connection to a directory server.
type directory struct {
	conn       *ldap.Conn
	maxObjects int
}

// asLDAP is errors.As for the error of package ldap.
func asLDAP(err error, target **ldap.Error) bool { return errors.As(err, target) }

// base reads one object.
func (d *directory) base(dn string, attributes ...string) (object, error) {
	found, err := d.search(dn, ldap.ScopeBaseObject, "(objectClass=*)", attributes)
	if err != nil {
		return object{}, err
	}
	if len(found) != 1 {
		return object{}, fmt.Errorf("discovery: reading %q: %w: %d objects", dn, ErrMalformed, len(found))
	}
	return found[0], nil
}

// search reads objects, page by page (RFC 2696). A base that does not exist holds nothing.
func (d *directory) search(dn string, scope int, filter string, attributes []string) ([]object, error) {
	var all []object
	page := ldap.NewControlPaging(pageSize)
	controls := []ldap.Control{&ldap.ControlMicrosoftSDFlags{ControlValue: ownerGroupDACL}}
	if scope != ldap.ScopeBaseObject {
		controls = append(controls, page)
	}
	request := ldap.NewSearchRequest(dn, scope, ldap.NeverDerefAliases, 0, searchTime, false, filter, attributes, controls)
	for {
		var result *ldap.SearchResult
		err := rpc.Guard(func() (err error) { result, err = d.conn.Search(request); return err })
		var e *ldap.Error
		if asLDAP(err, &e) && e.ResultCode < ldap.ErrorNetwork {
			if e.ResultCode == ldap.LDAPResultNoSuchObject {
				return nil, nil
			}
			err = &ldap.Error{ResultCode: e.ResultCode, Err: diagnosis(e.Err.Error())}
		}
		if err != nil {
			return nil, fmt.Errorf("discovery: reading %q: %w", dn, err)
		}
		for _, e := range result.Entries {
			all = append(all, newObject(e))
		}
		if len(all) > d.maxObjects {
			return nil, fmt.Errorf("discovery: reading %q: %w: %d objects", dn, ErrTooLarge, len(all))
		}
		next, ok := ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 || scope == ldap.ScopeBaseObject {
			return all, nil
		}
		if len(result.Entries) == 0 {
			return nil, fmt.Errorf("discovery: reading %q: %w: page without objects", dn, ErrMalformed)
		}
		page.SetCookie(next.Cookie)
	}
}

// ownerGroupDACL are the parts of a security descriptor that any account may read (MS-ADTS 3.1.1.3.4.1.11): who asks
// for the rest is told nothing.
const ownerGroupDACL = 7

func newObject(e *ldap.Entry) object {
	o := object{dn: e.DN, attrs: map[string][][]byte{}}
	for _, a := range e.Attributes {
		o.attrs[strings.ToLower(a.Name)] = a.ByteValues
	}
	return o
}
