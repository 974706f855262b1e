package adcstest

import (
	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
)

// unknownMethods are those of IRemUnknown, which IRemUnknown2 has too (MS-DCOM section 3.1.1.5.6).
func (s *Server) unknownMethods() map[uint16]objectMethod {
	return map[uint16]objectMethod{
		dcom.OpRemQueryInterface: s.remQueryInterface,
		dcom.OpRemAddRef:         s.remAddRef,
		dcom.OpRemRelease:        s.remRelease,
	}
}

func (s *Server) remQueryInterface(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.RemQueryInterface
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	out := s.objects.queryInterface(&m)
	return &out, nil
}

func (s *Server) remAddRef(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.RemReferences
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	return &dcom.RemAddedRef{Results: s.objects.addReferences(c.caller.account(), m.Refs)}, nil
}

func (s *Server) remRelease(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.RemReferences
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	s.objects.release(c.caller.account(), m.Refs)
	return &dcom.Status{}, nil
}
