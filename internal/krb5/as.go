package krb5

import (
	"context"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/msgtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/nametype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/patype"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"

	"github.com/adcskit/adcskit/internal/rpc"
)

// logon is one AS exchange: it gets a ticket-granting ticket for a secret (RFC 4120 section 3.1).
type logon struct {
	network *network
	cfg     *Config
	secret  Secret
	now     func() time.Time

	client Principal
	etypes []int32
	key    *types.EncryptionKey // that the timestamp was encrypted with; nil before
	info   types.ETypeInfo2     // what the KDC said about salts
}

// maxHops bounds the realms that a logon or a ticket is sent through.
const maxHops = 8

// run does it. The secret is tried once: what the KDC refuses is not repeated, with this key or another.
func (l *logon) run(ctx context.Context, client Principal) (*Ticket, error) {
	l.client = client
	for range maxHops {
		ours, err := l.secret.types(client)
		if err != nil {
			return nil, err
		}
		l.etypes = slices.DeleteFunc(slices.Clone(l.cfg.etypes), func(t int32) bool { return !slices.Contains(ours, t) })
		if len(l.etypes) == 0 {
			return nil, fail(ReasonEncryption, "krb5.conf permits no encryption type that there is a key of")
		}
		t, realm, err := l.realm(ctx)
		if t != nil || err != nil {
			return t, err
		}
		if realm == l.client.Realm {
			break
		}
		l.client.Realm = realm // RFC 6806 section 7
	}
	return nil, fail(ReasonRealm, "the KDCs refer %s from one to the other", client)
}

// realm asks the KDC of the client's realm, which may refer to another one.
func (l *logon) realm(ctx context.Context) (t *Ticket, referral string, err error) {
	l.key, l.info = nil, nil
	for range 2 {
		req, err := l.request()
		if err != nil {
			return nil, "", err
		}
		b, err := req.Marshal()
		if err != nil {
			return nil, "", err
		}
		answer, err := l.network.exchange(ctx, l.cfg, l.client.Realm, b)
		if err != nil {
			return nil, "", err
		}
		var again bool
		err = rpc.Guard(func() (e error) { t, referral, again, e = l.answer(answer, req); return e })
		if err != nil || !again {
			return t, referral, err
		}
	}
	return nil, "", fail(ReasonOther, "the KDC asks for a proof of the password again and again")
}

func (l *logon) request() (*messages.ASReq, error) {
	req := &messages.ASReq{KDCReqFields: kdcRequest(msgtype.KRB_AS_REQ, l.client.Realm,
		ticketGranting(l.client.Realm, l.client.Realm), l.etypes, l.client.Type == nametype.KRB_NT_ENTERPRISE)}
	req.ReqBody.CName = l.client.name()
	if l.key == nil {
		return req, nil
	}
	now := l.now().UTC()
	stamp, err := asn1.Marshal(timestamp{now.Truncate(time.Second), now.Nanosecond() / int(time.Microsecond)})
	if err != nil {
		return nil, err
	}
	sealed, err := crypto.GetEncryptedData(stamp, *l.key, keyusage.AS_REQ_PA_ENC_TIMESTAMP, 0)
	if err != nil {
		return nil, err
	}
	b, err := sealed.Marshal()
	req.PAData = types.PADataSequence{{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: b}}
	return req, err
}

// timestamp is PA-ENC-TS-ENC (RFC 4120 section 5.2.7.2).
type timestamp struct {
	Time  time.Time `asn1:"generalized,explicit,tag:0"`
	Micro int       `asn1:"explicit,tag:1"`
}

// answer takes the KDC's answer. Again says that the proof of the password, which it asked for, is ready to be sent.
func (l *logon) answer(b []byte, req *messages.ASReq) (t *Ticket, referral string, again bool, err error) {
	switch b[0] {
	case asReplyTag:
		t, err = l.ticket(b, req)
		return t, "", false, err
	case krbErrorTag:
	default:
		return nil, "", false, malformed("answer of a KDC")
	}
	e, err := parseError(b)
	switch {
	case err != nil:
		return nil, "", false, err
	case e.ErrorCode == errorcode.KDC_ERR_PREAUTH_REQUIRED && l.key == nil:
		err = l.prepare(e)
		return nil, "", err == nil, err
	case e.ErrorCode == errorcode.KDC_ERR_WRONG_REALM && e.CRealm != "":
		return nil, e.CRealm, false, nil
	}
	failed := krbError(e, kdcReasons, "KDC of "+printable(l.client.Realm)+" about "+l.client.String(), l.now())
	if why := accountStatus(e.EData); why != "" {
		failed.Detail += "; " + why
	}
	return nil, "", false, failed
}

