package adcs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/ndr"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

const (
	// maxObjectAge is how long an object is used. A server throws objects away that nobody pings for three ping periods of
	// two minutes (MS-DCOM section 3.1.2.2). A new one every five minutes costs less than pinging does, which needs a
	// connection of its own and somebody who does it while nobody calls.
	maxObjectAge = 5 * time.Minute

	// releaseTime bounds how long closing an object waits for the server. One that is not released is thrown away by the
	// server after some minutes.
	releaseTime = time.Second
)

// dcomObject is an object on the CA's host, and the association on which it is called. One call at a time.
type dcomObject struct {
	conn    *assoc.Conn
	bound   rpc.UUID            // the interface of conn's first presentation context
	ipids   map[rpc.UUID]handle // its interfaces
	unknown rpc.UUID            // IPID of the object that counts references
	counts  uint16              // the presentation context of that object; 0 if it was not needed yet
	version dcom.Version
	made    time.Time
	dead    bool // after an error
}

// handle is one interface of an object.
type handle struct {
	ipid rpc.UUID
	refs uint32 // that the server has counted
}

// errNoInterface is a call on an interface that the object does not have.
var errNoInterface = errors.New("the object does not have the interface")

// old reports whether the object is too old to be used.
func (o *dcomObject) old() bool { return time.Since(o.made) > maxObjectAge }

// Proved reports whether the server has accepted the credential. It has: activation is a call under the same one.
func (o *dcomObject) Proved() bool { return true }

// Alive reports whether the object is worth a call: the connection is there, and the server cannot have thrown the
// object away.
func (o *dcomObject) Alive(ctx context.Context) bool { return !o.dead && !o.old() && o.conn.Alive(ctx) }

// call calls an operation of the interface that the object was bound to, and returns what follows ORPCTHAT in the
// answer. The stub is in NDR 2.0 and without ORPCTHIS. Its errors are *assoc.CallError; after one the object is of no
// use.
func (o *dcomObject) call(ctx context.Context, iid rpc.UUID, opnum uint16, stub []byte) ([]byte, error) {
	h, ok := o.ipids[iid]
	if !ok || iid != o.bound {
		return nil, &assoc.CallError{Err: errNoInterface}
	}
	return o.invoke(ctx, 0, h.ipid, opnum, stub)
}

// invoke calls an operation of an interface, in a presentation context.
func (o *dcomObject) invoke(ctx context.Context, in uint16, ipid rpc.UUID, opnum uint16, stub []byte) ([]byte, error) {
	this := dcom.This{Version: o.version, CID: newCausality()}
	w := ndr.NewWriter(false, 32+len(stub))
	this.Write(w)
	w.Bytes(stub)
	out, err := o.conn.Call(ctx, assoc.Request{Context: in, Object: &ipid, Opnum: opnum, Stub: w.Stub()})
	if err != nil {
		o.dead = true
		return nil, accepted(err)
	}
	r := ndr.NewReader(out, false)
	var that dcom.That
	that.Read(r)
	if r.Offset()%8 != 0 {
		r.Fail("ORPCTHAT of %d bytes", r.Offset())
	}
	if err := r.Err(); err != nil {
		o.dead = true
		return nil, &assoc.CallError{Sent: true, Err: err}
	}
	return out[r.Offset():], nil
}

// accepted is the error of a call on an object. A fault on a connection on which the server has proved nothing yet
// might be about the credential (see package assoc); here it is not, since the activation has accepted it.
func accepted(err error) error {
	call, ok := errors.AsType[*assoc.CallError](err)
	fault, isFault := errors.AsType[*assoc.FaultError](err)
	if ok && isFault && errors.Is(err, assoc.ErrLogon) {
		return &assoc.CallError{Sent: call.Sent, Err: fault}
	}
	return err
}

// newCausality is a causality identifier: one for each call, since none is part of another one (MS-DCOM section 1.3.5).
func newCausality() (u rpc.UUID) {
	_, _ = rand.Read(u[:]) // never fails
	return u
}

// Close releases the object and closes its connection. It waits for the server a second at most.
func (o *dcomObject) Close() error {
	if !o.dead {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
		defer cancel()
		_ = o.release(ctx) // the server finds out by itself, later
	}
	return o.conn.Close()
}

// release gives the references back (MS-DCOM section 3.2.4.4.2).
func (o *dcomObject) release(ctx context.Context) error {
	var refs dcom.RemReferences
	for _, h := range o.ipids {
		refs.Refs = append(refs.Refs, dcom.InterfaceRef{IPID: h.ipid, PublicRefs: h.refs})
	}
	_, err := o.count(ctx, dcom.OpRemRelease, &refs)
	return err
}

// hold asks for a reference to each interface of which the server gave none: it would not keep the object for it
// (MS-DCOM section 3.2.4.4).
func (o *dcomObject) hold(ctx context.Context) error {
	var refs dcom.RemReferences
	for iid, h := range o.ipids {
		if h.refs == 0 {
			h.refs = 1
			o.ipids[iid] = h
			refs.Refs = append(refs.Refs, dcom.InterfaceRef{IPID: h.ipid, PublicRefs: h.refs})
		}
	}
	if len(refs.Refs) == 0 {
		return nil
	}
	stub, err := o.count(ctx, dcom.OpRemAddRef, &refs)
	if err != nil {
		return err
	}
	var added dcom.RemAddedRef
	if err := decode(stub, &added); err != nil {
		return err
	}
	for _, code := range append(added.Results, added.Return) {
		if code != 0 {
			return hresultFromWin32(code)
		}
	}
	return nil
}

// count calls an operation of the object that counts references.
func (o *dcomObject) count(ctx context.Context, opnum uint16, refs *dcom.RemReferences) (stub []byte, err error) {
	if o.counts == 0 {
		if o.counts, err = o.conn.Alter(ctx, dcom.Interface(dcom.IRemUnknown())); err != nil {
			return nil, err
		}
	}
	return o.invoke(ctx, o.counts, o.unknown, opnum, encode(refs))
}

// message is a message of package dcom, or of one that is written in the same way.
type message interface {
	Write(*ndr.Writer)
	Read(*ndr.Reader)
}

// encode is the stub of a message in NDR 2.0.
func encode(m message) []byte {
	w := ndr.NewWriter(false, 256)
	m.Write(w)
	return w.Stub()
}

// decode reads a stub in NDR 2.0, of which every byte must have its place.
func decode(stub []byte, m message) error {
	r := ndr.NewReader(stub, false)
	m.Read(r)
	return r.Done()
}

// exchange calls an operation with a message and reads the answer to another one. Errors are those of call, and of
// decoding the answer.
func (o *dcomObject) exchange(ctx context.Context, iid rpc.UUID, opnum uint16, in, out message) error {
	stub, err := o.call(ctx, iid, opnum, encode(in))
	if err != nil {
		return err
	}
	if err := decode(stub, out); err != nil {
		o.dead = true
		return fmt.Errorf("answer of operation %d: %w", opnum, err)
	}
	return nil
}
