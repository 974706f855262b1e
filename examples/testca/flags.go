package main

import (
	"flag"
	"io"

	"github.com/adcskit/adcskit/examples/internal/cli"
)

type flags struct {
	epmPort, port            int
	objectPort               int
	epmPortGiven             bool
	host, name, user, listen string
	passwordFile, caFile     string
	config                   string
	keytab, ccache, krb5Conf string
	spn, encryption          string
}

const help = `Testca is an AD CS in a process, for trying out clients. It runs until it is interrupted.

  testca -epm-port 11135
  enroll -host 127.0.0.1 -epm 127.0.0.1:11135 -ca "Test CA" -template Device -user 'CORP\enroller' \
      -password-file testca.password -auth ntlm -subject CN=device -roots testca.pem

The line that begins with "ready" tells addresses and files, for enroll and for a connector's configuration:
  host, name               the CA's: -host and -ca, "host" and "name" in "cas". The host need not resolve: the CA is reached
                           where the endpoint mapper is
  epm                      address of the endpoint mapper: -epm, "endpointMapper"; not needed if it is port 135 of host
  ca                       address of the CA itself, which clients learn from the endpoint mapper
  objects                  address of its DCOM objects, which clients learn when they activate one
  user, password-file      -user and -password-file, "user" and "passwordFile"
  roots                    -roots, "roots": a new one each time testca starts
  ccache, krb5-conf        -ccache, -krb5-conf: with the flags of these names

Kerberos needs no KDC: testca makes a ticket itself and writes it where -ccache says. It is good for ten hours and for this
testca alone; KRB5CCNAME and KRB5_CONFIG name the files to clients of other makes.
  testca -epm-port 11135 -ccache testca.ccache -krb5-conf testca.krb5.conf
In a domain, -keytab has the keys of the account that has the service principal name host/ and the CA's -host, and whoever
gets a ticket for it from the KDC may log on.

On standard input it takes:
  list                     the requests that the CA has; disposition is 2 if denied, 3 issued, 5 held, 6 revoked
  approve ID, deny ID      the manager's decision on one that is held
  revoke ID [REASON]       the certificate of a request is revoked; reasons are those of RFC 5280, 0 if left out; 6 is a hold
  release ID               a certificate that is on hold is valid again
  publish [FILE]           new CRLs; FILE gets them all, in PEM. In force are only those that clients ask the CA for
  renew [new-key]          the CA gets a new certificate, for the same key or for a new one
  pause, resume            the CA works on, but its answers wait; "waiting N" tells how many do
  lose                     the connection is cut in place of the next answer. With -transport auto a client's first call is a
                           harmless one: enroll -transport tcp loses the request's

The configuration is JSON; unknown keys are refused (example.json). What is left out has a default, or is off:
  users          list of accounts that can log on: name, domain, passwordFile (relative to the file), disabled
  templates      list; User, Machine, WebServer, Device, DeviceHeld and DeviceDenied if left out:
    name, oid, major, minor   of the template
    hold           requests wait for the manager
    deny           requests are refused with this code, such as "0x80094012"; denyMessage is its text
    minimumKeySize, keyAlgorithms   in bits; RSA, ECDSA_P256, ECDSA_P384, ECDSA_P521
    signatures     how many signatures a request needs
    enroll         accounts and groups that may use it
    directory      the subject comes from the directory: machine, dn, noSubject, dns, upn, email are true or false
    extKeyUsage, noSecurityExtension, validity   object identifiers; without the SID; such as "8760h". The usage
                   1.3.6.1.4.1.311.20.2.1 is an enrollment agent's, who signs for templates with "signatures": 1
  directory      list of entries: account, commonName, dn, dnsName, upn, email, sid, groups
  managers       accounts or groups that may read the requests of others, and over DCOM decide on them, revoke and publish
  officers       the same, but they publish no CRLs
  readers        accounts or groups that may only read the requests of others
  enrollers      accounts or groups that may use the CA at all
  ntlm           "allowed", "blocked" (negotiated, and then everybody is refused) or "absent"; allowed if left out
  kerberos       off (true or false), keytabFile (as -keytab), realm (if it is not the host's domain in upper case), domains
                 (NetBIOS names of other realms whose users may log on: {"OTHER.TEST": "OTHER"}), listedOnly (refuses who is
                 not in users), clockSkew (how far the server's clock is ahead, such as "10m" or "-1h")
  minAuthLevel   the least that requests are served at: "connect", "integrity" or "privacy", which it is if left out
  rsa, selfSigned, intermediates   the CA's key is RSA; it is its own root; how many CAs are between
  cdp, aia, ocsp URLs that are written into certificates
  noFullResponse the CA sends no CMC full response

Exit status: 0 after an interrupt, 1 for an error, 2 for wrong use.

Flags:
`

func parseFlags(args []string, out io.Writer) (flags, error) {
	var f flags
	s := flag.NewFlagSet("testca", flag.ContinueOnError)
	s.IntVar(&f.epmPort, "epm-port", 135, "`port` of the endpoint mapper; 0 for a free one. Without this flag it is 135, "+
		"where clients look, or a free one where that is for root")
	s.IntVar(&f.port, "port", 0, "`port` of the CA; 0 for a free one, which clients learn from the endpoint mapper")
	s.IntVar(&f.objectPort, "object-port", 0, "`port` of the CA's DCOM objects; 0 for a free one, which clients learn "+
		"when they activate one")
	s.StringVar(&f.listen, "listen", "127.0.0.1", "IP `address` to listen at")
	s.StringVar(&f.host, "host", "ca.corp.test", "DNS `name` that the CA has in certificates and in NTLM")
	s.StringVar(&f.name, "name", "Test CA", "common `name` of the CA")
	s.StringVar(&f.user, "user", `CORP\enroller`, "`account` that can log on, besides those of the configuration")
	s.StringVar(&f.passwordFile, "password-file", "testca.password",
		"`file` with the account's password; made, with a random one, if it is not there")
	s.StringVar(&f.caFile, "ca-file", "testca.pem", "`file` to write the root's certificate to, in PEM")
	s.StringVar(&f.config, "config", "", "JSON `file` with templates, users, directory and the like")
	s.StringVar(&f.keytab, "keytab", "", "`file` with the keys of the CA's account in Kerberos; without it testca has its own")
	s.StringVar(&f.ccache, "ccache", "", "`file` to write tickets of the -user to, as a credential cache")
	s.StringVar(&f.spn, "spn", "", "service principal `names` of these tickets, with commas between them; host/ and the "+
		"CA's host if empty")
	s.StringVar(&f.encryption, "encryption", "aes256", "`type` of these tickets: aes256, aes128 or rc4")
	s.StringVar(&f.krb5Conf, "krb5-conf", "", "`file` to write a Kerberos configuration for these tickets to")
	if err := cli.Parse(s, args, help, out); err != nil {
		return f, err
	}
	s.Visit(func(given *flag.Flag) { f.epmPortGiven = f.epmPortGiven || given.Name == "epm-port" })
	if s.NArg() > 0 {
		return f, cli.Usagef("unknown argument %q", s.Arg(0))
	}
	return f, nil
}
