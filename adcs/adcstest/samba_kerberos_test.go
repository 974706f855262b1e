//go:build integration

package adcstest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

func TestSambaKerberos(t *testing.T) {
	requirePeer(t, "samba.dcerpc.epmapper")
	for name, encryption := range encryptions() {
		for _, options := range []string{
			"krb5 connect", "krb5 packet", "krb5 sign", "krb5 seal", "krb5 seal ndr64", "krb5 seal dcerpc:header_signing=no",
			"spnego connect", "spnego sign", "spnego seal", "spnego seal ndr64", "spnego sign dcerpc:header_signing=no",
		} {
			t.Run(name+","+strings.ReplaceAll(options, " ", ","), func(t *testing.T) {
				t.Parallel()
				s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
				csr := newCSR(t, "samba")
				p := peer{env: withTicket(t, s, adcstest.TicketRequest{Encryption: encryption})}
				_, cache, _ := strings.Cut(p.env[0], "=")
				args := append(strings.Fields(options), "kerberos="+s.Host(), "ccache="+cache)
				a := p.run(t, s, "samba_client.py", s.User().Domain+"/"+s.User().Name, csr, args...)
				checkIssued(t, s, a, csr)
			})
		}
	}
}

// A ticket of somebody else, and a server whose clock is wrong.
func TestSambaKerberosRefused(t *testing.T) {
	requirePeer(t, "samba.dcerpc.epmapper")
	s, other := newServer(t, nil), newServer(t, nil)
	fast := newServer(t, &adcstest.Options{Kerberos: adcstest.Kerberos{ClockSkew: time.Hour}})
	run := func(s, kdc *adcstest.Server, auth string, csr []byte) peerAnswer {
		p := peer{env: withTicket(t, kdc, adcstest.TicketRequest{})}
		_, cache, _ := strings.Cut(p.env[0], "=")
		return p.run(t, s, "samba_client.py", s.User().Domain+"/"+s.User().Name, csr, auth, "seal", "kerberos="+s.Host(),
			"ccache="+cache)
	}
	csr := newCSR(t, "samba")
	for _, auth := range []string{"krb5", "spnego"} {
		assert.NotEmpty(t, run(s, other, auth, csr).Error, auth)
		assert.NotEmpty(t, run(fast, fast, auth, csr).Error, auth)
	}
	assert.Empty(t, append(s.Requests(), fast.Requests()...))
}
