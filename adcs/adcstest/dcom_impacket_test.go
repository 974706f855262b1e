//go:build integration

package adcstest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// TestImpacketOverDCOM has impacket make objects in both ways, submit to both interfaces, and release them.
func TestImpacketOverDCOM(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.dcomrt")
	for _, how := range []string{"RemoteActivation", "RemoteCreateInstance"} {
		t.Run(how, func(t *testing.T) {
			s := newServer(t, nil)
			csr := newCSR(t, "impacket")
			u := s.User()
			a := runPeer(t, s, "impacket_dcom.py", u.Domain+"/"+u.Name, u.Password, csr, how)
			require.Empty(t, a.Error)
			checkAnswers(t, s, a, csr)
			assert.Equal(t, "ca.corp.test\x00", a.DNS)
			assert.Zero(t, s.Objects(), "all of them were released")
		})
	}
}

// TestImpacketOverDCOMRefused is what a server with the default level says to less, and to a wrong password.
func TestImpacketOverDCOMRefused(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.dcomrt")
	s := newServer(t, nil)
	a := runPeer(t, s, "impacket_dcom.py", s.User().Domain+"/"+s.User().Name, "wrong", newCSR(t, "x"), "RemoteActivation")
	assert.Contains(t, a.Error, "00000721")
	s.SetDCOM(false)
	a = runPeer(t, s, "impacket_dcom.py", s.User().Domain+"/"+s.User().Name, s.User().Password, newCSR(t, "x"),
		"RemoteCreateInstance")
	assert.Contains(t, a.Error, "CO_E_SERVER_EXEC_FAILURE")
	assert.Empty(t, s.Requests())
}

// TestImpacketOverDCOMKerberos has it log on with Kerberos. RemoteActivation of impacket would use NTLM at the object's
// port whatever was asked for.
func TestImpacketOverDCOMKerberos(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.dcomrt")
	s := newServer(t, nil)
	csr := newCSR(t, "impacket")
	p := peer{env: withTicket(t, s, adcstest.TicketRequest{})}
	a := p.run(t, s, "impacket_dcom.py", "CORP.TEST/"+s.User().Name, csr, "RemoteCreateInstance", "kerberos="+s.Host())
	require.Empty(t, a.Error)
	checkAnswers(t, s, a, csr)
}
