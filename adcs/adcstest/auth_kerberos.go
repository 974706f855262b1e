package adcstest

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/etypeID"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/internal/krb5"
	"github.com/adcskit/adcskit/internal/rpc"
)

// The Kerberos acceptor (RFC 4120 section 3.2, RFC 4121 section 4.1, MS-KILE section 3.4). It is our own: go-msrpc's
// does not repeat the client's time in its AP-REP, which others take for a failed mutual authentication, and does not
// choose a key of its own.

// Flags of the authenticator's checksum (RFC 4121 section 4.1.1.1, MS-KILE section 3.2.5.2).
const (
	gssMutual   = 0x02
	gssReplay   = 0x04
	gssSequence = 0x08
	gssConf     = 0x10
	gssInteg    = 0x20
	gssDCEStyle = 0x1000
)

// gssChecksum is the type of the checksum that holds them, and gssChecksumSize its least size in bytes.
const (
	gssChecksum     = 0x8003
	gssChecksumSize = 24
)

// The token ids of RFC 4121 section 4.1.
const (
	tokAPReq = "\x01\x00"
	tokAPRep = "\x02\x00"
	tokError = "\x03\x00"
)

// The tags of APPLICATION 14 (AP-REQ) and 15 (AP-REP).
const (
	tagAPReq = cbasn1.Tag(0x6e)
	tagAPRep = cbasn1.Tag(0x6f)
)

// protocolVersion is Kerberos 5.
const protocolVersion = 5

// maxSubsecond bounds the microseconds of a time.
const maxSubsecond = 999_999

// kerberosAcceptor accepts one Kerberos security context. It is used by one goroutine.
type kerberosAcceptor struct {
	*kerberos
	framed  bool // the AP-REQ had GSS-API's frame around it
	retried bool // the client was told of our clock already
	request *messages.APReq
	flags   uint32
	seq     uint32 // of our first message
	who     User
	session *krb5.Session
}

// accept implements [acceptor]: it takes the AP-REQ and, in DCE style, the client's AP-REP.
func (k *kerberosAcceptor) accept(token []byte) (reply []byte, done bool, err error) {
	if k.request != nil {
		return nil, true, k.thirdLeg(token)
	}
	apReq, err := k.unframe(token)
	if err != nil {
		return nil, false, err
	}
	req := &messages.APReq{}
	if err := guard(func() error { return req.Unmarshal(apReq) }); err != nil || len(req.Ticket.SName.NameString) == 0 {
		return nil, false, errToken
	}
	if code := k.verify(req); code != 0 {
		reply, err = k.refuse(req, code)
		return reply, false, err
	}
	ticket := &req.Ticket.DecryptedEncPart
	var ok bool
	if k.who, ok = k.account(ticket.CRealm, ticket.CName.PrincipalNameString()); !ok {
		return nil, false, errLogon // Kerberos is fine with it: nothing to be told in its terms
	}
	k.request = req
	if reply, err = k.establish(); err != nil {
		return nil, false, err
	}
	return reply, k.flags&gssDCEStyle == 0, nil
}

// logon implements [acceptor].
func (k *kerberosAcceptor) logon() logon {
	who := k.accounts.caller(k.who)
	if who.sid == "" {
		who.sid = pacSID(k.request.Ticket.DecryptedEncPart.AuthorizationData)
	}
	return logon{
		who: who, protector: k.session,
		canSign: k.flags&(gssInteg|gssConf|gssReplay|gssSequence) != 0, canSeal: k.flags&gssConf != 0,
	}
}

// unframe finds the AP-REQ of a first token. In DCE style it has no frame (MS-KILE section 3.4.5.1), but some frame it.
func (k *kerberosAcceptor) unframe(token []byte) ([]byte, error) {
	k.framed = false
	if oid, rest, ok := gssFrame(token); ok {
		if !oid.Equal(rpc.OIDKerberos()) || len(rest) < 2 || string(rest[:2]) != tokAPReq {
			return nil, errToken
		}
		token, k.framed = rest[2:], true
	}
	if !isElement(token, tagAPReq) {
		return nil, errToken
	}
	return token, nil
}

