package assoc

import (
	"context"
	"crypto/hmac"
	"crypto/md5" // #nosec G501 -- NTLM's
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/oiweiwei/go-msrpc/ssp/ntlm"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Password is a user with a password, as NTLM takes it.
type Password struct {
	User     string // name, or name@realm with an empty Domain
	Domain   string // NetBIOS or DNS name of the domain; may be empty
	Password string
	// Hash is the NT hash, 16 bytes, in the place of a password.
	Hash []byte
	// Target is the service principal name that the server is meant to have, such as host/ca.corp.test.
	Target string
}

// String names the user only.
func (p Password) String() string { return p.Domain + `\` + p.User }

// GoString names the user only.
func (p Password) GoString() string { return p.String() }

// passwordCredential is what go-msrpc wants a credential to be.
type passwordCredential struct{ p Password }

func (c passwordCredential) UserName() string    { return c.p.User }
func (c passwordCredential) DomainName() string  { return c.p.Domain }
func (c passwordCredential) Workstation() string { return "" }
func (c passwordCredential) Password() string    { return c.p.Password }

// hashCredential is what go-msrpc wants an NT hash to be. It has no method Password, which would be preferred.
type hashCredential struct{ p Password }

func (c hashCredential) UserName() string    { return c.p.User }
func (c hashCredential) DomainName() string  { return c.p.Domain }
func (c hashCredential) Workstation() string { return "" }
func (c hashCredential) NTHash() []byte      { return c.p.Hash }

// ntlmInitiator is NTLMSSP by itself (authentication type 10): NTLMv2 with session security of 128 bits, key exchange,
// signing and sealing, or nothing.
type ntlmInitiator struct {
	auth      *ntlm.Authentifier
	step      int
	negotiate []byte // the first message
}

// NTLM authenticates with a password over NTLMSSP, without SPNEGO.
func NTLM(p Password) Mechanism {
	cfg := ntlm.NewConfig()
	cfg.Integrity, cfg.Confidentiality = true, true
	cfg.ClientConfigFlags = ntlm.NegotiateTargetInfo // some servers send none to who has not asked
	cfg.Credential = passwordCredential{p}
	if len(p.Hash) > 0 {
		cfg.Credential = hashCredential{p}
	}
	cfg.TargetName = p.Target
	// With a version, NEGOTIATE does not carry the names of domain and workstation, which would be in an OEM code page.
	cfg.Version = ntlm.DefaultVersion
	return &ntlmInitiator{auth: &ntlm.Authentifier{Config: cfg}}
}

func (n *ntlmInitiator) Type() rpc.AuthType { return rpc.AuthNTLM }

func (n *ntlmInitiator) Step(token []byte) ([]byte, bool, error) {
	// Nothing here blocks; the context is go-msrpc's habit.
	ctx := context.Background()
	n.step++
	switch n.step {
	case 1:
		out, err := n.auth.Negotiate(ctx)
		n.negotiate = out
		return out, false, err
	case 2:
		out, err := n.authenticate(ctx, token)
		return out, err == nil, err
	default:
		return nil, false, errors.New("NTLM has three messages only")
	}
}

// authenticate makes the AUTHENTICATE_MESSAGE. Its MIC is made here: it covers the challenge as the server sent it, of
// which go-msrpc has seen another layout (MS-NLMP section 3.1.5.1.2).
func (n *ntlmInitiator) authenticate(ctx context.Context, challenge []byte) ([]byte, error) {
	readable, err := readChallenge(challenge)
	if err != nil {
		return nil, err
	}
	out, err := n.auth.Authenticate(ctx, readable)
	if err != nil {
		return nil, err
	}
	const end = ntlm.MICOffset + md5.Size
	if len(out) < end {
		return nil, fmt.Errorf("NTLM made a message of %d bytes", len(out))
	}
	clear(out[ntlm.MICOffset:end])
	mic := hmac.New(md5.New, n.auth.SessionKey())
	for _, message := range [][]byte{n.negotiate, challenge, out} {
		mic.Write(message)
	}
	copy(out[ntlm.MICOffset:end], mic.Sum(nil))
	return out, nil
}

// Mutual is false: NTLM ends with a message of the client.
func (n *ntlmInitiator) Mutual() bool { return false }

func (n *ntlmInitiator) Protector() rpc.Protector { return rpc.NTLM(n.auth) }

// SessionKey is the ExportedSessionKey (MS-NLMP section 3.1.5.1.2).
func (n *ntlmInitiator) SessionKey() []byte { return n.auth.SessionKey() }

// ByTicket is false: the server, or its domain controller, sees a proof of the password.
func (n *ntlmInitiator) ByTicket() bool { return false }

func (n *ntlmInitiator) oids() []asn1.ObjectIdentifier { return []asn1.ObjectIdentifier{rpc.OIDNTLM()} }

// sendsMIC is true, as Windows has it, and needsMIC too: by its MIC the server shows that it accepts the password.
func (n *ntlmInitiator) sendsMIC() bool { return true }
func (n *ntlmInitiator) needsMIC() bool { return true }

// afterMICs starts the key streams anew, as NTLM does after the exchange of mechListMICs (MS-SPNG section 3.2.5.1).
func (n *ntlmInitiator) afterMICs() error {
	return n.auth.ResetSecurityService(context.Background())
}
