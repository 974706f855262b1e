package adcstest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// Every way in which a fragment can be without the protection that was agreed: fault 5, the connection ends, and the
// CA sees nothing.
func TestUnprotectedFragments(t *testing.T) {
	for _, level := range []rpc.AuthLevel{rpc.LevelCall, rpc.LevelPacket, rpc.LevelIntegrity, rpc.LevelPrivacy} {
		s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
		plain := func(p *rawPeer, flags rpc.Flags, auth *rpc.Auth) []byte {
			body := append((&rpc.Request{}).Append(nil), submitStub(s.Name(), newCSR(t, "x"))...)
			p.call--
			return p.encode(rpc.TypeRequest, flags, body, auth)
		}
		for name, wrong := range map[string]func(p *rawPeer, list [][]byte) [][]byte{
			"no trailer at all": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{plain(p, whole, nil)}
			},
			"last fragment without trailer": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{list[0], plain(p, rpc.FlagLast, nil)}
			},
			"first fragment without trailer": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{plain(p, rpc.FlagFirst, nil), list[1]}
			},
			"connect in the trailer": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{plain(p, whole, &rpc.Auth{Type: 10, Level: 2, ContextID: 7, Value: make([]byte, 16)})}
			},
			"another type in the trailer": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{patched(list[0], len(list[0])-24, 9)}
			},
			"another level in the trailer": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{patched(list[0], len(list[0])-23, byte(level)^1)}
			},
			"another context in the trailer": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{patched(list[0], len(list[0])-20, 8)}
			},
			"signature of zeros": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{patched(list[0], len(list[0])-16, make([]byte, 16)...)}
			},
			"short signature": func(p *rawPeer, list [][]byte) [][]byte {
				b := list[0][:len(list[0])-1]
				b = patched(b, 8, byte(len(b)), byte(len(b)>>8))
				return [][]byte{patched(b, 10, 15)}
			},
			"fragment replayed": func(p *rawPeer, list [][]byte) [][]byte {
				return [][]byte{list[0], patched(list[0], 3, byte(rpc.FlagLast))}
			},
			"fragments swapped": func(p *rawPeer, list [][]byte) [][]byte { return [][]byte{list[1]} },
		} {
			p := dialRaw(t, s.Addr())
			p.logOn(s.User(), s.User().Password, level)
			list := p.fragments(1432, submitStub(s.Name(), make([]byte, 2000)))
			require.Len(t, list, 2)
			for _, b := range wrong(p, list) {
				p.send(b)
			}
			if !assert.NotPanics(t, func() { p.wantFault(rpc.StatusAccessDenied) }, name) {
				continue
			}
			p.wantClosed()
		}
		assert.Empty(t, s.Requests(), "level %d", level)
	}
}

// One flipped bit anywhere in a protected fragment, and the call does not get through.
func TestFlippedBits(t *testing.T) {
	for _, level := range []rpc.AuthLevel{rpc.LevelIntegrity, rpc.LevelPrivacy} {
		s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
		p := dialRaw(t, s.Addr())
		p.logOn(s.User(), s.User().Password, level)
		size := len(p.fragments(5840, submitStub(s.Name(), []byte{0x30, 0}))[0])
		for at := range size {
			p := dialRaw(t, s.Addr())
			p.logOn(s.User(), s.User().Password, level)
			b := p.fragments(5840, submitStub(s.Name(), []byte{0x30, 0}))[0]
			b[at] ^= 1 << (at % 8)
			p.send(b)
			_ = p.nc.(interface{ CloseWrite() error }).CloseWrite() // the server may have hung up already
			pdu, err := rpc.ReadPDU(p.nc, rpc.MaxFragment)
			if err == nil {
				assert.NotEqual(t, rpc.TypeResponse, pdu.Type, "byte %d at level %d", at, level)
			}
		}
		assert.Empty(t, s.Requests())
	}
}

