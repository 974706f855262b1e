package csra

import "github.com/adcskit/adcskit/internal/ndr"

// Every request begins with pwszAuthority, the name of the CA. Empty is a NULL pointer.

func writeName(w *ndr.Writer, authority string) {
	if authority == "" {
		w.Pointer(false)
		return
	}
	w.StringPointer(authority)
}

func readName(r *ndr.Reader) string {
	s, _ := r.StringPointer()
	return s
}

// ByName is the request of operations without further parameters.
type ByName struct{ Authority string }

// Write writes the parameters.
func (m *ByName) Write(w *ndr.Writer) { writeName(w, m.Authority) }

// Read reads the parameters.
func (m *ByName) Read(r *ndr.Reader) { m.Authority = readName(r) }

// ByRequest is the request of ResubmitRequest and DenyRequest (sections 3.1.4.1.3 and 3.1.4.1.4).
type ByRequest struct {
	Authority string
	RequestID uint32
}

// Write writes the parameters.
func (m *ByRequest) Write(w *ndr.Writer) {
	writeName(w, m.Authority)
	w.U32(m.RequestID)
}

// Read reads the parameters.
func (m *ByRequest) Read(r *ndr.Reader) { m.Authority, m.RequestID = readName(r), r.U32() }

// BySerial is the request of IsValidCertificate (section 3.1.4.1.5).
type BySerial struct {
	Authority string
	Serial    string // hexadecimal, an even number of digits, lower case
}

// Write writes the parameters.
func (m *BySerial) Write(w *ndr.Writer) {
	writeName(w, m.Authority)
	writeName(w, m.Serial)
}

// Read reads the parameters.
func (m *BySerial) Read(r *ndr.Reader) { m.Authority, m.Serial = readName(r), readName(r) }

// Reason is why a certificate is revoked, or what else RevokeCertificate is to do (section 3.1.4.1.8).
type Reason uint32

// The reasons beyond those of RFC 5280, section 5.3.1, 0 to 6 and 8.
const (
	ReasonHold          Reason = 6          // certificateHold
	ReasonHideExpired   Reason = 0xfffffffd // leave it out of CRLs once it has expired
	ReasonShowExpired   Reason = 0xfffffffe // keep it in CRLs even then
	ReasonReleaseOfHold Reason = 0xffffffff
)

// Revoke is the request of RevokeCertificate (section 3.1.4.1.8).
type Revoke struct {
	Authority string
	Serial    string // as in BySerial
	Reason    Reason
	Effective uint64 // FILETIME from which on it is not valid
}

// Write writes the parameters.
func (m *Revoke) Write(w *ndr.Writer) {
	writeName(w, m.Authority)
	writeName(w, m.Serial)
	w.U32(uint32(m.Reason))
	writeFileTime(w, m.Effective)
}

// Read reads the parameters.
func (m *Revoke) Read(r *ndr.Reader) {
	m.Authority, m.Serial = readName(r), readName(r)
	m.Reason = Reason(r.U32())
	m.Effective = readFileTime(r)
}

// A FILETIME has two halves of 32 bits, and is aligned like them (MS-DTYP section 2.3.3).

func writeFileTime(w *ndr.Writer, t uint64) {
	w.U32(uint32(t))
	w.U32(uint32(t >> 32))
}

func readFileTime(r *ndr.Reader) uint64 {
	low := r.U32()
	return uint64(low) | uint64(r.U32())<<32
}

// The flags of PublishCRLs (section 3.1.4.2.1).
const (
	PublishBase    uint32 = 0x01
	PublishDelta   uint32 = 0x02
	PublishCurrent uint32 = 0x10 // publish again what there is, and make nothing new
)

// Publish is the request of PublishCRL (section 3.1.4.1.6), and with flags that of PublishCRLs (section 3.1.4.2.1).
type Publish struct {
	Authority  string
	NextUpdate uint64 // FILETIME; 0 leaves it to the CA
	Flags      uint32
}

// Write writes the parameters; flags says whether they are those of PublishCRLs.
func (m *Publish) Write(w *ndr.Writer, flags bool) {
	writeName(w, m.Authority)
	writeFileTime(w, m.NextUpdate)
	if flags {
		w.U32(m.Flags)
	}
}

// Read reads the parameters; flags says whether they are those of PublishCRLs.
func (m *Publish) Read(r *ndr.Reader, flags bool) {
	m.Authority, m.NextUpdate = readName(r), readFileTime(r)
	if flags {
		m.Flags = r.U32()
	}
}

// Property is the request of GetCAProperty (section 3.1.4.2.2).
type Property struct {
	Authority       string
	ID, Index, Type int32
}

// Write writes the parameters.
func (m *Property) Write(w *ndr.Writer) {
	writeName(w, m.Authority)
	for _, v := range [...]int32{m.ID, m.Index, m.Type} {
		w.U32(uint32(v))
	}
}

// Read reads the parameters.
func (m *Property) Read(r *ndr.Reader) {
	m.Authority = readName(r)
	m.ID, m.Index, m.Type = int32(r.U32()), int32(r.U32()), int32(r.U32())
}
