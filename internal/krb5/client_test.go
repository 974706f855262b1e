package krb5_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/krb5/kdctest"
	"github.com/adcskit/adcskit/internal/rpc"
)

const (
	realm = "CORP.TEST"
	spn   = "host/ca.corp.test"
)

// newKDC is a KDC with a user and a service.
func newKDC() *kdctest.KDC {
	k := kdctest.New(realm)
	k.AddUser("alice", "Alice-pass1")
	k.AddService(spn)
	return k
}

// newClient is a client of alice, whose config tweak may change.
func newClient(k *kdctest.KDC, tweak func(*krb5.ClientConfig)) *krb5.Client {
	c := krb5.ClientConfig{
		User: "alice@" + realm, Secret: krb5.Password("Alice-pass1"), Conf: "[libdefaults]\n", KDC: "kdc.corp.test", Now: time.Now,
		Dial:   k.DialContext,
		LookUp: func(context.Context, string) ([]string, error) { return nil, errors.New("no DNS here") },
	}
	if tweak != nil {
		tweak(&c)
	}
	return krb5.NewClient(c)
}

func TestTicket(t *testing.T) {
	for name, tweak := range map[string]func(*krb5.ClientConfig){
		"realm":      nil,
		"lower case": func(c *krb5.ClientConfig) { c.User = "alice@corp.test" },
		"NetBIOS":    func(c *krb5.ClientConfig) { c.User, c.Domain, c.Host = "alice", "CORP", "ca.corp.test" },
		"host":       func(c *krb5.ClientConfig) { c.User, c.Host = "alice", "ca.corp.test" },
		"default":    func(c *krb5.ClientConfig) { c.User, c.Conf = "alice", "[libdefaults]\ndefault_realm = CORP.TEST\n" },
		"stock krb5.conf": func(c *krb5.ClientConfig) {
			c.Host, c.Conf = "ca.corp.test", "[libdefaults]\ndefault_realm = ATHENA.MIT.EDU\n[domain_realm]\n.mit.edu = ATHENA.MIT.EDU\n"
		},
		"domain_realm": func(c *krb5.ClientConfig) {
			c.User, c.Host, c.Conf = "alice", "ca.corp.test", "[domain_realm]\n.test=CORP.TEST\n"
		},
		"DNS": func(c *krb5.ClientConfig) {
			c.KDC = ""
			c.LookUp = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1:1", "kdc:88"}, nil }
		},
		"RC4":  func(c *krb5.ClientConfig) { c.Conf = "[libdefaults]\npermitted_enctypes = rc4-hmac\n" },
		"conf": func(c *krb5.ClientConfig) { c.KDC, c.Conf = "", "[realms]\nCORP.TEST = {\n kdc = kdc.corp.test\n}\n" },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKDC()
			ticket, err := newClient(k, tweak).Ticket(t.Context(), spn)
			require.NoError(t, err)
			assert.Equal(t, "alice@CORP.TEST", ticket.Client.String())
			assert.Equal(t, spn+"@CORP.TEST", ticket.Service.String())
			assert.Equal(t, kdctest.Counts{AS: 2, Proofs: 1, Services: 1}, k.Counts())
			assert.Equal(t, name == "RC4", ticket.Key.KeyType == etypeID.RC4_HMAC)
		})
	}
}

// TestSuffix has names whose suffix may be a realm or one that a domain has added: its KDC knows, and is asked about all
// of the name.
func TestSuffix(t *testing.T) {
	for name, tc := range map[string]struct{ host, conf, asked string }{
		"another company's":            {"ca.elsewhere.test", "[libdefaults]\ndefault_realm = OTHER.TEST\n", "alice@corp.test@OTHER.TEST"},
		"the default realm is below":   {"ca.corp.test", "[libdefaults]\ndefault_realm = AD.CORP.TEST\n", "alice@corp.test@AD.CORP.TEST"},
		"the default realm is above":   {"ca.corp.test", "[libdefaults]\ndefault_realm = TEST\n", "alice@corp.test@TEST"},
		"the host is in another realm": {"ca.corp.test", "[libdefaults]\ndefault_realm = OTHER.TEST\n[domain_realm]\n.corp.test = OTHER.TEST\n", "alice@corp.test@OTHER.TEST"},
		"the host has an address":      {"192.0.2.1", "[libdefaults]\ndefault_realm = OTHER.TEST\n", "alice@corp.test@OTHER.TEST"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(newKDC(), func(c *krb5.ClientConfig) {
				c.User, c.Host, c.Conf = "alice@corp.test", tc.host, tc.conf
			}).Ticket(t.Context(), spn)
			require.ErrorContains(t, err, tc.asked)
		})
	}
}

