package adcstest

import (
	"slices"

	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// activationInterfaces are the two that make objects, at the endpoint mapper's port. Since March 2023 Windows takes
// activations at level integrity or above only (KB5004442); a CA that serves lower levels is older than that.
func (s *Server) activationInterfaces() []*rpcInterface {
	level := min(levelIntegrity, authLevel(s.opts.MinAuthLevel))
	never := func() bool { return false }
	return []*rpcInterface{
		{
			name: "IActivation", syntax: dcom.Interface(dcom.IActivation()), noNDR64: true, minLevel: level, off: never,
			methods: []method{dcom.OpRemoteActivation: s.plain(s.remoteActivation)},
		},
		{
			name: "IRemoteSCMActivator", syntax: dcom.Interface(dcom.IRemoteSCMActivator()), noNDR64: true,
			minLevel: level, off: never,
			methods: []method{dcom.OpRemoteCreateInstance: s.plain(s.remoteCreateInstance)},
		},
	}
}

// modeClassFactory asks for the class factory in place of an object.
const modeClassFactory = 0xffffffff

// remoteActivation serves IActivation::RemoteActivation (MS-DCOM section 3.1.2.5.2.3.1).
func (s *Server) remoteActivation(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.RemoteActivation
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if !supported(m.This.Version) {
		return nil, rpc.Status(hrVersionMismatch)
	}
	if m.Mode == modeClassFactory {
		return failedActivation(len(m.IIDs), hrNoInterface), nil // nobody asks a CA for its class factories
	}
	a, hr := s.activated(c, m.Class, m.IIDs, m.Protseqs)
	if hr != 0 {
		return failedActivation(len(m.IIDs), hr), nil
	}
	return &dcom.RemoteActivated{Activated: *a}, nil
}

// failedActivation has a NULL pointer and zero for every interface.
func failedActivation(interfaces int, hr uint32) *dcom.RemoteActivated {
	return &dcom.RemoteActivated{
		Activated: dcom.Activated{
			Version: dcom.CurrentVersion(), Interfaces: make([]dcom.Interfaced, interfaces),
		},
		Result: hr,
	}
}

// remoteCreateInstance serves IRemoteSCMActivator::RemoteCreateInstance (MS-DCOM section 3.1.2.5.2.3.3).
func (s *Server) remoteCreateInstance(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.CreateInstance
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if !supported(m.This.Version) {
		return nil, rpc.Status(hrVersionMismatch)
	}
	a, hr := s.activated(c, m.Class, m.IIDs, m.Protseqs)
	if hr != 0 {
		return &dcom.CreatedInstance{Status: hr}, nil
	}
	return &dcom.CreatedInstance{Activated: a, IIDs: m.IIDs}, nil
}

// supported says whether a client of a version is served: of the same major version and a minor version that is not
// newer (MS-DCOM section 1.7).
func supported(v dcom.Version) bool {
	have := dcom.CurrentVersion()
	return v.Major == have.Major && v.Minor <= have.Minor
}

// activated makes an object for the caller.
func (s *Server) activated(
	c *callContext, class rpc.UUID, iids []rpc.UUID, protseqs []uint16,
) (*dcom.Activated, uint32) {
	if s.dcomOff.Load() {
		return nil, hrServerExec
	}
	if !slices.Contains(protseqs, dcom.TowerTCP) {
		return nil, hrProtseqUnsupport
	}
	list, hr := s.objects.activate(class, iids)
	if hr != 0 {
		return nil, hr
	}
	resolver := s.bindings(c.local, 0)
	for i := range list {
		if list[i].Ref != nil {
			list[i].Ref.Resolver = resolver
		}
	}
	b := s.bindings(c.local, s.exporter.port)
	return &dcom.Activated{
		OXID: s.objects.oxid, Bindings: &b, RemUnknown: s.objects.remUnknown, AuthnHint: uint32(s.opts.MinAuthLevel),
		Version: dcom.CurrentVersion(), Interfaces: list,
	}, 0
}
