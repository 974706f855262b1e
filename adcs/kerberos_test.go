package adcs_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/krb5/kdctest"
)

// realmCA is a CA, and a KDC that has its keys and knows alice. It is the network between them and the client.
type realmCA struct {
	*adcstest.Server
	kdc *kdctest.KDC
	// ahead is what the clocks of all of them are ahead.
	ahead atomic.Int64

	mu   sync.Mutex
	wire bytes.Buffer // what clients wrote
	kdcs int          // connections to the KDC
}

const (
	alicePassword  = "Alice-pass1"
	alicePrincipal = "alice@CORP.TEST"
)

func newRealmCA(t *testing.T, o *adcstest.Options) *realmCA {
	r := &realmCA{kdc: kdctest.New("CORP.TEST")}
	if o == nil {
		o = &adcstest.Options{}
	}
	o.Now, r.kdc.Now = r.now, r.now
	o.Users = []adcstest.User{{Name: "alice", Password: alicePassword}}
	o.Kerberos.Keytab = r.kdc.AddService("host/ca.corp.test")
	r.kdc.AddUser("alice", alicePassword)
	r.Server = newServer(t, o)
	return r
}

func (r *realmCA) now() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }

func (r *realmCA) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := r.Server.DialContext
	if strings.HasSuffix(addr, ":88") {
		r.mu.Lock()
		r.kdcs++
		r.mu.Unlock()
		dial = r.kdc.DialContext
	}
	nc, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &listener{nc, r}, nil
}

// listener listens to what a client writes.
type listener struct {
	net.Conn
	r *realmCA
}

func (l *listener) Write(b []byte) (int, error) {
	l.r.mu.Lock()
	l.r.wire.Write(b)
	l.r.mu.Unlock()
	return l.Conn.Write(b)
}

// saw reports whether a client wrote something, and forgets it.
func (r *realmCA) saw(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := strings.Contains(r.wire.String(), text)
	r.wire.Reset()
	return found
}

const ntlmssp = "NTLMSSP\x00"

