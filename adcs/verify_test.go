package adcs_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/adcsasn1"
)

func TestVerifyAccepts(t *testing.T) {
	p := newPKI(t)
	plain := func(*x509.Certificate, *adcs.Expect) {}
	for name, change := range map[string]func(*x509.Certificate, *adcs.Expect){
		"what was ordered": plain,
		"names in another order": func(_ *x509.Certificate, e *adcs.Expect) {
			e.DNSNames = []string{"PC1.corp.test"}
		},
		"the subject in other string types": func(_ *x509.Certificate, e *adcs.Expect) {
			e.Subject = utf8Subject(t)
		},
		"no subject expected":  func(_ *x509.Certificate, e *adcs.Expect) { e.Subject = nil },
		"no usage expected":    func(_ *x509.Certificate, e *adcs.Expect) { e.EKUs = nil },
		"no template expected": func(_ *x509.Certificate, e *adcs.Expect) { e.Template, e.TemplateOID = "", nil },
		"more from the directory": func(_ *x509.Certificate, e *adcs.Expect) {
			e.FromDirectory, e.Subject, e.SID = true, nil, ""
			e.DNSNames, e.UPNs, e.EmailAddresses, e.URIs, e.IPAddresses = nil, []string{"alice@corp.test"}, nil, nil, nil
		},
		"critical names": func(c *x509.Certificate, _ *adcs.Expect) { c.ExtraExtensions[0].Critical = true },
		"critical names that crypto/x509 does not know": func(c *x509.Certificate, e *adcs.Expect) {
			setSAN(t, c, adcsasn1.SAN{UPN: []string{"alice@corp.test"}})
			c.ExtraExtensions[0].Critical = true
			e.DNSNames, e.EmailAddresses, e.URIs, e.IPAddresses = nil, nil, nil, nil
		},
		"the SID in a URI": func(c *x509.Certificate, e *adcs.Expect) {
			dropExtension(c, adcsasn1.OIDSIDExtension())
			san := testSAN()
			san.URI = append(san.URI, adcsasn1.SIDURI(testSID))
			setSAN(t, c, san)
			e.SIDForm = adcs.SIDInURI
		},
		"the SID in both": func(c *x509.Certificate, e *adcs.Expect) {
			san := testSAN()
			san.URI = append(san.URI, adcsasn1.SIDURI(testSID))
			setSAN(t, c, san)
			e.SIDForm = adcs.SIDInBoth
		},
		"no alternative names": func(c *x509.Certificate, e *adcs.Expect) {
			dropExtension(c, adcsasn1.OIDSubjectAltName())
			e.DNSNames, e.UPNs, e.EmailAddresses, e.URIs, e.IPAddresses = nil, nil, nil, nil, nil
		},
		"application policies": func(c *x509.Certificate, e *adcs.Expect) {
			c.ExtraExtensions = append(c.ExtraExtensions, policies(t, true, oidClientAuth))
		},
		"the certificate itself among the others": func(*x509.Certificate, *adcs.Expect) {},
		"a template without a name": func(c *x509.Certificate, _ *adcs.Expect) {
			dropExtension(c, adcsasn1.OIDTemplateName())
		},
	} {
		t.Run(name, func(t *testing.T) {
			template, expect := leafTemplate(t), p.testExpect(t)
			change(template, &expect)
			leaf := p.issue(t, template)
			if name == "the certificate itself among the others" {
				expect.Intermediates = append([]*x509.Certificate{leaf}, expect.Intermediates...)
			}
			chain, err := adcs.Verify(leaf, expect)
			require.NoError(t, err)
			require.Len(t, chain, 3)
			assert.Same(t, leaf, chain[0])
			assert.True(t, chain[1].Equal(p.ca))
			assert.True(t, chain[2].Equal(p.root))
		})
	}
}

