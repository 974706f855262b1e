package main

import (
	"bytes"
	"cmp"
	"crypto/sha1" // a name, not a protection
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/x500"
	"github.com/adcskit/adcskit/pkcs12"
)

// rejectedError says that what was issued is not what was asked for.
type rejectedError struct{ err error }

func (e *rejectedError) Error() string { return e.err.Error() }
func (e *rejectedError) Unwrap() error { return e.err }

// deliver checks what was issued and writes it. Whatever fails, the key stays on the disk until the .p12 is there.
func (e *enrollment) deliver(result *adcs.Result) error {
	r := e.report
	r.RequestID, r.KeyFile = result.RequestID, e.keyFile
	if result.Certificate == nil {
		return errors.New("the CA has issued the certificate, but hands it out elsewhere")
	}
	r.describe(result.Certificate)
	if e.retrieve != 0 && !sameKey(result.Certificate.PublicKey, e.key) {
		return &usageError{fmt.Errorf("the key in %s does not belong to request %d, which is for another one: "+
			"give the file that was written when the request was sent, or the id that belongs to this key",
			e.keyFile, result.RequestID)}
	}
	chain, err := e.verify(result)
	if err != nil {
		r.explain(err)
		r.fromDirectory = e.wouldDoFromDirectory(result)
		return &rejectedError{err}
	}
	r.ChainVerified = e.roots != nil
	file, err := e.p12Options(chain[0]).Encode(e.key, chain, e.p12Password)
	if err != nil {
		return err
	}
	var configuration []byte
	if e.apple() {
		if configuration, err = e.encodeConfiguration(file, chain); err != nil {
			return fmt.Errorf("the configuration profile: %w", err)
		}
	}
	return e.store(file, configuration)
}

// verify compares the certificate with the request and returns what goes into the .p12: the certificate and the CAs
// above it, but the root, which the reader of the file has to get by other means if it is to mean anything. For a
// platform its profile says which of them are in the file; but never a root that nobody vouches for, since Android would
// trust it.
func (e *enrollment) verify(result *adcs.Result) ([]*x509.Certificate, error) {
	expect, err := e.expect()
	if err != nil {
		return nil, err
	}
	expect.Intermediates = result.Chain
	expect.InsecureSkipChain = e.roots == nil
	if e.roots != nil {
		expect.Roots = x509.NewCertPool()
		for _, root := range e.roots {
			expect.Roots.AddCert(root)
		}
	}
	chain, err := adcs.Verify(result.Certificate, expect)
	if err != nil {
		return nil, err
	}
	if e.roots == nil {
		chain = asSent(result)
	} else if e.profile.Shape() != pkcs12.AsGiven {
		return chain, nil
	}
	return slices.DeleteFunc(chain, isRoot), nil
}

// wouldDoFromDirectory reports whether the certificate is only not what was asked for because the template takes subject
// and names from the directory.
func (e *enrollment) wouldDoFromDirectory(result *adcs.Result) bool {
	if e.fromDirectory {
		return false
	}
	other := *e
	other.fromDirectory = true
	_, err := other.verify(result)
	return err == nil
}

// expect is what the certificate must be: what the request asks for, unless the template takes it from the directory.
func (e *enrollment) expect() (adcs.Expect, error) {
	if e.csr == nil {
		return adcs.Expect{PublicKey: e.key.Public(), FromDirectory: true}, nil
	}
	expect, err := adcs.ExpectRequest(e.csr)
	if err != nil {
		return expect, fmt.Errorf("the request in %s: %w", e.keyFile, err)
	}
	expect.PublicKey, expect.Template = e.key.Public(), cmp.Or(e.template, e.request.TemplateName)
	names := len(expect.DNSNames) + len(expect.EmailAddresses) + len(expect.URIs) + len(expect.UPNs) + len(expect.IPAddresses)
	expect.FromDirectory = e.fromDirectory || isEmptyName(expect.Subject) && names == 0 && expect.SID == ""
	if expect.FromDirectory {
		expect.Subject = nil
	}
	return expect, nil
}

func isEmptyName(der []byte) bool { return bytes.Equal(der, []byte{0x30, 0}) }

// isRoot tells a root from a CA that certified its own next key, by key identifiers: the signature of an old root is one
// that the standard library no longer checks.
func isRoot(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) &&
		(len(c.AuthorityKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId))
}

// asSent puts the certificates that the CA sent in order, by name and signature. Nobody vouches for the result.
func asSent(result *adcs.Result) []*x509.Certificate {
	chain := []*x509.Certificate{result.Certificate}
	for last := result.Certificate; !isRoot(last) && len(chain) <= len(result.Chain); last = chain[len(chain)-1] {
		i := slices.IndexFunc(result.Chain, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, result.Chain[i])
	}
	return chain
}

// describe notes what was issued.
func (r *report) describe(c *x509.Certificate) {
	sum, thumbprint := sha256.Sum256(c.Raw), sha1.Sum(c.Raw)
	r.Thumbprint = hex.EncodeToString(thumbprint[:])
	r.Subject, r.Issuer = x500.String(c.RawSubject), x500.String(c.RawIssuer)
	r.Serial = hex.EncodeToString(c.SerialNumber.Bytes())
	r.SHA256, r.NotBefore, r.NotAfter = hex.EncodeToString(sum[:]), &c.NotBefore, &c.NotAfter
}
