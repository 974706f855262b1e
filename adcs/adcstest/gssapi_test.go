//go:build integration

package adcstest_test

import (
	"strings"
	"testing"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// TestGSSAPI has MIT's Kerberos log on and protect messages. With RC4 a sealed message keeps its length only in DCE
// style.
func TestGSSAPI(t *testing.T) {
	requirePeer(t, "gssapi.raw")
	for name, encryption := range encryptions() {
		for _, options := range []string{
			"krb5 connect", "krb5 sign", "krb5 seal", "krb5 seal noheader", "krb5 sign noheader", "krb5 seal auth3",
			"krb5 seal frag=96", "krb5 seal nodce", "krb5 sign nodce",
			"spnego connect", "spnego sign", "spnego seal", "spnego seal noheader", "spnego seal nodce",
		} {
			if name == "rc4" && strings.HasSuffix(options, "seal nodce") {
				continue
			}
			t.Run(name+","+strings.ReplaceAll(options, " ", ","), func(t *testing.T) {
				t.Parallel()
				s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
				csr := newCSR(t, "gssapi")
				p := peer{env: withTicket(t, s, adcstest.TicketRequest{Encryption: encryption})}
				a := p.run(t, s, "gssapi_client.py", s.Host(), csr, strings.Fields(options)...)
				checkIssued(t, s, a, csr)
			})
		}
	}
}
