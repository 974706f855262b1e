// Package pkcs12 writes a private key and its certificates as a .p12 file (PKCS#12, RFC 7292) that the target can read,
// and reads such files.
//
// [Encode] takes a [Profile], because what a target reads is known by its name and not by algorithms. [ForPlatform]
// finds it for a platform and its version, and says which certificates of the chain belong into the file: a table in
// this package has what was run, read in source, or said by the maker. Behind it there are three sets of algorithms,
// which can be chosen by name:
//
//   - [Compat]: read by everything that was tried or whose source was read: OpenSSL, GnuTLS, NSS, Java, every version
//     of Apple's systems, of Windows and of Android. 3DES and HMAC-SHA1; its strength is that of the password.
//   - [Modern]: AES-256 and HMAC-SHA256. Read by OpenSSL from 1.1.1, Java from 12, Windows from 10 1709 and Server
//     2019, iOS from 18, and Android after 13 (16 is what was reported); not by the macOS keychain import.
//   - [PBMAC1]: as Modern, with the MAC of RFC 9579. No device of today reads it; OpenSSL does from 3.4 (4.0 was run),
//     Java from 26.
//
// In all of them the keys are derived with 2048 rounds, so that the password decides: take one from [NewPassword].
// [Options] has other numbers, and the friendlyName.
//
// The file holds the key, its certificate, and the chain, paired by localKeyID.
//
// # Why there is an encoder
//
// Files are read with go-pkcs12. They are written by an encoder of this package, since go-pkcs12 cannot be made to
// write
//
//   - a friendlyName for the key and its certificate, which Android, Java, NSS and Windows show: it writes names only
//     into trust stores (its issue 34 of 2022 and request 70 ask for more);
//   - iterations of the MAC apart from those of the encryption. With 3DES it has one, by which passwords are guessed
//     2048 times faster than by the encryption;
//   - the NULL parameters of PBMAC1's two HMACs, which RFC 8018 demands, and none of its 0 iterations beside them.
//
// Its Encoder takes the key, the certificates and a number of iterations, and has no place for an attribute. What it
// returns cannot be amended: the names belong inside the encryption of the certificates, and the MAC is over all of it,
// so that who would add a name would have to decrypt, take apart, put together, encrypt and authenticate: that is an
// encoder. This one uses the ciphers of the standard library and cryptobyte for DER. Its files have the structure of
// those of OpenSSL, element for element. Since it shares no code with go-pkcs12, and each new file is opened with that
// before it is returned, every file is a test of it.
//
// # Reading
//
// [Decode] returns key and chain. [Inspect] says how a file was made and what is in it, without its key: what to look
// at when a device calls a password wrong. Both bound the work that a file can ask for, also where only those who know
// its password can have hidden it.
//
// # FIPS 140-3
//
// With enforcement (GODEBUG=fips140=only) nothing can be written or read: the key derivation of PKCS#12 is not
// approved, and SHA-1 pairs the key with its certificate. [ErrFIPS] says so before anything is done.
//
// All functions are safe for concurrent use.
package pkcs12