// TestVerifyRefuses changes one thing at a time, in the certificate or in what was ordered.
func TestVerifyRefuses(t *testing.T) {
	p, foreign := newPKI(t), newPKI(t)
	for _, tc := range []struct {
		name   string
		change func(*x509.Certificate, *adcs.Expect)
		want   adcs.Mismatch
	}{
		{"another key", func(_ *x509.Certificate, e *adcs.Expect) { e.PublicKey = foreign.requestKey.Public() }, adcs.MismatchKey},
		{"a key of another kind", func(_ *x509.Certificate, e *adcs.Expect) {
			e.PublicKey, _, _ = ed25519.GenerateKey(rand.Reader)
		}, adcs.MismatchKey},
		{"a CA", func(c *x509.Certificate, _ *adcs.Expect) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, 0
		}, adcs.MismatchCA},
		{"may sign certificates", func(c *x509.Certificate, _ *adcs.Expect) { c.KeyUsage |= x509.KeyUsageCertSign }, adcs.MismatchCA},
		{"may sign revocation lists", func(c *x509.Certificate, _ *adcs.Expect) { c.KeyUsage |= x509.KeyUsageCRLSign }, adcs.MismatchCA},
		{"a second leaf", func(_ *x509.Certificate, e *adcs.Expect) {
			second := leafTemplate(t)
			e.Intermediates = append(e.Intermediates, p.sign(t, second, p.ca, foreign.requestKey.Public(), p.key))
		}, adcs.MismatchLeaf},
		{"a second certificate for the key", func(_ *x509.Certificate, e *adcs.Expect) {
			e.Intermediates = append(e.Intermediates, p.sign(t, caTemplate("x"), p.ca, p.requestKey.Public(), p.key))
		}, adcs.MismatchLeaf},
		{"not yet valid", func(_ *x509.Certificate, e *adcs.Expect) { e.Now = testTime.Add(-2 * time.Hour) }, adcs.MismatchValidity},
		{"expired", func(_ *x509.Certificate, e *adcs.Expect) { e.Now = testTime.Add(25 * time.Hour) }, adcs.MismatchValidity},
		{"another subject", func(c *x509.Certificate, _ *adcs.Expect) { c.Subject.CommonName = "pc2" }, adcs.MismatchSubject},
		{"a longer subject", func(c *x509.Certificate, _ *adcs.Expect) { c.Subject.Country = []string{"DE"} }, adcs.MismatchSubject},
		{"no subject", func(c *x509.Certificate, _ *adcs.Expect) { c.Subject = pkix.Name{} }, adcs.MismatchSubject},
		{"a subject where none was ordered", func(_ *x509.Certificate, e *adcs.Expect) { e.Subject = []byte{0x30, 0} }, adcs.MismatchSubject},
		{"a DNS name missing", func(_ *x509.Certificate, e *adcs.Expect) {
			e.DNSNames = append(e.DNSNames, "pc2.corp.test")
		}, adcs.MismatchNames},
		{"a DNS name more", func(c *x509.Certificate, _ *adcs.Expect) {
			addName(t, c, func(s *adcsasn1.SAN) { s.DNS = append(s.DNS, "dc1.corp.test") })
		}, adcs.MismatchNames},
		{"an e-mail address more", func(c *x509.Certificate, _ *adcs.Expect) {
			addName(t, c, func(s *adcsasn1.SAN) { s.Email = append(s.Email, "bob@corp.test") })
		}, adcs.MismatchNames},
		{"a URI more", func(c *x509.Certificate, _ *adcs.Expect) {
			addName(t, c, func(s *adcsasn1.SAN) { s.URI = append(s.URI, "https://corp.test/y") })
		}, adcs.MismatchNames},
		{"a UPN more", func(c *x509.Certificate, _ *adcs.Expect) {
			addName(t, c, func(s *adcsasn1.SAN) { s.UPN = append(s.UPN, "administrator@corp.test") })
		}, adcs.MismatchNames},
		{"an address more", func(c *x509.Certificate, _ *adcs.Expect) {
			addName(t, c, func(s *adcsasn1.SAN) { s.IP = append(s.IP, netip.MustParseAddr("2001:db8::1")) })
		}, adcs.MismatchNames},
		{"another UPN", func(c *x509.Certificate, _ *adcs.Expect) {
			addName(t, c, func(s *adcsasn1.SAN) { s.UPN = []string{"Alice@corp.test"} })
		}, adcs.MismatchNames},
		{"no names", func(c *x509.Certificate, _ *adcs.Expect) {
			dropExtension(c, adcsasn1.OIDSubjectAltName())
		}, adcs.MismatchNames},
		{"a name of an unknown kind", func(c *x509.Certificate, e *adcs.Expect) {
			// registeredID 1.2.3
			c.ExtraExtensions[0].Value = []byte{0x30, 4, 0x88, 2, 0x2a, 3}
			e.DNSNames, e.UPNs, e.EmailAddresses, e.URIs, e.IPAddresses = nil, nil, nil, nil, nil
		}, adcs.MismatchNames},
		{"a UPN missing, from the directory", func(_ *x509.Certificate, e *adcs.Expect) {
			e.FromDirectory, e.UPNs = true, []string{"bob@corp.test"}
		}, adcs.MismatchNames},
		{"no SID", func(c *x509.Certificate, _ *adcs.Expect) { dropExtension(c, adcsasn1.OIDSIDExtension()) }, adcs.MismatchSID},
		{"another SID", func(_ *x509.Certificate, e *adcs.Expect) { e.SID = "S-1-5-21-1-2-3-500" }, adcs.MismatchSID},
		{"a SID that was not ordered", func(_ *x509.Certificate, e *adcs.Expect) { e.SID = "" }, adcs.MismatchSID},
		{"a SID in a URI that was not ordered", func(c *x509.Certificate, e *adcs.Expect) {
			dropExtension(c, adcsasn1.OIDSIDExtension())
			addName(t, c, func(s *adcsasn1.SAN) { s.URI = append(s.URI, adcsasn1.SIDURI(testSID)) })
			e.SID = ""
		}, adcs.MismatchSID},
		{"a second SID in a URI", func(c *x509.Certificate, _ *adcs.Expect) {
			addName(t, c, func(s *adcsasn1.SAN) { s.URI = append(s.URI, adcsasn1.SIDURI("S-1-5-21-1-2-3-500")) })
		}, adcs.MismatchSID},
		{"a second SID in a URI, from the directory", func(c *x509.Certificate, e *adcs.Expect) {
			addName(t, c, func(s *adcsasn1.SAN) { s.URI = append(s.URI, adcsasn1.SIDURI("S-1-5-21-1-2-3-500")) })
			e.FromDirectory = true
		}, adcs.MismatchSID},
		{"the SID in the wrong place", func(_ *x509.Certificate, e *adcs.Expect) { e.SIDForm = adcs.SIDInURI }, adcs.MismatchSID},
		{"the SID in one place of two", func(_ *x509.Certificate, e *adcs.Expect) { e.SIDForm = adcs.SIDInBoth }, adcs.MismatchSID},
		{"the SID in the URI only", func(c *x509.Certificate, _ *adcs.Expect) {
			dropExtension(c, adcsasn1.OIDSIDExtension())
			addName(t, c, func(s *adcsasn1.SAN) { s.URI = append(s.URI, adcsasn1.SIDURI(testSID)) })
		}, adcs.MismatchSID},
		{"another SID, from the directory", func(_ *x509.Certificate, e *adcs.Expect) {
			e.FromDirectory, e.SID = true, "S-1-5-21-1-2-3-500"
		}, adcs.MismatchSID},
		{"a malformed SID", func(c *x509.Certificate, _ *adcs.Expect) {
			c.ExtraExtensions[1].Value = []byte{0x30, 0}
		}, adcs.MismatchNames},
		{"a usage missing", func(_ *x509.Certificate, e *adcs.Expect) {
			e.EKUs = append(e.EKUs, oidServerAuth)
		}, adcs.MismatchUsage},
		{"good for any purpose", func(c *x509.Certificate, _ *adcs.Expect) { c.ExtKeyUsage = nil }, adcs.MismatchUsage},
		{"application policies without the usage", func(c *x509.Certificate, _ *adcs.Expect) {
			c.ExtraExtensions = append(c.ExtraExtensions, policies(t, false, oidServerAuth))
		}, adcs.MismatchUsage},
		{"malformed application policies", func(c *x509.Certificate, _ *adcs.Expect) {
			c.ExtraExtensions = append(c.ExtraExtensions,
				pkix.Extension{Id: adcsasn1.OIDApplicationPolicies(), Value: []byte{0x30, 2, 6, 0}})
		}, adcs.MismatchUsage},
		{"another template", func(_ *x509.Certificate, e *adcs.Expect) { e.Template = "VPN" }, adcs.MismatchTemplate},
		{"another template by OID", func(_ *x509.Certificate, e *adcs.Expect) {
			e.TemplateOID = asn1.ObjectIdentifier{1, 2, 3}
		}, adcs.MismatchTemplate},
		{"no template OID", func(c *x509.Certificate, _ *adcs.Expect) {
			dropExtension(c, adcsasn1.OIDTemplate())
		}, adcs.MismatchTemplate},
		{"a malformed template", func(c *x509.Certificate, _ *adcs.Expect) {
			c.ExtraExtensions[3].Value = []byte{0x30, 0}
		}, adcs.MismatchTemplate},
		{"a malformed template name", func(c *x509.Certificate, _ *adcs.Expect) {
			c.ExtraExtensions[2].Value = []byte{0x1e, 1, 0}
		}, adcs.MismatchTemplate},
		{"other roots", func(_ *x509.Certificate, e *adcs.Expect) { e.Roots = foreign.roots }, adcs.MismatchChain},
		{"no roots at all", func(_ *x509.Certificate, e *adcs.Expect) { e.Roots = x509.NewCertPool() }, adcs.MismatchChain},
		{"a chain that ends at what the CA sent", func(_ *x509.Certificate, e *adcs.Expect) {
			e.Roots = x509.NewCertPool()
			e.Intermediates = append(e.Intermediates, p.root)
		}, adcs.MismatchChain},
		{"no intermediates", func(_ *x509.Certificate, e *adcs.Expect) { e.Intermediates = nil }, adcs.MismatchChain},
		{"an unknown critical extension", func(c *x509.Certificate, _ *adcs.Expect) {
			c.ExtraExtensions = append(c.ExtraExtensions,
				pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}})
		}, adcs.MismatchChain},
	} {
		t.Run(tc.name, func(t *testing.T) {
			template, expect := leafTemplate(t), p.testExpect(t)
			tc.change(template, &expect)
			leaf := p.issue(t, template)
			chain, err := adcs.Verify(leaf, expect)
			assert.Nil(t, chain)
			e, ok := errors.AsType[*adcs.VerifyError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, tc.want, e.Mismatch, "%v", err)
			assert.ErrorIs(t, err, tc.want)
			assert.NotEmpty(t, e.Detail)
			assert.Less(t, len(err.Error()), 500)
			explanation := adcs.Explain(err)
			assert.Contains(t, explanation.Summary, string(tc.want))
			assert.Equal(t, adcs.RetryOperator, explanation.Retry)
		})
	}
}

