package issuer_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/keygen"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// rootCA makes a certificate of a CA that is its own root, or that key has certified: then it has the CA's name twice,
// and is no root.
func rootCA(t *testing.T, serial int64, old *x509.Certificate, oldKey crypto.Signer, public crypto.PublicKey) *x509.Certificate {
	t.Helper()
	return create(t, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Corp CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(2 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}, old, oldKey, public)
}

// TestShapesOfARootCA delivers what a CA has issued that is its own root, also with a new key that the connector trusts,
// or that it trusts only since the old one has certified it.
func TestShapesOfARootCA(t *testing.T) {
	var keys [3]crypto.Signer
	for i := range keys {
		var err error
		keys[i], err = keygen.Generate(keygen.ECDSAP256)
		require.NoError(t, err)
	}
	oldKey, newKey, key := keys[0], keys[1], keys[2]
	oldRoot := rootCA(t, 1, nil, oldKey, oldKey.Public())
	newRoot := rootCA(t, 2, nil, newKey, newKey.Public())
	cross := rootCA(t, 3, oldRoot, oldKey, newKey.Public())
	require.Equal(t, cross.RawIssuer, cross.RawSubject)
	csr, err := keygen.CreateRequest(key, &keygen.Request{Subject: "CN=bench", DNSNames: []string{"bench.devices.corp.test"}})
	require.NoError(t, err)
	type certs = []*x509.Certificate
	for name, tc := range map[string]struct {
		leaf        *x509.Certificate
		sent, trust certs
		want        map[string]certs // above the leaf
	}{
		"one certificate": {certify(t, oldRoot, oldKey, key.Public()), certs{oldRoot}, certs{oldRoot},
			map[string]certs{"": nil, "modern": nil, "windows": nil, "ios": nil, "android": {oldRoot}}},
		"root is not sent": {certify(t, oldRoot, oldKey, key.Public()), nil, certs{oldRoot},
			map[string]certs{"": nil, "windows": nil, "android": {oldRoot}}},
		"trusted before": {certify(t, newRoot, newKey, key.Public()), certs{newRoot, cross}, certs{oldRoot},
			map[string]certs{"": {cross}, "modern": {cross}, "windows": {cross}, "ios": nil, "android": {cross, oldRoot}}},
		"both trusted": {certify(t, newRoot, newKey, key.Public()), certs{cross, oldRoot}, certs{oldRoot, newRoot},
			map[string]certs{"": nil, "windows": nil, "ios": nil, "android": {newRoot}}},
	} {
		roots := x509.NewCertPool()
		for _, root := range tc.trust {
			roots.AddCert(root)
		}
		i := trusting(t, roots)
		result := &connector.CAResult{Certificate: tc.leaf.Raw}
		for _, cert := range tc.sent {
			result.Chain = append(result.Chain, cert.Raw)
		}
		for profile, above := range tc.want {
			o := order()
			o.Template, o.Profile = "", profile
			b, err := i.Finish(t.Context(), o, &connector.Prepared{Key: key, Request: csr}, result)
			require.NoError(t, err, "%s: %s", name, profile)
			_, got, err := pkcs12.Decode(b.PKCS12, o.Password)
			require.NoError(t, err)
			require.Len(t, got, 1+len(above), "%s: %s", name, profile)
			for n, cert := range above {
				assert.True(t, cert.Equal(got[1+n]), "%s: %s: number %d", name, profile, n)
			}
		}
	}
}

// trusting is an issuer with these roots, whose CA must not be dialed.
func trusting(t *testing.T, roots *x509.CertPool) *issuer.Issuer {
	t.Helper()
	i, err := issuer.New(issuer.CA{
		Host: "ca.corp.test", Name: "Corp CA", Roots: roots, Credential: adcs.Password("alice@CORP.TEST", "secret"),
		Options: &adcs.Options{DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Error("the CA is asked")
			return nil, errors.New("not reachable")
		}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	return i
}
