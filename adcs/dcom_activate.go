package adcs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/adcskit/adcskit/internal/dcom"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
)

// maxActivation bounds the answers of the object resolver, in bytes.
const maxActivation = 256 << 10

// identify is RPC_C_IMP_LEVEL_IDENTIFY, which servers ignore here (MS-DCOM section 3.1.2.5.2.3.1).
const identify = 2

// activate makes an object of a class on the CA's host and binds to the first of the interfaces that it has. Every
// connection is made to the CA's own host, at the port that the answer names: a server must not send the credential
// elsewhere.
//
// Errors: those of mapError; *[RPCError] with an [HResult] if the host refused to make the object.
func (c *Client) activate(ctx context.Context, class rpc.UUID, iids ...rpc.UUID) (*dcomObject, error) {
	version, err := c.comVersion(ctx)
	if err != nil {
		return nil, err
	}
	made, err := c.remoteActivation(ctx, version, class, iids)
	if notThere(err) {
		made, err = c.remoteCreateInstance(ctx, version, class, iids)
	}
	if err != nil {
		return nil, err
	}
	return c.bindObject(ctx, made, iids)
}

// notThere reports whether a host does not offer an interface or operation, or not to this user; the other way to make
// an object may be open then. A refused logon is never tried again.
func notThere(err error) bool {
	if err == nil || errors.Is(err, ErrLogon) {
		return false
	}
	if _, rejected := errors.AsType[ContextRejection](err); rejected {
		return true
	}
	switch status, _ := errors.AsType[RPCStatus](err); status.canonical() {
	case ErrUnknownInterface, ErrUnknownOperation, ErrRPCAccessDenied:
		return true
	}
	return false
}

// comVersion is the version of DCOM that the client and the host speak. The host is asked once, without a logon, as
// MS-DCOM section 3.2.4.1.1.1 has it: all that a forged answer could do is to make activation fail.
func (c *Client) comVersion(ctx context.Context) (dcom.Version, error) {
	if v := c.com.get(); v != (dcom.Version{}) {
		return v, nil
	}
	nc, err := c.dial(ctx, c.opts.EndpointMapper)
	if err != nil {
		return dcom.Version{}, mapError(PhaseActivate, err)
	}
	conn, err := assoc.Open(ctx, nc, assoc.Config{
		Interface: dcom.Interface(dcom.IObjectExporter()), MaxResponse: maxActivation,
	})
	if err != nil {
		return dcom.Version{}, mapError(PhaseActivate, err)
	}
	defer conn.Close()
	server := dcom.Version{Major: dcom.CurrentVersion().Major, Minor: 1} // which every host speaks
	stub, err := conn.Call(ctx, assoc.Request{Opnum: dcom.OpServerAlive2})
	if err == nil {
		server, err = aliveVersion(stub)
	} else if silent(err) {
		err = nil
	}
	if err != nil {
		return dcom.Version{}, mapError(PhaseActivate, err)
	}
	v, ok := dcom.CurrentVersion().Negotiate(server)
	if !ok {
		return dcom.Version{}, &RPCError{Phase: PhaseActivate, Err: ErrComVersion}
	}
	c.com.set(v)
	return v, nil
}

// silent reports whether a host does not tell its version: it does not know the operation, or takes no calls of those
// who have not logged on (the Windows policy Restrict Unauthenticated RPC clients).
func silent(err error) bool {
	fault, ok := errors.AsType[*assoc.FaultError](err)
	if !ok {
		return false
	}
	status := RPCStatus(fault.Status).canonical()
	return status == ErrUnknownOperation || status == ErrRPCAccessDenied
}

func aliveVersion(stub []byte) (dcom.Version, error) {
	var alive dcom.ServerAlive2
	if err := decode(stub, &alive); err != nil {
		return dcom.Version{}, fmt.Errorf("answer of ServerAlive2: %w", err)
	}
	if alive.Status != 0 {
		return dcom.Version{}, rpc.Status(alive.Status)
	}
	return alive.Version, nil
}

// comVersion remembers the version of DCOM that the CA's host speaks.
type comVersion struct {
	mu sync.Mutex
	v  dcom.Version
}

func (c *comVersion) get() dcom.Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.v
}

func (c *comVersion) set(v dcom.Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.v = v
}

