//go:build integration

package adcs_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adtest"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// pipeCA is a CA whose named pipe is that of the domain's file server, Samba's smbd, and which has no port of its own
// that the client knows. Its accounts are those of the domain.
func pipeCA(t *testing.T, d *adtest.Domain, users ...adtest.Account) *adcstest.Server {
	t.Helper()
	keytab, err := os.ReadFile(d.Keytab(t, "host/"+d.Host))
	require.NoError(t, err)
	o := adcstest.Options{Host: d.Host, Domain: adtest.NetBIOS, Kerberos: adcstest.Kerberos{Keytab: keytab, Realm: adtest.Realm}}
	for _, u := range users {
		o.Users = append(o.Users, adcstest.User{Name: u.Name, Password: u.Password})
	}
	s, err := adcstest.NewServer(&o)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	d.ServePipe(t, "cert", func() (net.Conn, error) { return net.Dial("tcp", s.Addr()) })
	return s
}

func pipeClient(t *testing.T, d *adtest.Domain, cred adcs.Credential, o adcs.Options) *adcs.Client {
	t.Helper()
	if o.Transport == "" {
		o.Transport = adcs.TransportNamedPipe
	}
	o.KRB5Conf, o.Timeout = d.KRB5Config(), 30*time.Second
	c, err := adcs.New(d.Host, "Test CA", cred, &o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// TestNamedPipe gets certificates through Samba's smbd, with every kind of logon.
func TestNamedPipe(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass-word1")
	s := pipeCA(t, d, alice)
	keytab, ccache := d.Keytab(t, alice.Name), d.Kinit(t, alice)
	password := adcs.Password(alice.Logon(), alice.Password)
	byTicket := adcs.Password(alice.Principal(), alice.Password)
	for name, c := range map[string]struct {
		cred adcs.Credential
		o    adcs.Options
	}{
		"ntlm":                     {password, adcs.Options{Auth: adcs.AuthNTLM}},
		"negotiate, NTLM only":     {password, adcs.Options{AllowNTLM: true, KDC: "127.0.0.3"}},
		"kerberos":                 {byTicket, adcs.Options{Auth: adcs.AuthKerberos}},
		"negotiate":                {byTicket, adcs.Options{}},
		"keytab":                   {adcs.Keytab(alice.Principal(), keytab), adcs.Options{Auth: adcs.AuthKerberos}},
		"ccache":                   {adcs.CCache(alice.Principal(), ccache), adcs.Options{}},
		"the ladder's second rung": {byTicket, adcs.Options{Transport: adcs.TransportAuto}},
		"small fragments":          {byTicket, adcs.Options{MaxFragment: 1432}},
		"large fragments":          {byTicket, adcs.Options{MaxFragment: 65528}},
	} {
		t.Run(name, func(t *testing.T) {
			client := pipeClient(t, d, c.cred, c.o)
			for _, size := range []int{10, 20_000} {
				before := len(s.Requests())
				r, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, size), Template: "Device"})
				require.NoError(t, err)
				require.Equal(t, adcs.Issued, r.Disposition)
				rows := s.Requests()
				require.Len(t, rows, before+1)
				assert.Equal(t, `CORP\alice`, rows[before].Requester)
				again, err := client.Retrieve(t.Context(), r.RequestID)
				require.NoError(t, err)
				assert.Equal(t, r.Certificate.Raw, again.Certificate.Raw)
			}
			time.Sleep(2 * adcs.CheckIdle) // long enough that the connection is looked at before it is used
			require.NoError(t, client.Ping(t.Context()))
		})
	}
}

// TestNamedPipeCut cuts the connection behind the file server at every point of a submission.
func TestNamedPipeCut(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass-word1")
	s := pipeCA(t, d, alice)
	client := pipeClient(t, d, adcs.Password(alice.Logon(), alice.Password), adcs.Options{Auth: adcs.AuthNTLM})
	for name, c := range map[string]struct {
		cut     adcstest.Cut
		rows    int
		unknown bool
	}{
		"after the request": {adcstest.CutAfterRequest, 0, true},
		"before the answer": {adcstest.CutBeforeAnswer, 1, true},
		"in the answer":     {adcstest.CutInAnswer, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{10, 20_000} {
				require.NoError(t, client.Ping(t.Context()))
				before := len(s.Requests())
				s.InjectFault(adcstest.Fault{Cut: c.cut})
				_, err := client.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, size), Template: "Device"})
				require.ErrorIs(t, err, adcs.ErrOutcomeUnknown)
				assert.Len(t, s.Requests(), before+c.rows)
			}
			require.NoError(t, client.Ping(t.Context()), "the client works again")
		})
	}
}

// badLogons is how often a wrong password was counted for an account.
func badLogons(t *testing.T, d *adtest.Domain, a adtest.Account) string {
	t.Helper()
	return d.Attribute(t, a.DN, "badPwdCount")
}