func TestVerifyRestrictedCA(t *testing.T) {
	p := newPKI(t)
	ca := caTemplate("Restricted CA")
	ca.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	p.ca = p.sign(t, ca, p.root, p.key.Public(), p.rootKey)
	expect := p.testExpect(t)
	expect.Intermediates = []*x509.Certificate{p.ca}
	leaf := p.issue(t, leafTemplate(t))
	_, err := adcs.Verify(leaf, expect)
	require.ErrorIs(t, err, adcs.MismatchUsage)

	expect.EKUs = nil
	_, err = adcs.Verify(leaf, expect)
	require.NoError(t, err)
}

func TestVerifyChainCauseIsKept(t *testing.T) {
	p := newPKI(t)
	expect := p.testExpect(t)
	expect.Roots = newPKI(t).roots
	_, err := adcs.Verify(p.issue(t, leafTemplate(t)), expect)
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	assert.True(t, ok, "%v", err)
}

func TestVerifyWithoutChain(t *testing.T) {
	p := newPKI(t)
	expect := p.testExpect(t)
	expect.Roots, expect.InsecureSkipChain = nil, true
	leaf := p.issue(t, leafTemplate(t))
	chain, err := adcs.Verify(leaf, expect)
	require.NoError(t, err)
	assert.Equal(t, []*x509.Certificate{leaf}, chain)

	expect.SID = "S-1-5-21-1-2-3-500"
	_, err = adcs.Verify(leaf, expect)
	assert.ErrorIs(t, err, adcs.MismatchSID, "only the chain is skipped")
}

