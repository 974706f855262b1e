package krb5

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/flags"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
)

// till is the end that is asked for of every ticket, which the KDC cuts down: the one that Windows sends. It does not
// depend on a clock that may be wrong.
func till() time.Time { return time.Date(2037, 9, 13, 2, 48, 5, 0, time.UTC) }

// kdcRequest is what AS-REQ and TGS-REQ have in common.
func kdcRequest(messageType int, realm string, service Principal, etypes []int32, canonicalize bool) messages.KDCReqFields {
	var nonce [4]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	options := types.NewKrbFlags()
	if canonicalize {
		types.SetFlag(&options, flags.Canonicalize)
	}
	return messages.KDCReqFields{
		PVNO: iana.PVNO, MsgType: messageType,
		ReqBody: messages.KDCReqBody{
			KDCOptions: options, Realm: realm, SName: service.name(), Till: till(), EType: etypes,
			Nonce: int(binary.BigEndian.Uint32(nonce[:])&0x7fffffff) | 1,
		},
	}
}

// maxSkew is how much clocks may differ (RFC 4120 section 8.2).
const maxSkew = 5 * time.Minute

// krbErrorTag, asReplyTag and tgsReplyTag are the first bytes of what a KDC answers.
const (
	krbErrorTag = 0x7e
	asReplyTag  = 0x6b
	tgsReplyTag = 0x6d
)

// parseError decodes a KRB-ERROR.
func parseError(b []byte) (*messages.KRBError, error) {
	e := &messages.KRBError{}
	if err := e.Unmarshal(b); err != nil {
		return nil, malformed("KRB-ERROR of the KDC")
	}
	return e, nil
}

// accept checks what AS-REP and TGS-REP have in common and makes the ticket.
func accept(rep *messages.KDCRepFields, nonce int, client Principal) (*Ticket, error) {
	part := &rep.DecryptedEncPart
	service, err := named(part.SName, part.SRealm)
	if err != nil {
		return nil, err
	}
	said, err := named(rep.Ticket.SName, rep.Ticket.Realm)
	switch {
	case err != nil:
		return nil, err
	case part.Nonce != nonce:
		return nil, malformed("the KDC answers another request")
	case !said.equal(service):
		return nil, malformed("the KDC's ticket for %s is called one for %s", service, said)
	case !supported(part.Key):
		return nil, fail(ReasonEncryption, "the KDC made a session key of type %d", part.Key.KeyType)
	case part.EndTime.IsZero():
		return nil, malformed("ticket without an end")
	}
	start := part.StartTime
	if start.IsZero() {
		start = part.AuthTime
	}
	return &Ticket{
		Client: client, Service: service, Ticket: rep.Ticket, Key: part.Key, Start: start, End: part.EndTime,
	}, nil
}

// usable reports whether a ticket is good for a while yet. A ticket that ends in a moment may have ended when it
// arrives.
func (t *Ticket) usable(now time.Time) bool {
	margin := min(2*time.Minute, t.End.Sub(t.Start)/4)
	return now.Before(t.End.Add(-margin)) && !now.Before(t.Start.Add(-maxSkew))
}
