package adcstest

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"
)

func oidDeltaCRL() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 27} }

// oidNextPublish is the extension with the time of the next CRL (MS-CSRA section 3.1.4.1.6).
func oidNextPublish() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 4}
}

// crlPlan is what one CRL shall be.
type crlPlan struct {
	order  crlOrder
	number uint32
	now    time.Time
	base   *crlRow // what a delta CRL builds on; nil for a base CRL
	oldest *crlRow // the oldest valid base CRL, which limits how far back a delta CRL goes
}

// newCRL makes a CRL with the newest certificate of a key (MS-CSRA section 3.1.4.1.6, rules 3 to 5). The caller holds
// the lock.
func (a *authority) newCRL(p *pki, plan crlPlan) (*crlRow, error) {
	signer := p.issuing()
	r := plan.row(signer.cert, p.version.key)
	entries := a.revokedBy(signer, plan)
	r.count = len(entries)
	extensions, err := r.extensions(p.version)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(int64(r.number)), ThisUpdate: r.thisUpdate, NextUpdate: r.nextUpdate,
		RevokedCertificateEntries: entries, ExtraExtensions: extensions,
	}, signer.cert, signer.key)
	if err != nil {
		return nil, err
	}
	if r.list, err = x509.ParseRevocationList(der); err != nil {
		return nil, err
	}
	return r, r.list.CheckSignatureFrom(signer.cert)
}

// row is the row of the table before there is a list: numbers and times.
func (plan *crlPlan) row(signer *x509.Certificate, key uint16) *crlRow {
	r := &crlRow{
		number: plan.number, key: key, publisher: plan.order.publisher, flags: crlFlagBase | crlFlagComplete,
		thisUpdate: plan.now.Add(-clockSkew), thisPublish: plan.now, nextPublish: plan.now.Add(baseCRLPeriod),
		propagated: plan.now.Add(crlOverlap),
	}
	if plan.base != nil {
		r.flags = crlFlagDelta | crlFlagComplete
		r.minBase, r.effective, r.nextPublish = plan.base.number, plan.base.thisUpdate, plan.now.Add(deltaCRLPeriod)
	}
	if r.publisher != "" {
		r.flags |= crlFlagManual
	}
	if r.thisUpdate.Before(signer.NotBefore) {
		r.thisUpdate = signer.NotBefore
	}
	r.nextUpdate = r.nextPublish.Add(crlOverlap + clockSkew)
	if !plan.order.next.IsZero() {
		r.nextUpdate = plan.order.next.Add(crlOverlap + clockSkew)
	}
	return r
}

// extensions are those that crypto/x509 does not add: what a delta CRL builds on, the version of the CA, and when the
// next CRL is due.
func (r *crlRow) extensions(version caVersion) ([]pkix.Extension, error) {
	number, err := asn1.Marshal(version.number())
	if err != nil {
		return nil, err
	}
	next, err := asn1.Marshal(r.nextPublish.UTC())
	if err != nil {
		return nil, err
	}
	list := []pkix.Extension{{Id: oidCAVersion(), Value: number}, {Id: oidNextPublish(), Value: next}}
	if !r.delta() {
		return list, nil
	}
	base, err := asn1.Marshal(int64(r.minBase))
	return append(list, pkix.Extension{Id: oidDeltaCRL(), Critical: true, Value: base}), err
}

// revokedBy are the entries of a CRL: the certificates that the key has signed and that are to be in it.
func (a *authority) revokedBy(signer tier, plan crlPlan) []x509.RevocationListEntry {
	var lastPublish time.Time
	if n := len(a.crls.rows); n > 0 {
		lastPublish = a.crls.rows[n-1].thisPublish
	}
	var entries []x509.RevocationListEntry
	for _, r := range a.rows {
		if r.cert.issuer == nil || r.cert.issuer.issuing().key != signer.key || !r.listed(plan, lastPublish) {
			continue
		}
		e := x509.RevocationListEntry{
			SerialNumber: r.cert.serial, RevocationTime: r.revocation.effective.UTC(), ReasonCode: int(r.revocation.reason),
		}
		if r.revocation.reason == reasonReleased {
			e.ReasonCode = reasonRemoveFromCRL
		}
		entries = append(entries, e)
	}
	return entries
}

// listed says whether a certificate is to be in a CRL (MS-CSRA section 3.1.4.1.6, rule 2, and RFC 5280, section 5.2.4,
// for one that was released from hold: only a delta CRL says so).
func (r *row) listed(plan crlPlan, lastPublish time.Time) bool {
	v, delta := &r.revocation, plan.base != nil
	released := v.reason == reasonReleased
	switch {
	case v.when.IsZero(), v.effective.After(plan.now):
		return false
	case released && !delta, !released && r.disposition != dispRevoked:
		return false
	case delta && plan.oldest != nil && v.when.Before(plan.oldest.thisUpdate) &&
		v.effective.Before(plan.oldest.thisUpdate): // one that took effect later is not in that base CRL
		return false
	}
	return v.publishExpired || !r.cert.notAfter.Before(lastPublish)
}