// TestVerifyMisuse has expectations that cannot be judged: they are not the CA's fault, and no VerifyError.
func TestVerifyMisuse(t *testing.T) {
	p := newPKI(t)
	leaf := p.issue(t, leafTemplate(t))
	for name, change := range map[string]func(*adcs.Expect){
		"no key":                 func(e *adcs.Expect) { e.PublicKey = nil },
		"a private key":          func(e *adcs.Expect) { e.PublicKey = struct{}{} },
		"no roots":               func(e *adcs.Expect) { e.Roots = nil },
		"nil among the others":   func(e *adcs.Expect) { e.Intermediates = []*x509.Certificate{nil} },
		"a malformed SID":        func(e *adcs.Expect) { e.SID = "S-1-5-021" },
		"a SID among the URIs":   func(e *adcs.Expect) { e.URIs = []string{adcsasn1.SIDURI(testSID)} },
		"an unknown form of SID": func(e *adcs.Expect) { e.SIDForm = 9 },
		"a malformed subject":    func(e *adcs.Expect) { e.Subject = []byte("CN=pc1") },
	} {
		t.Run(name, func(t *testing.T) {
			expect := p.testExpect(t)
			change(&expect)
			_, err := adcs.Verify(leaf, expect)
			require.Error(t, err)
			_, ok := errors.AsType[*adcs.VerifyError](err)
			assert.False(t, ok, "%v", err)
		})
	}
	for name, cert := range map[string]*x509.Certificate{"nil": nil, "not parsed": leafTemplate(t)} {
		t.Run(name, func(t *testing.T) {
			_, err := adcs.Verify(cert, p.testExpect(t))
			assert.Error(t, err)
		})
	}
}