// TestNamedPipeRefused: each refusal is what it is, and a wrong password is tried once, whatever the transport.
func TestNamedPipeRefused(t *testing.T) {
	d := adtest.Start(t)
	_, csr := newCSR(t, "pc1.corp.test")
	// Without a limit nothing is counted.
	d.SambaTool(t, "domain", "passwordsettings", "set", "--account-lockout-threshold=20")
	for _, transport := range []adcs.Transport{adcs.TransportNamedPipe, adcs.TransportAuto} {
		for _, o := range []adcs.Options{{Auth: adcs.AuthNTLM}, {AllowNTLM: true}, {AllowNTLM: true, KDC: "127.0.0.3"}} {
			t.Run(fmt.Sprintf("%s %s %s", transport, o.Auth, o.KDC), func(t *testing.T) {
				bob := d.AddUser(t, "bob", "Right-1")
				o.Transport = transport
				client := pipeClient(t, d, adcs.Password(bob.Logon(), "Wrong-1"), o)
				for range 3 {
					_, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
					require.ErrorIs(t, err, adcs.ErrLogon)
				}
				if o.Auth == adcs.AuthNTLM && transport == adcs.TransportNamedPipe {
					err := client.Ping(t.Context())
					assert.ErrorIs(t, err, adcs.NTStatus(0xC000006D))
					assert.Contains(t, adcs.Explain(err).Summary, "user name or the password is wrong")
				}
				assert.Equal(t, "1", badLogons(t, d, bob))
			})
		}
	}
	alice := d.AddUser(t, "alice", "Pass-word1")
	client := pipeClient(t, d, adcs.Password(alice.Logon(), alice.Password), adcs.Options{Auth: adcs.AuthNTLM})
	err := client.Ping(t.Context())
	require.ErrorIs(t, err, adcs.ErrNoPipe)
	require.ErrorIs(t, err, adcs.ErrNotRegistered)
	require.NotErrorIs(t, err, adcs.ErrLogon)
	assert.Contains(t, adcs.Explain(err).Remedy, "IF_NORPCICERTREQUEST")
}

// TestSambaPipes calls Samba's own RPC servers over their pipes, sealed, with every dialect and cipher that smbd can be
// told to insist on.
func TestSambaPipes(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass-word1")
	for _, lines := range [][]string{
		{}, {"server max protocol = SMB2_02"}, {"server max protocol = SMB2_10"}, {"server max protocol = SMB3_00"},
		{"server max protocol = SMB3_02"}, {"server smb encrypt = required"},
		{"server smb encrypt = required", "server max protocol = SMB3_00"},
		{"server smb encrypt = required", "server smb3 encryption algorithms = AES-128-CCM"},
		{"server smb encrypt = required", "server smb3 encryption algorithms = AES-128-GCM"},
		{"server smb encrypt = required", "server smb3 encryption algorithms = AES-256-CCM"},
		{"server smb encrypt = required", "server smb3 encryption algorithms = AES-256-GCM"},
	} {
		t.Run(strings.Join(lines, ", "), func(t *testing.T) {
			if len(lines) > 0 {
				d.Reconfigure(t, lines...)
			}
			for name, client := range map[string]*adcs.Client{
				"ntlm": pipeClient(t, d, adcs.Password(alice.Logon(), alice.Password), adcs.Options{Auth: adcs.AuthNTLM}),
				"kerberos": pipeClient(t, d, adcs.Password(alice.Principal(), alice.Password),
					adcs.Options{Auth: adcs.AuthKerberos}),
			} {
				lookUpName(t, client, name)
			}
		})
	}
}

// lookUpName asks lsarpc for a policy object and with it for the domain (MS-LSAD sections 3.1.4.4.1 and 3.1.4.4.4).
func lookUpName(t *testing.T, client *adcs.Client, name string) {
	t.Helper()
	id, err := rpc.ParseUUID("12345778-1234-abcd-ef00-0123456789ab")
	require.NoError(t, err)
	conn, err := client.AssociatePipe(t.Context(), "lsarpc", rpc.Syntax{UUID: id})
	require.NoError(t, err, name)
	defer conn.Close()
	le := binary.LittleEndian
	open := make([]byte, 32) // SystemName and ObjectAttributes
	le.PutUint32(open[4:], 24)
	le.PutUint32(open[28:], 0x02000000) // MAXIMUM_ALLOWED
	out, err := conn.Call(t.Context(), assoc.Request{Opnum: 44, Stub: open})
	require.NoError(t, err, name)
	require.Len(t, out, 24)
	require.Zero(t, le.Uint32(out[20:]), "status of LsarOpenPolicy2")
	const accountDomain = 5
	out, err = conn.Call(t.Context(), assoc.Request{Opnum: 46, Stub: append(out[:20:20], accountDomain, 0)})
	require.NoError(t, err, name)
	assert.Contains(t, string(out), "C\x00O\x00R\x00P\x00", name)
}
