package keygen_test

import (
	"crypto/fips140"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/keygen"
)

// TestCATakesRequests sends requests with everything in them to a test CA, signed in each form, and reads the SID of
// the certificate that it issues.
func TestCATakesRequests(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("the test CA takes NTLM, which FIPS 140 does not allow")
	}
	server, err := adcstest.NewServer(&adcstest.Options{Templates: []adcstest.Template{{Name: "Device"}}})
	require.NoError(t, err)
	defer server.Close()
	user := server.User()
	client, err := adcs.New(server.Host(), server.Name(), adcs.Password(user.Account(), user.Password),
		&adcs.Options{AllowNTLM: true, DialContext: server.DialContext})
	require.NoError(t, err)
	defer client.Close()
	want, err := keygen.ParseSID(sampleSID)
	require.NoError(t, err)

	for _, alg := range []keygen.Algorithm{keygen.RSA2048, keygen.ECDSAP256} {
		for _, pss := range []bool{false, alg == keygen.RSA2048} {
			key := testKey(t, alg)
			csr, err := keygen.CreateRequest(key, &keygen.Request{
				Subject: "CN=device", DNSNames: []string{"device.corp.test"}, SID: sampleSID, SIDForm: keygen.SIDBoth, PSS: pss,
				KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsages: oids("1.3.6.1.5.5.7.3.2"),
				ApplicationPolicies: oids("1.3.6.1.5.5.7.3.2"), OSVersion: &keygen.OSVersion{Major: 10, Build: 26100, Platform: 2},
				ClientInfo: &keygen.ClientInfo{ClientID: 4711, Machine: "connector", User: `CORP\svc`, Process: "connector"},
			})
			require.NoError(t, err)
			result, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
			require.NoError(t, err)
			require.NotNil(t, result.Certificate)
			assert.Equal(t, key.Public(), result.Certificate.PublicKey)
			sid, form, err := keygen.MappedSID(result.Certificate.Extensions)
			require.NoError(t, err)
			assert.True(t, sid == want)
			assert.Equal(t, keygen.SIDBoth, form)
		}
	}
}
