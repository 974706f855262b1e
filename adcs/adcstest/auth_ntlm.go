package adcstest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	//lint:ignore SA1019 the NT hash is defined with MD4 (MS-NLMP section 3.3.2)
	"golang.org/x/crypto/md4"
)

// The NTLM acceptor (MS-NLMP). It is our own, because a test server has to be strict where it verifies and lenient
// where stacks differ: NTLMv2 only, a MIC whenever the client announces one, any mix of key exchange, key lengths,
// character sets and version fields.

// Negotiate flags (MS-NLMP section 2.2.2.5).
const (
	ntlmUnicode      = 0x00000001
	ntlmOEM          = 0x00000002
	ntlmRequestTgt   = 0x00000004
	ntlmSign         = 0x00000010
	ntlmSeal         = 0x00000020
	ntlmNTLM         = 0x00000200
	ntlmAlwaysSign   = 0x00008000
	ntlmTypeDomain   = 0x00010000
	ntlmESS          = 0x00080000 // extended session security
	ntlmTargetInfo   = 0x00800000
	ntlmVersion      = 0x02000000
	ntlm128          = 0x20000000
	ntlmKeyExchange  = 0x40000000
	ntlm56           = 0x80000000
	ntlmEchoed       = ntlmSign | ntlmSeal | ntlmAlwaysSign | ntlmESS | ntlmVersion | ntlm128 | ntlmKeyExchange | ntlm56
	ntlmAVMICPresent = 0x00000002 // MsvAvFlags: the message has a MIC
)

// Attribute ids of the target information (MS-NLMP section 2.2.2.1).
const (
	avEOL             = 0
	avNbComputerName  = 1
	avNbDomainName    = 2
	avDNSComputerName = 3
	avDNSDomainName   = 4
	avDNSTreeName     = 5
	avFlags           = 6
	avTimestamp       = 7
)

const (
	ntlmSignature   = "NTLMSSP\x00"
	ntlmMaxMessage  = 16 << 10 // a real AUTHENTICATE has some hundred bytes
	ntlmMICOffset   = 72
	ntlmMICEnd      = ntlmMICOffset + 16
	ntlmMaxAVPairs  = 64
	ntlmMinResponse = 16 + 28 // NTProofStr and the fixed part of NTLMv2_CLIENT_CHALLENGE
)

// errLogon is the only error that an acceptor gives for a wrong user, a wrong password, a disabled account and a MIC
// that does not fit: the peer must not learn which.
var errLogon = errors.New("logon failure")

// errToken is an authentication token that cannot be decoded or comes out of turn.
var errToken = errors.New("malformed authentication token")

// ntlmAcceptor accepts one NTLM security context. It is used by one goroutine.
type ntlmAcceptor struct {
	accounts  *accounts
	now       func() time.Time
	blocked   bool   // everybody is refused
	negotiate []byte // the messages as they were, for the MIC
	challenge []byte
	nonce     [8]byte
	flags     uint32 // offered by the CHALLENGE, then agreed by the AUTHENTICATE
	step      int
	session   *ntlmSession
	who       User
}

// accept takes the client's next token. It returns the token to send back and whether the context is established.
func (n *ntlmAcceptor) accept(token []byte) (reply []byte, done bool, err error) {
	if len(token) > ntlmMaxMessage {
		return nil, false, errToken
	}
	n.step++
	switch n.step {
	case 1:
		reply, err = n.acceptNegotiate(token)
		return reply, false, err
	case 2:
		if err := n.acceptAuthenticate(token); err != nil {
			return nil, false, err
		}
		return nil, true, nil
	}
	return nil, false, errToken
}

// logon implements [acceptor]. Sealing needs no flag of its own: every stack that signs can seal.
func (n *ntlmAcceptor) logon() logon {
	can := n.session.canSign()
	return logon{
		who: n.accounts.caller(n.who), protector: n.session, canSign: can, canSeal: can,
		afterMICs: n.session.resetCiphers, // MS-SPNG section 3.3.5.1
	}
}

func (n *ntlmAcceptor) acceptNegotiate(b []byte) ([]byte, error) {
	if len(b) < 16 || string(b[:8]) != ntlmSignature || binary.LittleEndian.Uint32(b[8:]) != 1 {
		return nil, errToken
	}
	asked := binary.LittleEndian.Uint32(b[12:])
	if asked&(ntlmUnicode|ntlmOEM) == 0 {
		return nil, errToken // MS-NLMP section 2.2.2.5: neither is an error
	}
	n.flags = asked&ntlmEchoed | ntlmNTLM | ntlmTargetInfo | ntlmRequestTgt | ntlmTypeDomain
	if asked&ntlmUnicode != 0 {
		n.flags |= ntlmUnicode
	} else {
		n.flags |= ntlmOEM
	}
	if _, err := rand.Read(n.nonce[:]); err != nil {
		return nil, err
	}
	n.negotiate = append([]byte(nil), b...)
	n.challenge = n.makeChallenge()
	return append([]byte(nil), n.challenge...), nil
}

