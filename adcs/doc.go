// Package adcs is a client of Microsoft Active Directory Certificate Services: it has certification requests signed by
// an enterprise CA over DCE/RPC (MS-ICPR, or MS-WCCE over DCOM), from any operating system, and does what the CA's
// manager does (MS-CSRA).
//
//	client, err := adcs.New("ca.corp.test", "Corp CA", adcs.Password("alice@CORP.TEST", password), nil)
//	if err != nil { … }
//	defer client.Close()
//	result, err := client.Submit(ctx, adcs.Request{CSR: csr, Template: "Machine"})
//	switch {
//	case errors.Is(err, adcs.ErrOutcomeUnknown): // never submit again; client.Find looks it up
//	case err != nil:                             // adcs.Explain(err) says what an administrator can do
//	case result.Disposition == adcs.Pending:     // keep result.RequestID; client.Wait or client.Retrieve later
//	default:                                     // adcs.Verify(result.Certificate, …) before it is used
//	}
//
// # What is sent when
//
// [New] does no I/O. A call asks the endpoint mapper of the CA's host for the port of the CA, connects to that port on
// the host that was configured, whatever address the endpoint mapper names, binds and authenticates, and keeps the
// connection for later calls. Where that does not lead to the CA, [TransportAuto] goes through its named pipe, or to
// its object over DCOM: the host makes the object, and the client connects to the port that is named for it.
// [Client.Describe], which asks the CA about itself, always takes the last way. Every call has its own deadline and
// carries one request; a connection is dropped after any error.
//
// A request is sent twice only if it is certain that nothing of it was executed: its last fragment was never written,
// or the server says so in a fault that carries its signature. A failed [Client.Submit] whose request may have reached
// the CA matches [ErrOutcomeUnknown]. The one unsigned fault that is believed is the refusal of a logon on a connection
// on which the server has proved nothing yet: with [AuthNTLM], not with SPNEGO, somebody on the path can fake that one.
//
// # Requests
//
// A request is PKCS#10 in DER, made by package keygen or crypto/x509. [RenewalRequest] makes one for a certificate in
// the place of an older one, which the old key signs; [OnBehalfOfRequest] one for another account, which an enrollment
// agent signs. Both are CMS, and go where PKCS#10 goes: [Request.CSR], [ExpectRequest].
//
// # The CA's database and its manager
//
// A CA tells an account that may read its database what became of a request: [Client.Find] looks for it by its id, by
// the serial number of its certificate, or by the request itself, and [Settle] says what the rows come to. That is how
// a lost answer is recovered; that there is no row proves nothing. [Client.Manager] does what the CA's manager does:
// approve, deny, revoke, publish revocation lists. All of it goes over DCOM ([MS-CSRA]), whatever carries the requests.
//
// # Security
//
// Every call is signed and encrypted (packet privacy); there is no way to ask for less. The signature and sequence
// number of every fragment of an answer are verified, and every field that the signature leaves out is checked.
// Kerberos is always mutual: the server proves that it has the key of the service principal name. NTLM is used only if
// the caller says so, as NTLMv2 with 128-bit keys or not at all; it does not prove the identity of the server. A
// credential is a value of one client, never of the process, and does not show its secret when printed.
//
// The server is not trusted with the memory or the time of this process: lengths are bounded before anything is
// allocated, and every call ends at its deadline.
//
// # Kerberos
//
// A client has a [Password], a [Keytab], a [CCache] or an [NTHash]. It gets its tickets by itself, over TCP, and new
// ones before they end; it is good for days. A krb5.conf is used if there is one (Options.KRB5Conf) and is not needed
// for a user name@REALM whose KDCs are in the DNS. A password that the KDC refuses is [ErrLogon] and is not tried again
// for an hour; what else can be wrong, such as a clock ([ErrClockSkew]), is a [KerberosError] and does not stop the
// next call.
//
// # Errors
//
// A pending request is a value. A refusal is a *[RequestError], which matches the CA's [HResult]. What the CA's host
// says below the CA is an *[RPCError]. [Explain] turns each error of this package into a sentence and a remedy.
package adcs
