package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// config is the configuration file. What is left out is as in adcstest.Options.
type config struct {
	Users          []user     `json:"users"`
	Templates      []template `json:"templates"`
	Directory      []entry    `json:"directory"`
	Managers       []string   `json:"managers"`
	Officers       []string   `json:"officers"`
	Readers        []string   `json:"readers"`
	Enrollers      []string   `json:"enrollers"`
	MinAuthLevel   string     `json:"minAuthLevel"` // connect, integrity or privacy
	NTLM           string     `json:"ntlm"`         // allowed, blocked or absent
	Kerberos       kerberos   `json:"kerberos"`
	RSA            bool       `json:"rsa"`
	SelfSigned     bool       `json:"selfSigned"`
	Intermediates  int        `json:"intermediates"`
	CDP            []string   `json:"cdp"`
	AIA            []string   `json:"aia"`
	OCSP           []string   `json:"ocsp"`
	NoFullResponse bool       `json:"noFullResponse"`
}

type user struct {
	Name         string `json:"name"`
	Domain       string `json:"domain"`
	PasswordFile string `json:"passwordFile"` // relative to the configuration file
	Disabled     bool   `json:"disabled"`
}

type template struct {
	Name                string     `json:"name"`
	OID                 string     `json:"oid"`
	Major               uint32     `json:"major"`
	Minor               uint32     `json:"minor"`
	Hold                bool       `json:"hold"`
	Deny                string     `json:"deny"` // an HRESULT such as "0x80094012", or "2"
	DenyMessage         string     `json:"denyMessage"`
	MinimumKeySize      int        `json:"minimumKeySize"`
	KeyAlgorithms       []string   `json:"keyAlgorithms"`
	Signatures          int        `json:"signatures"`
	SignatureUsages     []string   `json:"signatureUsages"`
	OnBehalfOf          []string   `json:"onBehalfOf"`
	Enroll              []string   `json:"enroll"`
	Directory           *directory `json:"directory"`
	NoSecurityExtension bool       `json:"noSecurityExtension"`
	ExtKeyUsage         []string   `json:"extKeyUsage"`
	Validity            string     `json:"validity"` // "8760h"
}

type directory struct {
	Machine   bool `json:"machine"`
	DN        bool `json:"dn"`
	NoSubject bool `json:"noSubject"`
	DNS       bool `json:"dns"`
	UPN       bool `json:"upn"`
	Email     bool `json:"email"`
}

type entry struct {
	Account    string   `json:"account"`
	CommonName string   `json:"commonName"`
	DN         string   `json:"dn"`
	DNSName    string   `json:"dnsName"`
	UPN        string   `json:"upn"`
	Email      string   `json:"email"`
	SID        string   `json:"sid"`
	Groups     []string `json:"groups"`
}

// options makes a template of adcstest.
func (t template) options() (adcstest.Template, error) {
	made := adcstest.Template{
		Name: t.Name, OID: t.OID, Major: t.Major, Minor: t.Minor, Hold: t.Hold, DenyMessage: t.DenyMessage,
		MinimumKeySize: t.MinimumKeySize, KeyAlgorithms: t.KeyAlgorithms, Signatures: t.Signatures, SignatureUsages: t.SignatureUsages, OnBehalfOf: t.OnBehalfOf, Enroll: t.Enroll,
		NoSecurityExtension: t.NoSecurityExtension, ExtKeyUsage: t.ExtKeyUsage,
	}
	if t.Directory != nil {
		d := adcstest.DirectorySubject(*t.Directory)
		made.Directory = &d
	}
	if t.Deny != "" {
		code, err := strconv.ParseUint(t.Deny, 0, 32)
		if err != nil {
			return made, fmt.Errorf("deny %q is not a code such as 0x80094012", t.Deny)
		}
		made.Deny = uint32(code)
	}
	if t.Validity != "" {
		var err error
		if made.Validity, err = time.ParseDuration(t.Validity); err != nil {
			return made, fmt.Errorf("validity %q is not a duration such as 8760h", t.Validity)
		}
	}
	return made, nil
}
