package adcstest

import (
	"crypto/x509"
	"fmt"
	"time"
)

// Periods of a CRL as a Windows CA has them by default (MS-CSRA section 3.1.4.1.6): a base CRL a week, a delta CRL a
// day, each valid for half a day longer, so that the next one has the time to get around.
const (
	baseCRLPeriod  = 7 * 24 * time.Hour
	deltaCRLPeriod = 24 * time.Hour
	crlOverlap     = 12*time.Hour + clockSkew
	// maxCRLs bounds the CRL table: the oldest rows go when there are more. Every publication adds two for each key.
	maxCRLs = 4096
)

// Flags of a row of the CRL table (MS-CSRA section 3.1.1.4.1).
const (
	crlFlagBase     = 0x1
	crlFlagDelta    = 0x2
	crlFlagComplete = 0x4
	crlFlagManual   = 0x40
)

// crlRow is a row of the CRL table (MS-CSRA section 3.1.1.4). It is not written to once made.
type crlRow struct {
	id        uint32
	number    uint32
	minBase   uint32 // the number of the CRL that a delta CRL builds on; 0 for a base CRL
	key       uint16 // the index of the CA's key
	flags     uint32
	count     int
	publisher string // DOMAIN\name, or "" for the CA itself

	thisUpdate, nextUpdate, thisPublish, nextPublish, propagated time.Time
	effective                                                    time.Time // of the base of a delta CRL

	list *x509.RevocationList
}

func (r *crlRow) delta() bool { return r.minBase != 0 }

// crlTable holds what the CA has published, oldest first. It is used under the lock of the authority.
type crlTable struct {
	rows   []*crlRow
	number uint32 // of the last CRL
	lastID uint32
}

func (t *crlTable) add(r *crlRow) {
	t.lastID++
	r.id = t.lastID
	if t.rows = append(t.rows, r); len(t.rows) > maxCRLs {
		t.rows = t.rows[len(t.rows)-maxCRLs:]
	}
}

// newest returns the newest base or delta CRL of a key, or nil.
func (t *crlTable) newest(key uint16, delta bool) *crlRow {
	for i := len(t.rows) - 1; i >= 0; i-- {
		if r := t.rows[i]; r.key == key && r.delta() == delta {
			return r
		}
	}
	return nil
}

// oldestBase returns the oldest base CRL of a key that has not expired, or nil.
func (t *crlTable) oldestBase(key uint16, now time.Time) *crlRow {
	for _, r := range t.rows {
		if r.key == key && !r.delta() && now.Before(r.nextUpdate) {
			return r
		}
	}
	return nil
}

// minBase is the base CRL that a delta CRL of a key builds on (CRL_Min_Base, MS-CSRA section 3.1.4.1.6): the newest one
// that has got around, or else the oldest that is valid.
func (t *crlTable) minBase(key uint16, now time.Time) *crlRow {
	var found *crlRow
	for _, r := range t.rows {
		if r.key == key && !r.delta() && !r.propagated.After(now) && (found == nil || r.thisUpdate.After(found.thisUpdate)) {
			found = r
		}
	}
	if found == nil {
		return t.oldestBase(key, now)
	}
	return found
}

// crlOrder is which CRLs shall be made of every key.
type crlOrder struct {
	base, delta bool      // base comes with a delta CRL
	next        time.Time // the next update; zero for the usual periods
	publisher   string    // who asked; "" for the CA itself
}

// publish makes new CRLs of every key of the CA.
func (a *authority) publish(o crlOrder) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.publishLocked(o)
}

// publishLocked is publish for a caller that holds the lock. All CRLs of one order have one number.
func (a *authority) publishLocked(o crlOrder) error {
	now, number := a.now(), a.crls.number+1
	var made []*crlRow
	for _, p := range a.signingKeys() {
		if o.base {
			r, err := a.newCRL(p, crlPlan{order: o, number: number, now: now})
			if err != nil {
				return fmt.Errorf("adcstest: base CRL of key %d: %w", p.version.key, err)
			}
			made = append(made, r)
		}
		// The base CRL of the same order counts, for a key that has no other.
		t := crlTable{rows: append(a.crls.rows[:len(a.crls.rows):len(a.crls.rows)], made...)}
		base := t.minBase(p.version.key, now)
		if base == nil {
			continue // there is nothing to build on: a delta CRL alone was asked for and every base CRL has expired
		}
		r, err := a.newCRL(p, crlPlan{
			order: o, number: number, now: now, base: base, oldest: t.oldestBase(p.version.key, now),
		})
		if err != nil {
			return fmt.Errorf("adcstest: delta CRL of key %d: %w", p.version.key, err)
		}
		made = append(made, r)
	}
	a.crls.number = number
	for _, r := range made {
		a.crls.add(r)
	}
	return nil
}

// publishDue makes what the timers of a CA would have made by now (MS-CSRA section 3.1.5.1). The caller holds the lock.
func (a *authority) publishDue() error {
	now, o := a.now(), crlOrder{}
	for _, p := range a.signingKeys() {
		base, delta := a.crls.newest(p.version.key, false), a.crls.newest(p.version.key, true)
		o.base = o.base || base == nil || !now.Before(base.nextPublish)
		o.delta = o.delta || delta == nil || !now.Before(delta.nextPublish)
	}
	if !o.base && !o.delta {
		return nil
	}
	return a.publishLocked(o)
}

// crl returns the newest base or delta CRL of a key, nil if the CA has no such key.
func (a *authority) crl(key uint16, delta bool) (*crlRow, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.publishDue(); err != nil {
		return nil, err
	}
	return a.crls.newest(key, delta), nil
}

// baseCRL is the CRL that goes with the certificate of an issuing CA, be it the impostor.
func (a *authority) baseCRL(t tier) ([]byte, error) {
	for _, p := range a.signingKeys() {
		if p.issuing().key != t.key {
			continue
		}
		r, err := a.crl(p.version.key, false)
		if err != nil {
			return nil, err
		}
		return r.list.Raw, nil
	}
	return t.revocationList(a.now())
}

// crlList returns the newest base or delta CRL of every key; base CRLs of the CAs above come behind.
func (a *authority) crlList(delta bool) ([]*x509.RevocationList, error) {
	var lists []*x509.RevocationList
	for _, p := range a.signingKeys() {
		r, err := a.crl(p.version.key, delta)
		if err != nil {
			return nil, err
		}
		lists = append(lists, r.list)
	}
	if delta {
		return lists, nil
	}
	for _, t := range a.current().tiers[1:] {
		der, err := t.revocationList(a.now())
		if err != nil {
			return nil, err
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	return lists, nil
}
