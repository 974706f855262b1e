package adcstest

import (
	"cmp"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/ndr"
)

func (s *Server) enumViewColumn(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.Range
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	return s.columns(c, m.Authority, csra.TableRequests, m.First, m.Count), nil
}

func (s *Server) enumViewColumnTable(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.TableRange
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	return s.columns(c, m.Authority, m.Table, m.First, m.Count), nil
}

func (s *Server) columns(c *callContext, authority string, table, first, count uint32) *csra.Table {
	if hr := s.allowed(c, authority, anyReader); hr != 0 {
		return &csra.Table{Return: hr}
	}
	out := s.schema.columns(table, first, count)
	return &out
}

// getViewDefaultColumnSet serves GetViewDefaultColumnSet, whose request has the form of those about a request.
func (s *Server) getViewDefaultColumnSet(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByRequest
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Table{Return: hr}, nil
	}
	ids, ok := defaultColumns(m.RequestID)
	if !ok {
		return &csra.Table{Return: hrInvalidArg}, nil
	}
	return &csra.Table{Count: uint32(len(ids)), Data: encodeNumbers(ids)}, nil
}

func (s *Server) openView(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.OpenView
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Table{Return: hr}, nil
	}
	out := c.object.view.open(s.authority, s.schema, &m)
	return &out, nil
}

// enumView serves EnumView. Who has lost the role since the view was opened does not read on.
func (s *Server) enumView(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.Range
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Table{Return: hr}, nil
	}
	out := c.object.view.enumerate(m.First, m.Count)
	return &out, nil
}

func (s *Server) closeView(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByName
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	hr := s.allowed(c, m.Authority, anyReader)
	if hr == 0 {
		hr = c.object.view.close()
	}
	return &csra.Result{Return: hr}, nil
}

// enumElements serves EnumAttributesOrExtensions (MS-CSRA section 3.1.4.1.11).
func (s *Server) enumElements(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.Elements
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Table{Return: hr}, nil
	}
	if m.RequestID == 0 || m.Kind > csra.ElementExtensions {
		return &csra.Table{Return: hrInvalidArg}, nil
	}
	row, ok := s.authority.find(m.RequestID, "")
	if !ok {
		return &csra.Table{Return: hrPropertyEmpty}, nil
	}
	if m.Kind == csra.ElementExtensions {
		list, ok := after(row.extensions(), m.Last, func(e csra.Extension) string { return e.Name })
		if !ok {
			return &csra.Table{Return: hrInvalidArg}, nil
		}
		list, hr := upTo(list, m.Count)
		return &csra.Table{Count: uint32(len(list)), Data: csra.EncodeExtensions(list), Return: hr}, nil
	}
	list, ok := after(row.attributeTable(), m.Last, func(a csra.Attribute) string { return a.Name })
	if !ok {
		return &csra.Table{Return: hrPropertyEmpty}, nil
	}
	list, hr := upTo(list, m.Count)
	return &csra.Table{Count: uint32(len(list)), Data: csra.EncodeAttributes(list), Return: hr}, nil
}

// after is what comes behind the element with a name, all of it without a name. It is false if there is no such
// element.
func after[E any](list []E, last string, name func(E) string) ([]E, bool) {
	if last == "" {
		return list, true
	}
	i := slices.IndexFunc(list, func(e E) bool { return strings.EqualFold(name(e), last) })
	return list[i+1:], i >= 0
}

// upTo is as much of a list as a caller wants, and what the call returns: whether that was more than there is.
func upTo[E any](list []E, count uint32) ([]E, uint32) {
	if uint64(count) > uint64(len(list)) {
		return list, csra.EndOfData
	}
	return list[:count], 0
}

// attributeTable are the rows of the attribute table that belong to a request: one for each name (MS-CSRA section
// 3.1.1.2), in their order.
func (r *row) attributeTable() []csra.Attribute {
	var list []csra.Attribute
	for _, a := range parseAttributes(r.attributes) {
		if !slices.ContainsFunc(list, func(b csra.Attribute) bool { return strings.EqualFold(a.name, b.Name) }) {
			list = append(list, csra.Attribute{Name: a.name, Value: a.value})
		}
	}
	slices.SortStableFunc(list, func(x, y csra.Attribute) int {
		return cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name))
	})
	return list
}

// Flags of an extension (MS-CSRA section 2.2.1.9).
const (
	extensionCritical    = 0x1
	extensionFromRequest = 0x10000
	extensionFromServer  = 0x40000
)

// extensions are the rows of the extension table that belong to a request: those of its certificate, or else those that
// a PKCS#10 request asks for.
func (r *row) extensions() []csra.Extension {
	var found []pkix.Extension
	origin := uint32(extensionFromServer)
	if cert, err := x509.ParseCertificate(r.cert.der); err == nil {
		found = cert.Extensions
	} else if csr, err := x509.ParseCertificateRequest(r.raw); err == nil {
		found, origin = csr.Extensions, extensionFromRequest
	}
	var list []csra.Extension
	for _, e := range found {
		flags := origin
		if e.Critical {
			flags |= extensionCritical
		}
		list = append(list, csra.Extension{Name: e.Id.String(), Flags: flags, Value: e.Value})
	}
	return list
}
