package tpm

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Parameters of every session: HMAC with SHA-256, AES-128 in CFB mode for parameters, nonces as long as a digest.
const (
	sessionHash = crypto.SHA256
	nonceSize   = 32
	aesKeySize  = 16
)

// session is an HMAC session that stays in the TPM. Unlike a session of go-tpm's it serves any entity and any direction of
// encryption, command by command, as the TPM allows: so one salt, one operation with the storage key's private half, is
// enough for all of them.
type session struct {
	handle      tpm2.TPMHandle
	key         []byte // sessionKey of part 1, 19.6.8
	nonceCaller []byte
	nonceTPM    []byte
}

// saltedSession starts a session whose key only the holder of a storage key can know. The public area must have been
// checked.
func (c *conn) saltedSession(to tpm2.TPMHandle, public *tpm2.TPMTPublic, kind tpm2.TPMSE) (*session, error) {
	encapsulation, err := tpm2.ImportEncapsulationKey(public)
	if err != nil {
		return nil, fmt.Errorf("tpm: session: %w", err)
	}
	salt, secret, err := tpm2.CreateEncryptedSalt(rand.Reader, encapsulation)
	if err != nil {
		return nil, fmt.Errorf("tpm: session: %w", err)
	}
	defer clear(salt)
	s := &session{nonceCaller: make([]byte, nonceSize)}
	if err := s.NewNonceCaller(); err != nil {
		return nil, err
	}
	response, err := run(c, tpm2.StartAuthSession{
		TPMKey: to, Bind: tpm2.TPMRHNull, NonceCaller: tpm2.TPM2BNonce{Buffer: s.nonceCaller},
		EncryptedSalt: tpm2.TPM2BEncryptedSecret{Buffer: secret}, SessionType: kind,
		Symmetric: tpm2.TPMTSymDef{
			Algorithm: tpm2.TPMAlgAES,
			KeyBits:   tpm2.NewTPMUSymKeyBits(tpm2.TPMAlgAES, tpm2.TPMKeyBits(8*aesKeySize)),
			Mode:      tpm2.NewTPMUSymMode(tpm2.TPMAlgAES, tpm2.TPMAlgCFB),
		},
		AuthHash: tpm2.TPMAlgSHA256,
	})
	if err != nil {
		return nil, err
	}
	if len(response.NonceTPM.Buffer) != nonceSize {
		return nil, c.malformed(fmt.Errorf("a session with a nonce of %d octets", len(response.NonceTPM.Buffer)))
	}
	s.handle, s.nonceTPM = response.SessionHandle, response.NonceTPM.Buffer
	s.key = tpm2.KDFa(sessionHash, salt, "ATH", s.nonceTPM, s.nonceCaller, 8*sessionHash.Size())
	return s, nil
}

// authorize returns a session for one command on an entity with an authorization value, encrypting what can be encrypted.
// It is salted to the storage key, and started if there is none yet.
func (c *conn) authorize(auth []byte, d directions) (tpm2.Session, error) {
	if c.t.cache.session == nil {
		p, err := c.parent()
		if err != nil {
			return nil, err
		}
		s, err := c.saltedSession(p.Handle, p.public, tpm2.TPMSEHMAC)
		if err != nil {
			return nil, err
		}
		c.t.cache.session = s
	}
	return authorization{session: c.t.cache.session, auth: auth, directions: d}, nil
}

// NewNonceCaller makes a new nonce for the next command.
func (s *session) NewNonceCaller() error {
	_, err := rand.Read(s.nonceCaller)
	return err
}

// directions says which first parameters of a command a session encrypts: only those that begin with their size can be.
type directions int

const (
	neither directions = 0
	in      directions = 1 << iota // the command's
	out                            // the response's
	both    = in | out
)

// authorization is a session for one command: who it authorizes, and what it encrypts. It implements tpm2.Session.
type authorization struct {
	*session
	auth       []byte // the entity's authorization value, without zeros at its end
	directions directions
}

var _ tpm2.Session = authorization{}

func (u authorization) Init(transport.TPM) error           { return nil }
func (u authorization) CleanupFailure(transport.TPM) error { return nil } // it stays loaded
func (u authorization) NonceTPM() tpm2.TPM2BNonce          { return tpm2.TPM2BNonce{Buffer: u.nonceTPM} }
func (u authorization) Handle() tpm2.TPMHandle             { return u.handle }
func (u authorization) IsDecryption() bool                 { return u.directions&in != 0 }  // the TPM decrypts the command's
func (u authorization) IsEncryption() bool                 { return u.directions&out != 0 } // the TPM encrypts the response's

