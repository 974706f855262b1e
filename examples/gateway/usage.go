package main

const help = `Gateway is the tenant's half: it accepts connectors over TLS and keeps jobs in memory.

  gateway -config gateway.json COMMAND TENANT …

  init                        make what is missing: tenant keys, a self-signed certificate; print what connectors pin
  serve                       run until SIGTERM, which lets jobs in flight end for a minute; a second one does not
  code TENANT CA…             make an enrollment code: one connector registers with it within 15 minutes, and serves these
                              CAs. A CA is 'HOST\NAME', as in orders: 'ca.corp.example\Corp Issuing CA'
  connectors TENANT           list the connectors: state, where their keys are (attestation), CAs assigned, health
  approve TENANT CONNECTOR    take a connector that came without a code, or that was revoked; assign it CAs then
  reject TENANT CONNECTOR     refuse it for good
  revoke TENANT CONNECTOR     trust it no more; its jobs go to others
  delete TENANT CONNECTOR     forget one that is lost: what it left at the CA goes on at a sibling that it had in its
                              configuration, or ends as lost. If it comes back, it registers like a new one
  replace TENANT OLD NEW      give the CAs of OLD to NEW, and delete OLD
  reattest TENANT CONNECTOR   let it prove again where its keys are when it connects next (drain makes it connect soon)
  drain TENANT CONNECTOR      let it finish its jobs and reconnect
  assign TENANT CONNECTOR CA… the CAs that it serves from now on, in place of those it had
  order TENANT FILE NAME      place an order, wait, write NAME.p12; NAME.password too if the order has no password. With a
                              recipient in the order it writes NAME.sealed.json, which only the recipient can open (see
                              examples/unseal). None of the files may be there already
  fetch TENANT JOB NAME       wait for a job that was placed, write NAME.p12 or NAME.sealed.json, not over another file; also
                              when it is finished
  jobs TENANT [open|ended]    list the jobs that are kept, newest first, a line for each: when it was placed, its id and state,
                              CA, template, name, newest outcome
  job TENANT JOB              print where a job stands, or why nobody takes it or goes on with it, and its outcome
  cancel TENANT JOB           end a job whose request cannot have reached the CA

All but init and serve speak to the running gateway through its socket. Nothing survives its end but the files that init
made: connectors come back by themselves then, and have to be approved and assigned again; orders are lost.

The configuration is JSON; paths are relative to its folder, and unknown keys are refused (gateway.example.json):
  listen        address, such as ":8443"
  url           what connectors connect to, without a path: "wss://gateway.example:8443"; they add /connect/TENANT
  certificate   PEM, the server's certificate first; init makes a self-signed one, which connectors take as "roots"
  key           PEM, its private key (PKCS#8)
  admin         path of the socket of the administration; who can open it may do everything
  tenants       name of each tenant and the file of the key that signs for it: {"acme": "acme.key"}
  attestation   optional; name of a tenant and what it wants to know of the keys of its connectors; any keys if left out:
    policy            "any" (which it is if left out), "tpm" (keys that were made in a TPM and cannot leave it), or
                      "tpm-verified" (in a TPM that ekRoots or ekHashes vouch for). It is held against connectors whenever
                      they connect; one that falls short is refused
    ekRoots           PEM or DER: root certificates of TPM manufacturers
    ekIntermediates   PEM or DER: certificates between those and the EK certificates, for TPMs that do not have them
    ekHashes          list of EK hashes, as the command show of a connector prints its own: TPMs that are known one by one
  timing        optional; waits such as "30s":
    lease         how long after a checkpoint a connector may submit
    rpcDeadline   how long it may wait for a CA then
    margin        added to both before the job of a connector that vanished is offered again
    stall         how long one that is connected may do nothing visible for a job
    life          how long an order waits for a connector; 1h if left out
    resolve       how long one that may have been submitted waits for one that knows more
    retention     how long a finished job is kept
    drain         how long jobs may go on when a connector or the gateway drains

An order is JSON too (order.example.json):
  ca             {"host": …, "name": …}: compared exactly with what is assigned
  template       common name of the certificate template
  key            rsa2048, rsa3072, rsa4096, p256, p384 or p521
  subject        such as "CN=laptop-17,O=Example Corp" (RFC 4514)
  subjectSource  "directory" leaves the subject to the CA; "request" if left out
  dns, email, upn, uri, ip   lists of alternative names
  sid            the account's SID; sidForm says how it is written: "extension" if left out, "uri" or "both"
  password       of the .p12; order makes one if it is left out
  recipient      {"id": …, "key": …, "signature": …}, in the place of a password: who opens the bundle. The connector's
                 configuration has to name it, or the ordering key of the signature
  profile        of the .p12: "compat" (which it is if left out), "modern", "pbmac1", or the platform that it is for, with or
                 without a version, such as "ios-17.4", "windows-11" or "android" (PROTOCOL.md, section 7.2, has them all). For
                 Apple's the file holds the certificate alone: CAs go beside it into a configuration profile
  resubmit       true allows to submit again after an unknown outcome

Exit status: 0 when done, after SIGTERM, or when the certificate was issued; 1 for an error or another outcome; 2 for
wrong use.

Flags:
`