// What a trailer says of identity counts for nothing: each call has the identity of the context that it was signed
// with, and the fragments of a call have one identity.
func TestIdentityOfContexts(t *testing.T) {
	alice := adcstest.User{Name: "alice", Domain: "CORP", Password: "a"}
	bob := adcstest.User{Name: "bob", Domain: "CORP", Password: "b"}
	for _, level := range []rpc.AuthLevel{rpc.LevelConnect, rpc.LevelPrivacy} {
		s := newServer(t, &adcstest.Options{
			Users: []adcstest.User{alice, bob}, MinAuthLevel: adcstest.LevelConnect,
		})
		both := func() (p *rawPeer, a, b *rpc.Security) {
			p = dialRaw(t, s.Addr())
			m := rpc.Bind{MaxXmit: 5840, MaxRecv: 5840, Contexts: []rpc.Context{
				{ID: 0, Abstract: rpc.ICertPassage(), Transfer: []rpc.Syntax{rpc.NDR()}},
				{ID: 1, Abstract: rpc.ICertPassage(), Transfer: []rpc.Syntax{rpc.BindFeatures(3)}},
			}}
			l := newLogOn(alice, "a", level, 1)
			p.send(p.encode(rpc.TypeBind, whole|rpc.FlagSignHeader, m.Append(nil), l.negotiate(t)))
			p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), l.authenticate(t, p.recv())))
			k := newLogOn(bob, "b", level, 2)
			p.send(p.encode(rpc.TypeAlterContext, whole|rpc.FlagSignHeader, bindBody(), k.negotiate(t)))
			p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), k.authenticate(t, p.recv())))
			return p, l.security(), k.security()
		}
		trailer := func(p *rawPeer, flags rpc.Flags, id uint32, stub []byte) []byte {
			return p.encode(rpc.TypeRequest, flags, append((&rpc.Request{}).Append(nil), stub...),
				&rpc.Auth{Type: 10, Level: level, ContextID: id, Value: make([]byte, 16)})
		}
		if level == rpc.LevelPrivacy {
			trailer = nil
		}
		stub := submitStub(s.Name(), newCSR(t, "both"))

		p, a, b := both()
		for _, sec := range []*rpc.Security{b, a, b} {
			if trailer != nil {
				p.send(trailer(p, whole, sec.ContextID, stub))
			} else {
				p.sec = sec
				p.request(stub)
			}
			p.sec = sec
			p.answer()
		}
		var who []string
		for _, r := range s.Requests() {
			who = append(who, r.Requester)
		}
		assert.Equal(t, []string{`CORP\bob`, `CORP\alice`, `CORP\bob`}, who)

		// One call under two identities.
		p, a, b = both()
		if trailer != nil {
			p.send(trailer(p, rpc.FlagFirst, 1, stub[:160]))
			p.call--
			p.send(trailer(p, rpc.FlagLast, 2, stub[160:]))
		} else {
			h := rpc.Header{Type: rpc.TypeRequest, Flags: rpc.FlagFirst, CallID: 9}
			first, err := a.Seal(h, (&rpc.Request{}).Append(nil), stub[:160])
			require.NoError(t, err)
			h.Flags = rpc.FlagLast
			last, err := b.Seal(h, (&rpc.Request{}).Append(nil), stub[160:])
			require.NoError(t, err)
			p.send(first)
			p.send(last)
		}
		p.wantFault(rpc.StatusAccessDenied)
		p.wantClosed()

		// A call that names no context, where there are two.
		p, _, _ = both()
		p.send(p.encode(rpc.TypeRequest, whole, append((&rpc.Request{}).Append(nil), stub...), nil))
		p.wantFault(rpc.StatusAccessDenied)
		p.wantClosed()
		assert.Len(t, s.Requests(), 3)
	}
}

// Further security contexts without having negotiated that there may be any, until there are too many.
func TestContextsNotNegotiated(t *testing.T) {
	s := newServer(t, nil)
	p := dialRaw(t, s.Addr())
	p.logOn(s.User(), s.User().Password, rpc.LevelPrivacy)
	another := func(id uint32) {
		l := newLogOn(s.User(), s.User().Password, rpc.LevelPrivacy, id)
		p.send(p.encode(rpc.TypeAlterContext, whole|rpc.FlagSignHeader, bindBody(), l.negotiate(t)))
	}
	for id := range uint32(63) {
		another(100 + id)
		require.Equal(t, rpc.TypeAlterResp, p.recv().Type)
	}
	another(99)
	p.wantFault(0x6c0)
	p.wantClosed()
}

