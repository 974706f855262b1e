package adcs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/adcsasn1"
)

const testSID = "S-1-5-21-1-2-3-1105"

var testTime = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// pki is a root, an issuing CA below it, and a key to issue certificates for.
type pki struct {
	root, ca      *x509.Certificate
	rootKey, key  *ecdsa.PrivateKey
	requestKey    *ecdsa.PrivateKey
	roots         *x509.CertPool
	intermediates []*x509.Certificate
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	return pkiWith(t, newKey(t), newKey(t), newKey(t))
}

// fuzzPKI is the same in every process, so that what a fuzz target does depends on its input alone.
func fuzzPKI(t testing.TB) *pki {
	t.Helper()
	key := func(label string) *ecdsa.PrivateKey {
		scalar := sha256.Sum256([]byte(label))
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
		require.NoError(t, err)
		return key
	}
	return pkiWith(t, key("root"), key("ca"), key("request"))
}

func pkiWith(t testing.TB, rootKey, key, requestKey *ecdsa.PrivateKey) *pki {
	t.Helper()
	p := &pki{rootKey: rootKey, key: key, requestKey: requestKey, roots: x509.NewCertPool()}
	p.root = p.sign(t, caTemplate("Test Root"), nil, p.rootKey.Public(), p.rootKey)
	p.ca = p.sign(t, caTemplate("Test CA"), p.root, p.key.Public(), p.rootKey)
	p.roots.AddCert(p.root)
	p.intermediates = []*x509.Certificate{p.ca}
	return p
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(name)),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    testTime.Add(-time.Hour), NotAfter: testTime.Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func (p *pki) sign(
	t testing.TB, template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer,
) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(nil, template, parent, pub, key) // ECDSA is deterministic without randomness
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// issue issues what template says, for the request's key.
func (p *pki) issue(t testing.TB, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	return p.sign(t, template, p.ca, p.requestKey.Public(), p.key)
}

// leafTemplate is a certificate of everything that Verify compares.
func leafTemplate(t testing.TB) *x509.Certificate {
	san, err := testSAN().Extension()
	require.NoError(t, err)
	sid, err := adcsasn1.SIDExtension(testSID)
	require.NoError(t, err)
	name, err := adcsasn1.TemplateNameExtension("WiFi")
	require.NoError(t, err)
	template, err := adcsasn1.Template{OID: testTemplateOID, Major: 100, Minor: 3}.Extension()
	require.NoError(t, err)
	return &x509.Certificate{
		SerialNumber: big.NewInt(77),
		Subject:      testSubject,
		NotBefore:    testTime.Add(-time.Hour), NotAfter: testTime.Add(24 * time.Hour),
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
		ExtraExtensions: []pkix.Extension{san, sid, name, template},
	}
}

var (
	testSubject     = pkix.Name{CommonName: "pc1", Organization: []string{"Corp"}}
	testTemplateOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, 1, 2, 3}
	oidClientAuth   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidServerAuth   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
)

func testSAN() adcsasn1.SAN {
	return adcsasn1.SAN{
		UPN: []string{"alice@corp.test"}, DNS: []string{"pc1.corp.test"}, Email: []string{"alice@corp.test"},
		URI: []string{"https://corp.test/x"}, IP: []netip.Addr{netip.MustParseAddr("192.0.2.7")},
	}
}

// testExpect expects what leafTemplate makes.
func (p *pki) testExpect(t testing.TB) adcs.Expect {
	subject, err := asn1.Marshal(testSubject.ToRDNSequence())
	require.NoError(t, err)
	san := testSAN()
	return adcs.Expect{
		PublicKey: p.requestKey.Public(), Roots: p.roots, Intermediates: p.intermediates,
		Subject: subject, DNSNames: san.DNS, EmailAddresses: san.Email, URIs: san.URI, UPNs: san.UPN, IPAddresses: san.IP,
		SID: testSID, EKUs: []asn1.ObjectIdentifier{oidClientAuth}, Template: "wifi", TemplateOID: testTemplateOID,
		Now: testTime,
	}
}

// cms builds a SignedData: degenerate with a nil content, else with that content type and content. Signers are empty
// SEQUENCEs: nobody looks into them.
func cms(t testing.TB, contentType asn1.ObjectIdentifier, content []byte, signers int, certs ...[]byte) []byte {
	explicit := cbasn1.Tag(0).Constructed().ContextSpecific()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(explicit, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(contentType)
					if content != nil {
						b.AddASN1(explicit, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
					}
				})
				b.AddASN1(explicit, func(b *cryptobyte.Builder) {
					for _, cert := range certs {
						b.AddBytes(cert)
					}
				})
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
					for range signers {
						b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
					}
				})
			})
		})
	})
	der, err := b.Bytes()
	require.NoError(t, err)
	return der
}

var (
	oidSignedData  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidPKIResponse = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 12, 3}
)

// cmcBody is a ResponseBody in the form of [MS-WCCE], section 3.2.1.4.2.1.4.8.2.
func cmcBody(t testing.TB, status int64, leaf []byte) []byte {
	add := func(b *cryptobyte.Builder, tag cbasn1.Tag, inner ...func(*cryptobyte.Builder)) {
		b.AddASN1(tag, func(b *cryptobyte.Builder) {
			for _, f := range inner {
				f(b)
			}
		})
	}
	integer := func(n int64) func(*cryptobyte.Builder) { return func(b *cryptobyte.Builder) { b.AddASN1Int64(n) } }
	oid := func(arcs ...int) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(arcs) }
	}
	seq := func(inner ...func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) { add(b, cbasn1.SEQUENCE, inner...) }
	}
	set := func(inner ...func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) { add(b, cbasn1.SET, inner...) }
	}
	sum := sha1.Sum(leaf)
	hash := func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) }
	var b cryptobyte.Builder
	seq(
		seq(
			seq(integer(1), oid(1, 3, 6, 1, 5, 5, 7, 7, 1), set(seq(integer(status), seq(integer(1))))),
			seq(integer(2), oid(1, 3, 6, 1, 4, 1, 311, 10, 10, 1), set(seq(integer(0), seq(integer(1)),
				set(seq(oid(1, 3, 6, 1, 4, 1, 311, 21, 17), set(hash)))))),
		),
		seq(), seq(),
	)(&b)
	der, err := b.Bytes()
	require.NoError(t, err)
	return der
}

// vector reads a real message; the test is skipped where they are not at hand.
func vector(t testing.TB, name string) []byte {
	dir := os.Getenv("ADCSKIT_VECTORS")
	if dir == "" {
		t.Skip("ADCSKIT_VECTORS does not name the folder of the real messages")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return b
}
