//go:build integration

package krb5_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	//lint:ignore SA1019 the NT hash is defined with MD4 (MS-NLMP section 3.3.2)
	"golang.org/x/crypto/md4"

	"github.com/adcskit/adcskit/internal/adtest"
	"github.com/adcskit/adcskit/internal/krb5"
)

func TestMain(m *testing.M) { adtest.Main(m) }

// client is a client of the domain. Fields of c that are empty get those of the domain.
func client(d *adtest.Domain, c krb5.ClientConfig) *krb5.Client {
	if c.Conf == "" {
		c.Conf = d.KRB5Config()
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.LookUp == nil {
		c.LookUp = func(context.Context, string) ([]string, error) { return nil, errors.New("no DNS here") }
	}
	return krb5.NewClient(c)
}

func ntHash(password string) string {
	h := md4.New()
	for _, u := range utf16.Encode([]rune(password)) {
		h.Write([]byte{byte(u), byte(u >> 8)})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// TestSambaTickets gets tickets from a real KDC in every way, for a computer account and for the domain controller.
func TestSambaTickets(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Pass word-1 é")
	d.AddComputer(t, "CA", "host/ca.corp.test")
	hash, err := hex.DecodeString(ntHash(alice.Password))
	require.NoError(t, err)
	upn := alice.Name + "@" + adtest.DNSDomain
	for name, c := range map[string]krb5.ClientConfig{
		"password":          {User: alice.Principal(), Secret: krb5.Password(alice.Password)},
		"password, name":    {User: "alice", Secret: krb5.Password(alice.Password)},
		"password, NetBIOS": {User: "ALICE", Domain: "corp", Secret: krb5.Password(alice.Password)},
		"password, UPN":     {User: upn, Secret: krb5.Password(alice.Password)},
		"password, no conf": {User: upn, Secret: krb5.Password(alice.Password), Conf: "[libdefaults]\n", KDC: d.Host},
		"password, DNS": {User: upn, Secret: krb5.Password(alice.Password), Conf: "[libdefaults]\n",
			LookUp: func(_ context.Context, realm string) ([]string, error) {
				assert.Equal(t, adtest.Realm, realm)
				return []string{"127.0.0.9:88", d.Host + ":88"}, nil // nobody is at the first one
			}},
		"AES 128": {User: "alice", Secret: krb5.Password(alice.Password),
			Conf: "[libdefaults]\ndefault_realm = CORP.TEST\npermitted_enctypes = aes128-cts\n", KDC: d.Host},
		"keytab":    {User: alice.Principal(), Secret: krb5.KeytabFile(d.Keytab(t, "alice"))},
		"ccache":    {CCache: d.Kinit(t, alice)},
		"NT hash":   {User: alice.Principal(), Secret: krb5.Hash(hash)},
		"its cache": {User: alice.Principal(), CCache: d.Kinit(t, alice)},
	} {
		t.Run(name, func(t *testing.T) {
			cl := client(d, c)
			for _, spn := range []string{"host/ca.corp.test", "ldap/" + d.Host} {
				ticket, err := cl.Ticket(t.Context(), spn)
				require.NoError(t, err, spn)
				assert.Equal(t, spn+"@CORP.TEST", ticket.Service.String())
				assert.True(t, strings.EqualFold("alice@CORP.TEST", ticket.Client.String()), ticket.Client)
				assert.Greater(t, time.Until(ticket.End), time.Hour)
				want := int32(etypeID.AES256_CTS_HMAC_SHA1_96)
				if name == "AES 128" {
					want = etypeID.AES128_CTS_HMAC_SHA1_96
				}
				assert.Equal(t, want, ticket.Key.KeyType)
				again, err := cl.Ticket(t.Context(), spn)
				require.NoError(t, err)
				assert.Same(t, ticket, again, "a ticket is kept")
			}
		})
	}
}

// TestSambaAlternativeSuffix logs on by a user principal name whose suffix is no realm.
func TestSambaAlternativeSuffix(t *testing.T) {
	d := adtest.Start(t)
	bob := d.AddUser(t, "bob", "Bob-pass1")
	d.LDIF(t, "dn: "+bob.DN+"\nchangetype: modify\nreplace: userPrincipalName\nuserPrincipalName: robert@other.example\n")
	ticket, err := client(d, krb5.ClientConfig{User: "robert@other.example", Secret: krb5.Password(bob.Password)}).
		Ticket(t.Context(), "host/"+d.Host)
	require.NoError(t, err)
	assert.Equal(t, "CORP.TEST", ticket.Client.Realm)
}

// TestSambaRefusals has every mistake, each with its own reason.
func TestSambaRefusals(t *testing.T) {
	d := adtest.Start(t)
	users := map[string]adtest.Account{}
	for _, name := range []string{"alice", "disabled", "expired", "fresh"} {
		users[name] = d.AddUser(t, name, "Good-pass1")
	}
	set := func(name, attribute, value string) {
		d.LDIF(t, fmt.Sprintf("dn: %s\nchangetype: modify\nreplace: %s\n%s: %s\n", users[name].DN, attribute, attribute, value))
	}
	set("disabled", "userAccountControl", "514")
	set("expired", "accountExpires", "116444736000000001")
	set("fresh", "pwdLastSet", "0") // the password must be changed at the first logon
	old := d.Keytab(t, "alice")
	d.SambaTool(t, "user", "setpassword", "alice", "--newpassword=Other-pass2")
	good := krb5.Password("Good-pass1")
	other := krb5.Password("Other-pass2")
	empty := filepath.Join(t.TempDir(), "empty.conf")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for name, tc := range map[string]struct {
		krb5.ClientConfig
		spn    string
		reason krb5.Reason
		text   string
	}{
		"wrong password": {krb5.ClientConfig{
			User:   "alice",
			Secret: good,
		}, "", krb5.ReasonPassword, "PREAUTH_FAILED"},
		"wrong hash": {krb5.ClientConfig{
			User:   "alice",
			Secret: krb5.Hash(make([]byte, 16)),
		}, "", krb5.ReasonPassword, ""},
		"old keytab": {krb5.ClientConfig{
			User:   "alice",
			Secret: krb5.KeytabFile(old),
		}, "", krb5.ReasonPassword, ""},
		"unknown user": {krb5.ClientConfig{
			User:   "nobody",
			Secret: good,
		}, "", krb5.ReasonPrincipal, "nobody@CORP.TEST"},
		"disabled":        {krb5.ClientConfig{User: "disabled", Secret: good}, "", krb5.ReasonAccount, "disabled"},
		"expired":         {krb5.ClientConfig{User: "expired", Secret: good}, "", krb5.ReasonAccount, "expired"},
		"must be changed": {krb5.ClientConfig{User: "fresh", Secret: good}, "", krb5.ReasonAccount, ""},
		"unknown service": {krb5.ClientConfig{
			User:   "alice",
			Secret: other,
		}, "host/none.corp.test", krb5.ReasonService, "host/none.corp.test"},
		"clock behind": {krb5.ClientConfig{
			User:   "alice",
			Secret: other,
			Now:    shifted(-10 * time.Minute),
		}, "", krb5.ReasonClock, "its clock says"},
		"clock ahead": {krb5.ClientConfig{
			User:   "alice",
			Secret: other,
			Now:    shifted(48 * time.Hour),
		}, "", krb5.ReasonClock, "its clock says"},
		"no KDC there": {krb5.ClientConfig{
			User:   "alice",
			Secret: other,
			KDC:    "127.0.0.9",
		}, "", krb5.ReasonNoKDC, "127.0.0.9:88"},
		"no KDC known": {krb5.ClientConfig{
			User:   "a@OTHER.TEST",
			Secret: other,
			Conf:   empty,
		}, "", krb5.ReasonNoKDC, "OTHER.TEST"},
		"unknown realm": {krb5.ClientConfig{
			User:   "a@OTHER.TEST",
			Secret: other,
			Conf:   "[realms]\nOTHER.TEST = {\n}\n[libdefaults]\ndns_lookup_kdc = no\n",
		}, "", krb5.ReasonRealm, "OTHER.TEST"},
		"another realm's": {krb5.ClientConfig{
			User:   "a@OTHER.TEST",
			Secret: other,
			Conf:   empty,
			KDC:    d.Host,
		}, "", krb5.ReasonPrincipal, "a@OTHER.TEST"},
		"no such keytab": {krb5.ClientConfig{
			User:   "alice",
			Secret: krb5.KeytabFile("none"),
		}, "", krb5.ReasonNoCredential, "none"},
		"not in the keytab": {krb5.ClientConfig{
			User:   "bob",
			Secret: krb5.KeytabFile(old),
		}, "", krb5.ReasonNoCredential, "bob@CORP.TEST"},
		"no such cache": {krb5.ClientConfig{CCache: "none"}, "", krb5.ReasonNoCredential, "none"},
		"somebody's cache": {krb5.ClientConfig{
			User:   "bob",
			CCache: d.Kinit(t, adtest.Account{Name: "alice", Password: "Other-pass2"}),
		}, "", krb5.ReasonNoCredential, "of alice@CORP.TEST, not of bob@CORP.TEST"},
		"cache has ended": {krb5.ClientConfig{
			CCache: d.Kinit(t, adtest.Account{Name: "alice", Password: "Other-pass2"}),
			Now:    shifted(240 * time.Hour),
		}, "", krb5.ReasonExpired, "has ended at"},
		"hash without RC4": {krb5.ClientConfig{
			User:   "alice",
			Secret: krb5.Hash(make([]byte, 16)),
			Conf:   "[libdefaults]\ndefault_realm = CORP.TEST\npermitted_enctypes = aes\n",
			KDC:    d.Host,
		}, "", krb5.ReasonEncryption, ""},
		"no way to the name": {krb5.ClientConfig{
			User:   "alice",
			Secret: other,
			Conf:   empty,
		}, "", krb5.ReasonRealm, "default_realm"},
	} {
		t.Run(name, func(t *testing.T) {
			spn := tc.spn
			if spn == "" {
				spn = "host/" + d.Host
			}
			_, err := client(d, tc.ClientConfig).Ticket(t.Context(), spn)
			require.Error(t, err)
			assert.Equal(t, tc.reason, krb5.ReasonOf(err), "%v", err)
			assert.Contains(t, err.Error(), tc.text)
			for _, secret := range []string{"Good-pass1", "Other-pass2"} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func shifted(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(by) }
}

// TestSambaTriesOnce counts what the domain counts: one wrong password for one call.
func TestSambaTriesOnce(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Good-pass1")
	lockout := func(threshold string) {
		d.SambaTool(t, "domain", "passwordsettings", "set", "--account-lockout-threshold="+threshold)
	}
	lockout("2")
	t.Cleanup(func() { lockout("0") })
	c := client(d, krb5.ClientConfig{User: alice.Principal(), Secret: krb5.Password("wrong")})
	_, err := c.Ticket(t.Context(), "host/"+d.Host)
	require.Equal(t, krb5.ReasonPassword, krb5.ReasonOf(err), "%v", err)
	assert.Contains(t, d.SambaTool(t, "user", "show", "alice", "--attributes=badPwdCount"), "badPwdCount: 1\n")
	_, err = c.Ticket(t.Context(), "host/"+d.Host)
	require.Equal(t, krb5.ReasonPassword, krb5.ReasonOf(err), "%v", err)
	right := client(d, krb5.ClientConfig{User: alice.Principal(), Secret: krb5.Password(alice.Password)})
	_, err = right.Ticket(t.Context(), "host/"+d.Host)
	require.Equal(t, krb5.ReasonAccount, krb5.ReasonOf(err), "two lock the account: %v", err)
}

// TestSambaDays has a client that lives for days: the clock that it sees goes on, that of the domain does not, and
// within a ticket's life the domain's tickets end for the client. It gets new ones.
func TestSambaDays(t *testing.T) {
	d := adtest.Start(t)
	alice := d.AddUser(t, "alice", "Good-pass1")
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	dials := 0
	c := client(d, krb5.ClientConfig{User: alice.Principal(), Secret: krb5.Password(alice.Password), Now: now,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return new(net.Dialer).DialContext(ctx, network, addr)
		}})
	first, err := c.Ticket(t.Context(), "host/"+d.Host)
	require.NoError(t, err)
	assert.Equal(t, 3, dials, "twice for the user, once for the service")
	ahead.Store(int64(time.Until(first.End) - 3*time.Minute))
	same, err := c.Ticket(t.Context(), "host/"+d.Host)
	require.NoError(t, err)
	assert.Same(t, first, same)
	ahead.Store(int64(time.Until(first.End) - time.Minute))
	_, err = c.Ticket(t.Context(), "host/"+d.Host)
	require.Equal(t, krb5.ReasonClock, krb5.ReasonOf(err), "it logs on again, and the KDC's clock is another: %v", err)
	ahead.Store(0)
	c.Forget("host/" + d.Host)
	second, err := c.Ticket(t.Context(), "host/"+d.Host)
	require.NoError(t, err)
	assert.NotSame(t, first, second)
}
