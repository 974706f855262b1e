package adcstest

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/internal/dcom"
)

// Versions as a Windows CA writes them (MS-WCCE sections 3.2.1.4.3.2.1 and 3.2.1.4.3.2.2), of Windows Server 2022.
const (
	fileVersion    = "10.0:20348.1"
	productVersion = "10.0:20348.1"
)

// More properties (MS-WCCE section 3.2.1.4.3.2).
const (
	propExchangeCRLChain   = 0x21
	propForwardCrossCert   = 0x23
	propBackwardCrossCert  = 0x24
	propForwardCrossState  = 0x25
	propBackwardCrossState = 0x26
	// propCRLPartitions is newer than the highest number that Windows tells, of Server 2012 (notes 112 and MS-CSRA's 81).
	propCRLPartitions = 0x2e
)

// hrFileNotFound says that a property has no value (MS-ERREF section 2.1).
const hrFileNotFound uint32 = 0x80070002

// States of a certificate of the CA (MS-WCCE section 3.2.1.4.3.2.19).
const (
	caDispError   = 1
	caDispValid   = 3
	caDispInvalid = 4
)

// propertyIndex is what the index of a property may be.
type propertyIndex uint8

const (
	plainProperty propertyIndex = iota // 0 alone
	perCert                            // the number of a certificate of the CA; all bits set for the newest
	overCerts                          // the number of a certificate of the CA, though the value is about all of them
	forExchange                        // 0 or all bits set
	perNothing                         // there is none: the CA has no exit modules and no recovery agents
)

// caProperty is a property of a CA (MS-WCCE section 3.2.1.4.3.2).
type caProperty struct {
	id    int32
	typ   int32
	index propertyIndex
	name  string // as Windows calls it
	value func(a *authority, index int) ([]byte, uint32)
}

func textProperty(id int32, name string, value func(a *authority) string) caProperty {
	return caProperty{id, dcom.TypeString, plainProperty, name, func(a *authority, _ int) ([]byte, uint32) {
		return wireString(value(a)), 0
	}}
}

// infoProperty is a number that a CAINFO holds among others.
func infoProperty(id int32, name string) caProperty {
	return caProperty{id, dcom.TypeLong, plainProperty, name, func(a *authority, _ int) ([]byte, uint32) {
		return a.info().Append(nil), 0
	}}
}

func certProperty(id, typ int32, name string, value func(a *authority, index int) ([]byte, uint32)) caProperty {
	return caProperty{id, typ, perCert, name, value}
}

// caProperties are the properties that this CA has, by number.
func caProperties() []caProperty {
	return slices.Concat(nameProperties(), numberProperties(), certProperties(), crlProperties(), urlProperties())
}

func nameProperties() []caProperty {
	return []caProperty{
		textProperty(dcom.PropFileVersion, "File Version", func(*authority) string { return fileVersion }),
		textProperty(dcom.PropProductVersion, "Product Version", func(*authority) string { return productVersion }),
		textProperty(dcom.PropPolicyDescription, "Policy Description", func(*authority) string { return "adcstest" }),
		textProperty(dcom.PropCAName, "CA Name", func(a *authority) string { return a.names[0] }),
		textProperty(dcom.PropSanitizedCAName, "Sanitized CA Name", func(a *authority) string { return a.names[1] }),
		textProperty(dcom.PropSanitizedShortName, "Sanitized CA short name (DS name)",
			func(a *authority) string { return a.names[2] }),
		{dcom.PropSharedFolder, dcom.TypeString, plainProperty, "Shared Folder", func(*authority, int) ([]byte, uint32) {
			return nil, hrFileNotFound
		}},
		{dcom.PropParentCA, dcom.TypeString, plainProperty, "Parent CA", (*authority).parent},
		textProperty(dcom.PropDNSName, "DNS Name", func(a *authority) string { return a.cfg.host }),
		textProperty(dcom.PropTemplates, "Templates", (*authority).templateList),
		textProperty(dcom.PropLocaleName, "CA locale name", func(*authority) string { return "en-US" }),
		textProperty(dcom.PropSubjectTemplate, "Subject Template OIDs", func(*authority) string { return "" }),
	}
}