// TestTicketsEnd has a client live for days: it logs on when its tickets have ended, and not before.
func TestTicketsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKDC()
		c := newClient(k, nil)
		for day := range 3 {
			for range 24 {
				ticket, err := c.Ticket(t.Context(), spn)
				require.NoError(t, err)
				require.True(t, ticket.End.After(time.Now().Add(2*time.Minute)))
				time.Sleep(time.Hour)
			}
			want := (day + 1) * 24 / 10
			assert.InDelta(t, want, k.Counts().Proofs, 1, "a ticket is good for ten hours")
			assert.Equal(t, k.Counts().Proofs, k.Counts().Services)
		}
		k.AddUser("alice", "Other-pass2")
		time.Sleep(11 * time.Hour)
		_, err := c.Ticket(t.Context(), spn)
		assert.Equal(t, krb5.ReasonPassword, krb5.ReasonOf(err), "the password was changed meanwhile: %v", err)
	})
}

// TestRevokedTicket has a KDC that does not take its own ticket any more: the client logs on again, once.
func TestRevokedTicket(t *testing.T) {
	k := newKDC()
	k.AddService("host/other.corp.test")
	c := newClient(k, nil)
	_, err := c.Ticket(t.Context(), spn)
	require.NoError(t, err)
	for _, code := range []int32{errorcode.KDC_ERR_TGT_REVOKED, errorcode.KRB_AP_ERR_TKT_EXPIRED, errorcode.KRB_AP_ERR_BAD_INTEGRITY} {
		before := k.Counts()
		k.RefuseService = code
		_, err = c.Ticket(t.Context(), "host/other.corp.test")
		assert.Equal(t, krb5.ReasonExpired, krb5.ReasonOf(err), "%v", err)
		after := k.Counts()
		assert.Equal(t, before.Proofs+1, after.Proofs)
		assert.Equal(t, before.Services+2, after.Services)
	}
	k.RefuseService = 0
	_, err = c.Ticket(t.Context(), "host/other.corp.test")
	require.NoError(t, err)
}

// TestForget drops the ticket of a service, and no other.
func TestForget(t *testing.T) {
	k := newKDC()
	c := newClient(k, nil)
	_, err := c.Ticket(t.Context(), spn)
	require.NoError(t, err)
	c.Forget(spn)
	_, err = c.Ticket(t.Context(), spn)
	require.NoError(t, err)
	assert.Equal(t, kdctest.Counts{AS: 2, Proofs: 1, Services: 2}, k.Counts())
}

// TestOneTry has many calls with a wrong password at once: the KDC sees it once for all that were waiting.
func TestOneTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKDC()
		held := make(chan struct{})
		c := newClient(k, func(c *krb5.ClientConfig) {
			c.Secret = krb5.Password("wrong")
			c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				<-held
				return k.DialContext(ctx, network, addr)
			}
		})
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				_, err := c.Ticket(t.Context(), spn)
				assert.Equal(t, krb5.ReasonPassword, krb5.ReasonOf(err), "%v", err)
			})
		}
		synctest.Wait()
		close(held)
		calls.Wait()
		assert.Equal(t, 1, k.Counts().Proofs)
		k.AddUser("alice", "wrong")
		_, err := c.Ticket(t.Context(), spn)
		require.NoError(t, err, "who comes later may try")
	})
}

