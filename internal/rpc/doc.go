// Package rpc is the connection-oriented DCE/RPC protocol (C706 chapter 12, MS-RPCE) as both sides of adcskit need it:
// package adcs as a client, adcstest as a server.
//
// It has the codecs of every PDU that crosses a connection, the protection of single fragments, fragmentation and
// reassembly, the verification trailer, towers and the endpoint mapper's call ept_map, and SPNEGO's tokens. Nothing
// here does I/O except [ReadPDU], nothing keeps a goroutine, and nothing but an io.Reader or a byte slice goes in.
//
// The peer is hostile: each length is checked before it is used and before anything is allocated, each decoder
// refuses what it does not understand, and none panics. Only little-endian, ASCII and IEEE representation is spoken,
// which is what Windows, Samba and impacket send.
//
// The order of use, for either direction:
//
//	pdu, err := rpc.ReadPDU(conn, max)              // one PDU, lengths checked
//	bind, err := rpc.ParseBind(pdu)                 // or ParseBindAck, ParseRequest, ParseResponse, ParseFault ...
//	auth, ok, err := pdu.Auth()                     // sec_trailer and token of bind, alter_context and AUTH3
//	stub, err := security.Open(pdu)                 // verify and decrypt a request, response or fault
//	raw, err := security.Seal(header, body, stub)   // the opposite
//
// [Call.Fragments] cuts a message to fragments and [Reassembler] puts them together again.
package rpc
