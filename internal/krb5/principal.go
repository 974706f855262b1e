package krb5

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/nametype"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Limits of what is read from peers and files, in bytes.
const (
	maxToken  = 64 << 10 // tickets of Windows have at most 64 KiB (MaxTokenSize)
	minCipher = 24       // checksum and confounder of RC4: the least that can be decrypted
)

// malformedError is about bytes that are not what the protocol, or the format of a file, allows. It matches
// [rpc.ErrMalformed] without its text.
type malformedError string

func (e malformedError) Error() string        { return "Kerberos: malformed: " + string(e) }
func (e malformedError) Is(target error) bool { return target == rpc.ErrMalformed }

func malformed(format string, args ...any) error { return malformedError(fmt.Sprintf(format, args...)) }

// Principal is who a ticket is of or for.
type Principal struct {
	Realm string
	Type  int32    // of the name (RFC 4120 section 6.2)
	Parts []string // at least one
}

// String is the principal as people write it. It may come from a peer: control characters are left out.
func (p Principal) String() string { return printable(strings.Join(p.Parts, "/") + "@" + p.Realm) }

// printable leaves out what does not belong into a line of text, and what is more than a name.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), maxText)]
}

func (p Principal) name() types.PrincipalName {
	return types.PrincipalName{NameType: p.Type, NameString: p.Parts}
}

// named is the principal with a name in a realm. It fails for names without parts, which gokrb5 does not expect.
func named(n types.PrincipalName, realm string) (Principal, error) {
	if len(n.NameString) == 0 || n.NameString[0] == "" || realm == "" {
		return Principal{}, malformed("principal without a name")
	}
	return Principal{Realm: realm, Type: n.NameType, Parts: n.NameString}, nil
}

// equal compares names and realms, whatever the types (RFC 4120 section 6.2). Active Directory does not care for the
// case of names.
func (p Principal) equal(o Principal) bool {
	return p.Realm == o.Realm && p.name().Equal(o.name())
}

// service is a service principal name: class/host, or class/host/instance.
func service(spn, realm string) Principal {
	return Principal{Realm: realm, Type: nametype.KRB_NT_SRV_INST, Parts: strings.Split(spn, "/")}
}

// ticketGranting is the service that issues tickets of one realm, for who has a ticket of another.
func ticketGranting(of, in string) Principal {
	return Principal{Realm: in, Type: nametype.KRB_NT_SRV_INST, Parts: []string{"krbtgt", of}}
}

// referral returns the realm that a ticket leads to, if it is a ticket-granting one.
func (p Principal) referral() (realm string, ok bool) {
	if len(p.Parts) != 2 || !strings.EqualFold(p.Parts[0], "krbtgt") {
		return "", false
	}
	return p.Parts[1], true
}

// encryptionTypes are those that adcskit speaks, the best first.
func encryptionTypes() []int32 {
	return []int32{etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.RC4_HMAC}
}

func isAES(t int32) bool {
	return t == etypeID.AES256_CTS_HMAC_SHA1_96 || t == etypeID.AES128_CTS_HMAC_SHA1_96
}

// supported reports whether a key has a type that adcskit speaks, and its length.
func supported(k types.EncryptionKey) bool {
	if !isAES(k.KeyType) && k.KeyType != etypeID.RC4_HMAC {
		return false
	}
	et, err := crypto.GetEtype(k.KeyType)
	return err == nil && len(k.KeyValue) == et.GetKeyByteSize()
}
