package assoc

import (
	"encoding/binary"
	"fmt"

	"github.com/oiweiwei/go-msrpc/ssp/ntlm"

	"github.com/adcskit/adcskit/internal/rpc"
)

// Limits on a CHALLENGE_MESSAGE; real ones have some 300 bytes.
const (
	challengeSize  = 56 // up to and with the version
	challengeLimit = 16 << 10
	avPairLimit    = 32
)

// checkChallenge checks a CHALLENGE_MESSAGE (MS-NLMP section 2.2.1.2) before go-msrpc sees it: every length, and that the
// server agreed to everything that this side depends on. An attacker can take flags away, since only the MIC of the next
// message covers them, and go-msrpc would go on with less.
func checkChallenge(b []byte) error {
	if len(b) < challengeSize || len(b) > challengeLimit || string(b[:8]) != "NTLMSSP\x00" ||
		binary.LittleEndian.Uint32(b[8:]) != 2 {
		return fmt.Errorf("%w: not an NTLM challenge", rpc.ErrMalformed)
	}
	flags := ntlm.Flag(binary.LittleEndian.Uint32(b[20:]))
	const needed = ntlm.NegotiateUnicode | ntlm.NegotiateSign | ntlm.NegotiateSeal | ntlm.NegotiateKeyExchange |
		ntlm.Negotiate128 | ntlm.NegotiateExtendedSessionSecurity | ntlm.NegotiateTargetInfo
	if missing := needed &^ flags; missing != 0 {
		return fmt.Errorf("server does not agree to NTLMv2 with 128-bit sealing: flags %#08x are missing", uint32(missing))
	}
	if flags&(ntlm.NegotiateDatagram|ntlm.Anonymous) != 0 {
		return fmt.Errorf("%w: NTLM challenge with flags %#08x", rpc.ErrMalformed, uint32(flags))
	}
	name, ok := challengeField(b, 12)
	if !ok || len(name)%2 != 0 {
		return fmt.Errorf("%w: target name of an NTLM challenge", rpc.ErrMalformed)
	}
	info, ok := challengeField(b, 40)
	if !ok {
		return fmt.Errorf("%w: target information of an NTLM challenge", rpc.ErrMalformed)
	}
	return checkAVPairs(info)
}

// challengeField is the payload that the field at an offset describes.
func challengeField(b []byte, at int) ([]byte, bool) {
	size := int(binary.LittleEndian.Uint16(b[at:]))
	offset := int64(binary.LittleEndian.Uint32(b[at+4:]))
	if size == 0 {
		return nil, true
	}
	if offset < 48 || offset+int64(size) > int64(len(b)) {
		return nil, false
	}
	return b[offset : offset+int64(size)], true
}

// checkAVPairs checks a sequence of AV_PAIR (MS-NLMP section 2.2.2.1): lengths, and that the server names itself.
func checkAVPairs(b []byte) error {
	named := false
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
				return fmt.Errorf("%w: NTLM challenge of a server without a name", rpc.ErrMalformed)
			}
			return nil
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
			return fmt.Errorf("%w: value %d of an NTLM challenge has %d bytes", rpc.ErrMalformed, id, size)
		}
		b = b[size:]
	}
	return fmt.Errorf("%w: target information of an NTLM challenge", rpc.ErrMalformed)
}
