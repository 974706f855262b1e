package keygen

import (
	"crypto/x509/pkix"
	"errors"

	"github.com/adcskit/adcskit/internal/adcsasn1"
)

// extensions returns the requested extensions in the order of Windows: templates, usages, names, and the SID.
func (r *Request) extensions() ([]pkix.Extension, error) {
	var list []pkix.Extension
	add := func(ext pkix.Extension, err error) error {
		list = append(list, ext)
		return err
	}
	if r.TemplateName != "" {
		if err := add(adcsasn1.TemplateNameExtension(r.TemplateName)); err != nil {
			return nil, err
		}
	}
	if t := r.Template; t != nil {
		v2 := adcsasn1.Template{OID: t.OID, Major: t.Major, Minor: t.Minor}
		if err := add(v2.Extension()); err != nil {
			return nil, err
		}
	}
	usages, err := r.usages()
	if err != nil {
		return nil, err
	}
	list = append(list, usages...)
	san, err := r.alternativeNames()
	if err != nil {
		return nil, err
	}
	if san.Count() > 0 {
		if err := add(san.Extension()); err != nil {
			return nil, err
		}
	}
	if r.SID != "" && r.SIDForm != SIDURI {
		if err := add(adcsasn1.SIDExtension(r.SID)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (r *Request) alternativeNames() (adcsasn1.SAN, error) {
	san := adcsasn1.SAN{
		UPN: r.UPNs, DNS: r.DNSNames, Email: r.EmailAddresses, IP: r.IPAddresses,
		URI: append([]string(nil), r.URIs...),
	}
	for _, uri := range r.URIs {
		if adcsasn1.IsSIDURI(uri) {
			return san, errors.New("a SID is given as a URI and not as SID")
		}
	}
	switch r.SIDForm {
	case "", SIDExtension:
	case SIDURI, SIDBoth:
		if r.SID == "" {
			break
		}
		if err := adcsasn1.ValidSID(r.SID); err != nil {
			return san, err
		}
		san.URI = append(san.URI, adcsasn1.SIDURI(r.SID))
	default:
		return san, errors.New("the form of the SID is none of extension, uri and both")
	}
	return san, nil
}
