package krb5

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/msgtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/patype"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/adcskit/adcskit/internal/rpc"
)

// granting gets tickets for services with a ticket-granting one (RFC 4120 section 3.3).
type granting struct {
	network *network
	cfg     *Config
	now     func() time.Time
}

// tgsReasons are those of a KDC about somebody whom it has let in before: policy is then about the service, and a
// ticket that it cannot open any more has to be replaced by a new one. The map is never written to.
var tgsReasons = func() map[int32]Reason {
	m := maps.Clone(kdcReasons)
	delete(m, errorcode.KDC_ERR_POLICY)
	m[errorcode.KRB_AP_ERR_BAD_INTEGRITY] = ReasonExpired
	m[errorcode.KRB_AP_ERR_MODIFIED] = ReasonExpired
	return m
}()

// run gets a ticket for a service. It follows referrals to other realms (RFC 6806 section 8); when the KDC has none,
// but krb5.conf knows the realm of the host, it goes there.
func (g *granting) run(ctx context.Context, tgt *Ticket, spn, realm string) (*Ticket, error) {
	home, _ := tgt.Service.referral()
	t, err := g.follow(ctx, tgt, spn)
	if ReasonOf(err) != ReasonService || realm == "" || realm == home {
		return t, err
	}
	cross, other := g.exchange(ctx, tgt, ticketGranting(realm, home))
	if other != nil {
		return nil, errors.Join(err, other)
	}
	return g.follow(ctx, cross, spn)
}

func (g *granting) follow(ctx context.Context, tgt *Ticket, spn string) (*Ticket, error) {
	for range maxHops {
		realm, ok := tgt.Service.referral()
		if !ok {
			break
		}
		t, err := g.exchange(ctx, tgt, service(spn, realm))
		if err != nil {
			return nil, err
		}
		if _, ok := t.Service.referral(); !ok {
			return t, nil
		}
		tgt = t
	}
	return nil, fail(ReasonRealm, "the KDCs refer %s from one to the other", spn)
}

// exchange asks for one ticket at the realm that tgt is for.
func (g *granting) exchange(ctx context.Context, tgt *Ticket, wanted Principal) (t *Ticket, err error) {
	realm, _ := tgt.Service.referral()
	req := &messages.TGSReq{KDCReqFields: kdcRequest(msgtype.KRB_TGS_REQ, realm, wanted, g.cfg.etypes, true)}
	if err := rpc.Guard(func() error { return g.authenticate(req, tgt) }); err != nil {
		return nil, err
	}
	b, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	answer, err := g.network.exchange(ctx, g.cfg, realm, b)
	if err != nil {
		return nil, err
	}
	err = rpc.Guard(func() (e error) { t, e = g.answer(answer, tgt, req, wanted); return e })
	return t, err
}

// authenticate adds the AP-REQ with the checksum of the body. gokrb5's has the realm of the ticket in the place of the
// client's.
func (g *granting) authenticate(req *messages.TGSReq, tgt *Ticket) error {
	body, err := req.ReqBody.Marshal()
	if err != nil {
		return err
	}
	et, err := crypto.GetEtype(tgt.Key.KeyType)
	if err != nil {
		return err
	}
	sum, err := et.GetChecksumHash(tgt.Key.KeyValue, body, keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR_CHKSUM)
	if err != nil {
		return err
	}
	auth := authenticator(tgt.Client, g.now())
	auth.Cksum = types.Checksum{CksumType: et.GetHashID(), Checksum: sum}
	ap, err := messages.NewAPReq(tgt.Ticket, tgt.Key, auth)
	if err != nil {
		return err
	}
	b, err := ap.Marshal()
	req.PAData = types.PADataSequence{{PADataType: patype.PA_TGS_REQ, PADataValue: b}}
	return err
}

// answer verifies a TGS-REP (RFC 4120 section 3.3.4).
func (g *granting) answer(b []byte, tgt *Ticket, req *messages.TGSReq, wanted Principal) (*Ticket, error) {
	switch b[0] {
	case krbErrorTag:
		e, err := parseError(b)
		if err != nil {
			return nil, err
		}
		return nil, krbError(e, tgsReasons, "KDC of "+printable(req.ReqBody.Realm)+" about "+wanted.String(), g.now())
	case tgsReplyTag:
	default:
		return nil, malformed("answer of a KDC")
	}
	var rep messages.TGSRep
	if err := rep.Unmarshal(b); err != nil {
		return nil, malformed("TGS-REP")
	}
	if rep.EncPart.EType != tgt.Key.KeyType || len(rep.EncPart.Cipher) < minCipher {
		return nil, malformed("encryption of a TGS-REP")
	}
	if err := rep.DecryptEncPart(tgt.Key); err != nil {
		return nil, fmt.Errorf("krb5: %w: TGS-REP is not from who knows the session key", rpc.ErrIntegrity)
	}
	client, err := named(rep.CName, rep.CRealm)
	if err != nil || !client.equal(tgt.Client) {
		return nil, malformed("the KDC has a ticket for somebody else")
	}
	return accept(&rep.KDCRepFields, req.ReqBody.Nonce, tgt.Client)
}