// TestReferrals follows the KDCs to the realm of the service, and no further than that.
func TestReferrals(t *testing.T) {
	home, far, farther := newKDC(), kdctest.New("FAR.TEST"), kdctest.New("FARTHER.TEST")
	const there = "host/ca.farther.test"
	farther.AddService(there)
	home.Refer(there, far)
	far.Refer(there, farther)
	kdcs := map[string]*kdctest.KDC{realm: home, "FAR.TEST": far, "FARTHER.TEST": farther}
	roam := func(c *krb5.ClientConfig) {
		c.KDC = ""
		c.LookUp = func(_ context.Context, realm string) ([]string, error) { return []string{realm + ":88"}, nil }
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			return kdcs[strings.TrimSuffix(addr, ":88")].DialContext(ctx, network, addr)
		}
	}
	ticket, err := newClient(home, roam).Ticket(t.Context(), there)
	require.NoError(t, err)
	assert.Equal(t, there+"@FARTHER.TEST", ticket.Service.String())
	assert.Equal(t, "alice@CORP.TEST", ticket.Client.String())

	farther.Refer("host/nowhere", home)
	far.Refer("host/nowhere", farther)
	home.Refer("host/nowhere", far)
	_, err = newClient(home, roam).Ticket(t.Context(), "host/nowhere")
	assert.Equal(t, krb5.ReasonRealm, krb5.ReasonOf(err), "round and round: %v", err)

	const known = "host/ca.far.test" // which the KDC at home does not know, and krb5.conf does
	far.AddService(known)
	ticket, err = newClient(home, func(c *krb5.ClientConfig) {
		roam(c)
		c.Conf = "[domain_realm]\n.far.test = FAR.TEST\n"
	}).Ticket(t.Context(), known)
	require.NoError(t, err)
	assert.Equal(t, known+"@FAR.TEST", ticket.Service.String())
	_, err = newClient(home, roam).Ticket(t.Context(), known)
	assert.Equal(t, krb5.ReasonService, krb5.ReasonOf(err), "%v", err)
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil  func(*kdctest.KDC, *krb5.ClientConfig)
		reason krb5.Reason
	}{
		"password":   {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.Secret = krb5.Password("wrong") }, krb5.ReasonPassword},
		"no preauth": {func(k *kdctest.KDC, c *krb5.ClientConfig) { k.NoPreauth, c.Secret = true, krb5.Password("wrong") }, krb5.ReasonPassword},
		"user":       {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.User = "bob@CORP.TEST" }, krb5.ReasonPrincipal},
		"locked":     {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.Refuse = errorcode.KDC_ERR_CLIENT_REVOKED }, krb5.ReasonAccount},
		"expired":    {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.Refuse = errorcode.KDC_ERR_KEY_EXPIRED }, krb5.ReasonAccount},
		"policy":     {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.Refuse = errorcode.KDC_ERR_POLICY }, krb5.ReasonAccount},
		"a service's policy": {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.RefuseService = errorcode.KDC_ERR_POLICY },
			krb5.ReasonOther},
		"two services": {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.RefuseService = errorcode.KDC_ERR_PRINCIPAL_NOT_UNIQUE },
			krb5.ReasonService},
		"clock":             {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.Now = late }, krb5.ReasonClock},
		"clock, no preauth": {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.Now, k.NoPreauth = late, true }, krb5.ReasonClock},
		"few iterations":    {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.Iterations = 4095 }, ""},
		"many iterations":   {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.Iterations = 1<<20 + 1 }, ""},
		"types": {func(k *kdctest.KDC, c *krb5.ClientConfig) {
			c.Secret, c.Conf = krb5.Hash(make([]byte, 16)), "[libdefaults]\npermitted_enctypes = aes\n"
		}, krb5.ReasonEncryption},
		"nobody there":            {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.KDC = "127.0.0.1:1" }, krb5.ReasonNoKDC},
		"no realm":                {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.User = "alice" }, krb5.ReasonRealm},
		"no realm for an address": {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.User, c.Host = "alice", "192.0.2.1" }, krb5.ReasonRealm},
		"no DNS":                  {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.KDC = "" }, krb5.ReasonNoKDC},
		"not in the DNS": {func(_ *kdctest.KDC, c *krb5.ClientConfig) {
			c.KDC, c.LookUp = "", func(context.Context, string) ([]string, error) { return nil, &net.DNSError{IsNotFound: true} }
		}, krb5.ReasonRealm},
		"no DNS allowed": {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.KDC, c.Conf = "", "[libdefaults]\ndns_lookup_kdc = no\n" },
			krb5.ReasonRealm},
		"bad conf": {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.Conf = "[libdefaults\n" }, krb5.ReasonConfig},
		"no conf":  {func(_ *kdctest.KDC, c *krb5.ClientConfig) { c.Conf = "/none/at/all" }, krb5.ReasonConfig},
		"referred": {func(k *kdctest.KDC, _ *krb5.ClientConfig) { k.Refuse = errorcode.KDC_ERR_WRONG_REALM }, krb5.ReasonRealm},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKDC()
			c := newClient(k, func(c *krb5.ClientConfig) { tc.spoil(k, c) })
			_, err := c.Ticket(t.Context(), spn)
			require.Error(t, err)
			assert.Equal(t, tc.reason, krb5.ReasonOf(err), "%v", err)
			assert.NotContains(t, err.Error(), "Alice-pass1")
			assert.LessOrEqual(t, k.Counts().Proofs, 1, "it is tried once")
			if tc.reason == krb5.ReasonClock {
				assert.Zero(t, k.Counts().Services, "nothing is done with a ticket of another time")
			}
			assert.Equal(t, tc.reason == krb5.ReasonPassword || tc.reason == krb5.ReasonAccount, tc.reason.Refused())
		})
	}
}

