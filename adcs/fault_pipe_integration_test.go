//go:build integration

package adcs_test

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adtest"
)

// TestFaultTableOverNamedPipe has the table behind Samba's file server, in a call on a connection at rest.
func TestFaultTableOverNamedPipe(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass-word1")
	var ca atomic.Pointer[adcstest.Server]
	d.ServePipe(t, "cert", func() (net.Conn, error) { return net.Dial("tcp", ca.Load().Addr()) })
	site := faultSite{
		options: adcstest.Options{
			Host: d.Host, Domain: adtest.NetBIOS, Users: []adcstest.User{{Name: alice.Name, Password: alice.Password}},
		},
		auth: adcs.AuthNTLM,
		dial: func(s *adcstest.Server) dialFunc {
			ca.Store(s)
			return new(net.Dialer).DialContext
		},
	}
	for _, row := range faultTable() {
		for name, operation := range operations() {
			m := encounter{row, name, adcs.TransportNamedPipe, atRest}
			if m.possible() {
				t.Run(m.String(), func(t *testing.T) { m.run(t, operation, site) })
			}
		}
	}
}
