package tpm

import (
	"encoding/binary"
	"slices"

	"github.com/google/go-tpm/tpm2"
)

// Types of handles, their most significant octet (TPM 2.0 Library, part 2, 7.2).
const (
	typeHMAC       = 0x02
	typePolicy     = 0x03
	typeTransient  = 0x80
	typePermanent  = 0x40
	typePersistent = 0x81
)

func persistent(h tpm2.TPMHandle) bool { return h>>24 == typePersistent }

// volatile is true for what takes up memory of the TPM until it is flushed: sessions and transient objects.
func volatile(h tpm2.TPMHandle) bool {
	return h>>24 == typeHMAC || h>>24 == typePolicy || h>>24 == typeTransient
}

// ledger knows every session and object that we have made a TPM load, from the octets that passed by. So nothing stays
// behind either when an answer arrives that nobody waits for any more, or one that is refused for its HMAC.
type ledger map[tpm2.TPMHandle]struct{}

// passed reads a command and its good answer.
func (l ledger) passed(command, answer []byte) {
	switch code := commandCode(command); {
	case code == tpm2.TPMCCFlushContext && len(command) >= headerSize+4:
		delete(l, handleAt(command))
	case makesHandle(code) && len(answer) >= headerSize+4:
		if h := handleAt(answer); volatile(h) {
			l[h] = struct{}{}
		}
	}
}

// handles returns what is loaded, the newest of each kind first.
func (l ledger) handles() []tpm2.TPMHandle {
	var all []tpm2.TPMHandle
	for h := range l {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b tpm2.TPMHandle) int { return int(int64(b) - int64(a)) })
	return all
}

// objects counts the objects that are loaded.
func (l ledger) objects() (n int) {
	for h := range l {
		if h>>24 == typeTransient {
			n++
		}
	}
	return n
}

// makesHandle is true for the commands whose answer begins with the handle of something that they have loaded.
func makesHandle(code tpm2.TPMCC) bool {
	switch code {
	case tpm2.TPMCCCreatePrimary, tpm2.TPMCCLoad, tpm2.TPMCCLoadExternal, tpm2.TPMCCCreateLoaded, tpm2.TPMCCContextLoad,
		tpm2.TPMCCStartAuthSession, tpm2.TPMCCHMACStart, tpm2.TPMCCHashSequenceStart:
		return true
	}
	return false
}

func commandCode(command []byte) tpm2.TPMCC {
	if len(command) < headerSize {
		return 0
	}
	return tpm2.TPMCC(binary.BigEndian.Uint32(command[6:]))
}

// handleAt returns the first handle behind the header.
func handleAt(message []byte) tpm2.TPMHandle {
	return tpm2.TPMHandle(binary.BigEndian.Uint32(message[headerSize:]))
}
