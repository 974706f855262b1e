package adcs

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/adcskit/adcskit/internal/cms"
	"github.com/adcskit/adcskit/internal/dcom"
)

// Limits on what a CA says about itself.
const (
	maxCACertificates = 256  // a CA that is renewed every year would need some time
	maxTemplates      = 4096 // a forest has some hundred at most
	maxURLs           = 256
	maxTexts          = 1 << 20 // bytes of a text
)

// reading collects what a CA says. After err is set, which ends it, nothing is asked any more.
type reading struct {
	*caQuery
	ctx context.Context
	d   *Description
	err error
}

// describe asks for everything. A CA that does not say its name does not say anything else either: that is an error.
func (q *caQuery) describe(ctx context.Context) (*Description, error) {
	name, err := q.value(ctx, dcom.PropCAName, 0, dcom.TypeString)
	if err != nil {
		return nil, refusedQuery(err)
	}
	r := &reading{caQuery: q, ctx: ctx, d: &Description{Type: UnknownCAType}}
	if r.d.Name, err = nameValue(name); err != nil {
		return nil, err
	}
	r.names()
	r.numbers()
	r.certificates()
	r.exchange()
	r.templates()
	r.d.CDP, r.d.AIA, r.d.OCSP = r.urls(dcom.PropCDPURLs), r.urls(dcom.PropAIAURLs), r.urls(dcom.PropOCSPURLs)
	r.properties()
	if r.err != nil {
		return nil, r.err
	}
	return r.d, nil
}

// get asks for a property. Nil is one that is missing, which is noted.
func (r *reading) get(id, index, kind int32) []byte {
	if r.err != nil {
		return nil
	}
	value, err := r.value(r.ctx, id, index, kind)
	if err != nil {
		r.missing(id, index, err)
		return nil
	}
	if value == nil {
		value = []byte{} // a NULL string
	}
	return value
}

// missing notes what could not be learnt, or ends the reading if nothing can be any more.
func (r *reading) missing(id, index int32, err error) {
	_, malformed := errors.AsType[*AnswerError](err)
	if code, ok := errors.AsType[HResult](err); ok && errors.Is(err, errRefused) {
		err = code
	} else if !malformed {
		if r.err == nil {
			r.err = err
		}
		return
	}
	r.d.Missing = append(r.d.Missing, MissingProperty{ID: id, Index: int(index), Err: err})
}

// text is a property that is a text.
func (r *reading) text(id, index int32) string {
	value := r.get(id, index, dcom.TypeString)
	if value == nil {
		return ""
	}
	text, err := textValue(value)
	if err != nil {
		r.missing(id, index, err)
	}
	return text
}

// textValue decodes a text, with its line feeds.
func textValue(value []byte) (string, error) {
	if len(value) > maxTexts {
		return "", &AnswerError{0, fmt.Sprintf("a text of %d bytes", len(value))}
	}
	text, err := dcom.ParseText(value)
	if err != nil {
		return "", &AnswerError{0, err.Error()}
	}
	return text, nil
}

// nameValue decodes the name of a CA, which must be one that a client can be made with.
func nameValue(value []byte) (string, error) {
	name, err := textValue(value)
	if err != nil {
		return "", err
	}
	if checkName("CA", name) != nil {
		return "", &AnswerError{0, "a CA without a name, or with one that cannot be used"}
	}
	return name, nil
}

// line is a text of one line.
func (r *reading) line(id int32) string { return boundedTo(cleanText(r.text(id, 0)), maxMessage) }

func (r *reading) names() {
	r.d.SanitizedName = r.line(dcom.PropSanitizedCAName)
	r.d.ShortName = r.line(dcom.PropSanitizedShortName)
	r.d.DNSName = r.line(dcom.PropDNSName)
	r.d.ParentName = r.line(dcom.PropParentCA)
	r.d.FileVersion = r.line(dcom.PropFileVersion)
	r.d.ProductVersion = r.line(dcom.PropProductVersion)
	r.d.Policy = r.line(dcom.PropPolicyDescription)
}

// number is a property that is a number: one by itself, or in the CAINFO that most CAs send for each of them.
func (r *reading) number(id int32, pick func(*dcom.CAInfo) uint32) (uint32, bool) {
	value := r.get(id, 0, dcom.TypeLong)
	if value == nil {
		return 0, false
	}
	n, err := dcom.ParseLong(value, pick)
	if err != nil {
		r.missing(id, 0, &AnswerError{0, err.Error()})
		return 0, false
	}
	return n, true
}

func (r *reading) numbers() {
	if n, ok := r.number(dcom.PropCAType, func(i *dcom.CAInfo) uint32 { return uint32(i.CAType) }); ok {
		r.d.Type = CAType(n)
	}
	advanced, _ := r.number(dcom.PropAdvancedServer, func(i *dcom.CAInfo) uint32 { return i.AdvancedServer })
	separated, _ := r.number(dcom.PropRoleSeparation, func(i *dcom.CAInfo) uint32 { return uint32(i.RoleSeparation) })
	agents, _ := r.number(dcom.PropKRACertCount, func(i *dcom.CAInfo) uint32 { return i.KRACertCount })
	required, _ := r.number(dcom.PropKRACertUsedCount, func(i *dcom.CAInfo) uint32 { return i.KRACertUsedCount })
	r.d.AdvancedServer, r.d.RoleSeparation = advanced != 0, separated != 0
	r.d.KRACertificates, r.d.KRARequired = int(agents), int(required)
}

