// Package cms reads and writes the part of the Cryptographic Message Syntax (RFC 5652) that AD CS uses: SignedData, as
// a bag of certificates, around a certification request, and around a CMC message.
//
// What it reads may come from a peer: it takes DER lengths only, bounds every count before it allocates and never
// panics. What it writes is DER: elements of a SET OF are in order, version numbers are those of RFC 5652, section 5.
package cms
