package adcstest

import (
	"encoding/binary"

	"github.com/adcskit/adcskit/internal/csra"
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
)

// adminMethods are those of ICertAdminD that this CA has (MS-CSRA section 3.1.4.1). Others are out of range: setting
// attributes and extensions of held requests, and what has to do with backups.
func (s *Server) adminMethods() map[uint16]objectMethod {
	return map[uint16]objectMethod{
		uint16(csra.OpResubmitRequest):            s.resubmitRequest,
		uint16(csra.OpDenyRequest):                s.denyRequest,
		uint16(csra.OpIsValidCertificate):         s.isValidCertificate,
		uint16(csra.OpPublishCRL):                 s.publishCRL(false),
		opGetCRL:                                  s.getCRL,
		uint16(csra.OpRevokeCertificate):          s.revokeCertificate,
		uint16(csra.OpEnumViewColumn):             s.enumViewColumn,
		opGetViewDefaultColumnSet:                 s.getViewDefaultColumnSet,
		uint16(csra.OpEnumAttributesOrExtensions): s.enumElements,
		uint16(csra.OpOpenView):                   s.openView,
		uint16(csra.OpEnumView):                   s.enumView,
		uint16(csra.OpCloseView):                  s.closeView,
		uint16(csra.OpPing):                       s.pingAdmin,
		uint16(csra.OpGetServerState):             s.getServerState,
	}
}

// admin2Methods are those of ICertAdminD2 (MS-CSRA section 3.1.4.2), which has those of ICertAdminD too.
func (s *Server) admin2Methods() map[uint16]objectMethod {
	m := s.adminMethods()
	m[uint16(csra.OpPublishCRLs)] = s.publishCRL(true)
	m[uint16(csra.OpGetCAProperty)] = s.getPropertyAsAdmin
	m[uint16(csra.OpGetCAPropertyInfo)] = s.getPropertyInfoAsAdmin
	m[uint16(csra.OpEnumViewColumnTable)] = s.enumViewColumnTable
	m[uint16(csra.OpPing2)] = s.pingAdmin
	m[uint16(csra.OpGetMyRoles)] = s.getMyRoles
	return m
}

// Operations that package csra has no use for.
const (
	opGetCRL                  = 9
	opGetViewDefaultColumnSet = 12
)

// anyReader are the roles of which one is enough to read (MS-CSRA section 3.1.1.7).
const anyReader = roleAdministrator | roleOfficer | roleRead

// allowed says why a caller may not do what any of the roles may, or that another CA was meant. It is 0 for a caller
// who may.
func (s *Server) allowed(c *callContext, authority string, roles uint32) uint32 {
	switch {
	case s.authority.rolesOf(c.caller)&roles == 0:
		return hrAccessDenied
	case !s.authority.isNamed(authority):
		return hrInvalidArg
	}
	return 0
}

func (s *Server) resubmitRequest(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByRequest
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, roleOfficer); hr != 0 {
		return &csra.Number{Return: hr}, nil
	}
	disposition, hr := s.authority.resubmit(c.caller, m.RequestID)
	return &csra.Number{Number: disposition, Return: hr}, nil
}

func (s *Server) denyRequest(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByRequest
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	hr := s.allowed(c, m.Authority, roleOfficer)
	if hr == 0 {
		hr = s.authority.denyBy(c.caller.account(), m.RequestID)
	}
	return &csra.Result{Return: hr}, nil
}

func (s *Server) isValidCertificate(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.BySerial
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Validity{Return: hr}, nil
	}
	reason, disposition := s.authority.validity(m.Serial)
	return &csra.Validity{Reason: csra.Reason(reason), State: int32(disposition)}, nil
}

// revokeCertificate serves RevokeCertificate. No time is taken for now.
func (s *Server) revokeCertificate(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.Revoke
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	hr := s.allowed(c, m.Authority, roleOfficer)
	if hr == 0 {
		effective := csra.Time(m.Effective)
		if effective.IsZero() {
			effective = s.authority.now()
		}
		hr = s.authority.revoke(c.caller.account(), m.Serial, uint32(m.Reason), effective)
	}
	return &csra.Result{Return: hr}, nil
}

// publishMessage is the request of PublishCRLs, or that of PublishCRL, which has no flags.
type publishMessage struct {
	csra.Publish
	flagged bool
}

func (m *publishMessage) Read(r *ndr.Reader) { m.Publish.Read(r, m.flagged) }

func (s *Server) publishCRL(flagged bool) objectMethod {
	return func(c *callContext, r *ndr.Reader) (answerer, error) {
		m := publishMessage{flagged: flagged}
		if err := c.decode(r, &m); err != nil {
			return nil, err
		}
		flags := m.Flags
		if !flagged {
			flags = csra.PublishBase
		}
		hr := s.allowed(c, m.Authority, roleAdministrator)
		if hr == 0 {
			hr = s.authority.publishCRLs(c.caller.account(), csra.Time(m.NextUpdate), flags)
		}
		return &csra.Result{Return: hr}, nil
	}
}

// getCRL serves GetCRL (MS-CSRA section 3.1.4.1.7).
func (s *Server) getCRL(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByName
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Blob{Return: hr}, nil
	}
	data, hr := s.authority.property(dcom.PropBaseCRL, dcom.PropertyNewest, dcom.TypeBinary)
	return &csra.Blob{Data: data, Return: hr}, nil
}

// pingAdmin serves Ping and Ping2, which only administrators may call; the name may be missing.
func (s *Server) pingAdmin(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByName
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if m.Authority == "" {
		m.Authority = s.opts.Name
	}
	return &csra.Result{Return: s.allowed(c, m.Authority, roleAdministrator)}, nil
}

func (s *Server) getServerState(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByName
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	var out csra.Number
	switch s.allowed(c, m.Authority, anyReader) {
	case 0:
		out.Number = 1
	case hrInvalidArg:
		out.Return = hrInvalidArg
	}
	return &out, nil
}

func (s *Server) getMyRoles(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByName
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Number{Return: hr}, nil
	}
	return &csra.Number{Number: s.authority.rolesOf(c.caller)}, nil
}

// getPropertyAsAdmin serves GetCAProperty as ICertRequestD2 does, but that the index of a plain property is ignored
// (MS-CSRA section 3.1.4.2.2).
func (s *Server) getPropertyAsAdmin(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.Property
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Blob{Return: hr}, nil
	}
	if !s.authority.indexed(m.ID) {
		m.Index = 0
	}
	data, hr := s.authority.property(m.ID, m.Index, m.Type)
	return &csra.Blob{Data: data, Return: hr}, nil
}

func (s *Server) getPropertyInfoAsAdmin(c *callContext, r *ndr.Reader) (answerer, error) {
	var m csra.ByName
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.allowed(c, m.Authority, anyReader); hr != 0 {
		return &csra.Table{Return: hr}, nil
	}
	list := s.authority.properties()
	return &csra.Table{Count: uint32(len(list)), Data: dcom.EncodeProperties(list)}, nil
}

// encodeNumbers is an array of numbers in a CERTTRANSBLOB.
func encodeNumbers(list []uint32) []byte {
	var b []byte
	for _, v := range list {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}