// isElement reports whether b is one element with this tag and no more.
func isElement(b []byte, tag cbasn1.Tag) bool {
	s := cryptobyte.String(b)
	return s.SkipASN1(tag) && s.Empty()
}

// startsKerberos reports whether a token is the first of Kerberos, without SPNEGO around it.
func startsKerberos(token []byte) bool {
	if oid, rest, ok := gssFrame(token); ok {
		return oid.Equal(rpc.OIDKerberos()) && len(rest) >= 2 && string(rest[:2]) == tokAPReq
	}
	return isElement(token, tagAPReq)
}

// verify checks of an AP-REQ what RFC 4120 section 3.2.3 wants checked, in its order. It returns the error code for the
// client, or 0.
func (k *kerberosAcceptor) verify(req *messages.APReq) int32 {
	if req.PVNO != protocolVersion || req.Ticket.TktVNO != protocolVersion {
		return errorcode.KRB_AP_ERR_BADVERSION
	}
	if code := k.openTicket(req); code != 0 {
		return code
	}
	ticket := &req.Ticket.DecryptedEncPart
	if err := guard(func() error { return req.DecryptAuthenticator(ticket.Key) }); err != nil {
		return errorcode.KRB_AP_ERR_BAD_INTEGRITY
	}
	if !req.Authenticator.CName.Equal(ticket.CName) || req.Authenticator.CRealm != ticket.CRealm {
		return errorcode.KRB_AP_ERR_BADMATCH
	}
	if code := checkTimes(req, k.now()); code != 0 {
		return code
	}
	if !k.readChecksum(req) {
		return errorcode.KRB_AP_ERR_INAPP_CKSUM
	}
	if !k.replays.first(req.EncryptedAuthenticator.Cipher, k.now()) {
		return errorcode.KRB_AP_ERR_REPEAT
	}
	return 0
}

// openTicket decrypts the ticket with the first key that fits. Its name and the version of the key are not looked at:
// a service of Windows goes by its account's keys, the one before the last change of the password included.
func (k *kerberosAcceptor) openTicket(req *messages.APReq) int32 {
	if req.APOptions.At(flags.APOptionUseSessionKey) != 0 {
		return errorcode.KRB_AP_ERR_NOKEY // user to user: there is no ticket of ours whose key it could be
	}
	code := errorcode.KRB_AP_ERR_NOKEY
	for _, key := range k.keys {
		if key.KeyType != req.Ticket.EncPart.EType {
			continue
		}
		code = errorcode.KRB_AP_ERR_MODIFIED
		if guard(func() error { return req.Ticket.Decrypt(key.EncryptionKey) }) != nil {
			continue
		}
		session := req.Ticket.DecryptedEncPart.Key
		if size := keySizes()[session.KeyType]; size == 0 || len(session.KeyValue) != size {
			return errorcode.KDC_ERR_ETYPE_NOSUPP
		}
		return 0
	}
	return code
}

// checkTimes checks the time of the authenticator and the lifetime of the ticket.
func checkTimes(req *messages.APReq, now time.Time) int32 {
	t, a := req.Ticket.DecryptedEncPart, req.Authenticator
	start := t.StartTime
	if start.IsZero() {
		start = t.AuthTime
	}
	if a.Cusec < 0 || a.Cusec > maxSubsecond {
		return errorcode.KRB_AP_ERR_BAD_INTEGRITY
	}
	skew := now.Sub(a.CTime.Add(time.Duration(a.Cusec) * time.Microsecond))
	switch {
	case skew > maxSkew || skew < -maxSkew:
		return errorcode.KRB_AP_ERR_SKEW
	case start.Sub(now) > maxSkew || t.Flags.At(flags.Invalid) != 0:
		return errorcode.KRB_AP_ERR_TKT_NYV
	case now.Sub(t.EndTime) > maxSkew:
		return errorcode.KRB_AP_ERR_TKT_EXPIRED
	}
	return 0
}

