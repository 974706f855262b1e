package krb5

import (
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"golang.org/x/crypto/cryptobyte"
)

// KeytabEntry is a key of a principal.
type KeytabEntry struct {
	Principal Principal
	Version   uint32 // kvno
	Key       types.EncryptionKey
}

// maxParts bounds the parts of a name; names of services have three at most.
const maxParts = 16

// ParseKeytab decodes a keytab of version 2, the one of all implementations of this century
// (https://web.mit.edu/kerberos/krb5-latest/doc/formats/keytab_file_format.html). It is our own: gokrb5 puts the bytes
// of a bad file, keys included, into its errors.
func ParseKeytab(b []byte) ([]KeytabEntry, error) {
	s := cryptobyte.String(b)
	var version uint16
	if !s.ReadUint16(&version) || version != 0x0502 {
		return nil, malformed("not a keytab of version 2")
	}
	var all []KeytabEntry
	for len(s) >= 4 {
		var size uint32
		var record []byte
		_ = s.ReadUint32(&size)
		hole := int32(size) < 0 // of an entry that was deleted
		if hole {
			size = -size
		}
		if size == 0 {
			break
		}
		if int64(size) > int64(len(s)) || !s.ReadBytes(&record, int(size)) {
			return nil, malformed("keytab ends in an entry")
		}
		if hole {
			continue
		}
		e, ok := parseKeytabEntry(record)
		if !ok {
			return nil, malformed("entry %d of a keytab", len(all)+1)
		}
		all = append(all, e)
	}
	return all, nil
}

func parseKeytabEntry(s cryptobyte.String) (e KeytabEntry, ok bool) {
	var parts, keyType uint16
	var realm, key cryptobyte.String
	if !s.ReadUint16(&parts) || parts == 0 || parts > maxParts || !s.ReadUint16LengthPrefixed(&realm) {
		return e, false
	}
	e.Principal.Realm = string(realm)
	for range parts {
		var part cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&part) {
			return e, false
		}
		e.Principal.Parts = append(e.Principal.Parts, string(part))
	}
	var nameType uint32
	var version uint8
	if !s.ReadUint32(&nameType) || !s.Skip(4) || !s.ReadUint8(&version) || !s.ReadUint16(&keyType) ||
		!s.ReadUint16LengthPrefixed(&key) {
		return e, false
	}
	e.Principal.Type, e.Version = int32(nameType), uint32(version)
	e.Key = types.EncryptionKey{KeyType: int32(int16(keyType)), KeyValue: append([]byte(nil), key...)}
	var long uint32
	if s.ReadUint32(&long) && long != 0 {
		e.Version = long
	}
	return e, true
}

// keysOf are the newest keys of a principal that adcskit can use, one for each encryption type, the best first.
func keysOf(entries []KeytabEntry, p Principal) []types.EncryptionKey {
	var keys []types.EncryptionKey
	for _, t := range encryptionTypes() {
		var best *KeytabEntry
		for i, e := range entries {
			if e.Key.KeyType == t && supported(e.Key) && e.Principal.equal(p) && (best == nil || e.Version >= best.Version) {
				best = &entries[i]
			}
		}
		if best != nil {
			keys = append(keys, best.Key)
		}
	}
	return keys
}
