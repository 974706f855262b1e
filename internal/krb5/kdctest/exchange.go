package kdctest

import (
	"encoding/asn1"
	"encoding/binary"
	"slices"
	"time"

	"github.com/oiweiwei/gokrb5.fork/v9/crypto"
	"github.com/oiweiwei/gokrb5.fork/v9/iana"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/errorcode"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/keyusage"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/msgtype"
	"github.com/oiweiwei/gokrb5.fork/v9/iana/patype"
	"github.com/oiweiwei/gokrb5.fork/v9/messages"
	"github.com/oiweiwei/gokrb5.fork/v9/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const maxSkew = 5 * time.Minute

// as answers an AS-REQ.
func (k *KDC) as(req *messages.ASReq) ([]byte, error) {
	k.counts.AS++
	b := req.ReqBody
	password, ok := k.users[b.CName.PrincipalNameString()]
	if !ok {
		return nil, k.refusal(b.SName, errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN)
	}
	i := slices.IndexFunc(b.EType, func(e int32) bool { return slices.Contains(etypes(), e) })
	if i < 0 {
		return nil, k.refusal(b.SName, errorcode.KDC_ERR_ETYPE_NOSUPP)
	}
	info, err := k.info(b.EType[i], b.CName)
	if err != nil {
		return nil, err
	}
	// Most requests have no proof, and need no key, which may take long to make.
	stamp := slices.IndexFunc(req.PAData, func(p types.PAData) bool { return p.PADataType == patype.PA_ENC_TIMESTAMP })
	if stamp < 0 && !k.NoPreauth {
		return nil, k.asksForProof(req, info)
	}
	key, _, err := crypto.GetKeyFromPassword(password, b.CName, k.Realm, b.EType[i], info)
	if err != nil {
		return nil, err
	}
	if !k.NoPreauth {
		if err := k.proof(req, req.PAData[stamp].PADataValue, key); err != nil {
			return nil, err
		}
	}
	rep := &messages.ASRep{}
	rep.MsgType, rep.PAData = msgtype.KRB_AS_REP, info
	err = k.grant(&rep.KDCRepFields, b, b.CName, k.Realm, k.Realm, k.Now().Add(k.Lifetime), key, keyusage.AS_REP_ENCPART)
	if err != nil {
		return nil, err
	}
	return rep.Marshal()
}

// info says which salt the key of a password has.
func (k *KDC) info(etype int32, name types.PrincipalName) (types.PADataSequence, error) {
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	const generalString = 27
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(etype)) })
			b.AddASN1(tag(1), func(b *cryptobyte.Builder) {
				b.AddASN1(generalString, func(b *cryptobyte.Builder) { b.AddBytes([]byte(name.GetSalt(k.Realm))) })
			})
			if k.Iterations > 0 {
				b.AddASN1(tag(2), func(b *cryptobyte.Builder) {
					b.AddASN1OctetString(binary.BigEndian.AppendUint32(nil, k.Iterations))
				})
			}
		})
	})
	der, err := b.Bytes()
	return types.PADataSequence{{PADataType: patype.PA_ETYPE_INFO2, PADataValue: der}}, err
}

// asksForProof is the error that says how to prove the password.
func (k *KDC) asksForProof(req *messages.ASReq, info types.PADataSequence) error {
	e := k.refusal(req.ReqBody.SName, errorcode.KDC_ERR_PREAUTH_REQUIRED)
	data, err := asn1.Marshal(append(info, types.PAData{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: []byte{}}))
	e.EData = data
	if err != nil {
		return err
	}
	return e
}

// proof checks the encrypted timestamp.
func (k *KDC) proof(req *messages.ASReq, der []byte, key types.EncryptionKey) error {
	k.counts.Proofs++
	if k.Refuse != 0 {
		return k.refusal(req.ReqBody.SName, k.Refuse)
	}
	var sealed types.EncryptedData
	var stamp types.PAEncTSEnc
	if err := sealed.Unmarshal(der); err != nil {
		return err
	}
	plain, err := crypto.DecryptEncPart(sealed, key, keyusage.AS_REQ_PA_ENC_TIMESTAMP)
	if err != nil {
		return k.refusal(req.ReqBody.SName, errorcode.KDC_ERR_PREAUTH_FAILED)
	}
	if err := stamp.Unmarshal(plain); err != nil {
		return err
	}
	if k.Now().Sub(stamp.PATimestamp).Abs() > maxSkew {
		return k.refusal(req.ReqBody.SName, errorcode.KRB_AP_ERR_SKEW)
	}
	return nil
}

