package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/ntlm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/rpc"
)

// verifier accepts one user, whatever name it comes with.
type verifier struct{ cfg *ntlm.Config }

func (v verifier) VerifyChallenge(ctx context.Context, s *ntlm.SecurityParameters, _ ntlm.Credential, nonce []byte,
	am *ntlm.AuthenticateMessage) (*ntlm.ChallengeResponse, error) {
	return v.cfg.NewNTLMVersion(ctx, v.cfg, s).AuthenticateResponse(ctx, alice(), am, nonce)
}

func alice() credential.Password {
	return credential.NewFromPassword("alice", "secret", credential.Domain("CORP"))
}

// ntlmPair is both sides of a completed NTLM logon.
func ntlmPair(t testing.TB) (client, server *ntlm.Authentifier) {
	t.Helper()
	ctx := t.Context()
	cfg := ntlm.NewConfig()
	cfg.Integrity, cfg.Confidentiality, cfg.Credential = true, true, alice()
	client = &ntlm.Authentifier{Config: cfg}
	scfg := ntlm.NewConfig()
	scfg.IsServer, scfg.NetBIOSDomainName = true, "CORP"
	scfg.Verifier = verifier{scfg}
	server = &ntlm.Authentifier{Config: scfg}
	first, err := client.Negotiate(ctx)
	require.NoError(t, err)
	challenge, err := server.Challenge(ctx, first)
	require.NoError(t, err)
	last, err := client.Authenticate(ctx, challenge)
	require.NoError(t, err)
	require.NoError(t, server.VerifyAuthenticate(ctx, last))
	return client, server
}

// securities are the two ends of a connection at a level.
func securities(t testing.TB, level rpc.AuthLevel, signHeader bool) (client, server *rpc.Security) {
	t.Helper()
	c, s := ntlmPair(t)
	base := rpc.Security{Type: rpc.AuthNTLM, Level: level, ContextID: 5, SignHeader: signHeader}
	cs, ss := base, base
	cs.Protector, ss.Protector = rpc.NTLM(c), rpc.NTLM(s)
	return &cs, &ss
}

func TestSealAndOpen(t *testing.T) {
	for _, level := range []rpc.AuthLevel{rpc.LevelConnect, rpc.LevelPacket, rpc.LevelIntegrity, rpc.LevelPrivacy} {
		for _, sign := range []bool{false, true} {
			client, server := securities(t, level, sign)
			for n, size := range []int{0, 1, 15, 16, 17, 5000} {
				stub := bytes.Repeat([]byte("stub"), size/4+1)[:size]
				list, err := (&rpc.Call{Type: rpc.TypeRequest, CallID: uint32(n), Stub: stub}).Fragments(1500, client)
				require.NoError(t, err)
				assert.Equal(t, stub, open(t, server, list))
				if level == rpc.LevelPrivacy && size > 8 {
					assert.NotContains(t, string(bytes.Join(list, nil)), "stub", "it is not encrypted")
				}
				list, err = (&rpc.Call{Type: rpc.TypeResponse, CallID: uint32(n), Stub: stub}).Fragments(1500, server)
				require.NoError(t, err)
				assert.Equal(t, stub, open(t, client, list))
			}
		}
	}
}

// open puts fragments together.
func open(t testing.TB, sec *rpc.Security, list [][]byte) []byte {
	t.Helper()
	stub, err := tryOpen(sec, list)
	require.NoError(t, err)
	if len(stub) == 0 {
		return []byte{}
	}
	return stub
}

func tryOpen(sec *rpc.Security, list [][]byte) ([]byte, error) {
	whole := rpc.Reassembler{Max: 1 << 20}
	for _, raw := range list {
		p, err := rpc.ParsePDU(bytes.Clone(raw))
		if err != nil {
			return nil, err
		}
		stub, err := sec.Open(p)
		if err != nil {
			return nil, err
		}
		if _, err := whole.Add(p, stub); err != nil {
			return nil, err
		}
	}
	return whole.Stub()
}

