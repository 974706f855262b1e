// Package tpm keeps keys in a TPM 2.0, where nobody can copy them: an identity key that signs, a decryption key that
// agrees, and the evidence by which somebody else can check that both live in a genuine TPM.
//
// [Open] finds the TPM of the machine, or the one that a path names; [New] takes a transport of the caller's. A [TPM] is
// safe for any number of goroutines: one of them works with it at a time, the others wait. Keys are made in the TPM and
// never leave it. What is stored is a file of the format TSS2 (draft-bottomley-tpm2-keys), which only the same TPM can
// load, and which tpm2-tools and OpenSSL's TPM provider read.
//
// Whatever travels to the TPM and is secret travels encrypted, in a session that is salted to a storage key whose name
// the caller can pin (TPM 2.0 Library, part 1, 19 and 21). An authorization value travels once, in this way, when its key
// is made. So a listener on the bus learns nothing, and a TPM in the middle is noticed where the name is pinned.
//
// What a TPM refuses is a [*CommandError], which matches [ErrLockout], [ErrBusy], [ErrMemory], [ErrAuth], [ErrNoOwner],
// [ErrOtherTPM], [ErrHandle], [ErrUnsupported] or [ErrFailure]; its text says what can be done. A TPM that is not there
// is [ErrNoTPM], one that does not answer well [ErrTransport], a file that is of no use [ErrKeyFile].
package tpm