// makeChallenge builds the CHALLENGE_MESSAGE (MS-NLMP section 2.2.1.2).
func (n *ntlmAcceptor) makeChallenge() []byte {
	const header = 56
	name := []byte(n.accounts.netbios)
	if n.flags&ntlmUnicode != 0 {
		name = utf16le(n.accounts.netbios)
	}
	info := n.targetInfo()
	b := append([]byte(ntlmSignature), 2, 0, 0, 0)
	b = appendField(b, len(name), header)
	b = binary.LittleEndian.AppendUint32(b, n.flags)
	b = append(b, n.nonce[:]...)
	b = append(b, make([]byte, 8)...)
	b = appendField(b, len(info), header+len(name))
	if n.flags&ntlmVersion != 0 {
		b = append(b, 10, 0, 0x63, 0x45, 0, 0, 0, 15) // 10.0 build 17763, NTLMSSP_REVISION_W2K3
	} else {
		b = append(b, make([]byte, 8)...)
	}
	b = append(b, name...)
	return append(b, info...)
}

// targetInfo names this server. The time stamp in it obliges a client to send a MIC (MS-NLMP section 3.1.5.1.2).
func (n *ntlmAcceptor) targetInfo() []byte {
	var b []byte
	add := func(id uint16, v []byte) {
		b = binary.LittleEndian.AppendUint16(b, id)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
	}
	add(avNbDomainName, utf16le(n.accounts.netbios))
	add(avNbComputerName, utf16le(n.accounts.computer))
	add(avDNSDomainName, utf16le(n.accounts.dnsDomain))
	add(avDNSComputerName, utf16le(n.accounts.host))
	add(avDNSTreeName, utf16le(n.accounts.dnsDomain))
	add(avTimestamp, binary.LittleEndian.AppendUint64(nil, filetime(n.now())))
	add(avEOL, nil)
	return b
}

func (n *ntlmAcceptor) acceptAuthenticate(b []byte) error {
	m, err := parseAuthenticate(b, n.flags&ntlmUnicode != 0)
	if err != nil {
		return err
	}
	if m.user == "" || len(m.nt) < ntlmMinResponse {
		return errLogon // anonymous, or NTLMv1, which proves too little
	}
	if m.avFlags, err = clientAVFlags(m.nt[16+28:]); err != nil {
		return err
	}
	u, known := n.accounts.find(m.user, m.domain)
	base, ok := verifyNTLMv2(u.Password, m, n.nonce[:])
	if !known || !ok || u.Disabled || n.blocked {
		return errLogon
	}
	n.flags &= m.flags | ntlmNTLM // the client decides among what was offered
	key, err := exportedKey(n.flags, base, m.key)
	if err != nil {
		return err
	}
	if m.avFlags&ntlmAVMICPresent != 0 && !n.verifyMIC(key, b, m.payload) {
		return errLogon
	}
	n.session, err = newNTLMSession(n.flags, key)
	n.who = u
	return err
}

// verifyNTLMv2 compares the response with the one that the password gives (MS-NLMP section 3.3.2) and returns the
// session base key. The domain counts as the client spelled it; stacks that hash it in upper case or leave it out are
// accepted, as domain controllers do.
func verifyNTLMv2(password string, m *authenticateMessage, nonce []byte) ([]byte, bool) {
	nt := md4.New()
	nt.Write(utf16le(password))
	hash := nt.Sum(nil)
	for _, domain := range []string{m.domain, strings.ToUpper(m.domain), ""} {
		key := hmacMD5(hash, utf16le(strings.ToUpper(m.user)+domain))
		proof := hmacMD5(key, nonce, m.nt[16:])
		if hmac.Equal(proof, m.nt[:16]) {
			return hmacMD5(key, proof), true
		}
	}
	return nil, false
}

// exportedKey is the ExportedSessionKey (MS-NLMP section 3.2.5.1.2).
func exportedKey(flags uint32, base, encrypted []byte) ([]byte, error) {
	if flags&ntlmKeyExchange == 0 || flags&(ntlmSign|ntlmSeal) == 0 && len(encrypted) == 0 {
		return base, nil
	}
	if len(encrypted) != 16 {
		return nil, errToken
	}
	c, err := rc4.NewCipher(base)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 16)
	c.XORKeyStream(key, encrypted)
	return key, nil
}

// verifyMIC checks the MIC over the three messages (MS-NLMP section 3.2.5.1.2).
func (n *ntlmAcceptor) verifyMIC(key, auth []byte, payload int) bool {
	if len(auth) < ntlmMICEnd || payload < ntlmMICEnd {
		return false
	}
	zeroed := append([]byte(nil), auth...)
	clear(zeroed[ntlmMICOffset:ntlmMICEnd])
	return hmac.Equal(hmacMD5(key, n.negotiate, n.challenge, zeroed), auth[ntlmMICOffset:ntlmMICEnd])
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