// client is a client of the CA that knows of no krb5.conf but of the KDC.
func (r *realmCA) client(t *testing.T, cred adcs.Credential, o adcs.Options) *adcs.Client {
	o.DialContext, o.Timeout = r.DialContext, 20*time.Second
	if o.KDC == "" {
		o.KDC = "kdc.corp.test"
	}
	if o.KRB5Conf == "" {
		o.KRB5Conf = os.DevNull
	}
	c, err := adcs.New(r.Host(), r.Name(), cred, o.WithClock(r.now).WithoutKDC())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// aliceKeys is a keytab of alice.
func aliceKeys(t *testing.T) []byte {
	keys := keytab.New()
	require.NoError(t, keys.AddEntry("alice", "CORP.TEST", alicePassword, time.Now(), 1, etypeID.AES256_CTS_HMAC_SHA1_96))
	b, err := keys.Marshal()
	require.NoError(t, err)
	return b
}

func aliceHash(t *testing.T) string {
	keys := keytab.New()
	require.NoError(t, keys.AddEntry("alice", "CORP.TEST", alicePassword, time.Now(), 1, etypeID.RC4_HMAC))
	return hex.EncodeToString(keys.Entries[0].Key.KeyValue)
}

// TestKerberosCredentials logs on with everything that is a credential, without NTLM.
func TestKerberosCredentials(t *testing.T) {
	r := newRealmCA(t, nil)
	path := filepath.Join(t.TempDir(), "keytab")
	require.NoError(t, os.WriteFile(path, aliceKeys(t), 0o600))
	for name, cred := range map[string]adcs.Credential{
		"password": adcs.Password(alicePrincipal, alicePassword), "NetBIOS": adcs.Password(`CORP\alice`, alicePassword),
		"name": adcs.Password("alice", alicePassword), "keytab": adcs.Keytab(alicePrincipal, path),
		"keytab bytes": adcs.KeytabBytes(alicePrincipal, aliceKeys(t)), "hash": adcs.NTHash(alicePrincipal, aliceHash(t)),
	} {
		for _, auth := range []adcs.Auth{adcs.AuthKerberos, adcs.AuthNegotiate} {
			t.Run(name+"/"+string(auth), func(t *testing.T) {
				c := r.client(t, cred, adcs.Options{Auth: auth})
				got, err := c.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
				require.NoError(t, err)
				assert.Equal(t, adcs.Issued, got.Disposition)
				rows := r.Requests()
				assert.Equal(t, `CORP\alice`, rows[len(rows)-1].Requester)
				assert.False(t, r.saw(ntlmssp))
			})
		}
	}
	c := r.client(t, adcs.NTHash(`CORP\alice`, aliceHash(t)), adcs.Options{Auth: adcs.AuthNTLM})
	require.NoError(t, c.Ping(t.Context()))
	assert.True(t, r.saw(ntlmssp))
}

// TestNTLMFallback uses NTLM where Kerberos is impossible and NTLM allowed, and nowhere else.
func TestNTLMFallback(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*realmCA, *adcs.Options)
		want  error // without NTLM
	}{
		"no KDC":          {func(_ *realmCA, o *adcs.Options) { o.KDC = "127.0.0.1:1" }, adcs.ErrNoKDC},
		"unknown user":    {func(r *realmCA, _ *adcs.Options) { r.kdc.Refuse = errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN }, adcs.ErrUnknownPrincipal},
		"unknown service": {func(r *realmCA, o *adcs.Options) { o.SPN = "host/other.corp.test" }, adcs.ErrUnknownService},
		"clock":           {func(r *realmCA, _ *adcs.Options) { r.kdc.Now = func() time.Time { return r.now().Add(time.Hour) } }, adcs.ErrClockSkew},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealmCA(t, nil)
			var o adcs.Options
			tc.spoil(r, &o)
			cred := adcs.Password(alicePrincipal, alicePassword)
			err := r.client(t, cred, o).Ping(t.Context())
			require.ErrorIs(t, err, tc.want)
			require.NotErrorIs(t, err, adcs.ErrLogon)
			assert.False(t, r.saw(ntlmssp), "nobody allowed it")
			o.AllowNTLM = true
			err = r.client(t, adcs.KeytabBytes(alicePrincipal, aliceKeys(t)), o).Ping(t.Context())
			require.ErrorIs(t, err, tc.want, "a keytab is nothing for NTLM")
			c := r.client(t, cred, o)
			asked := r.kdcs
			require.NoError(t, c.Ping(t.Context()))
			assert.True(t, r.saw(ntlmssp))
			tried := r.kdcs - asked
			for range 3 {
				r.InjectFault(adcstest.Fault{Cut: adcstest.CutBeforeAnswer})
				_ = c.Ping(t.Context()) // it needs a new connection, whatever comes of it
			}
			assert.True(t, r.saw(ntlmssp))
			assert.Equal(t, tried, r.kdcs-asked, "for a while, Kerberos is not tried again")
		})
	}
}

// TestNTLMChosenByServer has a server that knows NTLM only, which Kerberos tickets are no good for.
func TestNTLMChosenByServer(t *testing.T) {
	r := newRealmCA(t, &adcstest.Options{Kerberos: adcstest.Kerberos{Off: true}})
	cred := adcs.Password(alicePrincipal, alicePassword)
	require.Error(t, r.client(t, cred, adcs.Options{}).Ping(t.Context()))
	assert.False(t, r.saw(ntlmssp))
	require.NoError(t, r.client(t, cred, adcs.Options{AllowNTLM: true}).Ping(t.Context()))
	assert.True(t, r.saw(ntlmssp))
}

// TestRefusedByKDC has a KDC that refuses the password: NTLM is not tried with it, and nothing is tried with it again.
func TestRefusedByKDC(t *testing.T) {
	for name, tc := range map[string]struct {
		code int32
		want error
	}{
		"password": {errorcode.KDC_ERR_PREAUTH_FAILED, adcs.ErrWrongPassword},
		"locked":   {errorcode.KDC_ERR_CLIENT_REVOKED, adcs.ErrAccountUnusable},
		"expired":  {errorcode.KDC_ERR_KEY_EXPIRED, adcs.ErrAccountUnusable},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealmCA(t, nil)
			r.kdc.Refuse = tc.code
			c := r.client(t, adcs.Password(alicePrincipal, alicePassword), adcs.Options{AllowNTLM: true})
			var calls sync.WaitGroup
			for range 8 {
				calls.Go(func() {
					_, err := c.Submit(t.Context(), adcs.Request{CSR: bigCSR(t, 10), Template: "WebServer"})
					assert.ErrorIs(t, err, adcs.ErrLogon)
					assert.ErrorIs(t, err, tc.want)
					assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
				})
			}
			calls.Wait()
			assert.False(t, r.saw(ntlmssp))
			assert.Equal(t, 1, r.kdc.Counts().Proofs)
			r.kdc.Refuse = 0
			require.ErrorIs(t, c.Ping(t.Context()), adcs.ErrLogon, "for an hour")
			require.NoError(t, r.client(t, adcs.Password(alicePrincipal, alicePassword), adcs.Options{}).Ping(t.Context()))
		})
	}
}

