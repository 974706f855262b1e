package wsproto_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/envelope"
	"github.com/adcskit/adcskit/wsproto"
)

// bench is a maker, a pinned sibling and a checkpoint of the maker.
type bench struct {
	maker, sibling       *ecdsa.PrivateKey
	makerBox, siblingBox *ecdh.PrivateKey
	secret               wsproto.CheckpointSecret
	clear                wsproto.Checkpoint
	sealed               *wsproto.Checkpoint
	expect               wsproto.CheckpointExpectation
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{
		maker: newKey(t), sibling: newKey(t), makerBox: newDecryptionKey(t), siblingBox: newDecryptionKey(t), secret: newSecret(t),
	}
	ca := wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp CA"}
	digest := wsproto.OrderDigest([]byte(`{"order":1}`))
	b.clear = wsproto.Checkpoint{
		State: wsproto.CheckpointPending, CA: ca, Account: `CORP\svc`, RequestID: 17,
		Time: time.Date(2026, 11, 22, 14, 30, 5, 999, time.FixedZone("x", 3600)), Tenant: "acme", Job: "job-1", Attempt: 2, Sequence: 3, OrderDigest: digest,
	}
	var err error
	b.sealed, err = wsproto.SealCheckpoint(b.clear, b.secret, b.maker, b.makerBox.PublicKey(), b.siblingBox.PublicKey())
	require.NoError(t, err)
	b.expect = wsproto.CheckpointExpectation{
		Makers: []*ecdsa.PublicKey{&b.sibling.PublicKey, &b.maker.PublicKey}, Tenant: "acme", Job: "job-1", Attempt: 2,
		OrderDigest: digest, CA: ca, Account: `CORP\svc`,
	}
	return b
}

func (b *bench) copy(t testing.TB) *wsproto.Checkpoint {
	t.Helper()
	text, err := json.Marshal(b.sealed)
	require.NoError(t, err)
	var c wsproto.Checkpoint
	require.NoError(t, wsproto.Unmarshal(text, &c))
	return &c
}

func TestCheckpointIsOpenedByMakerAndSibling(t *testing.T) {
	b := newBench(t)
	for _, key := range []*ecdh.PrivateKey{b.makerBox, b.siblingBox} {
		got, err := wsproto.OpenCheckpoint(b.copy(t), key, b.expect)
		require.NoError(t, err)
		assert.Equal(t, b.secret, *got)
	}
	later := b.expect
	later.Attempt = 9
	_, err := wsproto.OpenCheckpoint(b.copy(t), b.makerBox, later)
	assert.NoError(t, err, "a later attempt goes on from it")
}

