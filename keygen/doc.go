// Package keygen makes key pairs and certification requests (PKCS#10) as AD CS takes them.
//
// [Generate] makes the key pair, [CreateRequest] the request; both stay with the standard library for everything that
// is cryptography. A request holds a subject (an RFC 4514 text or a structure), alternative names with user principal
// names, the SID of the account for strong mapping (KB5014754), the template, key usages and application policies, and
// who made it. Everything that comes from outside is checked: a name is written exactly as given, or refused. What the
// CA makes of it is the template's decision; check what was issued.
//
// Any [crypto.Signer] can sign a request, so a key in a TPM or a token never has to leave it.
//
// Where the template and the clients allow it, P-256 is the better key: it is made in microseconds, an RSA key takes a
// time that varies between milliseconds and seconds. A [Pool] makes keys ahead, if asked to, and bounds how many are
// made at the same time.
//
// [MarshalPrivateKey] and [ParsePrivateKey] take a key to PKCS#8 and back, for a checkpoint for example. [Wipe]
// overwrites a key as far as a caller can: Go copies keys while it works, and math/big and the collector copy again.
// Keep them for as short as the work needs, and clear the bytes that MarshalPrivateKey returns.
//
// [SID] is a security identifier in both its forms, and [MappedSID] reads the one that a certificate carries.
//
// All functions are safe for concurrent use, but for Wipe on a key that is in use.
package keygen