func late() time.Time { return time.Now().Add(6 * time.Minute) }

// TestCacheIsReadAgain has a credential cache that somebody renews.
func TestCacheIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKDC()
		path := filepath.Join(t.TempDir(), "ccache")
		renew := func() {
			ticket, err := newClient(k, nil).Ticket(t.Context(), spn)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, encodeCCache(t, ticket), 0o600))
		}
		renew()
		c := newClient(k, func(c *krb5.ClientConfig) { c.User, c.Secret, c.CCache = "", nil, path })
		first, err := c.Ticket(t.Context(), spn)
		require.NoError(t, err)
		_, err = c.Ticket(t.Context(), "host/other.corp.test")
		assert.Equal(t, krb5.ReasonNoCredential, krb5.ReasonOf(err), "%v", err)
		time.Sleep(11 * time.Hour)
		_, err = c.Ticket(t.Context(), spn)
		assert.Equal(t, krb5.ReasonExpired, krb5.ReasonOf(err), "%v", err)
		renew()
		second, err := c.Ticket(t.Context(), spn)
		require.NoError(t, err)
		assert.NotEqual(t, first.End, second.End)
		require.NoError(t, os.WriteFile(path, []byte("nonsense"), 0o600))
		_, err = c.Ticket(t.Context(), "host/other.corp.test")
		assert.Equal(t, krb5.ReasonNoCredential, krb5.ReasonOf(err), "%v", err)
		other := newClient(k, func(c *krb5.ClientConfig) { c.User, c.Secret, c.CCache = "bob@CORP.TEST", nil, path })
		renew()
		_, err = other.Ticket(t.Context(), spn)
		assert.Equal(t, krb5.ReasonNoCredential, krb5.ReasonOf(err), "it is alice's: %v", err)
	})
}

// encodeCCache writes a cache of version 4 with tickets.
func encodeCCache(t testing.TB, tickets ...*krb5.Ticket) []byte {
	be := binary.BigEndian
	data := func(b, v []byte) []byte { return append(be.AppendUint32(b, uint32(len(v))), v...) }
	principal := func(b []byte, p krb5.Principal) []byte {
		b = be.AppendUint32(be.AppendUint32(b, uint32(p.Type)), uint32(len(p.Parts)))
		b = data(b, []byte(p.Realm))
		for _, part := range p.Parts {
			b = data(b, []byte(part))
		}
		return b
	}
	b := principal([]byte{5, 4, 0, 0}, tickets[0].Client)
	for _, ticket := range tickets {
		der, err := ticket.Ticket.Marshal()
		require.NoError(t, err)
		b = principal(principal(b, ticket.Client), ticket.Service)
		b = data(be.AppendUint16(b, uint16(ticket.Key.KeyType)), ticket.Key.KeyValue)
		for _, at := range []time.Time{ticket.Start, ticket.Start, ticket.End, {}} {
			b = be.AppendUint32(b, uint32(max(at.Unix(), 0)))
		}
		b = append(b, make([]byte, 1+4+4+4)...)
		b = data(data(b, der), nil)
	}
	return b
}

// TestHostileKDC has a KDC that answers with what nobody asked for. The client ends, with an error.
func TestHostileKDC(t *testing.T) {
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:min(n, len(b))] } }
	for name, tamper := range map[string]func([]byte) []byte{
		"nothing": cut(0), "a byte": cut(1), "half": func(b []byte) []byte { return b[:len(b)/2] },
		"noise":     func(b []byte) []byte { return []byte(strings.Repeat("\x7e\x80", len(b))) },
		"one bit":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"HTTP":      func([]byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") },
		"too large": func([]byte) []byte { return make([]byte, 256<<10+1) },
	} {
		for _, preauth := range []bool{true, false} {
			k := newKDC()
			k.NoPreauth, k.Tamper = !preauth, tamper
			_, err := newClient(k, nil).Ticket(t.Context(), spn)
			require.Error(t, err, name)
			assert.False(t, krb5.ReasonOf(err).Refused() && preauth, "%s: %v", name, err)
		}
	}
}