func numberProperties() []caProperty {
	missing := func(*authority, int) ([]byte, uint32) { return nil, hrFileNotFound }
	return []caProperty{
		infoProperty(dcom.PropExitCount, "Exit Count"),
		{dcom.PropExitDescription, dcom.TypeString, perNothing, "Exit Description", missing},
		infoProperty(dcom.PropCAType, "CA Type"),
		infoProperty(dcom.PropCASigCertCount, "CA Signature Certificate Count"),
		infoProperty(dcom.PropCAXchgCertCount, "CA Exchange Certificate Count"),
		infoProperty(dcom.PropCAPropIDMax, "Maximum Property Id"),
		infoProperty(dcom.PropRoleSeparation, "Role Separation Enabled"),
		infoProperty(dcom.PropKRACertUsedCount, "Count Of Required KRAs For Archival"),
		infoProperty(dcom.PropKRACertCount, "Count Of Registered KRAs"),
		{dcom.PropKRACert, dcom.TypeBinary, perNothing, "KRA Certificate", missing},
		{dcom.PropKRACertState, dcom.TypeLong, perNothing, "KRA Certificates State", missing},
		infoProperty(dcom.PropAdvancedServer, "Advanced Server"),
	}
}

func certProperties() []caProperty {
	return []caProperty{
		certProperty(dcom.PropCASigCert, dcom.TypeBinary, "CA Signature Certificate",
			func(a *authority, i int) ([]byte, uint32) { return a.signingCerts()[i].issuing().cert.Raw, 0 }),
		certProperty(dcom.PropCASigCertChain, dcom.TypeBinary, "CA signing certificate Chain",
			func(a *authority, i int) ([]byte, uint32) { return a.chainOf(i, 0) }),
		certProperty(dcom.PropCASigCertCRLChain, dcom.TypeBinary, "CA signing certificate Chain and CRL",
			func(a *authority, i int) ([]byte, uint32) { return a.chainOf(i, flagCRLs) }),
		{dcom.PropCAXchgCert, dcom.TypeBinary, forExchange, "CA Exchange Certificate", (*authority).exchangeCert},
		{dcom.PropCAXchgCertChain, dcom.TypeBinary, forExchange, "CA Exchange Certificate Chain",
			func(a *authority, _ int) ([]byte, uint32) { return a.exchangeChain(0) }},
		{propExchangeCRLChain, dcom.TypeBinary, forExchange, "CA Exchange Certificate Chain and CRL",
			func(a *authority, _ int) ([]byte, uint32) { return a.exchangeChain(flagCRLs) }},
		{dcom.PropCACertState, dcom.TypeLong, overCerts, "CA Signing Certificates State", (*authority).certStates},
		certProperty(dcom.PropCACertStatusCode, dcom.TypeLong, "CA Signing Certificate Status",
			func(a *authority, i int) ([]byte, uint32) {
				if a.certState(i) == caDispInvalid {
					return longValue(hrCertExpired), 0
				}
				return longValue(0), 0
			}),
		certProperty(propForwardCrossCert, dcom.TypeBinary, "CA Forward Cross Certificate",
			func(a *authority, i int) ([]byte, uint32) {
				forward, _ := a.crossCertificates(i)
				return orMissing(forward)
			}),
		certProperty(propBackwardCrossCert, dcom.TypeBinary, "CA Backward Cross Certificate",
			func(a *authority, i int) ([]byte, uint32) {
				_, backward := a.crossCertificates(i)
				return orMissing(backward)
			}),
		{propForwardCrossState, dcom.TypeLong, overCerts, "CA Forward Cross Certificate State",
			func(a *authority, _ int) ([]byte, uint32) { return a.crossStates(true), 0 }},
		{propBackwardCrossState, dcom.TypeLong, overCerts, "CA Backward Cross Certificate State",
			func(a *authority, _ int) ([]byte, uint32) { return a.crossStates(false), 0 }},
		{dcom.PropCACertVersion, dcom.TypeLong, overCerts, "CA Signing Certificates Revisions",
			(*authority).certVersions},
	}
}

