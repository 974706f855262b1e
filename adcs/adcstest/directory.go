package adcstest

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// Entry is an account in the server's directory: what a real CA reads from Active Directory when it builds the subject
// of a certificate, and when it asks whether an account may enroll. Fields that are "" are attributes without a value.
//
// An account that can log on but has no entry is treated as if it had one with a common name, a user principal name
// (a computer: a DNS name) in the domain of the CA's host, and a SID that depends on the account's name alone.
type Entry struct {
	// Account is DOMAIN\name; a computer's name ends in $. Required; compared without regard to case.
	Account string
	// CommonName is the cn attribute; "" for the account's name without its domain.
	CommonName string
	// DN is the distinguished name as an RFC 4514 string, say "CN=Alice,OU=People,DC=corp,DC=test".
	DN string
	// DNSName is the dNSHostName attribute of a computer.
	DNSName string
	// UPN is the userPrincipalName attribute.
	UPN string
	// Email is the mail attribute.
	Email string
	// SID is the objectSid attribute, S-1-5-21-…
	SID string
	// Groups are the groups of the account, by the names that [Template.Enroll] uses. Besides these, every account is
	// in "Everyone", "Authenticated Users", and "Domain Users" or "Domain Computers".
	Groups []string
}

// record is an [Entry] made ready for use.
type record struct {
	Entry
	name     string // the account without its domain
	dn       []byte // Name, DER; nil without a DN
	computer bool
}

// directory finds records by account in lower case. It is not written to once made.
type directory struct {
	records   map[string]*record
	dnsDomain string
}

func newDirectory(entries []Entry, host string) (*directory, error) {
	_, dnsDomain, _ := strings.Cut(host, ".")
	d := &directory{records: make(map[string]*record, len(entries)), dnsDomain: dnsDomain}
	for i, e := range entries {
		r, err := newRecord(e)
		if err != nil {
			return nil, fmt.Errorf("directory entry %d (%s): %v", i, e.Account, err)
		}
		key := strings.ToLower(e.Account)
		if d.records[key] != nil {
			return nil, fmt.Errorf("directory entry %d: %s is there twice", i, e.Account)
		}
		d.records[key] = r
	}
	return d, nil
}

func newRecord(e Entry) (*record, error) {
	domain, name, ok := strings.Cut(e.Account, `\`)
	if !ok || domain == "" || name == "" {
		return nil, fmt.Errorf("account %q is not DOMAIN\\name", e.Account)
	}
	r := &record{Entry: e, name: name, computer: strings.HasSuffix(name, "$")}
	r.CommonName = cmp.Or(e.CommonName, strings.TrimSuffix(name, "$"))
	if e.DN != "" {
		var err error
		if r.dn, err = encodeDN(e.DN); err != nil {
			return nil, err
		}
	}
	if e.SID != "" {
		if err := adcsasn1.ValidSID(e.SID); err != nil {
			return nil, err
		}
	}
	names := adcsasn1.SAN{}
	addName(&names.DNS, e.DNSName)
	addName(&names.UPN, e.UPN)
	addName(&names.Email, e.Email)
	return r, names.Validate()
}

func addName(list *[]string, name string) {
	if name != "" {
		*list = append(*list, name)
	}
}

// lookup returns the record of an account that has logged on.
func (d *directory) lookup(c caller) *record {
	if r := d.records[strings.ToLower(c.account())]; r != nil {
		return r
	}
	r := &record{Entry: Entry{Account: c.account()}, name: c.user, computer: strings.HasSuffix(c.user, "$")}
	r.CommonName = strings.TrimSuffix(c.user, "$")
	r.SID = cmp.Or(c.sid, inventSID(c))
	switch {
	case d.dnsDomain == "":
	case r.computer:
		r.DNSName = strings.ToLower(r.CommonName) + "." + d.dnsDomain
	default:
		r.UPN = c.user + "@" + d.dnsDomain
	}
	return r
}

// inventSID makes a SID for an account that has none in the directory. It is the same in every process.
func inventSID(c caller) string {
	domain := sha256.Sum256([]byte(strings.ToLower(c.domain)))
	account := sha256.Sum256([]byte(strings.ToLower(c.account())))
	word := func(sum [sha256.Size]byte, i int) uint32 { return binary.BigEndian.Uint32(sum[4*i:]) }
	const firstRID = 1000 // those below are built-in accounts
	return fmt.Sprintf("S-1-5-21-%d-%d-%d-%d", word(domain, 0), word(domain, 1), word(domain, 2),
		firstRID+word(account, 0)%1_000_000)
}

// principals is a set of accounts, groups and SIDs, in lower case. A nil set is everybody.
type principals map[string]bool

func newPrincipals(names []string) principals {
	if names == nil {
		return nil
	}
	p := make(principals, len(names))
	for _, n := range names {
		p[strings.ToLower(n)] = true
	}
	return p
}

// has reports whether the account, its SID or one of its groups is in the set.
func (p principals) has(r *record) bool {
	if p == nil || p[strings.ToLower(r.Account)] || p["everyone"] || p["authenticated users"] {
		return true
	}
	if p["domain computers"] && r.computer || p["domain users"] && !r.computer {
		return true
	}
	if r.SID != "" && p[strings.ToLower(r.SID)] {
		return true
	}
	for _, g := range r.Groups {
		if p[strings.ToLower(g)] {
			return true
		}
	}
	return false
}