// certificates asks for the CA's own certificates and those above them.
func (r *reading) certificates() {
	count, ok := r.number(dcom.PropCASigCertCount, func(i *dcom.CAInfo) uint32 { return i.SignatureCerts })
	if !ok || r.err != nil {
		return
	}
	if count > maxCACertificates {
		r.missing(dcom.PropCASigCertCount, 0, &AnswerError{0, fmt.Sprintf("%d certificates of the CA", count)})
		return
	}
	states := r.get(dcom.PropCACertState, 0, dcom.TypeLong)
	versions := r.get(dcom.PropCACertVersion, 0, dcom.TypeLong)
	for i := range int(count) {
		c := CACertificate{State: CACertificateUnknown, Key: -1}
		if i < len(states) {
			c.State = CACertificateState(states[i])
		}
		if 4*i+4 <= len(versions) { // the upper half is the index of the key
			c.Key = int(binary.LittleEndian.Uint32(versions[4*i:]) >> 16)
		}
		c.Certificate = r.certificate(dcom.PropCASigCert, int32(i))
		c.Chain = r.chain(int32(i), c.Certificate)
		r.d.Certificates = append(r.d.Certificates, c)
	}
}

// certificate is a property that is a certificate.
func (r *reading) certificate(id, index int32) *x509.Certificate {
	value := r.get(id, index, dcom.TypeBinary)
	if value == nil {
		return nil
	}
	if len(value) > maxLeaf {
		r.missing(id, index, &AnswerError{0, fmt.Sprintf("a certificate of %d bytes", len(value))})
		return nil
	}
	cert, err := x509.ParseCertificate(value)
	if err != nil {
		r.missing(id, index, &AnswerError{0, fmt.Sprintf("a certificate that cannot be parsed: %v", err)})
		return nil
	}
	return cert
}

// chain is the certificates above one of the CA's own. Those that crypto/x509 cannot parse are left out.
func (r *reading) chain(index int32, own *x509.Certificate) []*x509.Certificate {
	value := r.get(dcom.PropCASigCertChain, index, dcom.TypeBinary)
	if len(value) == 0 {
		return nil
	}
	if len(value) > maxChain {
		r.missing(dcom.PropCASigCertChain, index, &AnswerError{0, fmt.Sprintf("a chain of %d bytes", len(value))})
		return nil
	}
	sd, err := cms.Parse(value)
	if err != nil {
		r.missing(dcom.PropCASigCertChain, index, &AnswerError{0, fmt.Sprintf("a chain that cannot be parsed: %v", err)})
		return nil
	}
	var chain []*x509.Certificate
	for _, der := range sd.Certificates {
		if cert, err := x509.ParseCertificate(der); err == nil && (own == nil || !cert.Equal(own)) {
			chain = append(chain, cert)
		}
	}
	return chain
}

func (r *reading) exchange() {
	r.d.Exchange = r.certificate(dcom.PropCAXchgCert, 0)
}

// templates asks for the templates: a line for the name of each, and one for its OID.
func (r *reading) templates() {
	text := strings.TrimSuffix(r.text(dcom.PropTemplates, 0), "\n")
	if text == "" {
		return
	}
	lines := strings.Split(text, "\n")
	if len(lines)%2 != 0 {
		lines = append(lines, "") // an empty OID at the end, of which the line feed was taken for that of the list
	}
	if len(lines) > 2*maxTemplates {
		r.missing(dcom.PropTemplates, 0, &AnswerError{0, fmt.Sprintf("%d templates", len(lines)/2)})
		return
	}
	for i := 0; i < len(lines); i += 2 {
		name, oid := cleanText(lines[i]), cleanText(lines[i+1])
		if name != "" {
			r.d.Templates = append(r.d.Templates, PublishedTemplate{Name: name, OID: oid})
		}
	}
}

// urls asks for a list of URLs, those of the newest certificate: a line for each.
func (r *reading) urls(id int32) (list []string) {
	for line := range strings.SplitSeq(r.text(id, dcom.PropertyNewest), "\n") {
		if line = cleanText(line); line != "" && len(list) < maxURLs {
			list = append(list, line)
		}
	}
	return list
}

// properties asks what the CA can be asked for.
func (r *reading) properties() {
	if r.err != nil {
		return
	}
	list, err := r.list(r.ctx)
	if err != nil {
		r.missing(0, 0, err)
		return
	}
	for _, p := range list {
		r.d.Properties = append(r.d.Properties, CAProperty{
			ID: p.ID, Name: boundedTo(cleanText(p.Name), maxMessage), Type: p.Type, Indexed: p.Indexed,
		})
	}
}
