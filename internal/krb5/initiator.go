package krb5

import (
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Ticket is what a client shows to a service.
type Ticket struct {
	Client  Principal
	Service Principal
	Ticket  messages.Ticket
	Key     types.EncryptionKey // the session key
	Start   time.Time
	End     time.Time
}

// The flags of the checksum of an authenticator (RFC 4121 section 4.1.1.1, MS-KILE section 3.2.5.2).
const (
	gssMutual          = 0x02
	gssReplay          = 0x04
	gssSequence        = 0x08
	gssConfidentiality = 0x10
	gssIntegrity       = 0x20
	gssDCEStyle        = 0x1000

	gssChecksumType = 0x8003
	gssChecksumSize = 24
)

// The token identifiers of RFC 4121 section 4.1.
const (
	tokenAPReq = 0x0100
	tokenAPRep = 0x0200
	tokenError = 0x0300
)

// apReply is the tag of an AP-REP, APPLICATION 15, and apError that of a KRB-ERROR, APPLICATION 30.
const (
	apReply = 0x6f
	apError = 0x7e
)

// Initiator is the client's side of one security context: AP-REQ and AP-REP, always with mutual authentication, and in
// DCE style a third leg, an AP-REP back, without GSS-API's frame around any of them (RFC 4121, MS-KILE section
// 3.4.5.1). DCE/RPC takes the DCE style, SMB the other. It is for one goroutine and one connection.
type Initiator struct {
	ticket *Ticket
	dce    bool
	now    func() time.Time

	step    int
	sent    types.Authenticator
	session *Session
	key     types.EncryptionKey
}

// NewInitiator begins a security context with the service of a ticket.
func NewInitiator(t *Ticket, dce bool, now func() time.Time) *Initiator {
	return &Initiator{ticket: t, dce: dce, now: now}
}

// Step takes the server's token, nil at first, and returns the next one to send. Complete says that no token is awaited
// any more. A KRB-ERROR of the server is an *[Error].
func (i *Initiator) Step(token []byte) (out []byte, complete bool, err error) {
	i.step++
	switch i.step {
	case 1:
		err = rpc.Guard(func() (e error) { out, e = i.request(); return e })
		return out, false, err
	case 2:
		err = rpc.Guard(func() (e error) { out, e = i.reply(token); return e })
		return out, err == nil, err
	}
	return nil, false, errors.New("krb5: a security context has two or three tokens")
}

// Protector protects messages once Step has said complete.
func (i *Initiator) Protector() rpc.Protector { return i.session }

// Mutual is true: there is no complete context without the server's proof that it knows the key.
func (i *Initiator) Mutual() bool { return true }

// SessionKey is the key of the context once Step has said complete: the acceptor's subkey, or else the initiator's.
func (i *Initiator) SessionKey() []byte { return i.key.KeyValue }

// Modern reports whether the context protects messages with AES. Partners of older encryption types are not used to
// MICs in SPNEGO where it can do without (MS-SPNG section 3.1.5.1, as Samba has it).
func (i *Initiator) Modern() bool { return isAES(i.ticket.Key.KeyType) }

// request makes the AP-REQ.
func (i *Initiator) request() ([]byte, error) {
	et, err := crypto.GetEtype(i.ticket.Key.KeyType)
	if err != nil || !supported(i.ticket.Key) {
		return nil, fail(ReasonEncryption, "session key of type %d", i.ticket.Key.KeyType)
	}
	subkey, err := types.GenerateEncryptionKey(et)
	if err != nil {
		return nil, err
	}
	i.sent = authenticator(i.ticket.Client, i.now())
	i.sent.SubKey = subkey
	i.sent.Cksum = types.Checksum{CksumType: gssChecksumType, Checksum: i.checksum()}
	req, err := messages.NewAPReq(i.ticket.Ticket, i.ticket.Key, i.sent)
	if err != nil {
		return nil, err
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	b, err := req.Marshal()
	if err != nil || i.dce {
		return b, err
	}
	return frameToken(tokenAPReq, b)
}

// authenticator is a new authenticator, with a sequence number of 30 bits: some peers take those with the highest bit
// for negative numbers.
func authenticator(client Principal, now time.Time) types.Authenticator {
	var seq [4]byte
	_, _ = rand.Read(seq[:]) // it never fails
	now = now.UTC()
	return types.Authenticator{
		AVNO: iana.PVNO, CRealm: client.Realm, CName: client.name(),
		CTime: now.Truncate(time.Second), Cusec: now.Nanosecond() / int(time.Microsecond),
		SeqNumber: int64(binary.BigEndian.Uint32(seq[:])&0x3fffffff) | 1,
	}
}

// checksum is the checksum of RFC 4121 section 4.1.1: no channel bindings, and what the context is to be capable of.
func (i *Initiator) checksum() []byte {
	f := uint32(gssMutual | gssReplay | gssSequence | gssConfidentiality | gssIntegrity)
	if i.dce {
		f |= gssDCEStyle
	}
	b := make([]byte, gssChecksumSize)
	binary.LittleEndian.PutUint32(b, 16) // size of the channel bindings, all zero
	binary.LittleEndian.PutUint32(b[20:], f)
	return b
}

// reply verifies the AP-REP, and makes the one that goes back in DCE style.
func (i *Initiator) reply(token []byte) ([]byte, error) {
	b, err := i.unframe(token)
	if err != nil {
		return nil, err
	}
	if b[0] == apError {
		var e messages.KRBError
		if err := e.Unmarshal(b); err != nil {
			return nil, malformed("KRB-ERROR of the server")
		}
		return nil, krbError(&e, serverReasons, i.ticket.Service.String(), i.now())
	}
	part, err := openReply(b, i.ticket.Key)
	if err != nil {
		return nil, err
	}
	if !part.CTime.Equal(i.sent.CTime) || part.Cusec != i.sent.Cusec {
		return nil, fmt.Errorf("krb5: %w: AP-REP answers another AP-REQ", rpc.ErrIntegrity)
	}
	if err := i.establish(part); err != nil || !i.dce {
		return nil, err
	}
	return i.third(part)
}

// openReply decrypts an AP-REP.
func openReply(b []byte, key types.EncryptionKey) (*messages.EncAPRepPart, error) {
	var rep messages.APRep
	if err := rep.Unmarshal(b); err != nil {
		return nil, malformed("AP-REP")
	}
	if rep.EncPart.EType != key.KeyType || len(rep.EncPart.Cipher) < minCipher {
		return nil, malformed("encryption of an AP-REP")
	}
	if err := rep.DecryptEncPart(key); err != nil {
		// Only who could open the ticket has the key.
		return nil, fmt.Errorf("krb5: %w: AP-REP is not from who can open the ticket", rpc.ErrIntegrity)
	}
	return &rep.DecryptedEncPart, nil
}

// establish makes the session.
func (i *Initiator) establish(part *messages.EncAPRepPart) (err error) {
	i.key = i.sent.SubKey
	theirs := part.Subkey.KeyType != 0 || len(part.Subkey.KeyValue) > 0
	if theirs {
		i.key = part.Subkey
	}
	i.session, err = NewSession(SessionConfig{
		Key: i.key, AcceptorSubkey: theirs,
		// Some servers encode numbers with the highest bit as negative ones.
		Send: uint32(i.sent.SeqNumber), Receive: uint32(part.SequenceNumber),
	})
	if err != nil {
		return &Error{Reason: ReasonEncryption, Err: err}
	}
	return nil
}

// third is the AP-REP back: the time of our authenticator, and the sequence number of the server (MS-KILE section
// 3.4.5.1, as MIT and Heimdal have it).
func (i *Initiator) third(part *messages.EncAPRepPart) ([]byte, error) {
	rep, err := messages.NewAPRep(i.ticket.Key, messages.EncAPRepPart{
		CTime: i.sent.CTime, Cusec: i.sent.Cusec, SequenceNumber: part.SequenceNumber,
	})
	if err != nil {
		return nil, err
	}
	return rep.Marshal()
}

// unframe takes GSS-API's frame away, which tokens have unless they are in DCE style. Errors come with a frame or
// without one, whatever the style.
func (i *Initiator) unframe(token []byte) ([]byte, error) {
	switch {
	case len(token) == 0 || len(token) > maxToken:
		return nil, malformed("token of %d bytes", len(token))
	case token[0] == apError || token[0] == apReply && i.dce:
		return token, nil
	}
	s := cryptobyte.String(token)
	var frame cryptobyte.String
	var oid asn1.ObjectIdentifier
	var id uint16
	if !s.ReadASN1(&frame, cbasn1.Tag(0x60)) || !s.Empty() || !frame.ReadASN1ObjectIdentifier(&oid) ||
		!oid.Equal(rpc.OIDKerberos()) && !oid.Equal(rpc.OIDMSKerberos()) || !frame.ReadUint16(&id) || frame.Empty() {
		return nil, malformed("token of the server")
	}
	if id == tokenError && frame[0] == apError || id == tokenAPRep && frame[0] == apReply && !i.dce {
		return frame, nil
	}
	return nil, malformed("token %#04x of the server", id)
}

// frameToken puts GSS-API's frame around a first token (RFC 4121 section 4.1).
func frameToken(id uint16, inner []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(0x60), func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(rpc.OIDKerberos())
		b.AddUint16(id)
		b.AddBytes(inner)
	})
	return b.Bytes()
}
