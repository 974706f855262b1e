// Package dcom reads and writes the messages of DCOM (MS-DCOM) that clients and servers of a CA exchange, and those of
// the CA's own object, ICertRequestD and ICertRequestD2 (MS-WCCE section 3.2.1.4). It holds both sides of every
// message: what is written here can be read here.
//
// A message is read from a stub in the transfer syntax NDR 2.0, which is the only one that DCOM allows (MS-DCOM
// sections 2.2.13 and 3.1.2.5.2). Calls on objects begin with [This], and their answers with [That]; the rest of the
// stub begins at a multiple of 8 bytes then, so that it can be read and written by itself.
//
// Nothing is taken on trust: counts are bounded and compared with the bytes that are there, string bindings are read
// inside of their section only, and whatever is wrong is an error that matches rpc.ErrMalformed.
package dcom