func TestSealCheckpointFillsIn(t *testing.T) {
	b := newBench(t)
	request, err := x509.ParseCertificateRequest(b.secret.Request)
	require.NoError(t, err)
	hash := sha256.Sum256(request.RawSubjectPublicKeyInfo)
	assert.Equal(t, hash[:], b.sealed.PublicKeyHash)
	maker := fingerprint(t, b.maker.Public())
	assert.Equal(t, maker[:], b.sealed.Maker)
	assert.Equal(t, time.Date(2026, 11, 22, 13, 30, 5, 0, time.UTC), b.sealed.Time)
	text, err := json.Marshal(b.sealed)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"time":"2026-11-22T13:30:05Z"`)
	for _, secret := range [][]byte{b.secret.PrivateKey, b.secret.Request} {
		assert.NotContains(t, string(text), string(secret))
	}
	assert.Empty(t, b.clear.Sealed, "the caller's value is left alone")
}

func TestOpenCheckpointTellsWhatIsWrong(t *testing.T) {
	b := newBench(t)
	stranger, strangerBox := newKey(t), newDecryptionKey(t)
	// resign makes a change that the maker itself might have made.
	resign := func(change func(*wsproto.Checkpoint)) func(*wsproto.Checkpoint) {
		return func(c *wsproto.Checkpoint) {
			change(c)
			c.Resign(func(transcript []byte) []byte {
				digest := sha256.Sum256(transcript)
				sig, err := b.maker.Sign(rand.Reader, digest[:], crypto.SHA256)
				require.NoError(t, err)
				return sig
			})
		}
	}
	foreign, err := wsproto.SealCheckpoint(b.clear, b.secret, stranger, b.makerBox.PublicKey())
	require.NoError(t, err)
	otherKey := newSecret(t)
	flip := func(part *[]byte) { *part = slices.Clone(*part); (*part)[len(*part)-1] ^= 1 }
	const (
		badMaker, badSignature = wsproto.ErrCheckpointMaker, wsproto.ErrCheckpointSignature
		badJob, badOrder       = wsproto.ErrCheckpointJob, wsproto.ErrCheckpointOrder
		badAccount, badSealed  = wsproto.ErrCheckpointAccount, wsproto.ErrCheckpointSealed
		badKey, badMalformed   = wsproto.ErrCheckpointKey, wsproto.ErrCheckpointMalformed
	)
	type ckpt = wsproto.Checkpoint
	mixed := wsproto.CheckpointSecret{PrivateKey: otherKey.PrivateKey, Request: b.secret.Request}.Encode()
	keyless := wsproto.CheckpointSecret{Request: b.secret.Request}.Encode()
	requestless := wsproto.CheckpointSecret{PrivateKey: b.secret.PrivateKey}.Encode()
	siblingID := fingerprint(t, b.sibling.Public())
	for name, test := range map[string]struct {
		change func(*ckpt)
		want   wsproto.CheckpointError
	}{
		"maker not pinned":     {func(c *ckpt) { *c = *foreign }, badMaker},
		"maker renamed":        {func(c *ckpt) { c.Maker = foreign.Maker }, badMaker},
		"sibling named":        {func(c *ckpt) { c.Maker = siblingID[:] }, badSignature},
		"signature changed":    {func(c *ckpt) { flip(&c.Signature) }, badSignature},
		"state changed":        {func(c *ckpt) { c.State, c.RequestID = wsproto.CheckpointSubmitting, 0 }, badSignature},
		"request id changed":   {func(c *ckpt) { c.RequestID++ }, badSignature},
		"host changed":         {func(c *ckpt) { c.CA.Host = "x" }, badSignature},
		"name changed":         {func(c *ckpt) { c.CA.Name = "x" }, badSignature},
		"account changed":      {func(c *ckpt) { c.Account = "x" }, badSignature},
		"key hash changed":     {func(c *ckpt) { flip(&c.PublicKeyHash) }, badSignature},
		"time changed":         {func(c *ckpt) { c.Time = c.Time.Add(time.Second) }, badSignature},
		"tenant changed":       {func(c *ckpt) { c.Tenant = "x" }, badSignature},
		"job changed":          {func(c *ckpt) { c.Job = "x" }, badSignature},
		"attempt changed":      {func(c *ckpt) { c.Attempt-- }, badSignature},
		"sequence changed":     {func(c *ckpt) { c.Sequence++ }, badSignature},
		"digest changed":       {func(c *ckpt) { flip(&c.OrderDigest) }, badSignature},
		"part removed":         {func(c *ckpt) { c.Sealed = c.Sealed[:1] }, badSignature},
		"parts swapped":        {func(c *ckpt) { slices.Reverse(c.Sealed) }, badSignature},
		"part's key changed":   {func(c *ckpt) { flip(&c.Sealed[1].Key) }, badSignature},
		"part's enc changed":   {func(c *ckpt) { flip(&c.Sealed[1].Encapsulation) }, badSignature},
		"part changed":         {func(c *ckpt) { flip(&c.Sealed[1].Ciphertext) }, badSignature},
		"of another tenant":    {resign(func(c *ckpt) { c.Tenant = "x" }), badJob},
		"of another job":       {resign(func(c *ckpt) { c.Job = "x" }), badJob},
		"of a later attempt":   {resign(func(c *ckpt) { c.Attempt = 3 }), badJob},
		"of another order":     {resign(func(c *ckpt) { flip(&c.OrderDigest) }), badOrder},
		"with another account": {resign(func(c *ckpt) { c.Account = "x" }), badAccount},
		"at another CA":        {resign(func(c *ckpt) { c.CA.Name = "x" }), badAccount},
		"not for this key":     {resign(func(c *ckpt) { c.Sealed = c.Sealed[1:] }), badSealed},
		"moved to a sequence":  {resign(func(c *ckpt) { c.Sequence = 9 }), badSealed},
		"ciphertext broken":    {resign(func(c *ckpt) { flip(&c.Sealed[0].Ciphertext) }), badSealed},
		"enc no point":         {resign(func(c *ckpt) { flip(&c.Sealed[0].Encapsulation) }), badSealed},
		"another key's hash":   {resign(func(c *ckpt) { flip(&c.PublicKeyHash) }), badKey},
		"another private key": {resign(func(c *ckpt) {
			reseal(t, c, b, mixed)
		}), badKey},
		"no private key": {resign(func(c *ckpt) {
			reseal(t, c, b, keyless)
		}), badKey},
		"no request": {resign(func(c *ckpt) {
			reseal(t, c, b, requestless)
		}), badKey},
		"something after it": {resign(func(c *ckpt) { reseal(t, c, b, append(b.secret.Encode(), 0)) }), badKey},
		"nothing in it":      {resign(func(c *ckpt) { reseal(t, c, b, nil) }), badKey},
		"no parts":           {resign(func(c *ckpt) { c.Sealed = nil }), badMalformed},
		"pending without id": {resign(func(c *ckpt) { c.RequestID = 0 }), badMalformed},
		"unknown state":      {resign(func(c *ckpt) { c.State = "done" }), badMalformed},
		"half a second":      {resign(func(c *ckpt) { c.Time = c.Time.Add(time.Millisecond) }), badMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			c := b.copy(t)
			test.change(c)
			got, err := wsproto.OpenCheckpoint(c, b.makerBox, b.expect)
			assert.Nil(t, got)
			assert.Equal(t, test.want, err)
		})
	}
	_, err = wsproto.OpenCheckpoint(b.copy(t), strangerBox, b.expect)
	assert.Equal(t, wsproto.ErrCheckpointSealed, err)
	_, err = wsproto.OpenCheckpoint(b.copy(t), nil, b.expect)
	assert.Equal(t, wsproto.ErrCheckpointSealed, err)
	_, err = wsproto.OpenCheckpoint(nil, b.makerBox, b.expect)
	assert.Equal(t, wsproto.ErrCheckpointMalformed, err)
	nobody := b.expect
	nobody.Makers = []*ecdsa.PublicKey{nil}
	_, err = wsproto.OpenCheckpoint(b.copy(t), b.makerBox, nobody)
	assert.Equal(t, wsproto.ErrCheckpointMaker, err)
}

func TestCheckpointErrorsHaveAReasonEach(t *testing.T) {
	for err, want := range map[wsproto.CheckpointError]wsproto.Reason{
		wsproto.ErrCheckpointMaker:     wsproto.ReasonCheckpointMaker,
		wsproto.ErrCheckpointSignature: wsproto.ReasonCheckpointSignature,
		wsproto.ErrCheckpointMalformed: wsproto.ReasonCheckpointSignature,
		wsproto.ErrCheckpointJob:       wsproto.ReasonCheckpointJob,
		wsproto.ErrCheckpointOrder:     wsproto.ReasonCheckpointOrder,
		wsproto.ErrCheckpointAccount:   wsproto.ReasonCheckpointAccount,
		wsproto.ErrCheckpointSealed:    wsproto.ReasonCheckpointSealed,
		wsproto.ErrCheckpointKey:       wsproto.ReasonCheckpointKey,
		wsproto.CheckpointError("?"):   wsproto.ReasonInternal,
	} {
		assert.Equal(t, want, err.Reason())
	}
}

// reseal encrypts another plaintext to the maker.
func reseal(t *testing.T, c *wsproto.Checkpoint, b *bench, plaintext []byte) {
	t.Helper()
	enc, ciphertext, err := envelope.Seal(b.makerBox.PublicKey(), c.SealInfo(), plaintext)
	require.NoError(t, err)
	c.Sealed[0].Encapsulation, c.Sealed[0].Ciphertext = enc, ciphertext
}

func TestVerifyCheckpointForATenant(t *testing.T) {
	b := newBench(t)
	params := func() *wsproto.CheckpointParams {
		return &wsproto.CheckpointParams{Job: "job-1", Attempt: 2, Sequence: 3, Checkpoint: *b.copy(t)}
	}
	digest := b.clear.OrderDigest
	require.NoError(t, wsproto.VerifyCheckpoint(params(), "acme", digest, &b.maker.PublicKey))
	assert.Equal(t, wsproto.ErrCheckpointMaker, wsproto.VerifyCheckpoint(params(), "acme", digest, &b.sibling.PublicKey),
		"a session stores its own checkpoints only")
	assert.Equal(t, wsproto.ErrCheckpointJob, wsproto.VerifyCheckpoint(params(), "x", digest, &b.maker.PublicKey))
	assert.Equal(t, wsproto.ErrCheckpointOrder, wsproto.VerifyCheckpoint(params(), "acme", wsproto.OrderDigest(nil), &b.maker.PublicKey))
	for _, change := range []func(*wsproto.CheckpointParams){
		func(p *wsproto.CheckpointParams) { p.Job = "x" },
		func(p *wsproto.CheckpointParams) { p.Attempt++ },
		func(p *wsproto.CheckpointParams) { p.Sequence++ },
	} {
		p := params()
		change(p)
		assert.Equal(t, wsproto.ErrCheckpointJob, wsproto.VerifyCheckpoint(p, "acme", digest, &b.maker.PublicKey))
		assert.ErrorIs(t, p.Validate(), wsproto.ErrBounds)
	}
	p := params()
	p.Checkpoint.RequestID = 18
	assert.Equal(t, wsproto.ErrCheckpointSignature, wsproto.VerifyCheckpoint(p, "acme", digest, &b.maker.PublicKey))
	p.Checkpoint.Maker = nil
	assert.Equal(t, wsproto.ErrCheckpointMalformed, wsproto.VerifyCheckpoint(p, "acme", digest, &b.maker.PublicKey))
}

func TestSealCheckpointRefuses(t *testing.T) {
	b := newBench(t)
	box := b.makerBox.PublicKey()
	_, err := wsproto.SealCheckpoint(b.clear, b.secret, nil, box)
	assert.Error(t, err)
	_, err = wsproto.SealCheckpoint(b.clear, b.secret, b.maker)
	assert.Error(t, err, "no keys")
	_, err = wsproto.SealCheckpoint(b.clear, b.secret, b.maker, slices.Repeat([]*ecdh.PublicKey{box}, wsproto.MaxSealedParts+1)...)
	assert.Error(t, err, "too many keys")
	_, err = wsproto.SealCheckpoint(b.clear, b.secret, b.maker, nil)
	assert.Error(t, err)
	other := newSecret(t)
	_, err = wsproto.SealCheckpoint(b.clear, wsproto.CheckpointSecret{PrivateKey: other.PrivateKey, Request: b.secret.Request}, b.maker, box)
	require.Error(t, err, "a key that is not the request's")
	unnamed := b.clear
	unnamed.Account = ""
	_, err = wsproto.SealCheckpoint(unnamed, b.secret, b.maker, box)
	assert.ErrorIs(t, err, wsproto.ErrBounds)
}

func TestCheckpointSecretRedactsItself(t *testing.T) {
	secret := newSecret(t)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "secret", secret, "pointer", &secret)
	shown := log.String() + fmt.Sprintf("%v %+v %#v %s %x %d", secret, &secret, secret, secret, secret, []any{secret})
	for _, part := range [][]byte{secret.PrivateKey, secret.Request} {
		assert.NotContains(t, shown, string(part[:8]))
		assert.NotContains(t, shown, fmt.Sprintf("%x", part[:8]))
		assert.NotContains(t, shown, strings.Trim(fmt.Sprint(part[:8]), "[]"))
	}
}

func FuzzCheckpoint(f *testing.F) {
	b := newBench(f)
	text, err := json.Marshal(b.sealed)
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"state":"pending","requestId":1,"sealed":[{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c wsproto.Checkpoint
		if wsproto.Unmarshal(text, &c) != nil {
			return
		}
		secret, err := wsproto.OpenCheckpoint(&c, b.makerBox, b.expect)
		require.Equal(t, err == nil, secret != nil)
		if err == nil {
			require.Equal(t, b.secret, *secret, "only the maker's own checkpoint opens")
		}
	})
}

func FuzzCheckpointSecret(f *testing.F) {
	f.Add(wsproto.CheckpointSecret{PrivateKey: []byte("k"), Request: []byte("r")}.Encode())
	f.Add([]byte{0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, text []byte) {
		secret, err := wsproto.DecodeSecret(text)
		if err == nil {
			require.Equal(t, text, secret.Encode())
		}
	})
}

func BenchmarkDecodeFrame(b *testing.B) {
	c := newBench(b)
	text, err := json.Marshal(wsproto.CheckpointParams{Job: "job-1", Attempt: 2, Sequence: 3, Checkpoint: *c.sealed})
	require.NoError(b, err)
	frame := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"job.checkpoint","params":%s}`, text)
	b.Run("frame", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			if err := wsproto.DecodeFrame(frame); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("params", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var p wsproto.CheckpointParams
			if err := wsproto.Unmarshal(text, &p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
