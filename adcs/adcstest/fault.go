package adcstest

import (
	"context"
	"encoding/binary"
	"sync"
)

// Call describes a call to [Options.Fault]. Everything in it comes from the verified security context.
type Call struct {
	// N counts the calls of the interface since the server was started, this one included: the first one is 1.
	N int
	// EndpointMapper says that the call is for the endpoint mapper and not for the CA.
	EndpointMapper bool
	// OpNum is the operation: 0 is CertServerRequest; 2 and 3 are ept_lookup and ept_map.
	OpNum uint16
	// User is the caller, DOMAIN\name; "" for a call without authentication.
	User string
	// Level is the authentication level.
	Level AuthLevel
}

// Cut is a point at which the server closes the connection.
type Cut uint8

// The points, in the order of a call.
const (
	// CutNever lets the connection live.
	CutNever Cut = iota
	// CutBeforeLastFragment closes after the first fragment of a request that has several. The last one is never read
	// and nothing is executed. A request of one fragment is cut as with CutAfterRequest.
	CutBeforeLastFragment
	// CutAfterRequest closes after the request has been read to its end. Nothing is executed.
	CutAfterRequest
	// CutBeforeAnswer closes after the CA has done its work and written its row: the answer is lost.
	CutBeforeAnswer
	// CutInAnswer closes in the middle of the last PDU of the answer.
	CutInAnswer
)

// Fault is one call that goes wrong. Its parts are independent of each other and happen in the order of the fields.
// The zero value is a call that goes well.
type Fault struct {
	// Before, if not nil, runs when the whole request has been read and before the CA sees it. It runs on the
	// goroutine of the connection, and may block until the test lets it go on; ctx ends when the server is closed.
	Before func(ctx context.Context)
	// Forge makes the CA's answer a wrong one.
	Forge Forgery
	// After is like Before, but runs after the CA has done its work and before anything of the answer is sent.
	After func(ctx context.Context)
	// Status, if not 0, is sent as an RPC fault in place of an answer, whatever the CA has done.
	Status uint32
	// NotExecuted sends the fault of Status without asking the CA, and with the flag PFC_DID_NOT_EXECUTE.
	NotExecuted bool
	// Signed signs the fault of Status, on a connection at level integrity or privacy. Windows and Samba do not sign
	// faults: to a client, one is no better than what somebody on the path has made up.
	Signed bool
	// BadNDR gives the answer a stub that cannot be decoded: a blob that claims more bytes than there are.
	BadNDR bool
	// Stub, if not nil, replaces the answer's stub. What it returns is signed and sealed like an honest one.
	Stub func(stub []byte) []byte
	// PDU, if not nil, replaces the bytes of the answer's n-th PDU, counted from 0, after signing and sealing. A PDU
	// that becomes empty is not sent.
	PDU func(n int, pdu []byte) []byte
	// Cut closes the connection at a point of the call.
	Cut Cut
}

// Forgery says how the CA's answer is wrong though RPC is in order. The request table tells the truth.
type Forgery struct {
	// OtherKey certifies a key that nobody asked for.
	OtherKey bool
	// Subject, if not "", replaces the common name of the subject.
	Subject string
	// RequestIDOffset is added to the request id in the answer.
	RequestIDOffset uint32
	// Expired makes the certificate's validity end an hour before now.
	Expired bool
	// OtherIssuer signs with another CA of the same name.
	OtherIssuer bool
	// OtherLeaf makes the separate certificate in the answer another one than the leaf in the chain.
	OtherLeaf bool
	// OmitChain leaves every certificate but the leaf out of the chain.
	OmitChain bool
}

func (f Forgery) tampering() tampering {
	return tampering{
		otherKey: f.OtherKey, subject: f.Subject, requestIDOffset: f.RequestIDOffset, expired: f.Expired,
		otherIssuer: f.OtherIssuer, otherLeaf: f.OtherLeaf, omitChain: f.OmitChain,
	}
}

// InjectFault makes one call to the CA go wrong: the next one that no earlier fault is waiting for. Calls take their
// fault when their first fragment arrives, before [Options.Fault] is asked; a retrieval counts like a submission.
// Calls to the endpoint mapper take none: see [Options.Fault] and [Server.SetInterface] for these.
func (s *Server) InjectFault(f Fault) { s.faults.push(f) }

// SetInterface switches the CA's RPC interface off and on. While it is off, the endpoint mapper does not know it
// (ept_s_not_registered) and the CA's port refuses to bind it, as on a CA whose service has stopped. Connections that
// have bound it already get nca_s_unk_if for every call.
func (s *Server) SetInterface(on bool) { s.interfaceOff.Store(!on) }

// faultQueue holds the faults that wait for a call, and counts the calls.
type faultQueue struct {
	next  func(Call) *Fault
	mu    sync.Mutex
	queue []Fault
	calls [2]int // to the CA, to the endpoint mapper
}

func (q *faultQueue) push(f Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, f)
}

// take numbers the call and returns its fault.
func (q *faultQueue) take(c Call) Fault {
	q.mu.Lock()
	i := 0
	if c.EndpointMapper {
		i = 1
	}
	q.calls[i]++
	c.N = q.calls[i]
	if !c.EndpointMapper && len(q.queue) > 0 {
		f := q.queue[0]
		q.queue = q.queue[1:]
		q.mu.Unlock()
		return f
	}
	q.mu.Unlock()
	if q.next != nil {
		if f := q.next(c); f != nil {
			return *f
		}
	}
	return Fault{}
}

// stub applies the faults of the answer's stub.
func (f *Fault) stub(b []byte) []byte {
	if f.BadNDR {
		const firstBlob = 8 // after request id and disposition
		b = append([]byte(nil), b...)
		for at := firstBlob; at+4 <= len(b) && at < firstBlob+16; at += 4 {
			binary.LittleEndian.PutUint32(b[at:], 0x7fffffff)
		}
	}
	if f.Stub != nil {
		b = f.Stub(b)
	}
	return b
}
