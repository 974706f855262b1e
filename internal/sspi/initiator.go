package sspi

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Config says how to log on.
type Config struct {
	Package Package
	Target  string // service principal name
	// AllowNTLM lets Negotiate choose NTLM, which does not prove who the server is.
	AllowNTLM bool
	// DCEStyle is for RPC: three legs, and another form of sealed messages. SMB wants none.
	DCEStyle bool
}

// Initiator is the client's side of the authentication of one association.
type Initiator struct {
	cfg     Config
	api     API
	handles *handles
	flags   uint32 // that the context has
	done    bool
	sizes   sizes
	key     []byte
	chosen  Package
}

// handles are what has to be given back to the system.
type handles struct {
	credential Credential
	context    Context
}

func (h *handles) free() {
	if h.context != nil {
		h.context.Free()
	}
	if h.credential != nil {
		h.credential.Free()
	}
}

type sizes struct{ signature, trailer int }

// NewInitiator begins nothing yet: the first Step does.
func NewInitiator(api API, cfg Config) *Initiator {
	i := &Initiator{cfg: cfg, api: api, handles: new(handles)}
	// An association closes its connection and knows nothing of handles; whoever drops it drops these too.
	runtime.AddCleanup(i, func(h *handles) { h.free() }, i.handles)
	return i
}

// Type is the provider, as bind names it.
func (i *Initiator) Type() rpc.AuthType {
	switch i.cfg.Package {
	case NTLM:
		return rpc.AuthNTLM
	case Kerberos:
		return rpc.AuthKerberos
	}
	return rpc.AuthNegotiate
}

// ByTicket reports whether it is Kerberos, as far as is known.
func (i *Initiator) ByTicket() bool {
	if i.done {
		return i.chosen == Kerberos
	}
	return i.cfg.Package == Kerberos || i.cfg.Package == Negotiate && !i.cfg.AllowNTLM
}

// Mutual reports whether the server has shown that it knows the key.
func (i *Initiator) Mutual() bool { return i.done && i.flags&flagMutual != 0 && i.chosen != NTLM }

// SessionKey is the key of the context; nil if the system does not give it.
func (i *Initiator) SessionKey() []byte { return i.key }

// Protector protects messages once the context is complete.
func (i *Initiator) Protector() rpc.Protector { return &protector{i} }

// maxToken bounds the tokens of the server; they come in a PDU of at most 64 KiB.
const maxToken = 1 << 16

// Step takes the server's token, nil at first, and returns the next one.
func (i *Initiator) Step(token []byte) ([]byte, bool, error) {
	if i.done {
		return nil, false, errors.New("sspi: the authentication goes on after its end")
	}
	if len(token) > maxToken {
		return nil, false, fmt.Errorf("%w: token of %d bytes", rpc.ErrMalformed, len(token))
	}
	leg, err := i.step(token)
	if err != nil {
		return nil, false, err
	}
	if leg.Status != 0 {
		return nil, false, failed(fmt.Sprintf("logon to %s with %s", i.cfg.Target, i.cfg.Package), leg.Status)
	}
	i.flags = leg.Flags
	if !leg.Done {
		return leg.Token, false, nil
	}
	if err := i.finish(); err != nil {
		return nil, false, err
	}
	return leg.Token, true, nil
}

func (i *Initiator) step(token []byte) (Leg, error) {
	if i.handles.context != nil {
		return i.handles.context.Continue(token), nil
	}
	credential, err := i.api.Acquire(i.cfg.Package, !i.cfg.AllowNTLM)
	if err != nil {
		return Leg{}, fmt.Errorf("sspi: credential of this process: %w", err)
	}
	i.handles.credential = credential
	want := i.wanted() | flagMutual
	if i.cfg.DCEStyle {
		want |= flagDCEStyle
	}
	context, leg := credential.Begin(i.cfg.Target, want)
	i.handles.context = context
	return leg, nil
}

// wanted is what a context has to have, whoever made it.
func (i *Initiator) wanted() uint32 {
	return flagReplayDetect | flagSequenceDetect | flagConfidentiality | flagIntegrity | flagConnection
}

// finish checks what the context has, before anything is sent under it.
func (i *Initiator) finish() error {
	c := i.handles.context
	i.chosen = c.Package()
	if i.chosen == "" {
		i.chosen = i.cfg.Package
	}
	if i.chosen == NTLM && !i.cfg.AllowNTLM {
		return errors.New("sspi: the system chose NTLM, which is not allowed")
	}
	must := flagConfidentiality | flagIntegrity
	if i.chosen != NTLM { // whose signatures always have a sequence number in them, and which does not know who the server is
		must |= flagSequenceDetect | flagMutual
	}
	if i.flags&must != must {
		return fmt.Errorf("sspi: the security context lacks what it has to have: flags 0x%x of 0x%x", i.flags&must, must)
	}
	var err error
	if i.sizes.signature, i.sizes.trailer, err = c.Sizes(); err != nil {
		return fmt.Errorf("sspi: sizes of signatures: %w", err)
	}
	if i.sizes.signature <= 0 || i.sizes.trailer <= 0 || i.sizes.signature > maxSignature || i.sizes.trailer > maxSignature {
		return fmt.Errorf("sspi: signatures of %d and %d bytes", i.sizes.signature, i.sizes.trailer)
	}
	i.key, _ = c.SessionKey() // SMB alone needs it
	i.done = true
	return nil
}
