//go:build integration

package adcs_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/adtest"
)

// TestDCOMInADomain reaches a CA of a Samba domain over DCOM with tickets of the domain's KDC, for which activation and
// object are two services of one name.
func TestDCOMInADomain(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "dalice", "Pass-word1")
	s := domainCA(t, d, "DCOMCA", nil)
	for name, cred := range map[string]adcs.Credential{
		"password": adcs.Password(alice.Principal(), alice.Password),
		"keytab":   adcs.Keytab(alice.Principal(), d.Keytab(t, alice.Name)),
		"ccache":   adcs.CCache(alice.Principal(), d.Kinit(t, alice)),
	} {
		for _, auth := range []adcs.Auth{adcs.AuthKerberos, adcs.AuthNegotiate} {
			t.Run(name+"/"+string(auth), func(t *testing.T) {
				client := domainClient(t, d, s, cred, adcs.Options{Auth: auth, Transport: adcs.TransportDCOM})
				result, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 20_000), Template: "Device"})
				require.NoError(t, err)
				rows := s.Requests()
				assert.True(t, strings.EqualFold(alice.Logon(), rows[len(rows)-1].Requester), rows[len(rows)-1].Requester)
				described, err := client.Describe(t.Context())
				require.NoError(t, err)
				assert.NotNil(t, described.Issuer(result.Certificate))
			})
		}
	}
}

// TestDCOMOfAHostWithoutIt asks Samba's endpoint mapper, which has no DCOM behind it: an error that says so.
func TestDCOMOfAHostWithoutIt(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "dalice2", "Pass-word1")
	client, err := adcs.New(d.Host, "Some CA", adcs.Password(alice.Principal(), alice.Password), &adcs.Options{
		Transport: adcs.TransportDCOM, KRB5Conf: d.KRB5Config(), Timeout: 20 * time.Second,
	})
	require.NoError(t, err)
	defer client.Close()
	err = client.Ping(t.Context())
	refused, ok := errors.AsType[*adcs.RPCError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, adcs.PhaseActivate, refused.Phase)
	explained := adcs.Explain(err)
	assert.Contains(t, explained.Summary, "DCOM")
	assert.Contains(t, explained.Remedy, "tcp or np")
}
