package adcstest

import (
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/msgtype"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// refuse is the KRB-ERROR that tells the client why (RFC 4120 section 5.9.1). The logon has failed with it, with one
// exception: a client whose clock is wrong may correct it by the time of the error and try once more.
func (k *kerberosAcceptor) refuse(req *messages.APReq, code int32) ([]byte, error) {
	now := k.now().UTC()
	m := messages.KRBError{
		PVNO: protocolVersion, MsgType: msgtype.KRB_ERROR, STime: now.Truncate(time.Second), Susec: now.Nanosecond() / 1000, ErrorCode: code,
		Realm: k.realm, SName: req.Ticket.SName,
	}
	if code == errorcode.KRB_AP_ERR_SKEW {
		m.EData = skewRecovery()
	}
	var b []byte
	if err := guard(func() (err error) { b, err = m.Marshal(); return err }); err != nil {
		return nil, errLogon
	}
	if k.framed {
		b = appendFrame(tokError, b)
	}
	if code == errorcode.KRB_AP_ERR_SKEW && !k.retried {
		k.retried = true
		return b, nil
	}
	return b, errLogon
}

// skewRecovery is the KERB-ERROR-DATA that invites the client to correct its clock: KERB_AP_ERR_TYPE_SKEW_RECOVERY
// (MS-KILE section 2.2.2).
func skewRecovery() []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
	})
	return b.BytesOrPanic()
}
