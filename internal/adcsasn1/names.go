package adcsasn1

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of one name.
const (
	maxDNS      = 253  // RFC 1035, section 2.3.4, without the root
	maxLabel    = 63   // the same
	maxLocal    = 64   // RFC 5321, section 4.5.3.1.1
	maxURI      = 2048 // ours
	maxUPN      = 1024 // the upper bound of userPrincipalName in the schema, in characters
	maxShownLen = 80   // of a refused name, in an error
)

// ErrName is wrapped by every error about a name that cannot be written.
var ErrName = errors.New("adcsasn1: name refused")

func refuse(kind, name, why string) error {
	return fmt.Errorf("%w: %s name %s: %s", ErrName, kind, shown(name), why)
}

// shown quotes a name for an error and bounds it.
func shown(name string) string {
	if len(name) > maxShownLen {
		return fmt.Sprintf("%q…", name[:maxShownLen])
	}
	return fmt.Sprintf("%q", name)
}

// isControl is true for the characters that can hide or forge text where a name is shown: control, format (which holds
// the marks of writing direction), line and paragraph separators, surrogates, private and unassigned ones.
func isControl(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) }

// CheckDNS returns an error unless name is a host name in the preferred syntax (RFC 5280, section 4.2.1.6; RFC 1123,
// section 2.1): letters, digits and inner hyphens, no trailing dot; and the underscore besides, which names of Windows
// computers may hold. Names in other scripts are written as A-labels (xn--…). A wildcard is the whole leftmost label,
// with at least two labels after it. Text that is an IP address is refused.
func CheckDNS(name string) error {
	host, wildcard := strings.CutPrefix(name, "*.")
	if wildcard && !strings.Contains(host, ".") {
		return refuse("DNS", name, "a wildcard needs two labels after it")
	}
	if why := hostProblem(host); why != "" {
		return refuse("DNS", name, why)
	}
	return nil
}

// hostProblem says what is wrong with a host name, "" if nothing is.
func hostProblem(host string) string {
	switch {
	case host == "":
		return "it is empty"
	case len(host) > maxDNS:
		return fmt.Sprintf("it is longer than %d characters", maxDNS)
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if why := labelProblem(label); why != "" {
			return why
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "the last label has only digits; an address is not a DNS name"
	}
	return ""
}

func labelProblem(label string) string {
	switch {
	case label == "":
		return "a label is empty"
	case len(label) > maxLabel:
		return fmt.Sprintf("a label is longer than %d characters", maxLabel)
	case label[0] == '-' || label[len(label)-1] == '-':
		return "a label begins or ends with a hyphen"
	}
	for _, r := range label {
		switch {
		case r >= 0x80:
			return "a character is not ASCII; write international names as A-labels (xn--…)"
		case r == '*':
			return "a wildcard must be the whole leftmost label"
		case !isLetterDigit(byte(r)) && r != '-' && r != '_':
			return fmt.Sprintf("the character %q is not allowed", r)
		}
	}
	return ""
}

func isLetterDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// atomSpecials are the characters of an atom besides letters and digits (RFC 5322, section 3.2.3).
const atomSpecials = "!#$%&'*+-/=?^_`{|}~"

// CheckEmail returns an error unless name is a mailbox local@host in ASCII, without quoted parts, comments or display
// name (RFC 5280, section 4.2.1.6).
func CheckEmail(name string) error {
	local, host, ok := strings.Cut(name, "@")
	switch {
	case !ok:
		return refuse("e-mail", name, "it has no @")
	case local == "" || len(local) > maxLocal:
		return refuse("e-mail", name, fmt.Sprintf("the part before @ has 1 to %d characters", maxLocal))
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return refuse("e-mail", name, "a dot stands at an end or next to another")
		}
		for i := range len(atom) {
			if !isLetterDigit(atom[i]) && !strings.Contains(atomSpecials, atom[i:i+1]) {
				return refuse("e-mail", name, "the part before @ holds a character that needs quoting")
			}
		}
	}
	if why := hostProblem(host); why != "" {
		return refuse("e-mail", name, why)
	}
	return nil
}

// uriChars are the characters of a URI besides letters and digits (RFC 3986, section 2).
const uriChars = "-._~:/?#[]@!$&'()*+,;=%"

// CheckURI returns an error unless name is an absolute URI of RFC 3986, in ASCII, with well-formed escapes and, where
// it has an authority, a host that is a host name or an address (RFC 5280, section 4.2.1.6).
func CheckURI(name string) error {
	if name == "" || len(name) > maxURI {
		return refuse("URI", name, fmt.Sprintf("it has 1 to %d characters", maxURI))
	}
	for i := range len(name) {
		if !isLetterDigit(name[i]) && !strings.Contains(uriChars, name[i:i+1]) {
			return refuse("URI", name, "it holds a character that must be escaped")
		}
		if name[i] == '%' && (i+2 >= len(name) || !isHex(name[i+1]) || !isHex(name[i+2])) {
			return refuse("URI", name, "a % is not followed by two hexadecimal digits")
		}
	}
	return checkURIParts(name)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func checkURIParts(name string) error {
	u, err := url.Parse(name)
	switch {
	case err != nil:
		return refuse("URI", name, "it does not parse")
	case !u.IsAbs():
		return refuse("URI", name, "it has no scheme")
	case u.Opaque == "" && u.Host == "" && u.Path == "":
		return refuse("URI", name, "nothing follows the scheme")
	}
	if sid, ok := strings.CutPrefix(name, sidURIPrefix); ok || IsSIDURI(name) {
		if !ok || ValidSID(sid) != nil {
			return refuse("URI", name, "it begins like a SID URI and holds no SID in canonical form")
		}
	}
	if u.Host == "" {
		return nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil
	}
	if why := hostProblem(u.Hostname()); why != "" {
		return refuse("URI", name, "host: "+why)
	}
	return nil
}

// CheckIP returns an error unless ip is a valid address without a zone.
func CheckIP(ip netip.Addr) error {
	if !ip.IsValid() || ip.Zone() != "" {
		return refuse("IP", ip.String(), "it is not an address without a zone")
	}
	return nil
}

// CheckUPN returns an error unless name is a user principal name user@suffix: at most 1024 characters, one @, no space
// and no invisible character; the suffix has the form of a DNS name, of letters and digits in any script.
func CheckUPN(name string) error {
	user, suffix, ok := strings.Cut(name, "@")
	switch {
	case !utf8.ValidString(name):
		return refuse("UPN", name, "it is not UTF-8")
	case !ok || user == "" || suffix == "" || strings.Contains(suffix, "@"):
		return refuse("UPN", name, "it does not have the form user@suffix")
	case utf8.RuneCountInString(name) > maxUPN:
		return refuse("UPN", name, fmt.Sprintf("it is longer than %d characters", maxUPN))
	}
	for _, r := range user {
		if isControl(r) || unicode.IsSpace(r) {
			return refuse("UPN", name, fmt.Sprintf("the character %U is not allowed", r))
		}
	}
	for label := range strings.SplitSeq(suffix, ".") {
		if label == "" {
			return refuse("UPN", name, "a label of the suffix is empty")
		}
		for _, r := range label {
			if r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return refuse("UPN", name, fmt.Sprintf("the suffix holds the character %U", r))
			}
		}
	}
	return nil
}
