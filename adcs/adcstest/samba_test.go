//go:build integration

package adcstest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

func TestSamba(t *testing.T) {
	requirePeer(t, "samba.dcerpc.epmapper")
	for _, options := range []string{
		"ntlm connect", "ntlm packet", "ntlm sign", "ntlm seal", "ntlm seal ndr64",
		"spnego connect", "spnego packet", "spnego sign", "spnego seal", "spnego seal ndr64",
		"ntlm seal ntlmssp_client:keyexchange=no", "spnego sign ntlmssp_client:keyexchange=no",
		"ntlm seal ntlmssp_client:128bit=no", "ntlm sign ntlmssp_client:128bit=no ntlmssp_client:56bit=no",
		"ntlm seal ntlmssp_client:unicode=no", "spnego seal ntlmssp_client:force_old_spnego=yes",
		"ntlm seal dcerpc:header_signing=no", "spnego sign dcerpc:header_signing=no",
	} {
		t.Run(strings.ReplaceAll(options, " ", ","), func(t *testing.T) {
			t.Parallel()
			s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
			csr := newCSR(t, "samba")
			u := s.User()
			a := runPeer(t, s, "samba_client.py", u.Domain+"/"+u.Name, u.Password, csr, strings.Fields(options)...)
			checkIssued(t, s, a, csr)
			assert.Equal(t, []int{a.Port, a.Port}, a.Ports)
			assert.Equal(t, []string{
				"afa8bd80-7d8a-11c9-bef4-08002b102989", "91ae6020-9e3c-11cf-8d7c-00aa00c091be",
			}, a.Interfaces)
			assert.Equal(t, 1, a.Listening)
		})
	}
}

// The server's knobs, against a client that notices when it is refused something.
func TestSambaKnobs(t *testing.T) {
	requirePeer(t, "samba.dcerpc.epmapper")
	for name, wire := range map[string]adcstest.Wire{
		"noHeaderSigning": {NoHeaderSigning: true},
		"noFeatures":      {NoFeatureNegotiation: true},
		"noNDR64":         {NoNDR64: true},
		"smallFragments":  {MaxFragment: 1432},
		"largeFragments":  {MaxFragment: 65535},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, &adcstest.Options{Wire: wire})
			csr := newCSR(t, "knobs")
			u := s.User()
			a := runPeer(t, s, "samba_client.py", u.Domain+"/"+u.Name, u.Password, csr, "spnego", "seal")
			checkIssued(t, s, a, csr)
		})
	}
}

func TestSambaRefused(t *testing.T) {
	requirePeer(t, "samba.dcerpc.epmapper")
	s := newServer(t, nil)
	u := s.User()
	for _, auth := range []string{"spnego", "ntlm"} {
		a := runPeer(t, s, "samba_client.py", u.Domain+"/"+u.Name, "wrong", newCSR(t, "wrong"), auth, "seal")
		assert.NotEmpty(t, a.Error, auth)
	}
	a := runPeer(t, s, "samba_client.py", u.Domain+"/"+u.Name, u.Password, newCSR(t, "sign"), "spnego", "sign")
	assert.Contains(t, a.Error, "Access Denied")
	assert.Empty(t, s.Requests())
}
