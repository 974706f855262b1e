package csra

import "github.com/adcskit/adcskit/internal/ndr"

// Every answer ends with the return value, an HRESULT: 0 is success. Enumerations return 1 when there is nothing after
// what they have returned.

// EndOfData is the return value of an enumeration that has come to the end: what the answer holds is valid. It is
// S_FALSE, which the specification has as ERROR_ARITHMETIC_OVERFLOW (section 2.2.5).
const EndOfData = 1

// Result is the answer of operations that return nothing else.
type Result struct{ Return uint32 }

// Write writes the results.
func (m *Result) Write(w *ndr.Writer) { w.U32(m.Return) }

// Read reads the results.
func (m *Result) Read(r *ndr.Reader) { m.Return = r.U32() }

// Number is the answer of operations that return a number: the disposition, the state, the roles.
type Number struct{ Number, Return uint32 }

// Write writes the results.
func (m *Number) Write(w *ndr.Writer) {
	w.U32(m.Number)
	w.U32(m.Return)
}

// Read reads the results.
func (m *Number) Read(r *ndr.Reader) { m.Number, m.Return = r.U32(), r.U32() }

// What IsValidCertificate says about a certificate (section 3.1.4.1.5).
const (
	StateRevoked     int32 = 2
	StateValid       int32 = 3
	StateNeverIssued int32 = 4
)

// Validity is the answer of IsValidCertificate (section 3.1.4.1.5).
type Validity struct {
	Reason Reason // of a revoked certificate
	State  int32
	Return uint32
}

// Write writes the results.
func (m *Validity) Write(w *ndr.Writer) {
	w.U32(uint32(m.Reason))
	w.U32(uint32(m.State))
	w.U32(m.Return)
}

// Read reads the results.
func (m *Validity) Read(r *ndr.Reader) {
	m.Reason, m.State, m.Return = Reason(r.U32()), int32(r.U32()), r.U32()
}

// Table is the answer of operations that return a number of structures, encoded in a CERTTRANSBLOB: see DecodeRows,
// DecodeColumns, DecodeAttributes and DecodeExtensions.
type Table struct {
	Count  uint32
	Data   []byte // nil is a NULL pointer
	Return uint32
}

// Write writes the results.
func (m *Table) Write(w *ndr.Writer) {
	w.U32(m.Count)
	w.Blob(m.Data)
	w.U32(m.Return)
}

// Read reads the results. The data lies in the stub.
func (m *Table) Read(r *ndr.Reader) { m.Count, m.Data, m.Return = r.U32(), r.Blob(), r.U32() }

// Blob is the answer of GetCAProperty (section 3.1.4.2.2).
type Blob struct {
	Data   []byte // nil is a NULL pointer
	Return uint32
}

// Write writes the results.
func (m *Blob) Write(w *ndr.Writer) {
	w.Blob(m.Data)
	w.U32(m.Return)
}

// Read reads the results. The data lies in the stub.
func (m *Blob) Read(r *ndr.Reader) { m.Data, m.Return = r.Blob(), r.U32() }
