// Package adcskit is the map of an SDK for connectors between a cloud tenant and Microsoft Active Directory Certificate
// Services (AD CS). It has no code of its own; import the package that you need.
//
// A tenant in the cloud orders a certificate over a WebSocket. The connector, inside the network, makes the key pair,
// has AD CS sign the request over DCE/RPC, and delivers an encrypted .p12. Nothing of it needs Windows, IIS or .NET.
//
// # The map
//
//   - [github.com/adcskit/adcskit/keygen]: key pairs and certification requests (PKCS#10) as AD CS takes them.
//   - [github.com/adcskit/adcskit/adcs]: a client of one CA: check, submit, retrieve, find and verify; approve, revoke.
//   - [github.com/adcskit/adcskit/adcs/discovery]: CAs, templates and their dangers, as the directory publishes them.
//   - [github.com/adcskit/adcskit/adcs/due]: which certificates are due for renewal.
//   - [github.com/adcskit/adcskit/adcs/adcstest]: an AD CS inside your test, on real sockets and with real protocols.
//   - [github.com/adcskit/adcskit/pkcs12]: .p12 files that a target can read;
//     [github.com/adcskit/adcskit/pkcs12/sealed] closes one for a recipient, so that nobody in between can open it;
//     [github.com/adcskit/adcskit/pkcs12/mobileconfig] writes Apple configuration profiles around one.
//   - [github.com/adcskit/adcskit/tpm]: the connector's keys in a TPM, and the evidence that they are there.
//     [github.com/adcskit/adcskit/tpm/tpmtest] starts a software TPM in your test.
//   - [github.com/adcskit/adcskit/wsproto]: the protocol between tenant and connector, with
//     [github.com/adcskit/adcskit/wsproto/connector] and [github.com/adcskit/adcskit/wsproto/gateway] as its two halves,
//     and [github.com/adcskit/adcskit/wsproto/gateway/storetest] for those who write a store of their own.
//
// adcs, wsproto, keygen, tpm and pkcs12 never import one another: they meet on types of the standard library (DER bytes,
// [crypto/x509.Certificate], [crypto.Signer], [crypto/ecdh.KeyExchanger]), so that each can be used alone and none brings in what it does not need.
// The folder examples composes them: issuer maps an order to calls of keygen, adcs and pkcs12; the binaries around it
// are flags, wiring and output.
//
// # The flow
//
//	tenant                          connector                            CA
//	gateway ── job.offer ─────────> local policy: may it be ordered?
//	                                keygen: key pair, request
//	        <─ job.checkpoint ───── the key and request, encrypted
//	        ── lease ─────────────> adcs: submit ──── DCE/RPC ─────────> issued, pending or denied
//	                                adcs: verify what came back
//	                                pkcs12: key, certificate, chain
//	                                sealed for the recipient, if there is one
//	        <─ job.finish ───────── outcome, repeated until acknowledged
//
// The connector keeps nothing about a job on its disk, and the tenant cannot open what is encrypted in a checkpoint. A
// request whose answer was lost is never submitted again by itself: its outcome is unknown until somebody knows. The
// package comment of connector says how that holds when either side, or the line, fails at any point.
//
// # Conventions
//
// Functions named New do no I/O and start nothing; Run and Serve own their goroutines; Close can be called twice,
// waits, and makes later calls return [net.ErrClosed]. Libraries do not log, read no environment and change no global
// state. Errors that a program may want to tell apart match a documented value or type with [errors.Is] or
// [errors.AsType]; no error text holds a key, a password or a payload. Everything that a peer sends is bounded before
// it is stored.
//
// # Compatibility
//
// The module is v0 until the wire protocol is frozen: a minor version may change the API and protocol v1, and
// CHANGELOG.md says how. A patch version changes neither.
package adcskit
