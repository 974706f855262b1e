package adcstest

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
)

// resolverInterface is IObjectExporter, at the endpoint mapper's port. It serves everybody, as ServerAlive2 must: what
// it reveals is a port number, and what it keeps alive are objects of which the caller has to know a random number.
func (s *Server) resolverInterface() *rpcInterface {
	return &rpcInterface{
		name: "IObjectExporter", syntax: dcom.Interface(dcom.IObjectExporter()), noNDR64: true, minLevel: levelNone,
		off: func() bool { return false },
		methods: []method{
			dcom.OpResolveOxid:  s.plain(s.resolveOxid),
			dcom.OpSimplePing:   s.plain(s.simplePing),
			dcom.OpComplexPing:  s.plain(s.complexPing),
			dcom.OpServerAlive:  s.plain(s.serverAlive),
			dcom.OpResolveOxid2: s.plain(s.resolveOxid2),
			dcom.OpServerAlive2: s.plain(s.serverAlive2),
		},
	}
}

// answerer is the results of a method.
type answerer interface{ Write(*ndr.Writer) }

// plainMethod is a method of an interface whose calls do not go to an object.
type plainMethod func(c *callContext, r *ndr.Reader) (answerer, error)

// plain makes a method of one that works with messages.
func (s *Server) plain(m plainMethod) method {
	return func(c *callContext, r *ndr.Reader) ([]byte, error) {
		out, err := m(c, r)
		if err != nil {
			return nil, err
		}
		w := &ndr.Writer{}
		out.Write(w)
		return w.Stub(), nil
	}
}

// decode reads the parameters of a call and checks what follows them.
func (c *callContext) decode(r *ndr.Reader, m interface{ Read(*ndr.Reader) }) error {
	if m.Read(r); r.Err() != nil {
		return errStub
	}
	return c.checkTrailer(r.Offset())
}

func (s *Server) serverAlive(c *callContext, r *ndr.Reader) (answerer, error) {
	return &dcom.Status{}, c.checkTrailer(r.Offset())
}

func (s *Server) serverAlive2(c *callContext, r *ndr.Reader) (answerer, error) {
	b := s.bindings(c.local, 0)
	return &dcom.ServerAlive2{Version: dcom.CurrentVersion(), Bindings: &b}, c.checkTrailer(r.Offset())
}

func (s *Server) simplePing(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.SimplePing
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	return &dcom.Status{Status: s.objects.ping(m.Set)}, nil
}

func (s *Server) complexPing(c *callContext, r *ndr.Reader) (answerer, error) {
	var m dcom.ComplexPing
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	out := s.objects.changeSet(&m)
	return &out, nil
}

func (s *Server) resolveOxid(c *callContext, r *ndr.Reader) (answerer, error) {
	return s.resolve(c, r, false)
}

func (s *Server) resolveOxid2(c *callContext, r *ndr.Reader) (answerer, error) {
	return s.resolve(c, r, true)
}

// resolve does ResolveOxid and ResolveOxid2 (MS-DCOM sections 3.1.2.5.1.1 and 3.1.2.5.1.5).
func (s *Server) resolve(c *callContext, r *ndr.Reader, two bool) (answerer, error) {
	var m dcom.ResolveOxid
	if err := c.decode(r, &m); err != nil {
		return nil, err
	}
	if m.OXID != s.objects.oxid {
		return &dcom.ResolvedOxid{Two: two, Status: orInvalidOXID}, nil
	}
	if !slices.Contains(m.Protseqs, dcom.TowerTCP) {
		return &dcom.ResolvedOxid{Two: two, Status: hrProtseqUnsupport & 0xffff}, nil
	}
	b := s.bindings(c.local, s.exporter.port)
	return &dcom.ResolvedOxid{
		Two: two, Bindings: &b, RemUnknown: s.objects.remUnknown, AuthnHint: uint32(s.opts.MinAuthLevel),
		Version: dcom.CurrentVersion(),
	}, nil
}

// bindings are where the server listens, as a client sees it that has connected to addr: by the NetBIOS name of the
// host and by that address, as Windows has them. Port 0 leaves the endpoints out, for the object resolver.
func (s *Server) bindings(addr netip.Addr, port uint16) dcom.Bindings {
	endpoint := ""
	if port != 0 {
		endpoint = "[" + strconv.Itoa(int(port)) + "]"
	}
	hosts := []string{s.accounts.computer}
	if addr.IsValid() {
		hosts = append(hosts, addr.String())
	}
	var b dcom.Bindings
	for _, h := range hosts {
		b.Strings = append(b.Strings, dcom.StringBinding{Tower: dcom.TowerTCP, Address: h + endpoint})
	}
	for _, service := range []rpc.AuthType{rpc.AuthNegotiate, rpc.AuthNTLM, rpc.AuthKerberos} {
		if s.newAcceptor(service) != nil {
			b.Security = append(b.Security, dcom.SecurityBinding{Service: uint16(service)})
		}
	}
	return b
}