func (u authorization) attributes() tpm2.TPMASession {
	return tpm2.TPMASession{ContinueSession: true, Decrypt: u.IsDecryption(), Encrypt: u.IsEncryption()}
}

// Authorize computes the HMAC of a command (part 1, 19.6).
func (u authorization) Authorize(cc tpm2.TPMCC, parms, addNonces []byte, names []tpm2.TPM2BName, _ int) (
	*tpm2.TPMSAuthCommand, error) {
	h := sessionHash.New()
	_ = binary.Write(h, binary.BigEndian, cc)
	for _, name := range names {
		h.Write(name.Buffer)
	}
	h.Write(parms)
	attributes := u.attributes()
	mac := u.mac(h.Sum(nil), u.nonceCaller, u.nonceTPM, addNonces, attributes)
	return &tpm2.TPMSAuthCommand{
		Handle: u.handle, Nonce: tpm2.TPM2BNonce{Buffer: bytes.Clone(u.nonceCaller)}, Attributes: attributes,
		Authorization: tpm2.TPM2BData{Buffer: mac},
	}, nil
}

// Validate checks the HMAC of a response.
func (u authorization) Validate(rc tpm2.TPMRC, cc tpm2.TPMCC, parms []byte, _ []tpm2.TPM2BName, _ int,
	auth *tpm2.TPMSAuthResponse) error {
	h := sessionHash.New()
	_ = binary.Write(h, binary.BigEndian, rc)
	_ = binary.Write(h, binary.BigEndian, cc)
	h.Write(parms)
	mac := u.mac(h.Sum(nil), auth.Nonce.Buffer, u.nonceCaller, nil, auth.Attributes)
	if !hmac.Equal(mac, auth.Authorization.Buffer) || len(auth.Nonce.Buffer) != nonceSize || auth.Attributes != u.attributes() {
		return errors.New("the answer is not authentic: it does not come from the TPM that the session was opened with")
	}
	u.nonceTPM = auth.Nonce.Buffer
	return nil
}

// mac is the HMAC over a hash, nonces and attributes, with the session's key and the entity's authorization value.
func (u authorization) mac(hash, newer, older, more []byte, attributes tpm2.TPMASession) []byte {
	value := u.value()
	defer clear(value)
	mac := hmac.New(sessionHash.New, value)
	mac.Write(hash)
	mac.Write(newer)
	mac.Write(older)
	mac.Write(more)
	mac.Write(tpm2.Marshal(attributes))
	return mac.Sum(nil)
}

// value is sessionKey ‖ authValue, the key of both HMAC and encryption (part 1, 19.6.8 and 21.3).
func (u authorization) value() []byte { return append(bytes.Clone(u.key), u.auth...) }

// Encrypt encrypts the command's first parameter in place (part 1, 21.3).
func (u authorization) Encrypt(parameter []byte) error {
	if !u.IsDecryption() {
		return nil
	}
	//lint:ignore SA1019 a TPM encrypts parameters in CFB mode (part 1, 21.3)
	return u.cfb(parameter, u.nonceCaller, u.nonceTPM, cipher.NewCFBEncrypter)
}

// Decrypt decrypts the response's first parameter in place.
func (u authorization) Decrypt(parameter []byte) error {
	if !u.IsEncryption() {
		return nil
	}
	//lint:ignore SA1019 a TPM encrypts parameters in CFB mode (part 1, 21.3)
	return u.cfb(parameter, u.nonceTPM, u.nonceCaller, cipher.NewCFBDecrypter)
}

func (u authorization) cfb(data, newer, older []byte, mode func(cipher.Block, []byte) cipher.Stream) error {
	value := u.value()
	defer clear(value)
	keyIV := tpm2.KDFa(sessionHash, value, "CFB", newer, older, 8*(aesKeySize+aes.BlockSize))
	defer clear(keyIV)
	block, err := aes.NewCipher(keyIV[:aesKeySize])
	if err != nil {
		return err
	}
	// CFB is what TPMs speak (part 1, 21.3), and approved (NIST SP 800-38A); only Go's module does not have it.
	fips140.WithoutEnforcement(func() { mode(block, keyIV[aesKeySize:]).XORKeyStream(data, data) })
	return nil
}
