package adcstest

import (
	"crypto/x509"
	"fmt"
	"math"
	"slices"
)

// current is the hierarchy that signs: the one with the CA's newest certificate.
func (a *authority) current() *pki {
	list := *a.signing.Load()
	return list[len(list)-1]
}

// signingCerts are the hierarchies of all certificates that the CA has had, oldest first: the Signing_Cert table of
// MS-WCCE section 3.2.1.1.2.
func (a *authority) signingCerts() []*pki { return *a.signing.Load() }

// signingKeys are the newest hierarchies of every key that the CA has had, in the order of the keys.
func (a *authority) signingKeys() []*pki {
	var keys []*pki
	for _, p := range a.signingCerts() {
		if last := len(keys) - 1; last >= 0 && keys[last].version.key == p.version.key {
			keys[last] = p
			continue
		}
		keys = append(keys, p)
	}
	return keys
}

// renew gives the CA another certificate, for a new key or for the one it has. The name stays (MS-WCCE section
// 3.2.1.1.2; [caVersion] is how certificates tell each other apart).
func (a *authority) renew(newKey bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.signingCerts()
	old := list[len(list)-1]
	if len(list) > math.MaxUint16 {
		return fmt.Errorf("adcstest: the CA has been renewed %d times", len(list)-1)
	}
	key, version := old.issuing().key, caVersion{
		cert: uint16(len(list)), key: old.version.key, previous: old.issuing().cert.Raw,
	}
	if newKey {
		var err error
		if key, err = newCAKey(old.profile); err != nil {
			return fmt.Errorf("adcstest: renewing the CA: %w", err)
		}
		version.key = version.cert
	}
	next := &pki{tiers: slices.Clone(old.tiers), profile: old.profile, version: version}
	var parent *tier
	if len(next.tiers) > 1 {
		parent = &next.tiers[1]
	}
	var err error
	next.tiers[0], err = newTier(key, caName(a.cfg.name, a.cfg.host), parent, old.profile, a.now(), version)
	if err == nil && newKey && parent == nil {
		err = a.crossCertify(old, next)
	}
	if err != nil {
		return fmt.Errorf("adcstest: renewing the CA: %w", err)
	}
	extended := append(slices.Clone(list), next)
	a.signing.Store(&extended)
	return a.publishLocked(crlOrder{base: true})
}

// crossCertify makes what leads from the old key of a root CA to the new one and back, for those who trust only one of
// them (MS-WCCE section 3.2.1.1.2, Signing_Forward_Cross_Certificate and Signing_Backward_Cross_Certificate). A
// subordinate CA needs none: the CA above it has signed both.
func (a *authority) crossCertify(old, next *pki) error {
	name := caName(a.cfg.name, a.cfg.host)
	forward, err := newTier(next.issuing().key, name, &old.tiers[0], old.profile, a.now(), next.version)
	if err != nil {
		return err
	}
	backward, err := newTier(old.issuing().key, name, &next.tiers[0], old.profile, a.now(), old.version)
	if err != nil {
		return err
	}
	next.crossFromPrevious, next.crossOfPrevious = forward.cert.Raw, backward.cert.Raw
	return nil
}

// crossCertificates are the forward and the backward cross certificate of the CA's certificate of an index: to the key
// after it, and to the one before. They are nil where there is none.
func (a *authority) crossCertificates(index int) (forward, backward []byte) {
	list := a.signingCerts()
	if index+1 < len(list) {
		forward = list[index+1].crossFromPrevious
	}
	return forward, list[index].crossOfPrevious
}

// certificates returns every certificate that the issuing CA has had, oldest first.
func (a *authority) certificates() []*x509.Certificate {
	list := a.signingCerts()
	certs := make([]*x509.Certificate, len(list))
	for i, p := range list {
		certs[i] = p.issuing().cert
	}
	return certs
}
