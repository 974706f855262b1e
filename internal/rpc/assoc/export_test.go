package assoc

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Fake is a mechanism whose tokens are NAME1, NAME2, …; it ends with the one whose number is Legs, which is the
// server's if the number is even. Its signature of x is NAME(x).
type Fake struct {
	Name         string
	Legs         int
	Sends, Needs bool // MICs
	Ticket       bool

	OIDs  []asn1.ObjectIdentifier
	After int // calls of afterMICs
	leg   int
}

func (f *Fake) Type() rpc.AuthType            { return rpc.AuthNegotiate }
func (f *Fake) Protector() rpc.Protector      { return fakeProtector(f.Name) }
func (f *Fake) Mutual() bool                  { return false }
func (f *Fake) SessionKey() []byte            { return []byte(f.Name) }
func (f *Fake) ByTicket() bool                { return f.Ticket }
func (f *Fake) oids() []asn1.ObjectIdentifier { return f.OIDs }
func (f *Fake) sendsMIC() bool                { return f.Sends }
func (f *Fake) needsMIC() bool                { return f.Needs }
func (f *Fake) afterMICs() error              { f.After++; return nil }

func (f *Fake) Step(token []byte) (out []byte, complete bool, err error) {
	if f.leg > 0 {
		if f.leg++; string(token) != fmt.Sprint(f.Name, f.leg) {
			return nil, false, fmt.Errorf("token %q instead of %s%d", token, f.Name, f.leg)
		}
	}
	if f.leg < f.Legs {
		f.leg++
		out = fmt.Append(nil, f.Name, f.leg)
	}
	return out, f.leg >= f.Legs, nil
}

type fakeProtector string

func (p fakeProtector) SignatureSize(bool) int { return 0 }

func (p fakeProtector) Wrap(m *rpc.Message) ([]byte, error) {
	return fmt.Appendf(nil, "%s(%x)", string(p), m.Body), nil
}

func (p fakeProtector) Unwrap(m *rpc.Message, signature []byte) error {
	if want, _ := p.Wrap(m); string(want) != string(signature) {
		return errors.New("wrong signature")
	}
	return nil
}
