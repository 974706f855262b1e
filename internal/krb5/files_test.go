package krb5_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/krb5/kdctest"
	"github.com/adcskit/adcskit/internal/rpc"
)

// TestKeytab reads what gokrb5 writes, and compares.
func TestKeytab(t *testing.T) {
	raw := newKDC().AddService("host/ca.corp.test")
	theirs := new(keytab.Keytab)
	require.NoError(t, theirs.Unmarshal(raw))
	ours, err := krb5.ParseKeytab(raw)
	require.NoError(t, err)
	require.Len(t, ours, len(theirs.Entries))
	for i, e := range theirs.Entries {
		assert.Equal(t, e.Principal.Components, ours[i].Principal.Parts)
		assert.Equal(t, e.Principal.Realm, ours[i].Principal.Realm)
		assert.Equal(t, e.KVNO, ours[i].Version)
		assert.Equal(t, e.Key, ours[i].Key)
	}
	hole := binary.BigEndian.AppendUint32([]byte{5, 2}, 1<<32-7)
	hole = append(append(hole, make([]byte, 7)...), raw[2:]...)
	holed, err := krb5.ParseKeytab(hole)
	require.NoError(t, err)
	assert.Equal(t, ours, holed, "deleted entries leave holes")
	for n := range len(raw) {
		if entries, err := krb5.ParseKeytab(raw[:n]); err == nil {
			assert.Less(t, len(entries), len(ours))
		}
	}
	for _, bad := range []string{"", "\x05", "\x05\x01", "\x05\x02\x7f\xff\xff\xff", "\x05\x02\x80\x00\x00\x00", "\x05\x02\x00\x00\x00\x01\x00"} {
		_, err := krb5.ParseKeytab([]byte(bad))
		assert.ErrorIs(t, err, rpc.ErrMalformed, "%q", bad)
	}
}

// TestNewestKey has the key of a password that was changed: the old one is still in the keytab.
func TestNewestKey(t *testing.T) {
	k := newKDC()
	keys := keytab.New()
	for version, password := range []string{"old", "older", "Alice-pass1"} {
		for _, e := range []int32{18, 17, 23} {
			require.NoError(t, keys.AddEntry("alice", realm, password, k.Now(), uint8(version+1), e))
		}
	}
	require.NoError(t, keys.AddEntry("bob", realm, "bob's", k.Now(), 9, 18))
	raw, err := keys.Marshal()
	require.NoError(t, err)
	for name, secret := range map[string]krb5.Secret{"bytes": krb5.KeytabBytes(raw), "file": krb5.KeytabFile(write(t, string(raw)))} {
		_, err = newClient(k, func(c *krb5.ClientConfig) { c.Secret = secret }).Ticket(t.Context(), spn)
		require.NoError(t, err, name)
	}
	_, err = newClient(k, func(c *krb5.ClientConfig) { c.User, c.Secret = "eve@CORP.TEST", krb5.KeytabBytes(raw) }).Ticket(t.Context(), spn)
	assert.Equal(t, krb5.ReasonNoCredential, krb5.ReasonOf(err), "%v", err)
}

func write(t testing.TB, text string) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestCCache(t *testing.T) {
	ticket, _ := getTicket(t, "aes256-cts")
	raw := encodeCCache(t, ticket, ticket)
	c, err := krb5.ParseCCache(raw)
	require.NoError(t, err)
	assert.Equal(t, "alice@CORP.TEST", c.Principal.String())
	require.Len(t, c.Tickets, 2)
	assert.Equal(t, ticket.Key, c.Tickets[0].Key)
	assert.Equal(t, ticket.End.Unix(), c.Tickets[1].End.Unix())
	for n := range len(raw) {
		if cut, err := krb5.ParseCCache(raw[:n]); err == nil {
			assert.Less(t, len(cut.Tickets), 2)
		} else {
			require.ErrorIs(t, err, rpc.ErrMalformed)
		}
	}
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] = 0xff // lengths of 4 GiB, say
		_, _ = krb5.ParseCCache(changed)
	}
}

