package connector

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/adcskit/adcskit/wsproto"
)

// Policy is what this connector may be asked to do, written by whoever runs it. A gateway cannot change it. It is plain
// data, fit for a JSON file; [Policy.Compile] turns it into [Rules]. Everything that is empty refuses.
//
// A domain rule is "corp.example" (the name itself and every name below it), ".corp.example" (only names below) or
// "=corp.example" (only the name itself). Names are compared label by label and without regard to ASCII case. Where a
// "*" is a wildcard it stands for any run of characters, also none.
type Policy struct {
	// CAs names the CAs that are served, by host and CA name, without regard to ASCII case.
	CAs []wsproto.CAAssignment `json:"cas"`
	// Templates names the certificate templates (their common names).
	Templates []string `json:"templates"`
	// Keys names the key algorithms, such as "rsa2048" and "p256".
	Keys []string `json:"keys"`
	// Subjects are patterns in the form of RFC 4514: the same attribute types in the same order, "*" in a value as a
	// wildcard ("\*" is an asterisk). The pattern "" allows an order without a subject.
	Subjects []string `json:"subjects"`
	// DirectorySubject allows orders that leave the subject to the CA and its directory.
	DirectorySubject bool `json:"directorySubject"`
	// DNS are domain rules for DNS names.
	DNS []string `json:"dns"`
	// DNSWildcards allows names such as *.corp.example, if what they stand for fits a rule in DNS.
	DNSWildcards bool `json:"dnsWildcards"`
	// UPN are domain rules for user principal names. A rule with an "@" also restricts the part before it, with "*" as
	// a wildcard: "svc-*@corp.example".
	UPN []string `json:"upn"`
	// Email are rules for e-mail addresses, in the form of UPN.
	Email []string `json:"email"`
	// URI are prefixes. One with an authority ("spiffe://corp.example/device/") needs the same scheme and host and a
	// path below; any other ("urn:device:") is compared as text and must end in ":", "/" or "=".
	URI []string `json:"uri"`
	// IP are prefixes in CIDR notation.
	IP []string `json:"ip"`
	// SIDDomains are domain SIDs (S-1-5-21-a-b-c) whose accounts may be named, except those with a RID below 1000.
	SIDDomains []string `json:"sidDomains"`
	// SIDs may be named whatever SIDDomains says, also those with a RID below 1000.
	SIDs []string `json:"sids"`
	// OrdersPerHour bounds the orders that are taken in any 60 minutes; fetching the answer to an earlier one does not
	// count. Zero takes none; the most is 1,000,000.
	OrdersPerHour int `json:"ordersPerHour"`
	// Passwords allows the tenant to choose the password of the .p12, and so trusts it with the private key.
	Passwords bool `json:"passwords"`
	// Recipients are those that a bundle may be sealed for, each with its key: any of them gets whatever else the policy
	// allows. For recipients that may have their own certificates only, see OrderingKeys.
	Recipients []PinnedRecipient `json:"recipients"`
	// OrderingKeys are keys (SubjectPublicKeyInfo, DER, P-256) of whoever may say in an order that a bundle is sealed for a
	// recipient that is not pinned. They sign what is ordered too: see [wsproto.SignRecipient].
	OrderingKeys [][]byte `json:"orderingKeys"`
	// Siblings are the connectors whose checkpoints are accepted, and for which checkpoints are encrypted.
	Siblings []Sibling `json:"siblings"`
}

// Sibling is another connector that may go on with this one's jobs, and this one with its.
type Sibling struct {
	Name          string `json:"name"`          // for people
	IdentityKey   []byte `json:"identityKey"`   // SubjectPublicKeyInfo, DER, P-256
	DecryptionKey []byte `json:"decryptionKey"` // SubjectPublicKeyInfo, DER, P-256
}

// PolicyError says which rule of local policy an order does not fit.
type PolicyError struct {
	Rule   string // the JSON name of the member of Policy
	Detail string // what did not fit; quotes the order, never its password
}

// Reason returns the machine reason that the tenant is told.
func (e *PolicyError) Reason() wsproto.Reason {
	switch e.Rule {
	case "cas":
		return wsproto.ReasonPolicyCA
	case "templates":
		return wsproto.ReasonPolicyTemplate
	case "subjects", "directorySubject":
		return wsproto.ReasonPolicySubject
	case "dns", "dnsWildcards", "upn", "email", "uri", "ip":
		return wsproto.ReasonPolicyName
	case "sids", "sidDomains":
		return wsproto.ReasonPolicySID
	case "ordersPerHour":
		return wsproto.ReasonPolicyRate
	case "passwords":
		return wsproto.ReasonPolicyPassword
	case "recipients", "orderingKeys":
		return wsproto.ReasonPolicyRecipient
	}
	return wsproto.ReasonPolicy
}

// Error names the rule and what did not fit.
func (e *PolicyError) Error() string {
	return fmt.Sprintf("connector: local policy (%s): %s", e.Rule, e.Detail)
}

// Rules is a compiled [Policy]. It is safe for concurrent use.
type Rules struct {
	cas        []wsproto.CAAssignment
	templates  []string
	keys       []string
	subjects   []subjectPattern
	directory  bool
	dns        []domainRule
	wildcards  bool
	upn        []addressRule
	email      []addressRule
	uri        []uriRule
	ip         []prefixRule
	sidDomains []string
	sids       []string
	passwords  bool
	recipients []PinnedRecipient
	ordering   []*ecdsa.PublicKey
	quota      *quota
}

