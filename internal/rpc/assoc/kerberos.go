package assoc

import (
	"encoding/asn1"
	"fmt"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
)

// kerberos is a security context of Kerberos, by itself (authentication type 16) or inside of SPNEGO.
type kerberos struct{ *krb5.Initiator }

// Kerberos authenticates with a ticket. For DCE/RPC the context has to be in DCE style, for SMB not.
func Kerberos(i *krb5.Initiator) Mechanism { return kerberos{i} }

func (kerberos) Type() rpc.AuthType { return rpc.AuthKerberos }
func (kerberos) ByTicket() bool     { return true }

// oids has the truncated number first, as Windows does: there are servers that know no other.
func (kerberos) oids() []asn1.ObjectIdentifier {
	return []asn1.ObjectIdentifier{rpc.OIDMSKerberos(), rpc.OIDKerberos()}
}

func (k kerberos) sendsMIC() bool { return k.Modern() }
func (kerberos) needsMIC() bool   { return false }
func (kerberos) afterMICs() error { return nil }

// refusal is what the refusal of a server means, which has seen the tokens of m: a ticket was issued by the KDC, so
// that the password was right, and nothing is wrong with the credential that could lock it.
func refusal(m Initiator, err error) error {
	if m.ByTicket() {
		if krb5.ReasonOf(err) != "" {
			return err
		}
		return &krb5.Error{Reason: krb5.ReasonServiceTicket, Err: err}
	}
	return fmt.Errorf("%w (%v)", ErrLogon, err)
}