// Calls on a connection whose logon is not complete, or has failed.
func TestLogonNotComplete(t *testing.T) {
	for _, level := range []rpc.AuthLevel{rpc.LevelConnect, rpc.LevelPrivacy} {
		s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
		u := s.User()
		stub := append((&rpc.Request{}).Append(nil), submitStub(s.Name(), newCSR(t, "x"))...)
		trailer := &rpc.Auth{Type: 10, Level: level, ContextID: 7, Value: make([]byte, 16)}
		for name, status := range map[string]rpc.Status{
			"no AUTH3": rpc.StatusAccessDenied, "wrong password": rpc.StatusSecPkgError, "AUTH3 twice": 0,
		} {
			for _, auth := range []*rpc.Auth{nil, trailer} {
				p := dialRaw(t, s.Addr())
				l := newLogOn(u, u.Password, level, 7)
				if name == "wrong password" {
					l = newLogOn(u, "wrong", level, 7)
				}
				p.send(p.encode(rpc.TypeBind, whole, bindBody(), l.negotiate(t)))
				challenge := p.recv()
				if name != "no AUTH3" {
					p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), l.authenticate(t, challenge)))
				}
				if status == 0 {
					p.send(p.encode(rpc.TypeAuth3, whole, make([]byte, 4), trailer))
					p.wantClosed()
					continue
				}
				p.send(p.encode(rpc.TypeRequest, whole, stub, auth))
				if name == "no AUTH3" && auth == nil && level == rpc.LevelPrivacy {
					status = rpc.StatusAccessDenied
				}
				p.wantFault(status)
				p.wantClosed()
			}
		}
		assert.Empty(t, s.Requests())
	}
}

// A wrong password in an alter_context is answered with a fault at once.
func TestLogonByAlterContext(t *testing.T) {
	s := newServer(t, nil)
	for password, good := range map[string]bool{s.User().Password: true, "wrong": false} {
		p := dialRaw(t, s.Addr())
		p.bind()
		l := newLogOn(s.User(), password, rpc.LevelPrivacy, 7)
		p.send(p.encode(rpc.TypeAlterContext, whole|rpc.FlagSignHeader, bindBody(), l.negotiate(t)))
		p.send(p.encode(rpc.TypeAlterContext, whole|rpc.FlagSignHeader, bindBody(), l.authenticate(t, p.recv())))
		if !good {
			p.wantFault(rpc.StatusSecPkgError)
			p.wantClosed()
			continue
		}
		pdu := p.recv()
		require.Equal(t, rpc.TypeAlterResp, pdu.Type)
		require.Zero(t, pdu.AuthLength)
		p.sec = l.security()
		p.request(submitStub(s.Name(), newCSR(t, "alter")))
		assert.EqualValues(t, 3, disposition(t, p.answer()))
	}
}

// Each level is served from the lowest one that the options allow, and never without a logon.
func TestMinAuthLevel(t *testing.T) {
	none := rpc.AuthLevel(1)
	levels := []rpc.AuthLevel{none, rpc.LevelConnect, rpc.LevelCall, rpc.LevelPacket, rpc.LevelIntegrity, rpc.LevelPrivacy}
	for lowest, served := range map[adcstest.AuthLevel]int{
		0: 1, adcstest.LevelPrivacy: 1, adcstest.LevelIntegrity: 4, adcstest.LevelConnect: 5,
	} {
		s := newServer(t, &adcstest.Options{MinAuthLevel: lowest})
		for i, level := range levels {
			p := dialRaw(t, s.Addr())
			if level == none {
				p.bind()
			} else {
				p.logOn(s.User(), s.User().Password, level)
			}
			p.request(submitStub(s.Name(), newCSR(t, "level")))
			if len(levels)-i <= served {
				assert.EqualValues(t, 3, disposition(t, p.answer()))
			} else {
				p.wantFault(rpc.StatusAccessDenied)
			}
		}
		assert.Len(t, s.Requests(), served)
	}
	for _, bad := range []adcstest.AuthLevel{1, 7} {
		_, err := adcstest.NewServer(&adcstest.Options{MinAuthLevel: bad})
		assert.ErrorContains(t, err, "authentication level")
	}
}
