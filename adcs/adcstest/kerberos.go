package adcstest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// NTLMPolicy says what becomes of users who log on with NTLM.
type NTLMPolicy uint8

// The policies of [Options.NTLM].
const (
	// NTLMAllowed lets users log on.
	NTLMAllowed NTLMPolicy = iota
	// NTLMBlocked negotiates NTLM and then refuses every user, as Windows does under the policy "Restrict NTLM:
	// Incoming NTLM traffic": to the client it looks like a wrong password.
	NTLMBlocked
	// NTLMAbsent is a server that does not know NTLM: it refuses a bind with it, and SPNEGO does not choose it.
	NTLMAbsent
)

// Kerberos says how the server accepts Kerberos. The zero value accepts it with keys that the server makes itself, for
// which only [Server.Ticket] has tickets: no KDC is needed.
type Kerberos struct {
	// Off makes the server refuse a bind with Kerberos, and SPNEGO does not choose it.
	Off bool
	// Keytab is the contents of a keytab file (MIT's format, version 1 or 2): the keys of the account that the service
	// principal name belongs to, say of the CA's computer account. A ticket is good if one of them decrypts it,
	// whatever name it was made out to, as on Windows. Keys of other types than AES128, AES256 (with HMAC-SHA1) and RC4
	// are left out. Nil for keys of the server's own.
	Keytab []byte
	// Realm is the realm of [Options.Domain] and of the tickets that the server makes; "" for the domain of [Options.Host]
	// in upper case, say "CORP.TEST".
	Realm string
	// Domains gives NetBIOS names for other realms, whose users may log on with their tickets too: "OTHER.TEST" to
	// "OTHER". Users of realms that are not in it are refused.
	Domains map[string]string
	// ListedOnly refuses users who are not in [Options.Users]. Without it whoever has a ticket may log on, since it is the
	// KDC that knows the accounts; users in the list who are disabled are refused in any case.
	ListedOnly bool
	// ClockSkew is how far the server's clock is ahead of [Options.Now] in Kerberos; negative for one that is slow.
	// From five minutes on it refuses every client.
	ClockSkew time.Duration
}

// String tells what is configured, without the keys.
func (k Kerberos) String() string {
	return fmt.Sprintf("adcstest.Kerberos{Off: %v, Realm: %q, Keytab: %d bytes}", k.Off, k.Realm, len(k.Keytab))
}

// Format prints String whatever the verb is.
func (k Kerberos) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue is String.
func (k Kerberos) LogValue() slog.Value { return slog.StringValue(k.String()) }

// maxSkew is how much the clocks of client and server may differ (MS-KILE section 3.1.1.2 has the same default).
const maxSkew = 5 * time.Minute

// serviceKey is a key that decrypts tickets.
type serviceKey struct {
	types.EncryptionKey
	kvno int
}

// kerberos is the server's Kerberos: its keys, and what all connections have in common.
type kerberos struct {
	realm    string
	keys     []serviceKey
	accounts *accounts
	domains  map[string]string // by realm in upper case
	listed   bool
	now      func() time.Time // of Kerberos, with its skew
	replays  replayCache
}

func newKerberos(o Options, a *accounts) (*kerberos, error) {
	c := o.Kerberos
	k := &kerberos{
		realm: c.Realm, accounts: a, domains: map[string]string{}, listed: c.ListedOnly,
		now: func() time.Time { return o.Now().Add(c.ClockSkew) },
	}
	setDefault(&k.realm, strings.ToUpper(a.dnsDomain))
	setDefault(&k.realm, o.Domain)
	for realm, domain := range c.Domains {
		if realm == "" || domain == "" || strings.ContainsAny(domain, `\@`) {
			return nil, fmt.Errorf("kerberos: realm %q has the domain %q", realm, domain)
		}
		k.domains[strings.ToUpper(realm)] = domain
	}
	k.domains[strings.ToUpper(k.realm)] = o.Domain
	var err error
	if k.keys, err = readKeytab(c.Keytab); err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	return k, nil
}

// keySizes are the encryption types that protect messages, with the size of their keys in bytes.
func keySizes() map[int32]int {
	return map[int32]int{
		etypeID.AES256_CTS_HMAC_SHA1_96: 32, etypeID.AES128_CTS_HMAC_SHA1_96: 16, etypeID.RC4_HMAC: 16,
	}
}

// readKeytab returns the keys of a keytab, or new ones if there is none.
func readKeytab(b []byte) (keys []serviceKey, err error) {
	if b == nil {
		for etype := range keySizes() {
			keys = append(keys, serviceKey{newKey(etype), 1})
		}
		return keys, nil
	}
	kt := keytab.New()
	if err := guard(func() error { return kt.Unmarshal(b) }); err != nil {
		return nil, errors.New("keytab cannot be decoded") // the error behind it would print keys
	}
	for _, e := range kt.Entries {
		if size, ok := keySizes()[e.Key.KeyType]; ok && len(e.Key.KeyValue) == size {
			keys = append(keys, serviceKey{e.Key, int(e.KVNO)})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("keytab has no key of AES or RC4")
	}
	return keys, nil
}

// newKey makes a random key.
func newKey(etype int32) types.EncryptionKey {
	k := types.EncryptionKey{KeyType: etype, KeyValue: make([]byte, keySizes()[etype])}
	_, _ = rand.Read(k.KeyValue) // it never fails
	return k
}

// errPanic is a panic of the library in the face of a token.
var errPanic = errors.New("token cannot be processed")

// guard turns a panic into an error: gokrb5 was written for tokens of friends.
func guard(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return f()
}

// account is the account of a ticket, if it may log on.
func (k *kerberos) account(realm, name string) (User, bool) {
	domain, ok := k.domains[strings.ToUpper(realm)]
	if !ok || name == "" || strings.ContainsAny(name, `\@`) {
		return User{}, false
	}
	for _, u := range k.accounts.users {
		if strings.EqualFold(u.Name, name) && strings.EqualFold(u.Domain, domain) {
			return u, !u.Disabled
		}
	}
	return User{Name: name, Domain: domain}, !k.listed
}
