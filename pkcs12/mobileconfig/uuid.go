package mobileconfig

import (
	"crypto/sha256"
	"fmt"
)

// namespace keeps the UUIDs of this package apart from others'. It is random, and can never change.
const namespace = "\xc7\x81\xcd\x62\xfa\x83\x48\x3d\xa2\x2a\x4a\xaa\x36\xdc\xfe\x8a"

// nameUUID returns the UUID of a name: version 8 of RFC 9562 as in its appendix B.2, over SHA-256, in upper case as
// Apple's uuidgen writes them.
func nameUUID(space, name string) string {
	sum := sha256.Sum256([]byte(space + name))
	id := sum[:16]
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant of the RFC
	return fmt.Sprintf("%X-%X-%X-%X-%X", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
