// Package ndr reads and writes the parameters of remote calls in NDR 2.0 (C706 chapter 14) and NDR64 (MS-RPCE section
// 2.2.5), both little-endian.
//
// It is the alphabet and not a compiler: callers spell out their parameters in the order of the wire. In this order a
// top-level pointer is followed by what it points to; what a pointer inside of a structure or an array points to comes
// after the outermost structure or array, in the order of the pointers. The two syntaxes differ in three things, which
// the methods hide: pointers and counts have 4 or 8 bytes ([Reader.Count], [Reader.Pointer]), structures that hold any
// of them align to it ([Reader.Structure]), and enumerations have 2 or 4 bytes ([Reader.Enum]).
//
// A [Reader] takes nothing on trust: every count is compared with the bytes that are there before anything depends on
// it, what it returns lies in the stub wherever that is possible, and after the first error, which it keeps, it returns
// zeros.
package ndr
