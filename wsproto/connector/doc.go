// Package connector is the connector's half of the protocol: it dials a gateway, proves who it is, takes jobs, and brings
// every job to one outcome.
//
// A [Connector] is made by [New] from a [Config], which does no I/O, and works while [Connector.Run] runs. It calls an
// [Issuer], which makes keys and talks to CAs; everything that must not go wrong around these calls is here:
//
//   - Local policy ([Config.Policy], usually [Rules.Allow] of a compiled [Policy]) is asked on every offer, resumed ones
//     included, before a key is made.
//   - Nothing is submitted without a lease: the tenant holds a checkpoint durably before the CA sees a request, and the
//     lease runs on this machine's own clock from the moment the checkpoint was sent.
//   - When the CA's answer is lost after the request may have been sent, nobody submits again: the request is looked up
//     if the issuer can ([Finder]), else the outcome is unknown.
//   - A bundle for a recipient leaves sealed for it and signed, or not at all; the recipient is one that local policy pins,
//     or that a pinned ordering key has signed for this order.
//   - An outcome is sent until the tenant says that it has it, over reconnects too, and is never evicted.
//   - A logon failure stops everything that uses that credential until [Connector.Reload] or an hour has passed.
//   - A key in hardware that fails is waited for: it is not taken for a bad checkpoint, and no certificate is lost by it.
//
// Nothing about a job is stored on disk. What a connector keeps is its [Identity]: two keys, an instance id and the pin
// of the tenant's key. The keys are files, or in a [KeyStore] such as a TPM, which an [Attester] proves to the tenant.
// [Identity.Rotate] replaces them while jobs are open.
//
// A Connector is safe for concurrent use; Run may be called once.
package connector
