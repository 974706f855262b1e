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
	"unicode/utf16"

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
	ntlmAnonymous    = 0x00000800
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
	negotiate []byte // the messages as they were, for the MIC
	challenge []byte
	nonce     [8]byte
	flags     uint32 // offered by the CHALLENGE, then agreed by the AUTHENTICATE
	step      int
	session   *ntlmSession
	who       User
}

func newNTLMAcceptor(a *accounts, now func() time.Time) *ntlmAcceptor {
	return &ntlmAcceptor{accounts: a, now: now}
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

// user is who logged on; it means something only after accept has said done.
func (n *ntlmAcceptor) user() User { return n.who }

// protection is the established session.
func (n *ntlmAcceptor) protection() *ntlmSession { return n.session }

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

// authenticateMessage is an AUTHENTICATE_MESSAGE (MS-NLMP section 2.2.1.3).
type authenticateMessage struct {
	nt, lm, key        []byte
	domain, user       string
	flags              uint32
	payload            int // smallest offset of a field that is not empty
	domainRaw, userRaw []byte
	avFlags            uint32
}

func parseAuthenticate(b []byte, unicode bool) (*authenticateMessage, error) {
	if len(b) < 64 || string(b[:8]) != ntlmSignature || binary.LittleEndian.Uint32(b[8:]) != 3 {
		return nil, errToken
	}
	m := &authenticateMessage{payload: len(b), flags: binary.LittleEndian.Uint32(b[60:])}
	var workstation []byte
	for i, dst := range []*[]byte{&m.lm, &m.nt, &m.domainRaw, &m.userRaw, &workstation, &m.key} {
		field := b[12+8*i:]
		size, off := int(binary.LittleEndian.Uint16(field)), int64(binary.LittleEndian.Uint32(field[4:]))
		if size == 0 {
			continue
		}
		if off < 64 || off+int64(size) > int64(len(b)) {
			return nil, errToken
		}
		*dst = b[off : off+int64(size)]
		m.payload = min(m.payload, int(off))
	}
	var err error
	if m.user, err = decodeText(m.userRaw, unicode); err != nil {
		return nil, err
	}
	if m.domain, err = decodeText(m.domainRaw, unicode); err != nil {
		return nil, err
	}
	return m, nil
}

func (n *ntlmAcceptor) acceptAuthenticate(b []byte) error {
	m, err := parseAuthenticate(b, n.flags&ntlmUnicode != 0)
	if err != nil {
		return err
	}
	if m.flags&ntlmAnonymous != 0 || m.user == "" || len(m.nt) < ntlmMinResponse {
		return errLogon // anonymous, or NTLMv1, which proves too little
	}
	if m.avFlags, err = clientAVFlags(m.nt[16+28:]); err != nil {
		return err
	}
	u, known := n.accounts.find(m.user, m.domain)
	base, ok := verifyNTLMv2(u.Password, m, n.nonce[:])
	if !known || !ok || u.Disabled {
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

// clientAVFlags walks the AV pairs of the client's response and returns its MsvAvFlags. A list that has no end marker
// ends with the data.
func clientAVFlags(b []byte) (uint32, error) {
	for range ntlmMaxAVPairs {
		if len(b) < 4 {
			return 0, nil
		}
		id, size := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		b = b[4:]
		if id == avEOL {
			return 0, nil
		}
		if size > len(b) || id == avFlags && size != 4 {
			return 0, errToken
		}
		if id == avFlags {
			return binary.LittleEndian.Uint32(b), nil
		}
		b = b[size:]
	}
	return 0, errToken
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

func appendField(b []byte, size, offset int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(size))
	b = binary.LittleEndian.AppendUint16(b, uint16(size))
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func utf16le(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

// decodeText decodes a name of the client: UTF-16LE, or an OEM string, which is taken as Latin-1.
func decodeText(b []byte, unicode bool) (string, error) {
	if !unicode {
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r), nil
	}
	if len(b)%2 != 0 {
		return "", errToken
	}
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u)), nil
}

// filetime is t in units of 100 ns since 1601 (MS-DTYP section 2.3.3).
func filetime(t time.Time) uint64 {
	const epoch = 116444736000000000
	return uint64(t.UnixNano()/100) + epoch
}
