package kdctest

import (
	"errors"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/keytab"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/adcskit/adcskit/internal/krb5"
)

// Acceptor is the server's side of one security context, for tests of clients that look at what they get.
type Acceptor struct {
	Keytab []byte
	// Subkey is the acceptor's own; the zero value sends none.
	Subkey types.EncryptionKey
	// Tamper changes the part of the AP-REP before it is encrypted; nil leaves it.
	Tamper func(*messages.EncAPRepPart)

	Flags   uint32 // of the client's checksum
	Client  string
	Time    time.Time // of the client's authenticator
	Session *krb5.Session
	Key     types.EncryptionKey // of the session

	ticketKey types.EncryptionKey
	auth      types.Authenticator
}

// sequence is the number of the acceptor's first message. Its highest bit is set.
const sequence = 1<<31 + 5

// Accept takes an AP-REQ, without a frame, and returns the AP-REP.
func (a *Acceptor) Accept(apReq []byte) ([]byte, error) {
	keys := new(keytab.Keytab)
	if err := keys.Unmarshal(a.Keytab); err != nil {
		return nil, err
	}
	var ap messages.APReq
	if err := ap.Unmarshal(apReq); err != nil {
		return nil, err
	}
	if ok, err := ap.Verify(keys, 5*time.Minute, types.HostAddress{}, nil); !ok || err != nil {
		return nil, errors.Join(errors.New("AP-REQ is refused"), err)
	}
	a.ticketKey, a.auth = ap.Ticket.DecryptedEncPart.Key, ap.Authenticator
	sum := a.auth.Cksum
	if sum.CksumType != 0x8003 || len(sum.Checksum) < 24 || ap.APOptions.At(2) != 1 {
		return nil, errors.New("AP-REQ without GSS-API's checksum or the option for mutual authentication")
	}
	a.Time = a.auth.CTime.Add(time.Duration(a.auth.Cusec) * time.Microsecond)
	a.Flags = uint32(sum.Checksum[20]) | uint32(sum.Checksum[21])<<8
	a.Client = ap.Ticket.DecryptedEncPart.CName.PrincipalNameString() + "@" + ap.Ticket.DecryptedEncPart.CRealm
	return a.reply()
}

func (a *Acceptor) reply() ([]byte, error) {
	part := messages.EncAPRepPart{CTime: a.auth.CTime, Cusec: a.auth.Cusec, Subkey: a.Subkey, SequenceNumber: sequence}
	a.Key = a.auth.SubKey
	if a.Subkey.KeyType != 0 {
		a.Key = a.Subkey
	}
	if a.Tamper != nil {
		a.Tamper(&part)
	}
	session, err := krb5.NewSession(krb5.SessionConfig{
		Key: a.Key, AcceptorSubkey: a.Subkey.KeyType != 0, Acceptor: true, Send: sequence, Receive: uint32(a.auth.SeqNumber),
	})
	if a.Session = session; err != nil && a.Tamper == nil {
		return nil, err
	}
	rep, err := messages.NewAPRep(a.ticketKey, part)
	if err != nil {
		return nil, err
	}
	return rep.Marshal()
}

// Third verifies the client's AP-REP of the DCE style.
func (a *Acceptor) Third(apRep []byte) error {
	var rep messages.APRep
	if err := rep.Unmarshal(apRep); err != nil {
		return err
	}
	if err := rep.DecryptEncPart(a.ticketKey); err != nil {
		return err
	}
	p := rep.DecryptedEncPart
	if !p.CTime.Equal(a.auth.CTime) || p.Cusec != a.auth.Cusec || uint32(p.SequenceNumber) != sequence ||
		p.Subkey.KeyType != 0 {
		return errors.New("third leg is of another exchange")
	}
	return nil
}

// NewKey is a random key.
func NewKey(etype int32) (types.EncryptionKey, error) {
	et, err := crypto.GetEtype(etype)
	if err != nil {
		return types.EncryptionKey{}, err
	}
	return types.GenerateEncryptionKey(et)
}
