package assoc

import (
	"encoding/binary"
	"fmt"

	"github.com/oiweiwei/go-msrpc/ssp/ntlm"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Sizes of a CHALLENGE_MESSAGE (MS-NLMP section 2.2.1.2), in bytes. Real ones have some 300 bytes.
const (
	challengeFields = 48 // up to the version, which a server without NegotiateVersion may leave out
	challengeFixed  = 56 // with the version
	challengeLimit  = 16 << 10
	avPairLimit     = 32
)

// readChallenge checks a CHALLENGE_MESSAGE before go-msrpc sees it: every length, and that the server agreed to
// everything that the protection depends on. An attacker can take flags away, since only the MIC of the next message
// covers them, and go-msrpc would go on with less. Key exchange is not among them: without it the session key comes from
// the password and both nonces, and is as good. Nor are the flags for signing and sealing: a server that leaves them out
// of its answer, as some do, is taken to agree, since RPC seals every PDU whatever they say, with keys that do not depend
// on them. One that meant it cannot open the first request.
//
// It returns the message laid out as go-msrpc can read it: with a version, and with name and target information after
// it in this order. A server may leave the version out, and put the rest anywhere.
func readChallenge(b []byte) ([]byte, error) {
	if len(b) < challengeFields || len(b) > challengeLimit || string(b[:8]) != "NTLMSSP\x00" ||
		binary.LittleEndian.Uint32(b[8:]) != 2 {
		return nil, fmt.Errorf("%w: not an NTLM challenge", rpc.ErrMalformed)
	}
	flags := ntlm.Flag(binary.LittleEndian.Uint32(b[20:]))
	const needed = ntlm.NegotiateUnicode | ntlm.Negotiate128 | ntlm.NegotiateExtendedSessionSecurity |
		ntlm.NegotiateTargetInfo
	if missing := needed &^ flags; missing != 0 {
		return nil, fmt.Errorf("server does not agree to NTLMv2 with 128-bit sealing: flags %#08x are missing",
			uint32(missing))
	}
	if flags&(ntlm.NegotiateDatagram|ntlm.Anonymous) != 0 {
		return nil, fmt.Errorf("%w: NTLM challenge with flags %#08x", rpc.ErrMalformed, uint32(flags))
	}
	name, ok := challengeField(b, 12)
	if !ok || len(name)%2 != 0 {
		return nil, fmt.Errorf("%w: target name of an NTLM challenge", rpc.ErrMalformed)
	}
	info, ok := challengeField(b, 40)
	if !ok {
		return nil, fmt.Errorf("%w: target information of an NTLM challenge", rpc.ErrMalformed)
	}
	info, err := checkAVPairs(info)
	if err != nil {
		return nil, err
	}
	return layOut(b, flags|ntlm.NegotiateSign|ntlm.NegotiateSeal, name, info), nil
}

// layOut is a CHALLENGE_MESSAGE with these flags and the nonce of b. The version says nothing; it is left zero.
func layOut(b []byte, flags ntlm.Flag, name, info []byte) []byte {
	le := binary.LittleEndian
	field := func(out, v []byte, at int) []byte {
		out = le.AppendUint16(le.AppendUint16(out, uint16(len(v))), uint16(len(v)))
		return le.AppendUint32(out, uint32(at))
	}
	out := append(make([]byte, 0, challengeFixed+len(name)+len(info)), b[:12]...)
	out = field(out, name, challengeFixed)
	out = le.AppendUint32(out, uint32(flags))
	out = append(out, b[24:32]...)        // nonce
	out = append(out, make([]byte, 8)...) // reserved
	out = field(out, info, challengeFixed+len(name))
	out = append(out, make([]byte, challengeFixed-challengeFields)...)
	return append(append(out, name...), info...)
}

// challengeField is the payload that the field at an offset describes.
func challengeField(b []byte, at int) ([]byte, bool) {
	size := int(binary.LittleEndian.Uint16(b[at:]))
	offset := int64(binary.LittleEndian.Uint32(b[at+4:]))
	if size == 0 {
		return nil, true
	}
	if offset < challengeFields || offset+int64(size) > int64(len(b)) {
		return nil, false
	}
	return b[offset : offset+int64(size)], true
}

// checkAVPairs checks a sequence of AV_PAIR (MS-NLMP section 2.2.2.1): lengths, and that the server names itself. It
// returns the sequence without what follows its end.
func checkAVPairs(pairs []byte) ([]byte, error) {
	named := false
	b := pairs
	for range avPairLimit {
		if len(b) < 4 {
			break
		}
		id := ntlm.AttrValueID(binary.LittleEndian.Uint16(b))
		size := int(binary.LittleEndian.Uint16(b[2:]))
		if b = b[4:]; size > len(b) {
			break
		}
		bad := false
		switch id {
		case ntlm.AttrEOL:
			if !named {
				return nil, fmt.Errorf("%w: NTLM challenge of a server without a name", rpc.ErrMalformed)
			}
			return pairs[:len(pairs)-len(b)], nil
		case ntlm.AttrNetBIOSComputerName, ntlm.AttrNetBIOSDomainName:
			named = true
			bad = size%2 != 0
		case ntlm.AttrDNSComputerName, ntlm.AttrDNSDomainName, ntlm.AttrDNSTreeName, ntlm.AttrTargetName:
			bad = size%2 != 0
		case ntlm.AttrFlags:
			bad = size != 4
		case ntlm.AttrTimestamp:
			bad = size != 8
		case ntlm.AttrSingleHost:
			bad = size < 48
		case ntlm.AttrChannelBindings:
			bad = size != 16
		}
		if bad {
			return nil, fmt.Errorf("%w: value %d of an NTLM challenge has %d bytes", rpc.ErrMalformed, id, size)
		}
		b = b[size:]
	}
	return nil, fmt.Errorf("%w: target information of an NTLM challenge", rpc.ErrMalformed)
}