func TestConfig(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"a.conf": "[realms]\nINCLUDED.TEST = {\nkdc = included\n}\n", "b~": "not read", "ok_1-2": "[domain_realm]\nx.test=X.TEST\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	text := `# of a fresh Fedora, and more
includedir ` + folder + `
includedir /nowhere/at/all

[logging]
    default = FILE:/var/log/krb5libs.log

[libdefaults]
    dns_lookup_realm = false
    ticket_lifetime = 24h
    dns_canonicalize_hostname = fallback
    pkinit_anchors = FILE:/etc/pki/tls/certs/ca-bundle.crt
    qualify_shortname = ""
    default_realm = CORP.TEST
    default_realm = SECOND.TEST
	default_ccache_name = KEYRING:persistent:%{uid}
[realms]
 CORP.TEST = {
     kdc = one.corp.test
     kdc = tcp/two.corp.test:89
     kdc = udp/three.corp.test
     kdc = https://proxy.corp.test/KdcProxy
     kdc = [2001:db8::1]:88
     kdc = [2001:db8::2]
     admin_server = one.corp.test
     auth_to_local = { 
       RULE = [1:$1]
     }
     master_kdc = one.corp.test
 }
EMPTY.TEST = {}
[domain_realm]
 .corp.test = CORP.TEST
 corp.test = CORP.TEST
`
	var asked []string
	ask := func(user, conf string) error {
		asked = nil
		_, err := newClient(newKDC(), func(c *krb5.ClientConfig) {
			c.User, c.KDC, c.Conf = user, "", conf
			c.LookUp = func(_ context.Context, realm string) ([]string, error) {
				asked = append(asked, "DNS "+realm)
				return nil, nil
			}
			c.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
				asked = append(asked, network+" "+addr)
				return nil, fmt.Errorf("nobody there")
			}
		}).Ticket(t.Context(), spn)
		return err
	}
	for _, conf := range []string{text, write(t, text), write(t, "") + string(os.PathListSeparator) + "/none" + string(os.PathListSeparator) + write(t, text)} {
		require.Error(t, ask("alice", conf))
		assert.Equal(t, []string{"tcp one.corp.test:88", "tcp two.corp.test:89", "tcp [2001:db8::1]:88", "tcp [2001:db8::2]:88"}, asked)
		require.Error(t, ask("alice@included.test", conf))
		assert.Equal(t, []string{"tcp included:88"}, asked)
		require.Error(t, ask("alice@empty.test", conf))
		assert.Equal(t, []string{"DNS EMPTY.TEST"}, asked)
	}
	for _, bad := range []string{
		"[libdefaults", "[a]\n}\n", "[a]\nnonsense\n", "x = y\n\n", "include relative\n\n", "include /none/at/all\n[a]\n",
		"[a]\n" + strings.Repeat("b = {\n", 20), "[libdefaults]\npermitted_enctypes = des\n",
	} {
		_, err := krb5.LoadConfig(bad + "\n")
		assert.Error(t, err, bad)
	}
	loop := filepath.Join(folder, "loop")
	require.NoError(t, os.WriteFile(loop, []byte("include "+loop+"\n"), 0o600))
	_, err := krb5.LoadConfig(loop)
	require.ErrorContains(t, err, "too many")
	_, err = krb5.LoadConfig("/none/at/all")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = krb5.LoadConfig(folder)
	require.ErrorContains(t, err, "not a regular file")
	_, err = krb5.LoadConfig(os.DevNull)
	require.NoError(t, err)
}

func FuzzParseKeytab(f *testing.F) {
	f.Add(kdctest.New(realm).AddService(spn))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := krb5.ParseKeytab(b)
		if err != nil {
			require.ErrorIs(t, err, rpc.ErrMalformed)
		}
		require.LessOrEqual(t, len(entries), len(b))
	})
}

func FuzzParseCCache(f *testing.F) {
	ticket, _ := getTicket(f, "aes256-cts")
	f.Add(encodeCCache(f, ticket, ticket))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := krb5.ParseCCache(b)
		if err != nil {
			require.ErrorIs(t, err, rpc.ErrMalformed)
			return
		}
		_ = c.Principal.String()
		for _, ticket := range c.Tickets {
			_, _, _ = krb5.NewInitiator(ticket, true, ticket.End.Local).Step(nil)
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add("[libdefaults]\ndefault_realm = A\n[realms]\nA = {\nkdc = b\n}\n[domain_realm]\n.b = A\n")
	f.Fuzz(func(_ *testing.T, text string) {
		if !strings.Contains(text, "include") {
			_, _ = krb5.ParseConfig(text)
		}
	})
}
