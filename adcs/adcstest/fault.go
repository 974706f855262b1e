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
	// Interface is the name of the interface that was called: ICertPassage, or over DCOM ICertRequestD, ICertRequestD2,
	// ICertAdminD, ICertAdminD2, IRemUnknown, IRemUnknown2, and at the endpoint mapper's port IObjectExporter,
	// IActivation, IRemoteSCMActivator, epm.
	Interface string
	// EndpointMapper says that the call is for the endpoint mapper (epm) and not for the CA.
	EndpointMapper bool
	// OpNum is the operation: 0 of ICertPassage is CertServerRequest; 2 and 3 of epm are ept_lookup and ept_map; 6 of
	// ICertRequestD2 is Request2.
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
// fault when their first fragment arrives, before [Options.Fault] is asked; a retrieval counts like a submission, and
// every operation of ICertRequestD, ICertAdminD and their successors does. Calls to the endpoint mapper take none, and
// neither do those of DCOM itself: see [Options.Fault], [Server.SetInterface] and [Server.SetDCOM] for these. The first
// call of a client with adcs.TransportAuto is a harmless one: with adcs.TransportTCP it is the request that goes wrong.
func (s *Server) InjectFault(f Fault) { s.faults.push(f) }

// SetInterface switches the CA's interface ICertPassage off and on. While it is off, the endpoint mapper does not know
// it (ept_s_not_registered) and the CA's port refuses to bind it, as on a CA that has been told so
// (IF_NORPCICERTREQUEST) or, with [Server.SetDCOM], one whose service has stopped. Connections that have bound it
// already get nca_s_unk_if for every call.
func (s *Server) SetInterface(on bool) { s.interfaceOff.Store(!on) }

// SetDCOM switches the CA's objects off and on. While they are off, activations fail with CO_E_SERVER_EXEC_FAILURE
// (0x80080005), as those of a service that does not start, and the port of the objects refuses to bind their
// interfaces; connections that have bound one already get nca_s_unk_if for every call.
func (s *Server) SetDCOM(on bool) { s.dcomOff.Store(!on) }

// faultQueue holds the faults that wait for a call, and counts the calls.
type faultQueue struct {
	next  func(Call) *Fault
	mu    sync.Mutex
	queue []Fault
	calls map[string]int // by interface
}

func (q *faultQueue) push(f Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, f)
}

// take numbers the call and returns its fault. Only calls to the CA itself take what is queued.
func (q *faultQueue) take(c Call, ofCA bool) Fault {
	q.mu.Lock()
	if q.calls == nil {
		q.calls = map[string]int{}
	}
	q.calls[c.Interface]++
	c.N = q.calls[c.Interface]
	if ofCA && len(q.queue) > 0 {
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
func (f *Fault) stub(b []byte, object bool) []byte {
	if f.BadNDR {
		b = badNDR(b, object)
	}
	if f.Stub != nil {
		b = f.Stub(b)
	}
	return b
}

// badNDR spoils the first blob of an answer, which CertServerRequest has after request id and disposition. Those of an
// object have ORPCTHAT before it and not always the two numbers; one that is too short to hold a blob loses its end.
func badNDR(b []byte, object bool) []byte {
	from, to := 8, 24
	if object {
		to = 32
		if len(b) < 20 {
			return b[:len(b)/2]
		}
	}
	b = append([]byte(nil), b...)
	for at := from; at+4 <= len(b) && at < to; at += 4 {
		binary.LittleEndian.PutUint32(b[at:], 0x7fffffff)
	}
	return b
}
