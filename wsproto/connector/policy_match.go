package connector

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Lengths that names on the wire and in certificates have: RFC 1035, section 2.3.4; RFC 5280, appendix A, for e-mail.
const (
	maxDNSName   = 253
	maxDNSLabel  = 63
	maxAddress   = 254
	maxURILength = 2048
)

var (
	errNotDNS     = errors.New("not a DNS name (letters, digits, hyphens and underscores; A-labels for others)")
	errNotAddress = errors.New("not of the form name@domain")
	errNotURI     = errors.New("not an absolute URI")
	errNotSID     = errors.New("not a SID of an account in a domain (S-1-5-21-…)")
)

// checkDNSName takes a lower-case name without a trailing dot.
func checkDNSName(name string) error {
	if name == "" || len(name) > maxDNSName {
		return errNotDNS
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if !validLabel(l) {
			return errNotDNS
		}
	}
	// What ends in a number is read as an IPv4 address by some (WHATWG URL, section 3.5).
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return errNotDNS
	}
	return nil
}

func validLabel(l string) bool {
	if l == "" || len(l) > maxDNSLabel || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for i := 0; i < len(l); i++ {
		c := l[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// domainRule matches names by whole labels.
type domainRule struct {
	name        string
	self, below bool
}

func parseDomainRule(s string) (domainRule, error) {
	r := domainRule{name: asciiLower(s), self: true, below: true}
	if rest, ok := strings.CutPrefix(r.name, "."); ok {
		r.name, r.self = rest, false
	} else if rest, ok := strings.CutPrefix(r.name, "="); ok {
		r.name, r.below = rest, false
	}
	return r, checkDNSName(r.name)
}

// matches takes a lower-case name.
func (r domainRule) matches(name string) bool {
	return r.self && name == r.name || r.below && strings.HasSuffix(name, "."+r.name)
}

// addressRule matches what stands before and after the "@" of a UPN or e-mail address.
type addressRule struct {
	local  glob
	domain domainRule
}

func parseAddressRule(s string) (addressRule, error) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok {
		local, domain = "*", s
	}
	if local == "" {
		return addressRule{}, errNotAddress
	}
	d, err := parseDomainRule(domain)
	return addressRule{local: newGlob(asciiLower(local)), domain: d}, err
}

func (r addressRule) matches(local, domain string) bool {
	return r.local.matches(local) && r.domain.matches(domain)
}

// splitAddress returns both parts in lower case. It refuses what would need quoting in either a UPN or an RFC 5322
// address, since a quoted "@" or blank is read differently by different software.
func splitAddress(a string) (local, domain string, err error) {
	if len(a) > maxAddress {
		return "", "", errNotAddress
	}
	local, domain, ok := strings.Cut(asciiLower(a), "@")
	if !ok || local == "" || strings.ContainsAny(local, "\"/\\[]:;|=,+*?<>() \u007f") || !utf8.ValidString(local) {
		return "", "", errNotAddress
	}
	for i := 0; i < len(local); i++ {
		if local[i] < ' ' {
			return "", "", errNotAddress
		}
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") {
		return "", "", errNotAddress
	}
	return local, domain, checkDNSName(domain)
}

// uriRule matches by scheme, host and path, or, without an authority, by a textual prefix.
type uriRule struct {
	prefix               string
	scheme, host, path   string
	hierarchical, opaque bool
}

func parseURIRule(s string) (uriRule, error) {
	u, err := parseOrderURI(s)
	if err != nil {
		return uriRule{}, err
	}
	if u.Host != "" {
		if u.RawQuery != "" || u.ForceQuery {
			return uriRule{}, errNotURI
		}
		return uriRule{hierarchical: true, scheme: u.Scheme, host: asciiLower(u.Host), path: u.EscapedPath()}, nil
	}
	if !strings.ContainsAny(s[len(s)-1:], ":/=") {
		return uriRule{}, errors.New(`a prefix must end in ":", "/" or "="`)
	}
	return uriRule{opaque: true, prefix: s}, nil
}

func (r uriRule) matches(raw string, u *url.URL) bool {
	if r.opaque {
		return u.Host == "" && strings.HasPrefix(raw, r.prefix)
	}
	if !r.hierarchical || u.Scheme != r.scheme || asciiLower(u.Host) != r.host {
		return false
	}
	path := u.EscapedPath()
	if r.path == "" || path == r.path {
		return true
	}
	return strings.HasPrefix(path, strings.TrimSuffix(r.path, "/")+"/")
}

// parseOrderURI refuses what two readers may understand differently: user information, fragments, dot segments, encoded
// slashes and dots, backslashes, controls. It also refuses the URI form of a SID, which is ordered (and allowed) as a SID.
func parseOrderURI(raw string) (*url.URL, error) {
	if raw == "" || len(raw) > maxURILength {
		return nil, errNotURI
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] <= ' ' || raw[i] >= 0x7f || raw[i] == '\\' {
			return nil, errNotURI
		}
	}
	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() || u.User != nil || u.Fragment != "" || strings.Contains(raw, "#") {
		return nil, errNotURI
	}
	lower := asciiLower(raw)
	if strings.Contains(lower, "%2f") || strings.Contains(lower, "%2e") || strings.Contains(lower, "%5c") {
		return nil, errNotURI
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if segment == "." || segment == ".." {
			return nil, errNotURI
		}
	}
	if strings.HasPrefix(lower, "tag:microsoft.com,") || strings.Contains(lower, ":sid:s-1-") {
		return nil, errors.New("a SID is ordered as a SID, not as a URI")
	}
	return u, nil
}

type prefixRule struct{ netip.Prefix }

func parsePrefixRule(s string) (prefixRule, error) {
	p, err := netip.ParsePrefix(s)
	if err == nil && (p != p.Masked() || p.Addr().Is4In6()) {
		err = errors.New("not the first address of an IPv4 or IPv6 prefix")
	}
	return prefixRule{p}, err
}

// splitSID returns the domain and the RID of an account's SID in its canonical form (MS-DTYP, section 2.4.2.1): decimal,
// no leading zeros, 32 bits each.
func splitSID(sid string) (domain string, rid uint64, err error) {
	rest, ok := strings.CutPrefix(sid, "S-1-5-21-")
	parts := strings.Split(rest, "-")
	if !ok || len(parts) != 4 {
		return "", 0, errNotSID
	}
	for _, p := range parts {
		rid, err = strconv.ParseUint(p, 10, 32)
		if err != nil || strconv.FormatUint(rid, 10) != p {
			return "", 0, errNotSID
		}
	}
	return sid[:strings.LastIndexByte(sid, '-')], rid, nil
}

func parseSID(s string) (string, error) {
	_, _, err := splitSID(s)
	return s, err
}

func parseSIDDomain(s string) (string, error) {
	if _, _, err := splitSID(s + "-1000"); err != nil {
		return "", errors.New("not the SID of a domain (S-1-5-21-a-b-c)")
	}
	return s, nil
}
