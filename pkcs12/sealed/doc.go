// Package sealed delivers a .p12 so that nobody in between can open it: file and password are encrypted to a recipient's
// key, and signed by the connector that made them. It is the format of the connector protocol (PROTOCOL.md of wsproto,
// section 7.7), one JSON object, for either side of it: [Seal] for who makes bundles, [Open] for who gets them.
//
// The encryption is HPKE (RFC 9180, base mode) with DHKEM(P-256) or DHKEM(X25519), HKDF-SHA256 and AES-256-GCM; the
// recipient's key may live in hardware. HPKE in this mode does not say who encrypted: anybody can encrypt to a public key.
// That is what the signature is for, so Open wants to know whose it takes. Whatever the header says is bound by both:
// tenant, job, connector, recipient, key encapsulation, certificate.
//
// A recipient keeps the fingerprints of the connectors that may make its bundles, all those that a job may move to, got by
// a way that does not depend on whoever relays the bundles. It asks besides for what it knows: its tenant, the job that it
// ordered. Otherwise who relays can deliver an older bundle of the same recipient, or that of another job.
//
// All functions are safe for concurrent use. No error holds a key, a password or a part of a file.
package sealed