func crlProperties() []caProperty {
	return []caProperty{
		certProperty(dcom.PropBaseCRL, dcom.TypeBinary, "Base CRL",
			func(a *authority, i int) ([]byte, uint32) { return a.crlProperty(i, false, crlBytes) }),
		certProperty(dcom.PropDeltaCRL, dcom.TypeBinary, "Delta CRL",
			func(a *authority, i int) ([]byte, uint32) { return a.crlProperty(i, true, crlBytes) }),
		{dcom.PropCRLState, dcom.TypeLong, overCerts, "CA CRL State", (*authority).crlStates},
		certProperty(dcom.PropBaseCRLPublish, dcom.TypeLong, "Base CRL Publishing Status",
			func(a *authority, i int) ([]byte, uint32) { return a.crlProperty(i, false, crlStatus) }),
		{propCRLPartitions, dcom.TypeLong, plainProperty, "CRL Partition Count",
			func(*authority, int) ([]byte, uint32) { return longValue(0), 0 }}, // this CA does not part its CRLs
		certProperty(dcom.PropDeltaCRLPublish, dcom.TypeLong, "Delta CRL Publishing State",
			func(a *authority, i int) ([]byte, uint32) { return a.crlProperty(i, true, crlStatus) }),
	}
}

func urlProperties() []caProperty {
	urls := func(list func(Profile) []string) func(*authority, int) ([]byte, uint32) {
		return func(a *authority, _ int) ([]byte, uint32) { return wireString(lines(list(a.cfg.profile))), 0 }
	}
	return []caProperty{
		certProperty(dcom.PropCDPURLs, dcom.TypeString, "CRL Distribution Points",
			urls(func(p Profile) []string { return p.CDP })),
		certProperty(dcom.PropAIAURLs, dcom.TypeString, "Authority Information Access",
			urls(func(p Profile) []string { return p.AIA })),
		certProperty(dcom.PropOCSPURLs, dcom.TypeString, "OCSP URLs", urls(func(p Profile) []string { return p.OCSP })),
	}
}

// lines ends every string with a line feed.
func lines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
}

func longValue(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

func orMissing(b []byte) ([]byte, uint32) {
	if b == nil {
		return nil, hrFileNotFound
	}
	return b, 0
}

// property does GetCAProperty (MS-WCCE section 3.2.1.4.3.2): the type has to be that of the property, and the index one
// that it has.
func (a *authority) property(id, index, typ int32) ([]byte, uint32) {
	list := caProperties()
	i := slices.IndexFunc(list, func(p caProperty) bool { return p.id == id })
	if i < 0 || list[i].typ != typ {
		return nil, hrInvalidArg
	}
	p, at := list[i], int(index)
	switch p.index {
	case plainProperty:
		if index != 0 {
			return nil, hrInvalidArg
		}
	case forExchange:
		if index != 0 && index != dcom.PropertyNewest {
			return nil, hrInvalidArg
		}
	case perCert, overCerts:
		count := len(a.signingCerts())
		if p.index == perCert && index == dcom.PropertyNewest {
			at = count - 1
		}
		if at < 0 || at >= count {
			return nil, hrFileNotFound
		}
	}
	return p.value(a, at)
}

// indexed says whether a property has an index.
func (a *authority) indexed(id int32) bool {
	return slices.ContainsFunc(caProperties(), func(p caProperty) bool { return p.id == id && p.index != plainProperty })
}

// properties describes every property (MS-WCCE section 3.2.1.4.3.3), by number.
func (a *authority) properties() []dcom.Property {
	var list []dcom.Property
	for _, p := range caProperties() {
		list = append(list, dcom.Property{
			ID: p.id, Type: uint8(p.typ), Indexed: p.index != plainProperty, Name: p.name,
		})
	}
	slices.SortFunc(list, func(x, y dcom.Property) int { return int(x.ID - y.ID) })
	return list
}
