// Package adcsasn1 reads and writes the ASN.1 of AD CS: security identifiers and the extension that carries one, the
// two template extensions, and subject alternative names with user principal names.
//
// Everything it reads may come from a peer. Readers take DER only (X.690, section 10), refuse what follows the value,
// bound every length and count before they allocate, and never panic. Writers refuse what a reader would not give back
// unchanged. Object identifiers are functions, so that no importer can change them for another.
package adcsasn1
