package adcs_test

import (
	"crypto"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// enrolled gets a certificate from a CA and verifies it.
func enrolled(t *testing.T, s *adcstest.Server, client *adcs.Client, r adcs.Request, change func(*adcs.Expect)) *adcs.Result {
	t.Helper()
	result, err := client.Submit(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, adcs.Issued, result.Disposition)
	expect, err := adcs.ExpectRequest(r.CSR)
	require.NoError(t, err)
	expect.Roots, expect.Intermediates, expect.Template = x509.NewCertPool(), result.Chain, r.Template
	chain := s.Chain()
	expect.Roots.AddCert(chain[len(chain)-1])
	if change != nil {
		change(&expect)
	}
	_, err = adcs.Verify(result.Certificate, expect)
	require.NoError(t, err)
	return result
}

// TestSignedRequests enrolls, renews, and enrolls for somebody else, over the wire.
func TestSignedRequests(t *testing.T) {
	for _, transport := range []adcs.Transport{adcs.TransportTCP, adcs.TransportDCOM} {
		t.Run(string(transport), func(t *testing.T) { testSignedRequests(t, transport) })
	}
}

func testSignedRequests(t *testing.T, transport adcs.Transport) {
	templates := append(adcstest.DefaultTemplates(),
		adcstest.Template{Name: "Agent", ExtKeyUsage: []string{oidAgent.String()}},
		adcstest.Template{Name: "ForStaff", Signatures: 1, OnBehalfOf: []string{"Staff"}})
	s := newServer(t, &adcstest.Options{
		Users: []adcstest.User{{Name: "alice", Password: secret}, {Name: "bob", Password: secret}}, Templates: templates,
		Directory: []adcstest.Entry{{Account: `CORP\carol`, UPN: "carol@corp.test", SID: testSID, Groups: []string{"Staff"}}},
	})
	client := newClientFor(t, s, adcs.Password(`CORP\alice`, secret), &adcs.Options{Transport: transport})
	get := func(template string) (crypto.Signer, *x509.Certificate) {
		key, csr := newCSR(t, "pc1.corp.test")
		return key, enrolled(t, s, client, adcs.Request{CSR: csr, Template: template}, nil).Certificate
	}
	t.Run("renewal", func(t *testing.T) {
		oldKey, old := get("Device")
		key := newKey(t)
		csr, err := adcs.RenewalRequest(nil, key, old, oldKey)
		require.NoError(t, err)
		result := enrolled(t, s, client, adcs.Request{CSR: csr, FullResponse: true}, func(e *adcs.Expect) {
			assert.Equal(t, []string{"pc1.corp.test"}, e.DNSNames)
		})
		assert.True(t, key.PublicKey.Equal(result.Certificate.PublicKey))
		require.NotNil(t, result.CMC)
		assert.Equal(t, adcs.CMCSuccess, result.CMC.Status)
		assert.Equal(t, "Issued", result.CMC.Text)
	})
	agentKey, agent := get("Agent")
	behalf := func(account string) []byte {
		_, csr := newCSR(t, "pc2.corp.test")
		der, err := adcs.OnBehalfOfRequest(csr, account, agent, agentKey)
		require.NoError(t, err)
		return der
	}
	fromDirectory := func(e *adcs.Expect) {
		e.FromDirectory, e.Subject, e.DNSNames = true, nil, nil
		e.UPNs, e.SID = []string{"carol@corp.test"}, testSID
	}
	t.Run("on behalf of", func(t *testing.T) {
		result := enrolled(t, s, client, adcs.Request{CSR: behalf(`CORP\carol`), Template: "User"}, fromDirectory)
		assert.Equal(t, "carol", result.Certificate.Subject.CommonName)
		enrolled(t, s, client, adcs.Request{CSR: behalf(`CORP\carol`), Template: "ForStaff"}, nil)
	})
	t.Run("refused", func(t *testing.T) {
		for template, account := range map[string]string{"ForStaff": `CORP\bob`, "User": `CORP\nobody`} {
			_, err := client.Submit(t.Context(), adcs.Request{CSR: behalf(account), Template: template, FullResponse: true})
			want := map[string]error{"ForStaff": adcs.ErrRestrictedOfficer, "User": adcs.HResult(0x80070534)}[template]
			require.ErrorIs(t, err, want)
			var refusal *adcs.RequestError
			require.ErrorAs(t, err, &refusal)
			require.NotNil(t, refusal.CMC)
			assert.Equal(t, adcs.CMCFailed, refusal.CMC.Status)
			assert.NotEmpty(t, refusal.CMC.Text)
			assert.NotEmpty(t, adcs.Explain(err).Remedy)
		}
	})
	t.Run("held", func(t *testing.T) {
		result, err := client.Submit(t.Context(), adcs.Request{
			CSR: behalf(`CORP\carol`), Template: "DeviceHeld", FullResponse: true,
		})
		require.NoError(t, err)
		require.Equal(t, adcs.Pending, result.Disposition)
		require.NotNil(t, result.CMC)
		assert.Equal(t, adcs.CMCPending, result.CMC.Status)
		assert.NotEmpty(t, result.CMC.PendToken)
	})
}
