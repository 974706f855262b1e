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

// unknown2Methods are those of IRemUnknown2 (MS-DCOM section 3.1.1.5.7).
func (s *Server) unknown2Methods() map[uint16]objectMethod {
	m := s.unknownMethods()
	m[dcom.OpRemQueryInterface2] = s.remQueryInterface2
	return m
}

// remQueryInterface2 is RemQueryInterface with whole references in the answer. It hands out as many as an activation.
func (s *Server) remQueryInterface2(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.RemQueryInterface2
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	found := s.objects.queryInterface(&dcom.RemQueryInterface{IPID: m.IPID, Refs: publicRefs, IIDs: m.IIDs})
	out := &dcom.RemQueriedInterface2{Return: found.Return}
	for i, iid := range m.IIDs {
		var e dcom.Interfaced // without a reference, as the object that was asked is not there
		if i < len(found.Results) {
			if e.Result = found.Results[i].Result; e.Result == 0 {
				e.Ref = &dcom.ObjRef{IID: iid, Std: found.Results[i].Ref, Resolver: s.bindings(c.local, 0)}
			}
		}
		out.Interfaces = append(out.Interfaces, e)
	}
	return out, nil
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