// readChecksum takes the flags from the authenticator's checksum. Channel bindings are not looked at, as there is no
// channel that they could be bound to; nor are credentials for delegation.
func (k *kerberosAcceptor) readChecksum(req *messages.APReq) bool {
	sum := req.Authenticator.Cksum
	if sum.CksumType != gssChecksum || len(sum.Checksum) < gssChecksumSize ||
		binary.LittleEndian.Uint32(sum.Checksum) != 16 {
		return false
	}
	k.flags = binary.LittleEndian.Uint32(sum.Checksum[20:])
	if req.APOptions.At(flags.APOptionMutualRequired) != 0 || k.flags&gssDCEStyle != 0 {
		k.flags |= gssMutual
	}
	return true
}

// establish makes the session and the AP-REP, which is nil if the client asked for no proof of the server.
func (k *kerberosAcceptor) establish() ([]byte, error) {
	a := &k.request.Authenticator
	ticketKey := k.request.Ticket.DecryptedEncPart.Key
	c := krb5.SessionConfig{
		Key: ticketKey, Acceptor: true, NoFiller: k.flags&gssDCEStyle == 0,
		Send: uint32(a.SeqNumber), Receive: uint32(a.SeqNumber),
	}
	if size, ok := keySizes()[a.SubKey.KeyType]; ok && size == len(a.SubKey.KeyValue) {
		c.Key = a.SubKey
	} else if a.SubKey.KeyType != 0 || len(a.SubKey.KeyValue) > 0 {
		return nil, errToken
	}
	var reply []byte
	if k.flags&gssMutual != 0 {
		// Positive in 32 bits and not 0: older stacks read it with a sign, and 0 is left out by some.
		k.seq = 1 + rand.Uint32N(1<<30-1)
		c.Send = k.seq
		// With RC4 and without DCE style, some initiators go by the server's key and some by their own: it is the same one.
		if c.Key.KeyType != etypeID.RC4_HMAC || k.flags&gssDCEStyle != 0 {
			c.Key, c.AcceptorSubkey = newKey(ticketKey.KeyType), true
		}
		var err error
		if reply, err = k.apRep(ticketKey, c.Key); err != nil {
			return nil, err
		}
	}
	var err error
	k.session, err = krb5.NewSession(c)
	return reply, err
}

// apRep is the AP-REP. The client recognizes its own time in it (RFC 4120 section 3.2.4).
func (k *kerberosAcceptor) apRep(key, subkey types.EncryptionKey) (reply []byte, err error) {
	a := &k.request.Authenticator
	err = guard(func() error {
		m, err := messages.NewAPRep(key, messages.EncAPRepPart{
			CTime: a.CTime, Cusec: a.Cusec, Subkey: subkey, SequenceNumber: int64(k.seq),
		})
		if err != nil {
			return err
		}
		reply, err = m.Marshal()
		return err
	})
	if k.flags&gssDCEStyle == 0 {
		reply = appendFrame(tokAPRep, reply)
	}
	return reply, err
}

// appendFrame puts GSS-API's frame around a Kerberos message (RFC 4121 section 4.1).
func appendFrame(tokenID string, message []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(0x60), func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(rpc.OIDKerberos())
		b.AddBytes([]byte(tokenID))
		b.AddBytes(message)
	})
	return b.BytesOrPanic() // it fails for sizes only that no PDU has
}

// thirdLeg checks the client's AP-REP of the DCE style: it knows our sequence number (MS-KILE section 3.4.5.1).
func (k *kerberosAcceptor) thirdLeg(token []byte) error {
	if !isElement(token, tagAPRep) {
		return errToken
	}
	key := k.request.Ticket.DecryptedEncPart.Key
	part := messages.EncAPRepPart{}
	err := guard(func() error {
		m := messages.APRep{}
		if err := m.Unmarshal(token); err != nil {
			return err
		}
		b, err := crypto.DecryptEncPart(m.EncPart, key, keyusage.AP_REP_ENCPART)
		if err != nil {
			return err
		}
		return part.Unmarshal(b)
	})
	if err != nil || uint32(part.SequenceNumber) != k.seq {
		return errLogon
	}
	return nil
}
