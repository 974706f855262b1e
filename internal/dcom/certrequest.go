package dcom

import "github.com/adcskit/adcskit/internal/ndr"

// The messages of ICertRequestD and ICertRequestD2. All of them follow [This] or [That]. An empty string is a NULL
// pointer on the wire, and so is a nil blob. What is read lies in the stub.

// Request is the request of ICertRequestD::Request (MS-WCCE section 3.2.1.4.2.1).
type Request struct {
	Flags      uint32
	Authority  string
	RequestID  uint32
	Attributes string // or, of a retrieval, a serial number
	Request    []byte
}

// Write writes the parameters.
func (m *Request) Write(w *ndr.Writer) {
	w.U32(m.Flags)
	writeText(w, m.Authority)
	w.U32(m.RequestID)
	writeText(w, m.Attributes)
	w.Blob(m.Request)
}

// Read reads the parameters.
func (m *Request) Read(r *ndr.Reader) {
	m.Flags = r.U32()
	m.Authority, _ = r.StringPointer()
	m.RequestID = r.U32()
	m.Attributes, _ = r.StringPointer()
	m.Request = r.Blob()
}

// Request2 is the request of ICertRequestD2::Request2 (MS-WCCE section 3.2.1.4.3.1).
type Request2 struct {
	Authority  string
	Flags      uint32
	Serial     string // an even number of hexadecimal digits
	RequestID  uint32
	Attributes string
	Request    []byte
}

// Write writes the parameters.
func (m *Request2) Write(w *ndr.Writer) {
	writeText(w, m.Authority)
	w.U32(m.Flags)
	writeText(w, m.Serial)
	w.U32(m.RequestID)
	writeText(w, m.Attributes)
	w.Blob(m.Request)
}

// Read reads the parameters.
func (m *Request2) Read(r *ndr.Reader) {
	m.Authority, _ = r.StringPointer()
	m.Flags = r.U32()
	m.Serial, _ = r.StringPointer()
	m.RequestID = r.U32()
	m.Attributes, _ = r.StringPointer()
	m.Request = r.Blob()
}

// Answer is the answer of Request and Request2.
type Answer struct {
	RequestID   uint32
	Disposition uint32
	Chain       []byte // CMS, or a CMC full response
	Certificate []byte // DER
	Message     []byte // UTF-16, with NUL
	Return      uint32 // HRESULT
}

// Write writes the results.
func (m *Answer) Write(w *ndr.Writer) {
	w.U32(m.RequestID)
	w.U32(m.Disposition)
	w.Blob(m.Chain)
	w.Blob(m.Certificate)
	w.Blob(m.Message)
	w.U32(m.Return)
}

// Read reads the results.
func (m *Answer) Read(r *ndr.Reader) {
	m.RequestID, m.Disposition = r.U32(), r.U32()
	m.Chain, m.Certificate, m.Message = r.Blob(), r.Blob(), r.Blob()
	m.Return = r.U32()
}

// GetCACert is the request of ICertRequestD::GetCACert, which [Value] answers (MS-WCCE section 3.2.1.4.2.2).
type GetCACert struct {
	What      uint32 // fchain
	Authority string
}

// What GetCACert can be asked for.
const (
	CACertSignature uint32 = 0          // DER
	CACertExchange  uint32 = 1          // DER
	CACertCRL       uint32 = 0x6363726c // DER
	CACertInfo      uint32 = 0x696e666f // CAINFO
	CACertName      uint32 = 0x6e616d65 // UTF-16
	CACertSanitized uint32 = 0x73616e69 // UTF-16
	CACertType      uint32 = 0x74797065 // CAINFO
	CACertFile      uint32 = 0x66696c65 // UTF-16: version of the file
	CACertProduct   uint32 = 0x70726f64 // UTF-16: version of the product
	CACertParent    uint32 = 0x70617265 // UTF-16
	CACertIndexed   uint32 = 0x63740000 // DER, the index in the lower half
)

// Write writes the parameters.
func (m *GetCACert) Write(w *ndr.Writer) {
	w.U32(m.What)
	writeText(w, m.Authority)
}

// Read reads the parameters.
func (m *GetCACert) Read(r *ndr.Reader) {
	m.What = r.U32()
	m.Authority, _ = r.StringPointer()
}

// Value is the answer of GetCACert and GetCAProperty.
type Value struct {
	Value  []byte
	Return uint32 // HRESULT
}

// Write writes the results.
func (m *Value) Write(w *ndr.Writer) {
	w.Blob(m.Value)
	w.U32(m.Return)
}

// Read reads the results.
func (m *Value) Read(r *ndr.Reader) {
	m.Value = r.Blob()
	m.Return = r.U32()
}

// Authority is the request of Ping and Ping2, which [Status] answers, and of GetCAPropertyInfo, which [PropertyInfo]
// answers (MS-WCCE sections 3.2.1.4.2.3, 3.2.1.4.3.4 and 3.2.1.4.3.3).
type Authority struct{ Authority string }

// Write writes the parameters.
func (m *Authority) Write(w *ndr.Writer) { writeText(w, m.Authority) }

// Read reads the parameters.
func (m *Authority) Read(r *ndr.Reader) { m.Authority, _ = r.StringPointer() }

// GetCAProperty is the request of ICertRequestD2::GetCAProperty, which [Value] answers (MS-WCCE section 3.2.1.4.3.2).
type GetCAProperty struct {
	Authority string
	ID        int32
	Index     int32 // -1 for the newest
	Type      int32
}

// Write writes the parameters.
func (m *GetCAProperty) Write(w *ndr.Writer) {
	writeText(w, m.Authority)
	w.U32(uint32(m.ID))
	w.U32(uint32(m.Index))
	w.U32(uint32(m.Type))
}

// Read reads the parameters.
func (m *GetCAProperty) Read(r *ndr.Reader) {
	m.Authority, _ = r.StringPointer()
	m.ID, m.Index, m.Type = int32(r.U32()), int32(r.U32()), int32(r.U32())
}

// PropertyInfo is the answer of GetCAPropertyInfo: so many structures in a blob, see [ParseProperties].
type PropertyInfo struct {
	Count  int32
	Info   []byte
	Return uint32 // HRESULT
}

// Write writes the results.
func (m *PropertyInfo) Write(w *ndr.Writer) {
	w.U32(uint32(m.Count))
	w.Blob(m.Info)
	w.U32(m.Return)
}

// Read reads the results.
func (m *PropertyInfo) Read(r *ndr.Reader) {
	m.Count = int32(r.U32())
	m.Info = r.Blob()
	m.Return = r.U32()
}
