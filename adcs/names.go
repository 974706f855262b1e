package adcs

import (
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// names are the alternative names of a certificate or a request, with every SID that somebody could read out of it.
type names struct {
	san          adcsasn1.SAN // without the URIs that carry a SID
	extensionSID string       // in the security extension
	uriSIDs      []string     // in URIs; "" for one that claims to carry a SID and is malformed
}

// namesOf reads the extensions. A malformed one is an error: whoever relies on the certificate might read it otherwise.
func namesOf(extensions []pkix.Extension) (*names, error) {
	n := new(names)
	for _, ext := range extensions {
		var err error
		switch {
		case ext.Id.Equal(adcsasn1.OIDSubjectAltName()):
			n.san, err = adcsasn1.SANFromExtension(ext.Value)
		case ext.Id.Equal(adcsasn1.OIDSIDExtension()):
			n.extensionSID, err = adcsasn1.SIDFromExtension(ext.Value)
		}
		if err != nil {
			return nil, err
		}
	}
	n.san.URI = slices.DeleteFunc(n.san.URI, func(uri string) bool {
		if !adcsasn1.IsSIDURI(uri) {
			return false
		}
		sid, _ := adcsasn1.SIDFromURI(uri)
		n.uriSIDs = append(n.uriSIDs, sid)
		return true
	})
	return n, nil
}

// singleSID returns the one SID and where it is. Several that agree are one.
func (n *names) singleSID() (string, SIDForm, error) {
	sid, form := n.extensionSID, SIDInExtension
	for _, s := range n.uriSIDs {
		switch {
		case s == "":
			return "", 0, fmt.Errorf("a URI that carries a malformed SID")
		case sid == "":
			sid, form = s, SIDInURI
		case s != sid:
			return "", 0, fmt.Errorf("different SIDs, %s and %s", sid, s)
		case n.extensionSID != "":
			form = SIDInBoth
		}
	}
	return sid, form, nil
}

// compareNames compares the names that were ordered with those of the certificate: the same, or, if more is true, at
// least those. It returns what differs, or "".
func compareNames(e *Expect, san *adcsasn1.SAN, more bool) string {
	kinds := []struct {
		name      string
		want, got []string
	}{
		{"DNS names", lower(e.DNSNames), lower(san.DNS)},
		{"e-mail addresses", e.EmailAddresses, san.Email},
		{"URIs", e.URIs, san.URI},
		{"UPNs", e.UPNs, san.UPN},
		{"IP addresses", addresses(e.IPAddresses), addresses(san.IP)},
	}
	for _, k := range kinds {
		for _, name := range k.want {
			if !slices.Contains(k.got, name) {
				return fmt.Sprintf("of the ordered %s, %q is not in it", k.name, bounded(name))
			}
		}
		for _, name := range k.got {
			if !more && !slices.Contains(k.want, name) {
				return fmt.Sprintf("it has, among the %s, %q, which was not ordered", k.name, bounded(name))
			}
		}
	}
	if len(san.Other) > 0 && !more {
		return "it has an alternative name of a kind that was not ordered"
	}
	return ""
}

// lower is for DNS names, which do not depend on case; adcsasn1 has made sure that those of a certificate are ASCII.
func lower(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ToLower(s)
	}
	return out
}

func addresses[T interface {
	Unmap() T
	String() string
}](in []T) []string {
	out := make([]string, len(in))
	for i, a := range in {
		out[i] = a.Unmap().String()
	}
	return out
}
