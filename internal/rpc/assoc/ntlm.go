package assoc

import (
	"context"
	"errors"

	"github.com/oiweiwei/go-msrpc/ssp/ntlm"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Password is a user with a password, as NTLM takes it.
type Password struct {
	User     string // name, or name@realm with an empty Domain
	Domain   string // NetBIOS or DNS name of the domain; may be empty
	Password string
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

// ntlmInitiator is NTLMSSP by itself (authentication type 10): NTLMv2 with session security of 128 bits, key exchange,
// signing and sealing, or nothing.
type ntlmInitiator struct {
	auth *ntlm.Authentifier
	step int
}

// NTLM authenticates with a password over NTLMSSP, without SPNEGO.
func NTLM(p Password) Initiator {
	cfg := ntlm.NewConfig()
	cfg.Integrity, cfg.Confidentiality = true, true
	cfg.Credential = passwordCredential{p}
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
		return out, false, err
	case 2:
		if err := checkChallenge(token); err != nil {
			return nil, false, err
		}
		out, err := n.auth.Authenticate(ctx, token)
		return out, true, err
	default:
		return nil, false, errors.New("NTLM has three messages only")
	}
}

// Mutual is false: NTLM ends with a message of the client.
func (n *ntlmInitiator) Mutual() bool { return false }

func (n *ntlmInitiator) Protector() rpc.Protector { return rpc.NTLM(n.auth) }

// resetCiphers starts the key streams anew, as NTLM does after the exchange of mechListMICs (MS-SPNG section 3.2.5.1).
func (n *ntlmInitiator) resetCiphers() error {
	return n.auth.ResetSecurityService(context.Background())
}