// resolve calls an operation of the object resolver under the client's credential, at level privacy: since
// CVE-2021-26414 hosts refuse activation below integrity.
func (c *Client) resolve(ctx context.Context, iid rpc.UUID, opnum uint16, in, out message) error {
	nc, err := c.dial(ctx, c.opts.EndpointMapper)
	if err != nil {
		return mapError(PhaseActivate, err)
	}
	conn, err := c.associate(ctx, nc, dcom.Interface(iid), serviceRPC)
	if rejected, ok := errors.AsType[ContextRejection](err); ok {
		return &RPCError{Phase: PhaseActivate, Err: rejected} // it is DCOM that is missing, and not the CA
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	stub, err := conn.Call(ctx, assoc.Request{Opnum: opnum, Stub: encode(in)})
	if good, _ := c.logon.state(); err != nil && good {
		return accessError(err)
	}
	if err != nil {
		return mapError(PhaseActivate, err)
	}
	if err := decode(stub, out); err != nil {
		return mapError(PhaseActivate, fmt.Errorf("answer of the activation: %w", err))
	}
	return nil
}

// accessError is the error of a call under a credential that the host has accepted on another connection. A refusal of
// access, which by itself might be about the credential where the server has proved nothing (see package assoc), is
// about DCOM then: Windows says it to those who may not use it. It must not pause the client. Other faults are what they
// are: the password may have been changed since.
func accessError(err error) error {
	fault, ok := errors.AsType[*assoc.FaultError](err)
	if ok && RPCStatus(fault.Status).canonical() == ErrRPCAccessDenied {
		return &RPCError{Phase: PhaseActivate, Err: RPCStatus(fault.Status), DidNotExecute: fault.DidNotExecute}
	}
	return mapError(PhaseActivate, err)
}

// refusedActivation is the error of an activation that was answered, or nil.
func refusedActivation(codes ...uint32) error {
	for _, code := range codes {
		if code != 0 {
			return &RPCError{Phase: PhaseActivate, Err: hresultFromWin32(code)}
		}
	}
	return nil
}

// remoteActivation makes an object by IActivation, which every host has.
func (c *Client) remoteActivation(ctx context.Context, v dcom.Version, class rpc.UUID, iids []rpc.UUID) (*dcom.Activated,
	error) {
	var made dcom.RemoteActivated
	err := c.resolve(ctx, dcom.IActivation(), dcom.OpRemoteActivation, &dcom.RemoteActivation{
		This: dcom.This{Version: v, CID: newCausality()}, Class: class, ImpLevel: identify, IIDs: iids,
		Protseqs: []uint16{dcom.TowerTCP},
	}, &made)
	if err != nil {
		return nil, err
	}
	return &made.Activated, refusedActivation(made.Status, made.Result)
}

// remoteCreateInstance makes an object by IRemoteSCMActivator, which hosts have since version 5.6. It is experimental:
// no server but adcstest has answered it.
func (c *Client) remoteCreateInstance(ctx context.Context, v dcom.Version, class rpc.UUID,
	iids []rpc.UUID) (*dcom.Activated, error) {
	var made dcom.CreatedInstance
	err := c.resolve(ctx, dcom.IRemoteSCMActivator(), dcom.OpRemoteCreateInstance, &dcom.CreateInstance{
		This: dcom.This{Version: v, CID: newCausality()}, Class: class, IIDs: iids,
		Protseqs: []uint16{dcom.TowerTCP}, Context: newCausality(),
	}, &made)
	if err == nil {
		err = refusedActivation(made.Status)
	}
	if err == nil && made.Activated == nil {
		err = mapError(PhaseActivate, fmt.Errorf("%w: no object in the answer of the activation", rpc.ErrMalformed))
	}
	return made.Activated, err
}

// bindObject connects to the object that was made.
func (c *Client) bindObject(ctx context.Context, made *dcom.Activated, iids []rpc.UUID) (*dcomObject, error) {
	o := &dcomObject{unknown: made.RemUnknown, version: c.com.get(), made: time.Now(), ipids: map[rpc.UUID]handle{}}
	if err := o.take(made, iids); err != nil {
		return nil, err
	}
	port, ok := uint16(0), false
	if made.Bindings != nil {
		port, ok = made.Bindings.Port()
	}
	if !ok {
		return nil, mapError(PhaseActivate, fmt.Errorf("%w: no TCP port in the answer of the activation", rpc.ErrMalformed))
	}
	nc, err := c.dialPort(ctx, port)
	if err != nil {
		return nil, mapError(PhaseBind, err)
	}
	if o.conn, err = c.associate(ctx, nc, dcom.Interface(o.bound), serviceRPC); err != nil {
		return nil, err
	}
	if err := o.hold(ctx); err != nil {
		o.Close()
		return nil, mapError(PhaseBind, err)
	}
	return o, nil
}

// take takes the interfaces of an object that was made. The first of them is the one that the object is bound to.
func (o *dcomObject) take(made *dcom.Activated, iids []rpc.UUID) error {
	if len(made.Interfaces) != len(iids) {
		return mapError(PhaseActivate, fmt.Errorf("%w: %d interfaces in the answer of the activation, want %d",
			rpc.ErrMalformed, len(made.Interfaces), len(iids)))
	}
	for i, e := range made.Interfaces {
		if e.Result != 0 {
			continue
		}
		if e.Ref == nil || e.Ref.IID != iids[i] || e.Ref.Std.OXID != made.OXID {
			return mapError(PhaseActivate, fmt.Errorf("%w: the reference in the answer of the activation is to something else",
				rpc.ErrMalformed))
		}
		if len(o.ipids) == 0 {
			o.bound = iids[i]
		}
		o.ipids[iids[i]] = handle{ipid: e.Ref.Std.IPID, refs: e.Ref.Std.PublicRefs}
	}
	if len(o.ipids) == 0 {
		return refusedActivation(made.Interfaces[0].Result)
	}
	return nil
}