// TestReplay answers the second request with the answer to the first one.
func TestReplay(t *testing.T) {
	const asReply, tgsReply = 0x6b, 0x6d
	for _, kind := range []byte{asReply, tgsReply} {
		k := newKDC()
		k.NoPreauth = true
		var old []byte
		k.Tamper = func(b []byte) []byte {
			if b[0] == kind && old == nil {
				old = b
			} else if b[0] == kind {
				return old
			}
			return b
		}
		c := newClient(k, nil)
		_, err := c.Ticket(t.Context(), spn)
		require.NoError(t, err)
		if kind == asReply {
			c = newClient(k, nil)
		} else {
			c.Forget(spn)
		}
		_, err = c.Ticket(t.Context(), spn)
		require.ErrorIs(t, err, rpc.ErrMalformed)
		require.ErrorContains(t, err, "another request")
	}
}

// TestUnavailable has a KDC that says that it cannot work, and one that can.
func TestUnavailable(t *testing.T) {
	busy, good := newKDC(), newKDC()
	busy.Refuse = errorcode.KDC_ERR_SVC_UNAVAILABLE
	addrs := []string{"busy:88", "good:88"}
	c := newClient(good, func(c *krb5.ClientConfig) {
		c.KDC = ""
		c.LookUp = func(context.Context, string) ([]string, error) { return addrs, nil }
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "busy:88" {
				return busy.DialContext(ctx, network, addr)
			}
			return good.DialContext(ctx, network, addr)
		}
	})
	addrs = addrs[:1]
	_, err := c.Ticket(t.Context(), spn)
	assert.Equal(t, krb5.ReasonNoKDC, krb5.ReasonOf(err), "%v", err)
	require.ErrorContains(t, err, "busy:88")
	addrs = addrs[:2]
	_, err = c.Ticket(t.Context(), spn)
	require.NoError(t, err)
	assert.Equal(t, 1, good.Counts().Proofs)
}

// TestContext has KDCs that never answer.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(_ context.Context, _, _ string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, server) }()
			return client, nil
		}
		c := newClient(newKDC(), func(c *krb5.ClientConfig) {
			c.Dial, c.KDC = silent, ""
			c.LookUp = func(context.Context, string) ([]string, error) { return []string{"a:88", "b:88"}, nil }
		})
		began := time.Now()
		boasting := newClient(newKDC(), func(c *krb5.ClientConfig) {
			c.Dial = func(_ context.Context, _, _ string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, server) }()
				go func() { _, _ = server.Write([]byte{0x7f, 0xff, 0xff, 0xff}) }()
				return client, nil
			}
		})
		_, err := boasting.Ticket(t.Context(), spn)
		require.ErrorIs(t, err, rpc.ErrMalformed)
		assert.Zero(t, time.Since(began), "nobody waits for two GiB")
		_, err = c.Ticket(t.Context(), spn)
		assert.Equal(t, krb5.ReasonNoKDC, krb5.ReasonOf(err), "%v", err)
		assert.Equal(t, 10*time.Second, time.Since(began), "five seconds for each")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began = time.Now()
		_, err = c.Ticket(ctx, spn)
		assert.Equal(t, krb5.ReasonNoKDC, krb5.ReasonOf(err), "%v", err)
		assert.Equal(t, 2*time.Second, time.Since(began), "a third for each, and one for who has to do without")
		require.NoError(t, ctx.Err())
		began = time.Now()
		deaf := newClient(newKDC(), func(c *krb5.ClientConfig) {
			c.KDC = ""
			c.LookUp = func(ctx context.Context, _ string) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() }
		})
		_, err = deaf.Ticket(t.Context(), spn)
		assert.Equal(t, krb5.ReasonNoKDC, krb5.ReasonOf(err), "%v", err)
		assert.Equal(t, 15*time.Second, time.Since(began), "a DNS that never answers")
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = c.Ticket(ctx, spn)
		require.ErrorIs(t, err, context.Canceled)
		done, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.Ticket(done, spn)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// FuzzKDC has a KDC that answers with anything, to the first message or to the second.
func FuzzKDC(f *testing.F) {
	k := newKDC()
	k.Tamper = func(b []byte) []byte { f.Add(true, b); f.Add(false, b); return b }
	_, err := newClient(k, nil).Ticket(f.Context(), spn)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, first bool, answer []byte) {
		k := newKDC()
		answers := 0
		k.Tamper = func(b []byte) []byte {
			if answers++; first || answers > 1 {
				return answer
			}
			return b
		}
		_, err := newClient(k, nil).Ticket(t.Context(), spn)
		require.Error(t, err)
	})
}
