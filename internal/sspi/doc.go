// Package sspi authenticates as the account that this process runs as, with Windows' own security packages (Negotiate,
// Kerberos, NTLM): Local System and service accounts need no password then. It offers what package assoc wants of a
// client's side of a security mechanism, and package rpc of one that protects messages.
//
// It is experimental: it was written from the documentation of the API and of [MS-RPCE], section 3.3.1.5.2, and has run
// with Wine's NTLM only, never on Windows.
//
// What can be decided without Windows is in files for every system, where tests run it; the calls of secur32.dll are
// behind the interface [API].
package sspi