func TestExpectRequest(t *testing.T) {
	p := newPKI(t)
	san := testSAN()
	san.URI = append(san.URI, adcsasn1.SIDURI(testSID))
	sanExtension, err := san.Extension()
	require.NoError(t, err)
	sidExtension, err := adcsasn1.SIDExtension(testSID)
	require.NoError(t, err)
	csr := requestFor(t, p.requestKey, testSubject, sanExtension, sidExtension)

	expect, err := adcs.ExpectRequest(csr)
	require.NoError(t, err)
	assert.Equal(t, adcs.SIDInBoth, expect.SIDForm)
	assert.Equal(t, testSID, expect.SID)
	assert.Equal(t, testSAN().URI, expect.URIs)
	assert.True(t, p.requestKey.PublicKey.Equal(expect.PublicKey))

	expect.Roots, expect.Intermediates, expect.Now = p.roots, p.intermediates, testTime
	template := leafTemplate(t)
	setSAN(t, template, san)
	_, err = adcs.Verify(p.issue(t, template), expect)
	require.NoError(t, err)
	_, err = adcs.Verify(p.issue(t, leafTemplate(t)), expect)
	require.ErrorIs(t, err, adcs.MismatchSID)

	for name, bad := range map[string][]byte{
		"nothing": nil, "no request": []byte("x"), "huge": make([]byte, 1<<20+1),
		"two SIDs": requestFor(t, p.requestKey, testSubject, sanExtension, mustSID(t, "S-1-5-21-1-2-3-500")),
		"malformed SID": requestFor(t, p.requestKey, testSubject,
			pkix.Extension{Id: adcsasn1.OIDSIDExtension(), Value: []byte{5, 0}}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adcs.ExpectRequest(bad)
			assert.ErrorIs(t, err, adcs.ErrInvalidRequest)
		})
	}
}

