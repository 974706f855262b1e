// Package adcstest is an Active Directory certification authority for tests, in the shape of net/http/httptest: a real
// DCE/RPC server on loopback ports, with an endpoint mapper, NTLM, Kerberos and SPNEGO, and a CA behind it that decides
// by templates as an enterprise CA does. Neither Windows nor root is needed, and clients of every make may talk to it.
//
//	server, err := adcstest.NewServer(nil)
//	if err != nil { … }
//	defer server.Close()
//	client, err := adcs.New(server.Host(), server.Name(), adcs.Password(server.User().Account(), server.User().Password),
//		&adcs.Options{AllowNTLM: true, DialContext: server.DialContext})
//
// # What it serves
//
// The interface ICertPassage (MS-ICPR) over ncacn_ip_tcp on one port, and the endpoint mapper that names this port on
// another; the remote management interface is on each. Users log on with NTLMv2 or Kerberos, by itself or inside of
// SPNEGO, at the levels connect, sign and seal, of which only seal is enough for the CA unless [Options.MinAuthLevel]
// says otherwise. NDR and NDR64, header signing, verification trailers, bind-time features and fragments of any size
// are negotiated as Windows does; [Wire] takes each of them away. It serves no named pipes.
//
// DCOM (MS-DCOM) is on the endpoint mapper's port and on one of its own: the object resolver (IObjectExporter, with
// pings; objects that nobody pings or calls for six minutes are gone), activation by RemoteActivation and
// RemoteCreateInstance at level sign and above, and the objects with IRemUnknown and IRemUnknown2. They speak NDR
// alone, as on Windows. Class factories (RemoteGetClassObject) are not there, and the bindings name TCP alone. An
// object is one of
//
//   - ICertRequestD and ICertRequestD2 (MS-WCCE): all of their operations, Request, Request2, Ping, Ping2, GetCACert,
//     GetCAProperty and GetCAPropertyInfo
//   - ICertAdminD and ICertAdminD2 (MS-CSRA): ResubmitRequest, DenyRequest, IsValidCertificate, PublishCRL, GetCRL,
//     RevokeCertificate, EnumViewColumn, GetViewDefaultColumnSet, EnumAttributesOrExtensions, OpenView, EnumView,
//     CloseView, Ping, GetServerState, PublishCRLs, GetCAProperty, GetCAPropertyInfo, EnumViewColumnTable, Ping2 and
//     GetMyRoles, at level seal. Configuration, security, backups, key recovery and what changes held requests are not
//     there: these operations are out of range
//
// Nothing resolves the host name of a server. [Server.DialContext] goes where a client's dialer is expected and leads
// every host's port 135 to the endpoint mapper. A client without such an option is told the address
// [Server.EndpointMapper].
//
// # Kerberos
//
// A test of Kerberos needs no KDC: [Server.Ticket] makes the tickets that one would give out, for any user and service,
// in the credential cache of a file. Clients on MIT's Kerberos, Heimdal or impacket find it by the variable KRB5CCNAME
// and [Server.KRB5Config] by KRB5_CONFIG.
//
//	ticket, err := server.Ticket(adcstest.TicketRequest{User: `CORP\alice`})
//	if err != nil { … }
//	err = os.WriteFile(filepath.Join(dir, "ccache"), ticket, 0o600)
//	err = os.WriteFile(filepath.Join(dir, "krb5.conf"), []byte(server.KRB5Config()), 0o600)
//
// In a domain that has a KDC, [Kerberos.Keytab] is the keytab of the account that has the service principal name host/
// and [Options.Host], and whoever has a ticket for it may log on, with the SID that the ticket tells. What goes wrong
// in real domains can be had too: [Kerberos.ClockSkew] is a server whose clock is wrong, a ticket of another server has
// the wrong key, [TicketRequest] makes tickets that are expired or not yet valid, and [Options.NTLM] and [Kerberos.Off]
// take a mechanism away. A refused client is told why by a KRB-ERROR, as Windows does.
//
// # The CA
//
// [Template] says what becomes of a request: issued, held for the manager ([Server.Approve], [Server.Deny]) or denied.
// [Server.Requests] is the CA's database, and clients that may read it see it as Windows Server 2022 shows it: the
// tables of requests and CRLs as views with restrictions and an order, attributes and extensions by request. Who may do
// that are [Options.Readers]; [Options.Officers] decide on requests and revoke too, and [Options.Managers] do
// everything. Other than on Windows, who may enroll may not read for that alone. Keys are made anew for every server,
// so that its certificates are worth nothing anywhere else.
//
// [Server.Revoke] revokes a certificate, with a reason and a date, or puts it on hold; [Server.CRLs] are the base CRLs
// of the CA's keys and [Server.DeltaCRLs] the delta CRLs. New ones are made when they are due, a week and a day after
// the last, or by [Server.PublishCRLs]. [Server.RenewCA] gives the CA another certificate, with the same key or a new
// one.
//
// # Faults
//
// A CA that always answers tests little. [Server.InjectFault] makes the next call go wrong in a way of its choice: the
// answer lost after the certificate was issued, the connection cut at any point, an RPC fault, an answer that cannot be
// decoded, a certificate that nobody asked for. [Options.Fault] does so by interface, operation and number of the call;
// [Server.SetInterface] takes ICertPassage away and [Server.SetDCOM] the objects. All of it happens at the same point
// every time; a call is delayed by a function of the test and not by a clock.
//
// # How far to trust it
//
// The server authenticates every fragment of every call and bounds whatever a peer sends, since a test server that
// accepts too much hides the errors of its clients. It is for tests all the same: passwords are compared in the clear
// and keys live in memory. What it does follows the Open Specifications that the comments name; it has been run against
// go-msrpc, impacket, Samba and MIT's Kerberos as clients, and was never compared with a Windows CA.
//
// Over DCOM, go-msrpc and impacket make objects, enroll, administer and read the database, and Samba carries calls on
// objects; RemQueryInterface has been used by impacket alone, RemQueryInterface2 by go-msrpc alone. CRLs
// are read by OpenSSL. Pings, RemAddRef, the CRL table, default columns, and properties but for a few follow the
// specifications alone.
package adcstest
