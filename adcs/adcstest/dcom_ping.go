package adcstest

import (
	"time"

	"github.com/adcskit/adcskit/internal/dcom"
)

// Statuses of the object resolver (MS-ERREF section 2.2).
const (
	orInvalidOXID uint32 = 1910
	orInvalidOID  uint32 = 1911
	orInvalidSet  uint32 = 1912
)

// pingSet is what one client keeps alive with one call (MS-DCOM section 3.1.2.1, SETID table).
type pingSet struct {
	sequence uint16
	oids     map[uint64]struct{}
	pinged   time.Time
}

// ping does SimplePing (MS-DCOM section 3.1.2.5.1.2).
func (t *objectTable) ping(id uint64) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	s := t.sets[id]
	if s == nil {
		return orInvalidSet
	}
	s.pinged = t.now()
	return 0
}

// changeSet does ComplexPing (MS-DCOM section 3.1.2.5.1.3).
func (t *objectTable) changeSet(m *dcom.ComplexPing) dcom.ComplexPinged {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	if m.Set == 0 {
		return t.newSet(m)
	}
	s := t.sets[m.Set]
	switch {
	case s == nil:
		return dcom.ComplexPinged{Set: m.Set, Status: orInvalidSet}
	case s.sequence > m.Sequence:
		return dcom.ComplexPinged{Set: m.Set}
	}
	status := t.addToSet(s, m.Add)
	for _, oid := range m.Delete {
		t.takeFromSet(s, oid)
	}
	s.pinged, s.sequence = t.now(), m.Sequence
	return dcom.ComplexPinged{Set: m.Set, Status: status}
}

func (t *objectTable) newSet(m *dcom.ComplexPing) dcom.ComplexPinged {
	if len(t.sets) >= maxPingSets {
		return dcom.ComplexPinged{Status: hrOutOfMemory & 0xffff}
	}
	s := &pingSet{sequence: m.Sequence, oids: map[uint64]struct{}{}, pinged: t.now()}
	t.addToSet(s, m.Add) // in a new set, objects that are not there are passed over
	id := newID()
	t.sets[id] = s
	return dcom.ComplexPinged{Set: id}
}

// addToSet adds the objects that are there, and says so if one is not.
func (t *objectTable) addToSet(s *pingSet, oids []uint64) (status uint32) {
	for _, oid := range oids {
		if _, in := s.oids[oid]; in {
			continue
		}
		o := t.objects[oid]
		if o == nil {
			status = orInvalidOID
			continue
		}
		o.sets++
		s.oids[oid] = struct{}{}
	}
	return status
}

// takeFromSet takes an object out of a set. It lives on for a while if no other set keeps it.
func (t *objectTable) takeFromSet(s *pingSet, oid uint64) {
	if _, in := s.oids[oid]; !in {
		return
	}
	delete(s.oids, oid)
	if o := t.objects[oid]; o != nil {
		o.sets--
	}
}

// sweep drops what nobody has pinged or called for three ping periods (MS-DCOM sections 3.1.1.6.2 and 3.1.2.6). It
// looks at most once a second, since it looks at everything. The caller holds the lock.
func (t *objectTable) sweep() {
	now := t.now()
	if now.Sub(t.swept) < time.Second {
		return
	}
	t.swept = now
	for id, s := range t.sets {
		if now.Sub(s.pinged) <= pingLimit {
			continue
		}
		for oid := range s.oids {
			t.takeFromSet(s, oid)
		}
		delete(t.sets, id)
	}
	for oid, o := range t.objects {
		if o.sets > 0 || now.Sub(o.used) <= pingLimit {
			continue
		}
		for _, e := range o.interfaces {
			delete(t.entries, e.ipid)
		}
		o.view.drop()
		delete(t.objects, oid)
	}
}
