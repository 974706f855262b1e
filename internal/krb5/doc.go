// Package krb5 is Kerberos as DCE/RPC uses it: the exchange of a client with its KDC, and the security context between
// client and server with its protection of messages (RFC 4120, RFC 4121, RFC 4757, MS-KILE).
//
// Messages, string-to-key and ciphers are those of gokrb5. What the protocol wants to be checked is checked here:
// gokrb5 and go-msrpc leave some of it out. The other side is hostile: lengths are checked before they are used, and a
// panic of code below becomes an error.
package krb5