// prepare makes the key for the proof of the password.
func (l *logon) prepare(e *messages.KRBError) error {
	var methods types.PADataSequence
	if len(e.EData) > 0 {
		if err := methods.Unmarshal(e.EData); err != nil {
			return malformed("METHOD-DATA of a KDC")
		}
	}
	if err := l.salts(methods); err != nil {
		return err
	}
	etype := l.etypes[0]
	if len(l.info) > 0 {
		i := slices.IndexFunc(l.info, func(e types.ETypeInfo2Entry) bool { return slices.Contains(l.etypes, e.EType) })
		if i < 0 {
			return fail(ReasonEncryption, "the KDC has no key of %s of a type that is permitted and known here", l.client)
		}
		etype = l.info[i].EType
	}
	k, err := l.makeKey(etype)
	l.key = &k
	return err
}

// salts takes what the KDC says about the keys that it has (RFC 4120 section 5.2.7.5).
func (l *logon) salts(pas types.PADataSequence) error {
	for _, pa := range pas {
		if pa.PADataType == patype.PA_ETYPE_INFO2 {
			info, err := pa.GetETypeInfo2()
			if err != nil {
				return malformed("ETYPE-INFO2 of a KDC")
			}
			l.info = info
		}
	}
	return nil
}

func (l *logon) makeKey(etype int32) (types.EncryptionKey, error) {
	salt, params := "", []byte(nil)
	for _, e := range l.info {
		if e.EType == etype {
			salt, params = e.Salt, e.S2KParams
			break
		}
	}
	if salt == "" {
		salt = l.client.name().GetSalt(l.client.Realm)
	}
	return l.secret.key(l.client, etype, salt, params)
}

// ticket verifies an AS-REP (RFC 4120 section 3.1.5).
func (l *logon) ticket(b []byte, req *messages.ASReq) (*Ticket, error) {
	var rep messages.ASRep
	if err := rep.Unmarshal(b); err != nil {
		return nil, malformed("AS-REP")
	}
	if err := l.salts(rep.PAData); err != nil {
		return nil, err
	}
	if !slices.Contains(l.etypes, rep.EncPart.EType) || len(rep.EncPart.Cipher) < minCipher {
		return nil, malformed("encryption of an AS-REP")
	}
	key, err := l.makeKey(rep.EncPart.EType)
	if err != nil {
		return nil, err
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, key, keyusage.AS_REP_ENCPART)
	if err != nil && l.key == nil {
		return nil, fail(ReasonPassword, "what the KDC of %s answers is not encrypted with the key of %s",
			printable(l.client.Realm), l.client)
	}
	if err != nil {
		return nil, fmt.Errorf("krb5: %w: AS-REP is not from who knows the key of %s", rpc.ErrIntegrity, l.client)
	}
	if err := rep.DecryptedEncPart.Unmarshal(plain); err != nil {
		return nil, malformed("encrypted part of an AS-REP")
	}
	return l.verify(&rep, req)
}

func (l *logon) verify(rep *messages.ASRep, req *messages.ASReq) (*Ticket, error) {
	client, err := named(rep.CName, rep.CRealm)
	if err != nil {
		return nil, err
	}
	if l.client.Type != nametype.KRB_NT_ENTERPRISE && !client.equal(l.client) {
		return nil, malformed("the KDC has a ticket for %s instead of %s", client, l.client)
	}
	t, err := accept(&rep.KDCRepFields, req.ReqBody.Nonce, client)
	if err != nil {
		return nil, err
	}
	if realm, ok := t.Service.referral(); !ok || !strings.EqualFold(realm, l.client.Realm) {
		return nil, malformed("the KDC has a ticket for %s instead of one that grants tickets", t.Service)
	}
	if skew := l.now().Sub(rep.DecryptedEncPart.AuthTime); skew.Abs() > maxSkew {
		return nil, fail(ReasonClock, "the clock of the KDC of %s says %s, this host's %s", l.client.Realm,
			rep.DecryptedEncPart.AuthTime.UTC().Format(time.RFC3339), l.now().UTC().Format(time.RFC3339))
	}
	return t, nil
}

// accountStatus is what Windows and Samba say about an account that may not log on: an NTSTATUS (MS-KILE section
// 2.2.2), in the place of a salt.
func accountStatus(edata []byte) string {
	var pas types.PADataSequence
	var pa types.PAData
	if pas.Unmarshal(edata) == nil {
		for _, p := range pas {
			if p.PADataType == patype.PA_PW_SALT {
				pa = p
			}
		}
	} else if pa.Unmarshal(edata) != nil {
		return ""
	}
	if pa.PADataType != patype.PA_PW_SALT || len(pa.PADataValue) < 4 {
		return ""
	}
	return statusTexts[binary.LittleEndian.Uint32(pa.PADataValue)]
}

// statusTexts are the NTSTATUS codes about accounts (MS-ERREF section 2.3.1). The map is never written to.
var statusTexts = map[uint32]string{
	0xc000006e: "the account is restricted",
	0xc000006f: "the account may not log on at this hour",
	0xc0000070: "the account may not log on from this host",
	0xc0000071: "the password has expired",
	0xc0000072: "the account is disabled",
	0xc0000193: "the account has expired",
	0xc0000224: "the password must be changed first",
	0xc0000234: "the account is locked out",
}
