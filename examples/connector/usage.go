package main

const help = `Connector takes jobs from a gateway, and has the CAs of its network sign the requests.

  connector -config connector.json          run until SIGTERM; SIGHUP reads passwords and roots of the CAs again
  connector -config connector.json show     print what others pin: fingerprints, public keys, hash of the TPM's EK
  connector -config connector.json check    read everything, use the keys once, and say what is wrong; no gateway and no CA is
                                            connected to
  connector -config connector.json rotate   make new keys, where -tpm says, signed by those that there are. Refused while the
                                            connector runs: stop it, and start it then: it changes over when it connects

All but rotate make the identity if "state" holds none. It logs to standard error. A second SIGTERM ends it at once.

Where the keys are made is for -tpm, or "tpm" in the configuration, to say:
  auto                 in the TPM of this machine if there is one (Linux: /dev/tpmrm0, /dev/tpm0), else in files. Which it is
                       if nothing is said
  none                 in files, with mode 0600; the tenant is shown "software"
  PATH                 in the TPM at this device file, and nowhere else; "unix:PATH" and "tcp:HOST:PORT" are the socket of swtpm,
                       "tbs" is the TPM of Windows (experimental). swtpm, which needs --flags startup-clear, serves one
                       program at a time: others, such as show, wait until the connector has left it alone for half a minute
Keys that there are stay what they are: files are used as files, by auto and none, and keys in a TPM never without it. What
was found is logged at the start. A TPM that was cleared, or another one, has lost the keys: move the folder "state" away
and register anew. Rotate from a TPM into files when the CA holds nothing for this connector: what was encrypted to the key
in the TPM can be opened by siblings only then.

The configuration is JSON; paths are relative to its folder, and unknown keys are refused (connector.example.json):
  state                folder of the identity; made with mode 0700
  tpm                  optional; where keys are made, as above; -tpm on the command line goes before
  tpmAuth              optional; files with authorization values, on one line each, as the TPM has them:
    keyFile            of the keys: made with it, and used with it from then on. Without one, who may use the TPM and reads
                       "state" can use them
    ownerFile, endorsementFile   of these hierarchies, if they have been given one
  capacity             jobs at once; 8 if left out
  graceSeconds         how long jobs may go on after SIGTERM; 30 if left out
  heldSeconds          how soon a request that the CA holds is asked for again; 60 if left out
  keyPool              optional; key pairs made ahead, in memory until an order takes them or the connector ends: worth it for
                       RSA, of which one takes up to seconds. Figures are logged every hour and at the end
    ready              how many of each: {"rsa2048": 16}. None if left out
    background         how many are made at once when nobody waits for any; 1 if left out
    workers            how many are made at once for orders that wait, first come, first served; one for each processor if
                       left out
  gateway
    url                wss://HOST:PORT/PATH, as the gateway says it: /connect/TENANT at the end with examples/gateway
    tenant             the tenant's name, exactly as the gateway has it
    enrollmentCodeFile file with an enrollment code; used once, and may be missing afterwards
    tenantKey          fingerprint of the tenant's key; needed without an enrollment code. A person approves then
    roots              optional; PEM or DER: roots trusted for the gateway's TLS besides those of the system
    pins               optional; SHA-256 of public keys, one of which must be in the gateway's TLS chain
  cas                  list of the CAs:
    host, name         the CA's host and its common name, exactly as they are in orders and in the gateway's assignment
    endpointMapper     optional; HOST:PORT of the endpoint mapper, at whose host the CA is reached; port 135 of host if
                       left out. With examples/testca: what its line "ready" calls epm
    transport          "tcp" (port 135 and the port it names), "np" (port 445), "dcom" (port 135 and another), or "auto",
                       what works (which it is if left out)
    user               DOMAIN\name or name@REALM
    passwordFile       file that holds the password on one line, and nothing else
    keytab, ccache     for Kerberos, one of them in the place of passwordFile: a keytab, or a credential cache (FILE) that
                       something else renews; read again when tickets have ended
    currentAccount     true, on Windows: log on as the account that the connector runs as (Local System is the computer),
                       in the place of user and passwordFile; experimental
    krb5Conf           optional; krb5.conf. What KRB5_CONFIG names, or /etc/krb5.conf, if left out
    kdc                optional; HOST or HOST:PORT of the KDC of the user's realm; from krb5.conf or DNS if left out
    spn                optional; service principal name of the CA's host; host/ and host if left out
    roots              PEM or DER: what its certificates must chain to
    auth               "negotiate" (SPNEGO, which it is if left out), "kerberos" or "ntlm"
    allowNTLM          true lets negotiate use NTLM where Kerberos is impossible; NTLM does not prove who the CA is
    find               true, which it is if left out, looks a request up in the CA's database, over DCOM, when its answer was
                       lost; false leaves such an outcome unknown
  policy               what this connector may be asked to do; what is not named is refused, and the gateway cannot change it
    cas                list of {"host": …, "name": …}
    templates          common names of templates
    keys               rsa2048, rsa3072, rsa4096, p256, p384, p521
    subjects           patterns, "*" stands for anything: "CN=*.devices.corp.example,O=Example Corp"; "" is no subject
    directorySubject   true allows orders that leave the subject to the CA
    dns, dnsWildcards  "corp.example" is the name and all below, ".corp.example" below only, "=corp.example" itself only
    upn, email         the same after the "@", or with a pattern before it: "svc-*@corp.example"
    uri, ip            prefixes: "spiffe://corp.example/device/", "10.0.0.0/8"
    sidDomains, sids   domains whose accounts may be named, and accounts by themselves
    ordersPerHour      how many orders are taken in any 60 minutes; 0, or left out, takes none
    passwords          true allows orders with a password: whoever runs the gateway can open what it brings
    recipients         list of {"id": …, "key": …}: for whom bundles may be sealed, so that nobody else can open them; unseal
                       makes such keys
    orderingKeys       public keys of whoever may sign recipients that are not listed, and what is ordered for them
    siblings           list of {"name": …, "identityKey": …, "decryptionKey": …}: connectors that may go on with this one's
                       jobs, and this one with theirs

Exit status: 0 after SIGTERM or when the configuration is ok, 1 for an error, 2 for wrong use, 3 if a person has to act
before it is started again: the enrollment code is used up or has expired, the registration was rejected or revoked,
another connector runs with the same key. 4 if jobs had to be cut.

Flags:
`