// FuzzVerify runs Verify on arbitrary certificates, against the request of a good one: no panic, and nothing passes that
// is not for the request's key.
func FuzzVerify(f *testing.F) {
	p := fuzzPKI(f)
	expect := p.testExpect(f)
	f.Add(p.issue(f, leafTemplate(f)).Raw, p.ca.Raw)
	f.Add(p.root.Raw, p.ca.Raw)
	noNames := leafTemplate(f)
	noNames.ExtraExtensions = nil
	f.Add(p.issue(f, noNames).Raw, p.root.Raw)
	odd := leafTemplate(f)
	odd.ExtraExtensions[0].Value = []byte{0x30, 4, 0x88, 2, 0x2a, 3}
	odd.ExtraExtensions[1].Critical = true
	f.Add(p.issue(f, odd).Raw, []byte{})
	f.Fuzz(func(t *testing.T, leafDER, otherDER []byte) {
		leaf, err := x509.ParseCertificate(leafDER)
		if err != nil {
			return
		}
		e := expect
		if other, err := x509.ParseCertificate(otherDER); err == nil {
			e.Intermediates = append([]*x509.Certificate{other}, e.Intermediates...)
		}
		for _, skip := range []bool{true, false} {
			e.InsecureSkipChain = skip
			chain, err := adcs.Verify(leaf, e)
			if err != nil {
				assert.NotEmpty(t, adcs.Explain(err).Summary)
				continue
			}
			assert.True(t, p.requestKey.PublicKey.Equal(chain[0].PublicKey))
			assert.True(t, skip || chain[len(chain)-1].Equal(p.root))
		}
	})
}

func requestFor(t testing.TB, key *ecdsa.PrivateKey, subject pkix.Name, extensions ...pkix.Extension) []byte {
	der, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: subject, ExtraExtensions: extensions}, key)
	require.NoError(t, err)
	return der
}

func mustSID(t testing.TB, sid string) pkix.Extension {
	ext, err := adcsasn1.SIDExtension(sid)
	require.NoError(t, err)
	return ext
}

// utf8Subject is the test subject with every value as UTF8String, where the leaf has PrintableString.
func utf8Subject(t testing.TB) []byte {
	value := func(s string) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)} }
	der, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: value("Corp")}},
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value("pc1")}},
	})
	require.NoError(t, err)
	return der
}

func setSAN(t testing.TB, c *x509.Certificate, san adcsasn1.SAN) {
	ext, err := san.Extension()
	require.NoError(t, err)
	c.ExtraExtensions[0] = ext
	dropExtension(c, adcsasn1.OIDSubjectAltName())
	c.ExtraExtensions = append([]pkix.Extension{ext}, c.ExtraExtensions...)
}

func addName(t testing.TB, c *x509.Certificate, add func(*adcsasn1.SAN)) {
	san := testSAN()
	add(&san)
	setSAN(t, c, san)
}

func dropExtension(c *x509.Certificate, oid asn1.ObjectIdentifier) {
	c.ExtraExtensions = slices.DeleteFunc(c.ExtraExtensions, func(e pkix.Extension) bool { return e.Id.Equal(oid) })
}

// policies is the application policies extension, SEQUENCE OF SEQUENCE { OID }.
func policies(t testing.TB, critical bool, oids ...asn1.ObjectIdentifier) pkix.Extension {
	var list []struct{ OID asn1.ObjectIdentifier }
	for _, oid := range oids {
		list = append(list, struct{ OID asn1.ObjectIdentifier }{oid})
	}
	value, err := asn1.Marshal(list)
	require.NoError(t, err)
	return pkix.Extension{Id: adcsasn1.OIDApplicationPolicies(), Critical: critical, Value: value}
}
