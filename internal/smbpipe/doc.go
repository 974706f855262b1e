// Package smbpipe opens a named pipe of another host over SMB 2 and 3 ([MS-SMB2]) as a net.Conn, for RPC (ncacn_np).
//
// It knows as much of SMB as a pipe needs: one session on one connection, the share IPC$, one open pipe. Dialects
// 2.0.2 to 3.1.1; every request is signed and so must be every answer, the one that ends the logon included; where the
// server demands encryption, everything is encrypted. The session has to be the caller's own: one as guest or as
// nobody is refused, since the server would know the caller by another name than the one he gave.
//
// It starts no goroutine. Everything that arrives is checked before it is used, and a server can make a step neither
// longer than its deadline nor larger than a message of some 80 KiB.
//
// # Why not a library
//
// github.com/oiweiwei/go-smb2.fork v1.0.2, which comes with go-msrpc, was tried first. Measured: a server that answers
// the negotiation, before any authentication, with a frame of four bytes makes its reader goroutine panic, which ends
// the process and cannot be recovered from by the caller. Read in its code: an encrypted message where no cipher was
// agreed on does the same; the length of a frame is taken from the server, up to 16 MiB, and allocated; the guest and
// anonymous flags are refused in the first answer of the session setup only, and the last one is believed without its
// signature, so that whoever sits in between can switch signing off by a flag; a logon must have two legs, which that
// of Kerberos has not; and what was read of a message that is longer than the buffer is dropped.
//
// [MS-SMB2]: https://learn.microsoft.com/openspecs/windows_protocols/ms-smb2
package smbpipe