// maxOrdersPerHour bounds the memory of the hourly count.
const maxOrdersPerHour = 1_000_000

// Compile checks every rule and returns the policy in the form that answers. The Policy is not referred to afterwards.
func (p *Policy) Compile() (*Rules, error) {
	r := &Rules{
		cas: append([]wsproto.CAAssignment(nil), p.CAs...), templates: clone(p.Templates), keys: clone(p.Keys),
		directory: p.DirectorySubject, wildcards: p.DNSWildcards, passwords: p.Passwords,
	}
	for _, rec := range p.Recipients {
		r.recipients = append(r.recipients, PinnedRecipient{ID: rec.ID, Key: bytes.Clone(rec.Key)})
	}
	var errs []error
	var err error
	if r.ordering, err = parseOrderingKeys(p.OrderingKeys); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, p.checkNames()...)
	r.subjects = compile("subjects", p.Subjects, parseSubjectPattern, &errs)
	r.dns = compile("dns", p.DNS, parseDomainRule, &errs)
	r.upn = compile("upn", p.UPN, parseAddressRule, &errs)
	r.email = compile("email", p.Email, parseAddressRule, &errs)
	r.uri = compile("uri", p.URI, parseURIRule, &errs)
	r.ip = compile("ip", p.IP, parsePrefixRule, &errs)
	r.sidDomains = compile("sidDomains", p.SIDDomains, parseSIDDomain, &errs)
	r.sids = compile("sids", p.SIDs, parseSID, &errs)
	if p.OrdersPerHour < 0 || p.OrdersPerHour > maxOrdersPerHour {
		errs = append(errs, fmt.Errorf("connector: policy: ordersPerHour: %d is not in 0 to %d", p.OrdersPerHour, maxOrdersPerHour))
	} else {
		r.quota = newQuota(p.OrdersPerHour, time.Hour)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

func clone(s []string) []string { return append([]string(nil), s...) }

// checkNames refuses lists that hold empty names, which would be read as "anything" by whoever wrote them.
func (p *Policy) checkNames() []error {
	var errs []error
	for _, ca := range p.CAs {
		if ca.Host == "" || ca.Name == "" {
			errs = append(errs, errors.New("connector: policy: cas: host and name are both needed"))
		}
	}
	for rule, list := range map[string][]string{"templates": p.Templates, "keys": p.Keys} {
		for _, name := range list {
			if name == "" || strings.Contains(name, "*") {
				errs = append(errs, fmt.Errorf("connector: policy: %s: %q: name each one", rule, name))
			}
		}
	}
	for _, rec := range p.Recipients {
		if err := rec.parse(); err != nil {
			errs = append(errs, err)
		}
	}
	for _, s := range p.Siblings {
		if _, err := s.parse(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func compile[T any](rule string, list []string, parse func(string) (T, error), errs *[]error) []T {
	out := make([]T, 0, len(list))
	for _, s := range list {
		v, err := parse(s)
		if err != nil {
			*errs = append(*errs, fmt.Errorf("connector: policy: %s: %q: %w", rule, s, err))
			continue
		}
		out = append(out, v)
	}
	return out
}

// Serves reports whether the CA may be used at all.
func (r *Rules) Serves(ca wsproto.CAAssignment) bool {
	for _, c := range r.cas {
		if equalFold(c.Host, ca.Host) && equalFold(c.Name, ca.Name) {
			return true
		}
	}
	return false
}

// Allow returns nil if the order fits every rule, else a *PolicyError for the first one that it does not fit. An order
// that fits counts towards OrdersPerHour unless it is a retrieval. Allow does no I/O; ctx is not used.
func (r *Rules) Allow(_ context.Context, order Order) error {
	for _, check := range []func(*Order) *PolicyError{
		r.allowCA, r.allowSubject, r.allowDNS, r.allowUPN, r.allowEmail, r.allowURI, r.allowIP, r.allowSID, r.allowDelivery,
		r.allowRate, // last: an order that is refused does not count
	} {
		if err := check(&order); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rules) allowCA(o *Order) *PolicyError {
	if !r.Serves(o.CA) {
		return refuse("cas", "the CA %s on %s is not listed", quote(o.CA.Name), quote(o.CA.Host))
	}
	if !containsFold(r.templates, o.Template) {
		return refuse("templates", "the template %s is not listed", quote(o.Template))
	}
	if !containsFold(r.keys, o.Key) {
		return refuse("keys", "the key algorithm %s is not listed", quote(o.Key))
	}
	return nil
}

func (r *Rules) allowRate(o *Order) *PolicyError {
	if o.Retrieval || r.quota.take(time.Now()) {
		return nil
	}
	return refuse("ordersPerHour", "%d orders were taken within an hour", r.quota.limit())
}

func refuse(rule, format string, args ...any) *PolicyError {
	return &PolicyError{Rule: rule, Detail: fmt.Sprintf(format, args...)}
}

// maxQuoted bounds what an error repeats of an order.
const maxQuoted = 120

func quote(s string) string {
	if len(s) > maxQuoted {
		s = s[:maxQuoted] + "…"
	}
	return fmt.Sprintf("%q", s)
}

func containsFold(list []string, s string) bool {
	for _, v := range list {
		if equalFold(v, s) {
			return true
		}
	}
	return false
}

// equalFold compares without regard to the case of ASCII letters only: Unicode folding would make the Kelvin sign equal
// to "k", and what is then issued is not what the rule names.
func equalFold(a, b string) bool { return asciiLower(a) == asciiLower(b) }

func asciiLower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
