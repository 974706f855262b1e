//go:build integration

package adcstest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// withTicket is the environment for a client of Kerberos with a ticket of the server.
func withTicket(t *testing.T, s *adcstest.Server, r adcstest.TicketRequest) []string {
	t.Helper()
	dir := t.TempDir()
	cache, conf := filepath.Join(dir, "ccache"), filepath.Join(dir, "krb5.conf")
	require.NoError(t, os.WriteFile(cache, ticketFor(t, s, r), 0o600))
	require.NoError(t, os.WriteFile(conf, []byte(s.KRB5Config()), 0o600))
	return []string{"KRB5CCNAME=" + cache, "KRB5_CONFIG=" + conf}
}

// impacket cannot sign with Kerberos, and with RC4 its fragments have to be multiples of 8 bytes.
func TestImpacketKerberos(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.epm")
	for name, encryption := range encryptions() {
		for _, options := range []string{"connect", "seal", "seal ndr64", "seal frag=96"} {
			t.Run(name+","+strings.ReplaceAll(options, " ", ","), func(t *testing.T) {
				t.Parallel()
				s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
				csr := newCSR(t, "impacket")
				p := peer{env: withTicket(t, s, adcstest.TicketRequest{Encryption: encryption})}
				args := append(strings.Fields(options), "kerberos="+s.Host())
				a := p.run(t, s, "impacket_client.py", "CORP.TEST/"+s.User().Name, csr, args...)
				checkIssued(t, s, a, csr)
			})
		}
	}
}

// What impacket reads in the server's refusals.
func TestImpacketKerberosRefused(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.epm")
	s, other := newServer(t, nil), newServer(t, nil)
	slow := newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{ClockSkew: time.Hour}})
	for want, c := range map[string]struct {
		server, kdc *adcstest.Server
		ticket      adcstest.TicketRequest
	}{
		"KRB_AP_ERR_MODIFIED":    {s, other, adcstest.TicketRequest{}},
		"KRB_AP_ERR_SKEW":        {slow, slow, adcstest.TicketRequest{}},
		"KRB_AP_ERR_TKT_EXPIRED": {s, s, adcstest.TicketRequest{Start: time.Now().Add(-12 * time.Hour)}},
	} {
		p := peer{env: withTicket(t, c.kdc, c.ticket)}
		a := p.run(t, c.server, "impacket_client.py", "CORP.TEST/"+s.User().Name, newCSR(t, "x"), "seal", "kerberos="+s.Host())
		assert.Contains(t, a.Error, want)
		assert.Empty(t, c.server.Requests())
	}
}