// tgs answers a TGS-REQ.
func (k *KDC) tgs(req *messages.TGSReq) ([]byte, error) {
	k.counts.Services++
	b := req.ReqBody
	if k.RefuseService != 0 {
		return nil, k.refusal(b.SName, k.RefuseService)
	}
	var ap messages.APReq
	if len(req.PAData) == 0 || ap.Unmarshal(req.PAData[0].PADataValue) != nil {
		return nil, k.refusal(b.SName, errorcode.KDC_ERR_PADATA_TYPE_NOSUPP)
	}
	if err := ap.Ticket.DecryptEncPart(k.keys, nil); err != nil {
		return nil, k.refusal(b.SName, errorcode.KRB_AP_ERR_BAD_INTEGRITY)
	}
	tgt := ap.Ticket.DecryptedEncPart
	if err := ap.DecryptAuthenticator(tgt.Key); err != nil {
		return nil, k.refusal(b.SName, errorcode.KRB_AP_ERR_BAD_INTEGRITY)
	}
	if ap.Authenticator.CRealm != tgt.CRealm || !ap.Authenticator.CName.Equal(tgt.CName) {
		return nil, k.refusal(b.SName, errorcode.KRB_AP_ERR_BADMATCH)
	}
	if k.Now().Sub(ap.Authenticator.CTime).Abs() > maxSkew {
		return nil, k.refusal(b.SName, errorcode.KRB_AP_ERR_SKEW)
	}
	if k.Now().After(tgt.EndTime) {
		return nil, k.refusal(b.SName, errorcode.KRB_AP_ERR_TKT_EXPIRED)
	}
	if err := checkBody(&ap, tgt.Key, &b); err != nil {
		return nil, k.refusal(b.SName, errorcode.KRB_AP_ERR_MODIFIED)
	}
	spn := b.SName.PrincipalNameString()
	if realm := k.refer[spn]; realm != "" {
		b.SName.NameString = []string{"krbtgt", realm}
	} else if !k.services[spn] {
		return nil, k.refusal(b.SName, errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN)
	}
	rep := &messages.TGSRep{}
	rep.MsgType = msgtype.KRB_TGS_REP
	err := k.grant(&rep.KDCRepFields, b, tgt.CName, tgt.CRealm, k.Realm, tgt.EndTime, tgt.Key,
		keyusage.TGS_REP_ENCPART_SESSION_KEY)
	if err != nil {
		return nil, err
	}
	return rep.Marshal()
}

// checkBody verifies the checksum over the body of a TGS-REQ.
func checkBody(ap *messages.APReq, key types.EncryptionKey, b *messages.KDCReqBody) error {
	raw, err := b.Marshal()
	if err != nil {
		return err
	}
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return err
	}
	if !et.VerifyChecksum(key.KeyValue, raw, ap.Authenticator.Cksum.Checksum,
		keyusage.TGS_REQ_PA_TGS_REQ_AP_REQ_AUTHENTICATOR_CHKSUM) {
		return messages.KRBError{}
	}
	return nil
}

// grant makes a ticket and the part for the client.
func (k *KDC) grant(rep *messages.KDCRepFields, b messages.KDCReqBody, cname types.PrincipalName, crealm, srealm string,
	latest time.Time, key types.EncryptionKey, usage uint32) error {
	now := k.Now().UTC().Truncate(time.Second)
	end := now.Add(k.Lifetime)
	if latest.Before(end) {
		end = latest.UTC().Truncate(time.Second)
	}
	i := slices.IndexFunc(b.EType, func(e int32) bool { return slices.Contains(etypes(), e) })
	if i < 0 {
		return k.refusal(b.SName, errorcode.KDC_ERR_ETYPE_NOSUPP)
	}
	ticket, session, err := messages.NewTicket(cname, crealm, b.SName, srealm, types.NewKrbFlags(), k.keys, b.EType[i], 1,
		now, now, end, end)
	if err != nil {
		return err
	}
	part := messages.EncKDCRepPart{
		Key: session, LastReqs: []messages.LastReq{{LRValue: now}}, Nonce: b.Nonce, Flags: types.NewKrbFlags(), AuthTime: now,
		StartTime: now, EndTime: end, SRealm: srealm, SName: b.SName,
	}
	plain, err := part.Marshal() // with the tag of AS-REP always, which RFC 4120 section 5.4.2 allows
	if err != nil {
		return err
	}
	sealed, err := crypto.GetEncryptedData(plain, key, usage, 0)
	rep.PVNO, rep.CRealm, rep.CName, rep.Ticket, rep.EncPart = iana.PVNO, crealm, cname, ticket, sealed
	return err
}
