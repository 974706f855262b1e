package tpm

import (
	"bytes"
	"crypto"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/require"
)

// evil is a TPM that means harm: it knows the key of the session, so that its answers are authentic, and says in them what
// the fuzzer wants.
type evil struct {
	data     []byte
	commands int
	session  *session
}

// next takes a piece of the data: its size in two octets, and as much as there is.
func (e *evil) next() []byte {
	if len(e.data) < 2 {
		return nil
	}
	n := min(int(binary.BigEndian.Uint16(e.data)), len(e.data)-2, maxAnswer-100)
	piece := e.data[2 : 2+n]
	e.data = e.data[2+n:]
	return piece
}

func (e *evil) Send(command []byte) ([]byte, error) {
	e.commands++
	code := commandCode(command)
	piece := e.next()
	if len(piece) == 4 && makesHandle(code) == (piece[0] < 2) { // a return code
		if rc := tpm2.TPMRC(binary.BigEndian.Uint32(piece)); rc != tpm2.TPMRCSuccess && !busy(rc) {
			return refusal(rc), nil
		}
	}
	answer := bytes.Clone(command[:2])
	answer = append(answer, 0, 0, 0, 0, 0, 0, 0, 0)
	if makesHandle(code) {
		answer = append(answer, 0x80, 0, 0, byte(e.commands))
		if code == tpm2.TPMCCStartAuthSession {
			answer[headerSize] = typeHMAC
		}
	}
	if command[1] == 1 { // no sessions
		return withSize(append(answer, piece...)), nil
	}
	return withSize(append(answer, e.signed(command, code, bytes.Clone(piece))...)), nil
}

// signed is what follows the handles of an answer in a session: the size of the parameters, they, and the authorization.
func (e *evil) signed(command []byte, code tpm2.TPMCC, parms []byte) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(len(parms)))
	if bytes.Contains(command, []byte{0x40, 0, 0, 9}) { // TPM_RS_PW
		return append(append(body, parms...), 0, 0, 1, 0, 0)
	}
	u := authorization{session: e.session}
	newer := make([]byte, nonceSize)
	switch code {
	case tpm2.TPMCCLoad, tpm2.TPMCCCreate, tpm2.TPMCCECDHZGen:
		u.directions = both
		if len(parms) >= 2 {
			if n := int(binary.BigEndian.Uint16(parms)); n+2 <= len(parms) {
				//lint:ignore SA1019 a TPM encrypts parameters in CFB mode
				_ = u.cfb(parms[2:2+n], newer, u.nonceCaller, cipher.NewCFBEncrypter)
			}
		}
	default:
		u.directions = in
	}
	h := sessionHash.New()
	_ = binary.Write(h, binary.BigEndian, []uint32{0, uint32(code)})
	h.Write(parms)
	mac := u.mac(h.Sum(nil), newer, u.nonceCaller, nil, u.attributes())
	body = append(body, parms...)
	return append(body, tpm2.Marshal(tpm2.TPMSAuthResponse{
		Nonce: tpm2.TPM2BNonce{Buffer: newer}, Attributes: u.attributes(), Authorization: tpm2.TPM2BData{Buffer: mac},
	})...)
}

// fuzzKey is a key that nobody has the private half of.
func fuzzKey(template tpm2.TPMTPublic) *key {
	x, y := elliptic.P256().Params().Gx, elliptic.P256().Params().Gy
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{
		X: tpm2.TPM2BECCParameter{Buffer: x.Bytes()}, Y: tpm2.TPM2BECCParameter{Buffer: y.Bytes()},
	})
	name, err := tpm2.ObjectName(&template)
	if err != nil {
		panic(err)
	}
	return &key{name: name.Buffer, public: &template, parent: tpm2.TPMRHOwner, open: true}
}

// FuzzAnswers has a TPM answer anything to every kind of operation. Nothing may panic or go on for ever, and a handle that
// is kept must have been checked.
func FuzzAnswers(f *testing.F) {
	pieces := func(pieces ...string) (data []byte) {
		for _, p := range pieces {
			b, err := hex.DecodeString(p)
			require.NoError(f, err)
			data = append(binary.BigEndian.AppendUint16(data, uint16(len(b))), b...)
		}
		return data
	}
	template, err := signerTemplate(P256)
	require.NoError(f, err)
	signing, agreeing := fuzzKey(template), fuzzKey(exchangerTemplate())
	name := func(k *key) string { return hex.EncodeToString(append([]byte{0, byte(len(k.name))}, k.name...)) }
	parent := *storageTemplate(false)
	parent.Unique = signing.public.Unique
	area := tpm2.Marshal(tpm2.New2B(parent))
	made := hex.EncodeToString(area) + "0000" + "0000" + "802140000001" + "0000" + "0022" + "000b" + hex.EncodeToString(make([]byte, 32))
	point := "0044" + "0020" + hex.EncodeToString(make([]byte, 32)) + "0020" + hex.EncodeToString(make([]byte, 32))
	f.Add(uint8(0), pieces(made, name(signing), "0018000b0001010001ff"))
	f.Add(uint8(1), pieces(made, name(agreeing), point))
	f.Add(uint8(2), pieces("00000184", made, "0004aaaaaaaa"+hex.EncodeToString(area)))
	f.Add(uint8(3), pieces("00000000010000010000000132"+"2e3000"))
	f.Add(uint8(4), pieces("00000184", "00000902", "0000000001000000028000000180000002", ""))
	f.Add(uint8(0), pieces("00000902", "00000902", "0000018b"))
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(f, err)
	public, err := publicKey(signing.public)
	require.NoError(f, err)
	exchange, err := exchangeKey(agreeing.public)
	require.NoError(f, err)

	f.Fuzz(func(t *testing.T, operation uint8, data []byte) {
		e := &evil{data: data, session: &session{handle: 0x02000000, key: make([]byte, 32), nonceCaller: make([]byte, nonceSize), nonceTPM: make([]byte, nonceSize)}}
		o := mustCheck(t, nil)
		tpm := newTPM(&redialer{open: func() (link, error) { return evilLink{e}, nil }}, o, exclusive)
		defer tpm.Close()
		if operation&0x80 == 0 {
			tpm.cache.session = e.session
		}
		switch operation & 0x7f {
		case 0:
			digest := sha256.Sum256(data)
			_, _ = (&Signer{tpm, signing, public}).Sign(nil, digest[:], crypto.SHA256)
		case 1:
			if secret, err := (&KeyExchanger{tpm, agreeing, exchange}).ECDH(other.PublicKey()); err == nil {
				require.Len(t, secret, 32)
			}
		case 2:
			_, _ = tpm.create(t.Context(), template)
		case 3:
			_ = tpm.probe()
		default:
			_, _ = tpm.Store().Bind(nil)
		}
		require.Less(t, e.commands, 300)
		for h := range tpm.wire.loaded {
			require.True(t, volatile(h))
		}
	})
}

type evilLink struct{ *evil }

func (evilLink) Close() error { return nil }
