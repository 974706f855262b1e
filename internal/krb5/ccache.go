package krb5

import (
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"golang.org/x/crypto/cryptobyte"

	"github.com/adcskit/adcskit/internal/rpc"
)

// CCache is a credential cache of type FILE.
type CCache struct {
	Principal Principal
	Tickets   []*Ticket
}

// configRealm is the realm of entries that are no tickets.
const configRealm = "X-CACHECONF:"

// maxTickets bounds the tickets of a cache.
const maxTickets = 1024

// ParseCCache decodes a credential cache of versions 3 and 4
// (https://web.mit.edu/kerberos/krb5-latest/doc/formats/ccache_file_format.html). It is our own: gokrb5 panics on bad
// ones.
func ParseCCache(b []byte) (*CCache, error) {
	s := ccacheString{cryptobyte.String(b), 0}
	if !s.ReadUint16(&s.version) || s.version != 0x0503 && s.version != 0x0504 {
		return nil, malformed("not a credential cache of version 3 or 4")
	}
	var header cryptobyte.String
	if s.version == 0x0504 && !s.ReadUint16LengthPrefixed(&header) {
		return nil, malformed("header of a credential cache")
	}
	c := &CCache{}
	if !s.principal(&c.Principal) {
		return nil, malformed("principal of a credential cache")
	}
	for n := 0; !s.Empty(); n++ {
		t, der, ok := s.credential()
		if !ok || n == maxTickets {
			return nil, malformed("entry %d of a credential cache", n+1)
		}
		if t.Service.Realm == configRealm || !supported(t.Key) {
			continue
		}
		err := rpc.Guard(func() error { return t.Ticket.Unmarshal(der) })
		if err != nil {
			return nil, malformed("ticket %d of a credential cache", n+1)
		}
		if _, err := named(t.Ticket.SName, t.Ticket.Realm); err != nil {
			return nil, err
		}
		c.Tickets = append(c.Tickets, t)
	}
	return c, nil
}

// ccacheString reads the parts of a cache.
type ccacheString struct {
	cryptobyte.String
	version uint16
}

func (s *ccacheString) data(v *[]byte) bool {
	var n uint32
	return s.ReadUint32(&n) && int64(n) <= int64(len(s.String)) && s.ReadBytes(v, int(n))
}

func (s *ccacheString) text(v *string) bool {
	var b []byte
	ok := s.data(&b)
	*v = string(b)
	return ok
}

func (s *ccacheString) principal(p *Principal) bool {
	var nameType, parts uint32
	if !s.ReadUint32(&nameType) || !s.ReadUint32(&parts) || parts > maxParts || !s.text(&p.Realm) {
		return false
	}
	p.Type, p.Parts = int32(nameType), make([]string, parts)
	for i := range p.Parts {
		if !s.text(&p.Parts[i]) {
			return false
		}
	}
	return true
}

// credential reads one entry; der is its ticket.
func (s *ccacheString) credential() (t *Ticket, der []byte, ok bool) {
	t = &Ticket{}
	var keyType uint16
	var auth, start, end, renew uint32
	if !s.principal(&t.Client) || !s.principal(&t.Service) || !s.ReadUint16(&keyType) ||
		s.version == 0x0503 && !s.Skip(2) { // version 3 has the type twice
		return nil, nil, false
	}
	t.Key = types.EncryptionKey{KeyType: int32(int16(keyType))}
	if !s.data(&t.Key.KeyValue) || !s.ReadUint32(&auth) || !s.ReadUint32(&start) || !s.ReadUint32(&end) ||
		!s.ReadUint32(&renew) || !s.Skip(1+4) || // for user to user, flags
		!s.list() || !s.list() || !s.data(&der) {
		return nil, nil, false
	}
	if start == 0 {
		start = auth
	}
	t.Start, t.End = time.Unix(int64(start), 0), time.Unix(int64(end), 0)
	var second []byte
	return t, der, s.data(&second)
}

// list skips addresses or authorization data.
func (s *ccacheString) list() bool {
	var n uint32
	if !s.ReadUint32(&n) || int64(n) > int64(len(s.String)) {
		return false
	}
	for range n {
		var v []byte
		if !s.Skip(2) || !s.data(&v) {
			return false
		}
	}
	return true
}

// find returns the ticket for a service that ends last.
func (c *CCache) find(match func(*Ticket) bool) *Ticket {
	var best *Ticket
	for _, t := range c.Tickets {
		if t.Client.equal(c.Principal) && match(t) && (best == nil || t.End.After(best.End)) {
			best = t
		}
	}
	return best
}
