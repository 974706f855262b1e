package connector

import (
	"net/netip"
	"strings"
)

func (r *Rules) allowSubject(o *Order) *PolicyError {
	if err := checkSense(&o.Order); err != nil {
		return refuse("subjects", "%v", err)
	}
	if o.SubjectSource == subjectFromDirectory {
		if !r.directory {
			return refuse("directorySubject", "a subject from the directory is not allowed")
		}
		return nil
	}
	subject, err := parseSubject(o.Subject)
	if err != nil {
		return refuse("subjects", "the subject %s: %v", quote(o.Subject), err)
	}
	for _, p := range r.subjects {
		if p.matches(subject) {
			return nil
		}
	}
	return refuse("subjects", "the subject %s fits no pattern", quote(o.Subject))
}

func (r *Rules) allowDNS(o *Order) *PolicyError {
	for _, name := range o.DNS {
		if err := r.allowDNSName(name); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rules) allowDNSName(name string) *PolicyError {
	tested := asciiLower(name)
	if rest, ok := strings.CutPrefix(tested, "*."); ok {
		if !r.wildcards {
			return refuse("dnsWildcards", "the wildcard name %s is not allowed", quote(name))
		}
		// A wildcard stands for names one label longer than what follows it, so that is what has to fit.
		tested = "x." + rest
	}
	if err := checkDNSName(tested); err != nil {
		return refuse("dns", "the name %s: %v", quote(name), err)
	}
	for _, rule := range r.dns {
		if rule.matches(tested) {
			return nil
		}
	}
	return refuse("dns", "the name %s fits no rule", quote(name))
}

func (r *Rules) allowUPN(o *Order) *PolicyError {
	return allowAddresses("upn", r.upn, o.UPN)
}

func (r *Rules) allowEmail(o *Order) *PolicyError {
	return allowAddresses("email", r.email, o.Email)
}

func allowAddresses(rule string, rules []addressRule, addresses []string) *PolicyError {
	for _, a := range addresses {
		local, domain, err := splitAddress(a)
		if err != nil {
			return refuse(rule, "%s: %v", quote(a), err)
		}
		if !matchesAny(rules, local, domain) {
			return refuse(rule, "%s fits no rule", quote(a))
		}
	}
	return nil
}

func matchesAny(rules []addressRule, local, domain string) bool {
	for _, rule := range rules {
		if rule.matches(local, domain) {
			return true
		}
	}
	return false
}

func (r *Rules) allowURI(o *Order) *PolicyError {
	for _, raw := range o.URI {
		u, err := parseOrderURI(raw)
		if err != nil {
			return refuse("uri", "%s: %v", quote(raw), err)
		}
		fits := false
		for _, rule := range r.uri {
			fits = fits || rule.matches(raw, u)
		}
		if !fits {
			return refuse("uri", "%s fits no rule", quote(raw))
		}
	}
	return nil
}

func (r *Rules) allowIP(o *Order) *PolicyError {
	for _, raw := range o.IP {
		addr, err := netip.ParseAddr(raw)
		if err != nil || addr.Zone() != "" || addr.Is4In6() {
			return refuse("ip", "%s is not an IPv4 or IPv6 address", quote(raw))
		}
		fits := false
		for _, rule := range r.ip {
			fits = fits || rule.Contains(addr)
		}
		if !fits {
			return refuse("ip", "%s is in no prefix", quote(raw))
		}
	}
	return nil
}

// minimumRID is the lowest RID of an account that a domain made for itself. Below it are built-in accounts and groups,
// such as the Administrator (500) and krbtgt (502).
const minimumRID = 1000

func (r *Rules) allowSID(o *Order) *PolicyError {
	if o.SID == "" {
		return nil
	}
	domain, rid, err := splitSID(o.SID)
	if err != nil {
		return refuse("sids", "%s: %v", quote(o.SID), err)
	}
	for _, s := range r.sids {
		if s == o.SID {
			return nil
		}
	}
	for _, d := range r.sidDomains {
		if d != domain {
			continue
		}
		if rid < minimumRID {
			return refuse("sids", "%s has a RID below %d and is not listed", quote(o.SID), minimumRID)
		}
		return nil
	}
	return refuse("sidDomains", "%s is of no listed domain", quote(o.SID))
}

func (r *Rules) allowDelivery(o *Order) *PolicyError {
	if o.Recipient != nil {
		return r.allowRecipient(o)
	}
	if !r.passwords {
		return refuse("passwords", "delivery by a password of the tenant's choice is not allowed")
	}
	return nil
}
