package smbpipe

import (
	"encoding/binary"
	"io"
)

// maxIO is the most that is read or written by one request, in bytes: what one credit pays for.
const maxIO = 64 << 10

// maxMessage bounds a message of the server, in bytes: the largest read that is asked for, and room for headers,
// tokens and the contexts of a negotiation.
const maxMessage = maxIO + 16<<10

// frames reads messages in the framing of direct TCP (MS-SMB2 section 2.1). A read that fails in the middle of a
// message, at a deadline for instance, is taken up by the next one.
type frames struct {
	r    io.Reader
	head [4]byte
	have int    // bytes of head and body that have arrived
	body []byte // nil while the head is incomplete
}

const frameHead = 4

func (f *frames) next() ([]byte, error) {
	for f.have < frameHead {
		n, err := f.r.Read(f.head[f.have:])
		f.have += n
		if err != nil && f.have < frameHead {
			return nil, f.cut(err)
		}
	}
	if f.body == nil {
		size := binary.BigEndian.Uint32(f.head[:]) // its first byte is zero in every message
		if size < headerSize || size > maxMessage {
			return nil, malformed("message of %d bytes", size)
		}
		f.body = make([]byte, size)
	}
	for f.have < frameHead+len(f.body) {
		n, err := f.r.Read(f.body[f.have-frameHead:])
		f.have += n
		if err != nil && f.have < frameHead+len(f.body) {
			return nil, f.cut(err)
		}
	}
	b := f.body
	f.have, f.body = 0, nil
	return b, nil
}

// cut is the error of a message that does not go on.
func (f *frames) cut(err error) error {
	if err == io.EOF && f.have > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frame puts the length before a message.
func frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, frameHead+len(b)), uint32(len(b))), b...)
}