// TestFlippedBits flips bits of a message of two fragments, all of the headers, trailers and signatures, and one in each
// byte that is encrypted: none is accepted. NTLM signs the header whether header signing was agreed or not.
func TestFlippedBits(t *testing.T) {
	stub := bytes.Repeat([]byte("0123456789"), 5)
	for _, c := range []struct {
		level rpc.AuthLevel
		sign  bool
	}{{rpc.LevelIntegrity, true}, {rpc.LevelPrivacy, false}, {rpc.LevelPrivacy, true}} {
		for at := 0; ; at++ { // counts the bits of all fragments
			client, server := securities(t, c.level, c.sign)
			list, err := (&rpc.Call{Type: rpc.TypeResponse, CallID: 2, Stub: stub}).Fragments(100, server)
			require.NoError(t, err)
			require.Greater(t, len(list), 1)
			i, bit := 0, at
			for i < len(list) && bit >= len(list[i])*8 {
				bit -= len(list[i]) * 8
				i++
			}
			if i == len(list) {
				break
			}
			if stubByte := bit/8 >= 24 && bit/8 < len(list[i])-24; stubByte && bit%8 != bit/8%8 {
				continue
			}
			list[i][bit/8] ^= 1 << (bit % 8)
			if _, err := tryOpen(client, list); err == nil {
				t.Fatalf("level %d, header signing %v: fragment %d, byte %d, bit %d was accepted", c.level, c.sign, i, bit/8, bit%8)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	client, server := securities(t, rpc.LevelPrivacy, true)
	h := rpc.Header{Type: rpc.TypeResponse, Flags: 3, CallID: 1}
	fixed := (&rpc.Response{}).Append(nil)
	raw, err := server.Seal(h, fixed, []byte("data"))
	require.NoError(t, err)

	plain, err := rpc.Encode(h, append(bytes.Clone(fixed), "data"...), nil)
	require.NoError(t, err)
	_, err = client.Open(parse(t, plain))
	assert.ErrorIs(t, err, rpc.ErrIntegrity, "no trailer")

	for name, change := range map[string]func(*rpc.Security){
		"type":    func(s *rpc.Security) { s.Type = rpc.AuthNegotiate },
		"level":   func(s *rpc.Security) { s.Level = rpc.LevelIntegrity },
		"context": func(s *rpc.Security) { s.ContextID++ },
	} {
		other := *client
		change(&other)
		_, err := other.Open(parse(t, bytes.Clone(raw)))
		assert.ErrorIs(t, err, rpc.ErrIntegrity, name)
	}
	_, err = client.Open(parse(t, bytes.Clone(raw)))
	require.NoError(t, err)
	_, err = client.Open(parse(t, bytes.Clone(raw)))
	assert.ErrorIs(t, err, rpc.ErrIntegrity, "the same PDU twice")
	_, err = client.Open(parse(t, rpc.EncodeBindNak(1, 0)))
	assert.ErrorIs(t, err, rpc.ErrMalformed)
}

func TestSignedFault(t *testing.T) {
	f := &rpc.Fault{Status: rpc.StatusOpRange}
	h := rpc.Header{Type: rpc.TypeFault, Flags: 3 | rpc.FlagDidNotExecute, CallID: 1}
	for _, level := range []rpc.AuthLevel{rpc.LevelIntegrity, rpc.LevelPrivacy} {
		client, server := securities(t, level, true)
		raw, err := server.Seal(h, f.Append(nil), nil)
		require.NoError(t, err)
		got, signed, err := client.OpenFault(parse(t, raw))
		require.NoError(t, err)
		assert.True(t, signed)
		assert.Equal(t, rpc.StatusOpRange, got.Status)
		raw, err = server.Seal(h, f.Append(nil), nil)
		require.NoError(t, err)
		raw[3] ^= byte(rpc.FlagDidNotExecute)
		_, _, err = client.OpenFault(parse(t, raw))
		assert.ErrorIs(t, err, rpc.ErrIntegrity)
	}
	client, _ := securities(t, rpc.LevelPrivacy, true)
	raw, err := rpc.Encode(h, f.Append(nil), nil)
	require.NoError(t, err)
	_, signed, err := client.OpenFault(parse(t, raw))
	require.NoError(t, err)
	assert.False(t, signed)
}

// oddProtector misbehaves as somebody else's mechanism may.
type oddProtector struct{ panics bool }

func (o oddProtector) SignatureSize(bool) int { return 16 }

func (o oddProtector) Wrap(*rpc.Message) ([]byte, error) {
	if o.panics {
		panic("index out of range")
	}
	return []byte("short"), nil
}

func (o oddProtector) Unwrap(m *rpc.Message, _ []byte) error {
	if o.panics {
		panic("index out of range")
	}
	return errors.New("wrong")
}

func TestProtectorMisbehaves(t *testing.T) {
	_, server := securities(t, rpc.LevelPrivacy, true)
	raw, err := server.Seal(rpc.Header{Type: rpc.TypeResponse, Flags: 3}, (&rpc.Response{}).Append(nil), []byte("data"))
	require.NoError(t, err)
	for _, panics := range []bool{false, true} {
		odd := *server
		odd.Protector = oddProtector{panics}
		_, err := odd.Open(parse(t, raw))
		assert.ErrorIs(t, err, rpc.ErrIntegrity)
		_, err = odd.Seal(rpc.Header{Type: rpc.TypeResponse}, nil, nil)
		assert.Error(t, err)
	}
}
