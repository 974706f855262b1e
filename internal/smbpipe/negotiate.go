package smbpipe

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

const (
	signingRequired = 2 // MS-SMB2 section 2.2.3

	capLargeMTU   = 0x04
	capEncryption = 0x40

	contextPreauth    = 1 // MS-SMB2 section 2.2.3.1
	contextEncryption = 2
	hashSHA512        = 1
)

// negotiate agrees on a dialect (MS-SMB2 section 3.2.4.2.2.2).
func (l *link) negotiate() (serverTime time.Time, err error) {
	l.credits, l.hashing = 1, true
	id, _, err := l.request(cmdNegotiate, negotiateRequest())
	if err != nil {
		return time.Time{}, err
	}
	m, err := l.await(id, cmdNegotiate)
	if err != nil {
		return time.Time{}, err
	}
	l.absorb(m)
	if m.status() != statusSuccess {
		return time.Time{}, l.refused(StepNegotiate, m)
	}
	return l.negotiated(m)
}

// negotiateRequest offers every dialect.
func negotiateRequest() []byte {
	le := binary.LittleEndian
	dialects := []dialect{smb202, smb210, smb300, smb302, smb311}
	b := make([]byte, 36, 160)
	le.PutUint16(b, 36)
	le.PutUint16(b[2:], uint16(len(dialects)))
	le.PutUint16(b[4:], signingRequired)
	le.PutUint32(b[8:], capLargeMTU|capEncryption)
	rand.Read(b[12:28]) // identifies the client, which has no need to be known again
	for _, d := range dialects {
		b = le.AppendUint16(b, uint16(d))
	}
	for len(b)%8 != 0 { // so is the header
		b = append(b, 0)
	}
	le.PutUint32(b[28:], uint32(headerSize+len(b)))
	le.PutUint16(b[32:], 2)
	salt := make([]byte, 32)
	rand.Read(salt)
	hashes := append([]byte{1, 0, byte(len(salt)), 0, hashSHA512, 0}, salt...)
	b = appendContext(b, contextPreauth, hashes)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	ciphers := []byte{4, 0}
	for _, c := range []uint16{aes128GCM, aes128CCM, aes256GCM, aes256CCM} {
		ciphers = le.AppendUint16(ciphers, c)
	}
	return appendContext(b, contextEncryption, ciphers)
}

func appendContext(b []byte, kind uint16, data []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	return append(append(b, 0, 0, 0, 0), data...)
}

// negotiated takes what the server chose (MS-SMB2 section 2.2.4).
func (l *link) negotiated(m message) (serverTime time.Time, err error) {
	le := binary.LittleEndian
	b, err := m.fixed(65)
	if err != nil {
		return time.Time{}, err
	}
	l.dialect = dialect(le.Uint16(b[4:]))
	l.maxIO = int(min(le.Uint32(b[32:]), le.Uint32(b[36:]), maxIO)) // MaxReadSize and MaxWriteSize
	if l.maxIO < 1024 {
		return time.Time{}, malformed("server reads or writes %d bytes at once only", l.maxIO)
	}
	switch l.dialect {
	case smb202, smb210:
		l.hashing = false
	case smb300, smb302:
		l.hashing = false
		if le.Uint32(b[24:])&capEncryption != 0 {
			l.cipher = aes128CCM
		}
	case smb311:
		if err := l.contexts(m, le.Uint32(b[60:]), le.Uint16(b[6:])); err != nil {
			return time.Time{}, err
		}
	default:
		return time.Time{}, malformed("dialect %#04x was not offered", uint16(l.dialect))
	}
	return fileTime(le.Uint64(b[40:])), nil
}

// maxContexts bounds the contexts of a negotiation; there are a handful.
const maxContexts = 64

// contexts takes the contexts of dialect 3.1.1 (MS-SMB2 section 2.2.4.1).
func (l *link) contexts(m message, offset uint32, count uint16) error {
	le := binary.LittleEndian
	if offset < headerSize || uint64(offset) > uint64(len(m)) || count > maxContexts {
		return malformed("contexts of the negotiation")
	}
	rest := m[offset:]
	hash := false
	for range count {
		if len(rest) < 8 {
			return malformed("a context of the negotiation is cut off")
		}
		kind, size := le.Uint16(rest), int(le.Uint16(rest[2:]))
		if len(rest) < 8+size {
			return malformed("a context of the negotiation is cut off")
		}
		data := rest[8 : 8+size]
		rest = rest[min(len(rest), (8+size+7)&^7):]
		switch kind {
		case contextPreauth:
			if hash || size < 6 || le.Uint16(data) != 1 || le.Uint16(data[4:]) != hashSHA512 {
				return malformed("hash of the negotiation")
			}
			hash = true
		case contextEncryption:
			if l.cipher != 0 || size < 4 || le.Uint16(data) != 1 || le.Uint16(data[2:]) > aes256GCM {
				return malformed("cipher of the negotiation")
			}
			l.cipher = le.Uint16(data[2:])
		}
	}
	if !hash {
		return malformed("no hash in the negotiation")
	}
	return nil
}

// fileTime is a time as Windows counts it, in steps of 100 ns since 1601. The zero time is none.
func fileTime(v uint64) time.Time {
	const toUnix = 11_644_473_600 // seconds
	if v == 0 || v > 1<<62 {
		return time.Time{}
	}
	return time.Unix(int64(v/1e7)-toUnix, int64(v%1e7)*100).UTC()
}
