package adcstest

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/nametype"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// Encryption is an encryption type of Kerberos.
type Encryption int32

// The encryption types of [TicketRequest].
const (
	AES256 Encryption = Encryption(etypeID.AES256_CTS_HMAC_SHA1_96)
	AES128 Encryption = Encryption(etypeID.AES128_CTS_HMAC_SHA1_96)
	RC4    Encryption = Encryption(etypeID.RC4_HMAC)
)

// TicketRequest says which tickets [Server.Ticket] makes. The zero value is one for the first user and the CA's host.
type TicketRequest struct {
	// User is the account, name or DOMAIN\name; "" for [Server.User]. The server need not know it.
	User string
	// SPNs are the services, a ticket each: "host/ca.corp.test" and "RPCSS/ca.corp.test", say; nil for host/ and
	// [Options.Host].
	SPNs []string
	// Encryption is the type of the session key and of the server's key; 0 for AES256.
	Encryption Encryption
	// Start is when the ticket becomes valid, and Lifetime for how long it is; 0 for now, by [Options.Now], and for ten
	// hours.
	Start    time.Time
	Lifetime time.Duration
}

// kerberosTicketLifetime is the default of domains: ten hours.
const kerberosTicketLifetime = 10 * time.Hour

// Ticket makes tickets as a KDC would, encrypted with the key of the service that the server itself has, and returns
// them in a credential cache of type FILE (version 4): the contents of a file that KRB5CCNAME can name. There is no
// ticket-granting ticket in it; [Server.KRB5Config] is the configuration that goes with it. It fails if the user's
// domain has no realm, or if the server has no key of this type.
//
// A ticket of another server has the wrong key for this one, and one with a Lifetime that is over, or a Start to come,
// is what its clients will be told.
func (s *Server) Ticket(r TicketRequest) ([]byte, error) {
	b, err := s.ticket(r)
	if err != nil {
		return nil, fmt.Errorf("adcstest: ticket: %w", err)
	}
	return b, nil
}

// KRB5Config is a krb5.conf for clients of this server: it names the realm and says that it is the host's. No KDC is in
// it.
func (s *Server) KRB5Config() string {
	return fmt.Sprintf(`[libdefaults]
	default_realm = %s
	dns_lookup_kdc = false
	dns_lookup_realm = false
	dns_canonicalize_hostname = false
	rdns = false

[realms]
	%s = {
	}

[domain_realm]
	%s = %s
`, s.kerberos.realm, s.kerberos.realm, strings.ToLower(s.opts.Host), s.kerberos.realm)
}

func (s *Server) ticket(r TicketRequest) ([]byte, error) {
	realm, name, err := s.kerberos.principal(cmp.Or(r.User, s.User().Account()), s.opts.Domain)
	if err != nil {
		return nil, err
	}
	if r.SPNs == nil {
		r.SPNs = []string{"host/" + s.opts.Host}
	}
	r.Encryption = cmp.Or(r.Encryption, AES256)
	if r.Start.IsZero() {
		r.Start = s.opts.Now()
	}
	r.Lifetime = cmp.Or(r.Lifetime, kerberosTicketLifetime)
	cache := newCredentialCache(realm, name)
	start, end := kerberosTime(r.Start), kerberosTime(r.Start.Add(r.Lifetime))
	for _, spn := range r.SPNs {
		ticket, key, err := s.kerberos.mint(realm, name, spn, int32(r.Encryption), start, end)
		if err != nil {
			return nil, fmt.Errorf("for %q: %w", spn, err)
		}
		if err := cache.add(ticket, key, start, end); err != nil {
			return nil, err
		}
	}
	return cache.b, nil
}

// kerberosTime has no fractions of a second, and is in UTC.
func kerberosTime(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// principal is the name in Kerberos of an account.
func (k *kerberos) principal(account, ownDomain string) (realm string, name types.PrincipalName, err error) {
	domain, user, ok := strings.Cut(account, `\`)
	if !ok {
		domain, user = ownDomain, account
	}
	if strings.EqualFold(domain, ownDomain) {
		realm = k.realm
	}
	for _, r := range slices.Sorted(maps.Keys(k.domains)) {
		if realm == "" && strings.EqualFold(k.domains[r], domain) {
			realm = r
		}
	}
	if realm == "" || user == "" {
		return "", name, fmt.Errorf("account %q: no user, or a domain that has no realm", account)
	}
	return realm, types.PrincipalName{NameType: nametype.KRB_NT_PRINCIPAL, NameString: []string{user}}, nil
}

// mint makes a ticket with a key of the server, and its session key.
func (k *kerberos) mint(realm string, name types.PrincipalName, spn string, etype int32, start, end time.Time) (
	t messages.Ticket, session types.EncryptionKey, err error) {
	if service, host, ok := strings.Cut(spn, "/"); !ok || service == "" || host == "" || strings.Contains(host, "@") {
		return t, session, errors.New("it is not SERVICE/HOST")
	}
	key := k.newest(etype)
	if key == nil {
		return t, session, fmt.Errorf("the server has no key of encryption type %d", etype)
	}
	f := types.NewKrbFlags()
	types.SetFlag(&f, flags.PreAuthent)
	service := types.NewPrincipalName(nametype.KRB_NT_SRV_INST, spn)
	kt := keytab.New()
	kt.Entries = []keytab.Entry{{
		Principal: keytab.Principal{Realm: k.realm, Components: service.NameString}, Timestamp: start,
		Key: key.EncryptionKey, KVNO: uint32(key.kvno),
	}}
	return messages.NewTicket(name, realm, service, k.realm, f, kt, etype, key.kvno, start, start, end,
		time.Time{})
}

// newest is the server's newest key of a type, or nil.
func (k *kerberos) newest(etype int32) (newest *serviceKey) {
	for i, key := range k.keys {
		if key.KeyType == etype && (newest == nil || key.kvno > newest.kvno) {
			newest = &k.keys[i]
		}
	}
	return newest
}

// credentialCache is the contents of a cache of type FILE, version 4, as MIT's documentation of the format has it: big
// endian, every string with its length before it.
type credentialCache struct {
	b      []byte
	client []byte // the principal
}

func newCredentialCache(realm string, name types.PrincipalName) *credentialCache {
	client := appendPrincipal(nil, realm, name)
	b := []byte{5, 4, 0, 0} // version, and a header without fields
	return &credentialCache{b: append(b, client...), client: client}
}

func appendData(b []byte, v string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

func appendPrincipal(b []byte, realm string, name types.PrincipalName) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(name.NameType))
	b = binary.BigEndian.AppendUint32(b, uint32(len(name.NameString)))
	b = appendData(b, realm)
	for _, s := range name.NameString {
		b = appendData(b, s)
	}
	return b
}

// add appends a ticket with its session key.
func (c *credentialCache) add(t messages.Ticket, key types.EncryptionKey, start, end time.Time) error {
	der, err := t.Marshal()
	if err != nil {
		return err
	}
	be := binary.BigEndian
	b := appendPrincipal(append(c.b, c.client...), t.Realm, t.SName)
	b = appendData(be.AppendUint16(b, uint16(key.KeyType)), string(key.KeyValue))
	for _, at := range []time.Time{start, start, end} { // the first is the time of the logon
		b = be.AppendUint32(b, uint32(at.Unix()))
	}
	b = be.AppendUint32(b, 0)                        // not renewable
	b = append(b, 0)                                 // its key is not another ticket's
	b = append(b, 0, 0x20, 0, 0)                     // flags: pre-authenticated
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)            // neither addresses nor authorization data
	c.b = appendData(appendData(b, string(der)), "") // and no second ticket
	return nil
}
