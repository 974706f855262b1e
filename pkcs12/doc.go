// Package pkcs12 writes a private key and its certificates as a .p12 file (PKCS#12, RFC 7292) that the target can read,
// and reads such files.
//
// [Encode] takes a named [Profile], because what a target reads is known by its name and not by algorithms:
//
//   - [Compat]: read by everything that was tried or whose source was read: OpenSSL, GnuTLS, NSS, Java, every version of
//     Apple's systems, of Windows and of Android. 3DES and HMAC-SHA1; its strength is that of the password.
//   - [Modern]: AES-256 and HMAC-SHA256. Read by OpenSSL from 1.1.1, Java from 12, Windows from 10 1709 and Server 2019,
//     iOS from 18, and Android after 13 (16 is what was reported); not by the macOS keychain import.
//
// In both the key is derived with 2048 rounds, so that the password decides: take one from [NewPassword]. A profile
// whose MAC is PBMAC1 (RFC 9579) is not offered: no device of today reads it.
//
// The file holds the key, its certificate, and the chain, paired by localKeyID. It has no friendlyName: the underlying
// go-pkcs12 cannot write one for a key (nor read it), and importers show the subject or an alias of their own instead.
// Apple's configuration profiles take a .p12 with one certificate only; give Encode the leaf alone there.
//
// With FIPS 140-3 enforcement (GODEBUG=fips140=only) nothing can be written or read, since every PKCS#12 file that
// go-pkcs12 writes needs SHA-1; [ErrFIPS] says so.
//
// All functions are safe for concurrent use.
package pkcs12
