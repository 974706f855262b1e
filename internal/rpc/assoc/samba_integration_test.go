//go:build integration

package assoc_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adtest"
	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

func TestMain(m *testing.M) { adtest.Main(m) }

// samr is the interface of MS-SAMR, which a domain controller serves over TCP.
func samr(t *testing.T) rpc.Syntax {
	id, err := rpc.ParseUUID("12345778-1234-abcd-ef00-0123456789ac")
	require.NoError(t, err)
	return rpc.Syntax{UUID: id, Major: 1}
}

// samrAddress asks the endpoint mapper of the domain controller.
func samrAddress(t *testing.T, d *adtest.Domain) string {
	nc, err := net.Dial("tcp", d.Host+":135")
	require.NoError(t, err)
	conn, err := assoc.Open(t.Context(), nc, assoc.Config{Interface: rpc.EndpointMapper()})
	require.NoError(t, err)
	defer conn.Close()
	stub, err := conn.Call(t.Context(), assoc.Request{Opnum: rpc.EptMapOpnum, Stub: rpc.EncodeMapRequest(samr(t))})
	require.NoError(t, err)
	towers, err := rpc.ParseMapResponse(stub)
	require.NoError(t, err)
	require.NotEmpty(t, towers)
	return net.JoinHostPort(d.Host, strconv.Itoa(int(towers[0].Port)))
}

// tickets are those of an account, with the encryption types that krb5.conf permits.
func tickets(d *adtest.Domain, a adtest.Account, etypes string, now func() time.Time) *krb5.Client {
	return krb5.NewClient(krb5.ClientConfig{
		User: a.Principal(), Secret: krb5.Password(a.Password), KDC: d.Host, Now: now, Dial: new(net.Dialer).DialContext,
		Conf:   fmt.Sprintf("[libdefaults]\ndefault_realm = CORP.TEST\npermitted_enctypes = %s\n", etypes),
		LookUp: func(context.Context, string) ([]string, error) { return nil, errors.New("no DNS here") },
	})
}

// connect calls SamrConnect (MS-SAMR section 3.1.5.1.4) some times.
func connect(t *testing.T, addr string, i assoc.Initiator) error {
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	conn, err := assoc.Open(t.Context(), nc, assoc.Config{Interface: samr(t), Initiator: i})
	if err != nil {
		return err
	}
	defer conn.Close()
	for range 5 {
		stub, err := conn.Call(t.Context(), assoc.Request{Stub: []byte{0, 0, 0, 0, 0, 0, 0, 2}}) // no name; MAXIMUM_ALLOWED
		if err != nil {
			return err
		}
		require.Len(t, stub, 24, "a handle and a status")
		require.Zero(t, binary.LittleEndian.Uint32(stub[20:]))
	}
	assert.True(t, conn.Proved())
	return nil
}

// TestSambaSealed calls a service of Samba under Kerberos, by itself and inside of SPNEGO, with every encryption type,
// and under NTLM by password and hash.
func TestSambaSealed(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Alice-pass1")
	d.LDIF(t, "dn: CN=DC,OU=Domain Controllers,"+adtest.BaseDN+"\nchangetype: modify\nreplace: msDS-SupportedEncryptionTypes\n"+
		"msDS-SupportedEncryptionTypes: 28\n")
	addr := samrAddress(t, d)
	for _, etype := range []string{"aes256-cts", "aes128-cts", "arcfour-hmac"} {
		client := tickets(d, alice, etype, time.Now)
		ticket, err := client.Ticket(t.Context(), "host/"+d.Host)
		require.NoError(t, err)
		require.Equal(t, etype == "arcfour-hmac", ticket.Key.KeyType == etypeID.RC4_HMAC)
		kerberos := func() assoc.Mechanism { return assoc.Kerberos(krb5.NewInitiator(ticket, true, time.Now)) }
		ntlm := assoc.NTLM(assoc.Password{User: "alice", Domain: "CORP", Password: alice.Password})
		for name, i := range map[string]assoc.Initiator{
			"kerberos": kerberos(), "spnego": assoc.SPNEGO(kerberos()), "spnego, NTLM too": assoc.SPNEGO(kerberos(), ntlm),
		} {
			t.Run(etype+" "+name, func(t *testing.T) {
				require.NoError(t, connect(t, addr, i))
				assert.True(t, i.Mutual())
				assert.True(t, i.ByTicket())
				assert.NotEmpty(t, i.SessionKey())
			})
		}
	}
}

// TestSambaNTLM has NTLM by password and by hash, with and without a Kerberos that comes first and is of no use.
func TestSambaNTLM(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "password")
	hash, err := hex.DecodeString("8846f7eaee8fb117ad06bdd830b7586c")
	require.NoError(t, err)
	addr := samrAddress(t, d)
	for name, p := range map[string]assoc.Password{
		"password": {User: "alice", Domain: "CORP", Password: alice.Password}, "hash": {User: "alice", Domain: "CORP", Hash: hash},
	} {
		require.NoError(t, connect(t, addr, assoc.NTLM(p)), name)
		i := assoc.SPNEGO(assoc.NTLM(p))
		require.NoError(t, connect(t, addr, i), name)
		assert.False(t, i.ByTicket())
		assert.Len(t, i.SessionKey(), 16)
	}
	wrong := assoc.Password{User: "alice", Domain: "CORP", Hash: make([]byte, 16)}
	require.ErrorIs(t, connect(t, addr, assoc.NTLM(wrong)), assoc.ErrLogon)
	require.ErrorIs(t, connect(t, addr, assoc.SPNEGO(assoc.NTLM(wrong))), assoc.ErrLogon)
}

// TestSambaRefusesTickets has tickets that are not for the service, or whose clock is wrong: none of it is a wrong
// password.
func TestSambaRefusesTickets(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Alice-pass1")
	d.AddComputer(t, "CA", "host/ca.corp.test")
	addr := samrAddress(t, d)
	client := tickets(d, alice, "aes", time.Now)
	for name, tc := range map[string]struct {
		spn    string
		ahead  time.Duration
		reason krb5.Reason
	}{
		"another service's": {"host/ca.corp.test", 0, krb5.ReasonServiceTicket},
		"clock ahead":       {"host/" + d.Host, time.Hour, krb5.ReasonClock},
		"clock behind":      {"host/" + d.Host, -time.Hour, krb5.ReasonClock},
	} {
		ticket, err := client.Ticket(t.Context(), tc.spn)
		require.NoError(t, err)
		now := func() time.Time { return time.Now().Add(tc.ahead) }
		for _, spnego := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, SPNEGO %v", name, spnego), func(t *testing.T) {
				var i assoc.Initiator = assoc.Kerberos(krb5.NewInitiator(ticket, true, now))
				if spnego {
					i = assoc.SPNEGO(assoc.Kerberos(krb5.NewInitiator(ticket, true, now)))
				}
				err := connect(t, addr, i)
				require.Error(t, err)
				assert.NotErrorIs(t, err, assoc.ErrLogon)
				assert.Equal(t, tc.reason, krb5.ReasonOf(err), "%v", err)
			})
		}
	}
}
