package adcstest

import (
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
)

// requestMethods are those of ICertRequestD (MS-WCCE section 3.2.1.4.2).
func (s *Server) requestMethods() map[uint16]objectMethod {
	return map[uint16]objectMethod{
		dcom.OpRequest:   s.request,
		dcom.OpGetCACert: s.getCACert,
		dcom.OpPing:      s.pingCA,
	}
}

// request2Methods are those of ICertRequestD2 (MS-WCCE section 3.2.1.4.3), which has those of ICertRequestD too.
func (s *Server) request2Methods() map[uint16]objectMethod {
	m := s.requestMethods()
	m[dcom.OpRequest2] = s.request2
	m[dcom.OpGetCAProperty] = s.getCAProperty
	m[dcom.OpGetCAPropertyInfo] = s.getCAPropertyInfo
	m[dcom.OpPing2] = s.pingCA
	return m
}

// request serves Request, which is CertServerRequest in another form.
func (s *Server) request(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.Request
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	return s.process(c, certServerRequest{
		flags:     m.Flags &^ flagFullResponse, // of Request2 alone: MS-WCCE section 3.2.1.4.3.1.1
		authority: m.Authority, requestID: m.RequestID, attributes: wireText(m.Attributes), request: m.Request,
	}), nil
}

// request2 serves Request2, which has a parameter of its own for the serial number to look for.
func (s *Server) request2(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.Request2
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	return s.process(c, certServerRequest{
		flags: m.Flags, authority: m.Authority, requestID: m.RequestID, attributes: wireText(m.Attributes),
		request: m.Request, second: true, serial: m.Serial,
	}), nil
}

func (s *Server) process(c *callContext, in certServerRequest) *dcom.Answer {
	out := s.authority.certServerRequest(c.caller, in, c.call.fault.Forge.tampering())
	return &dcom.Answer{
		RequestID: out.requestID, Disposition: out.disposition, Chain: out.cert, Certificate: out.encodedCert,
		Message: out.message, Return: out.ret,
	}
}

// wireText is a parameter as ICertPassage has it.
func wireText(s string) []byte {
	if s == "" {
		return nil
	}
	return wireString(s)
}

// pingCA serves Ping and Ping2 (MS-WCCE sections 3.2.1.4.2.3 and 3.2.1.4.3.4).
func (s *Server) pingCA(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.Authority
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if m.Authority != "" && !s.authority.isNamed(m.Authority) {
		return &dcom.Status{Status: hrInvalidArg}, nil
	}
	return &dcom.Status{}, nil
}

// mayAsk says why a caller may not ask for properties of the CA: only who may enroll there may, or read its database
// (MS-CSRA section 3.1.1.7). It is 0 for a caller who may.
func (s *Server) mayAsk(c *callContext) uint32 {
	if s.authority.rolesOf(c.caller)&(roleEnroll|anyReader) == 0 {
		return hrAccessDenied
	}
	return 0
}

// getCACert serves GetCACert (MS-WCCE section 3.2.1.4.2.2). What the CA is called can be asked without knowing it.
func (s *Server) getCACert(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.GetCACert
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.mayAsk(c); hr != 0 {
		return &dcom.Value{Return: hr}, nil
	}
	if m.What != dcom.CACertName && m.What != dcom.CACertSanitized && !s.authority.isNamed(m.Authority) {
		return &dcom.Value{Return: hrInvalidArg}, nil
	}
	value, hr := s.authority.caCert(m.What)
	return &dcom.Value{Value: value, Return: hr}, nil
}

// getCAProperty serves GetCAProperty (MS-WCCE section 3.2.1.4.3.2).
func (s *Server) getCAProperty(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.GetCAProperty
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.mayAsk(c); hr != 0 {
		return &dcom.Value{Return: hr}, nil
	}
	if !s.authority.isNamed(m.Authority) {
		return &dcom.Value{Return: hrInvalidArg}, nil
	}
	value, hr := s.authority.property(m.ID, m.Index, m.Type)
	return &dcom.Value{Value: value, Return: hr}, nil
}

// getCAPropertyInfo serves GetCAPropertyInfo (MS-WCCE section 3.2.1.4.3.3).
func (s *Server) getCAPropertyInfo(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.Authority
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if hr := s.mayAsk(c); hr != 0 {
		return &dcom.PropertyInfo{Return: hr}, nil
	}
	if !s.authority.isNamed(m.Authority) {
		return &dcom.PropertyInfo{Return: hrInvalidArg}, nil
	}
	list := s.authority.properties()
	return &dcom.PropertyInfo{Count: int32(len(list)), Info: dcom.EncodeProperties(list)}, nil
}