// TestKerberosRecovers fails for what is no refusal, and works as soon as that is mended.
func TestKerberosRecovers(t *testing.T) {
	r := newRealmCA(t, nil)
	c := r.client(t, adcs.Password(alicePrincipal, alicePassword), adcs.Options{Auth: adcs.AuthKerberos})
	for code, want := range map[int32]error{
		errorcode.KRB_AP_ERR_SKEW: adcs.ErrClockSkew, errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN: adcs.ErrUnknownService,
		errorcode.KDC_ERR_ETYPE_NOSUPP: adcs.ErrEncryptionType,
	} {
		r.kdc.Refuse = code
		err := c.Ping(t.Context())
		require.ErrorIs(t, err, want)
		require.NotErrorIs(t, err, adcs.ErrLogon)
	}
	r.kdc.Refuse = 0
	require.NoError(t, c.Ping(t.Context()))
}

// TestKerberosDays has one client work for days, with the tickets that it gets again and again.
func TestKerberosDays(t *testing.T) {
	r := newRealmCA(t, nil)
	c := r.client(t, adcs.Password(alicePrincipal, alicePassword), adcs.Options{})
	c.SetClock(r.now) // connections rest for seconds only
	for range 24 {
		require.NoError(t, c.Ping(t.Context()))
		r.ahead.Add(int64(3 * time.Hour))
	}
	assert.InDelta(t, 72/10, r.kdc.Counts().Proofs, 2, "tickets are good for ten hours")
}

// TestKerberosExplained has a sentence and a remedy for each way in which Kerberos fails.
func TestKerberosExplained(t *testing.T) {
	r := newRealmCA(t, nil)
	summaries := map[string]int32{}
	for _, code := range []int32{
		errorcode.KRB_AP_ERR_SKEW, errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN, errorcode.KDC_ERR_PREAUTH_FAILED,
		errorcode.KDC_ERR_CLIENT_REVOKED, errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN, errorcode.KRB_AP_ERR_TKT_EXPIRED,
		errorcode.KDC_ERR_ETYPE_NOSUPP, errorcode.KDC_ERR_WRONG_REALM, errorcode.KRB_ERR_GENERIC,
	} {
		r.kdc.Refuse = code
		err := r.client(t, adcs.Password(alicePrincipal, alicePassword), adcs.Options{}).Ping(t.Context())
		require.Error(t, err)
		e := adcs.Explain(err)
		assert.NotEmpty(t, e.Remedy)
		assert.Equal(t, adcs.RetryOperator, e.Retry)
		assert.Zero(t, summaries[e.Summary], "%d: %s", code, e.Summary)
		summaries[e.Summary] = code
	}
	err := r.client(t, adcs.Password(alicePrincipal, alicePassword), adcs.Options{KRB5Conf: "[a\n"}).Ping(t.Context())
	require.ErrorIs(t, err, adcs.ErrKRB5Conf)
	assert.Zero(t, summaries[adcs.Explain(err).Summary])
}

// TestKerberosEndsTheLadder tries no other transport when there can be no ticket for it either, and others when only
// one service is not known.
func TestKerberosEndsTheLadder(t *testing.T) {
	for code, steps := range map[int32]int{
		errorcode.KRB_AP_ERR_SKEW: 1, errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN: 1, errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN: 3,
	} {
		r := newRealmCA(t, nil)
		r.kdc.Refuse = code
		err := r.client(t, adcs.Password(alicePrincipal, alicePassword), adcs.Options{Transport: adcs.TransportAuto}).Ping(t.Context())
		ladder, ok := errors.AsType[*adcs.LadderError](err)
		require.True(t, ok, "%v", err)
		assert.Len(t, ladder.Steps, steps, "%v", err)
		assert.Equal(t, steps == 1, adcs.Explain(err) == adcs.Explain(ladder.Steps[0].Err))
	}
}
