package wsproto_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/sealedbundle"
	"github.com/adcskit/adcskit/wsproto"
)

func TestHelloHasTwoKeys(t *testing.T) {
	h := newHello(t)
	require.NoError(t, h.Validate())
	h.DecryptionKey = h.IdentityKey
	assert.ErrorIs(t, h.Validate(), wsproto.ErrBounds)
}

// Each comes from a peer that has proved nothing yet.
func TestAttestationIsBounded(t *testing.T) {
	text := func(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`) }
	c := wsproto.Challenge{
		Version: 1, Session: "s", Nonce: make([]byte, 32), TenantKey: spki(t, newKey(t).Public()),
		Limits: wsproto.Limits{MaxMessageBytes: 1 << 20, HeartbeatMS: 25000, RPCDeadlineMS: 120000},
	}
	a := wsproto.Authenticate{Signature: make([]byte, 70)}
	for n, ok := range map[int]bool{2: true, wsproto.MaxAttestation: true, wsproto.MaxAttestation + 1: false} {
		c.Credentials, a.Activation = text(n), text(n)
		assert.Equal(t, ok, c.Validate() == nil, n)
		assert.Equal(t, ok, a.Validate() == nil, n)
	}
	c.Credentials = text(wsproto.MaxAttestation)
	raw, err := wsproto.EncodeChallenge(c)
	require.NoError(t, err)
	signed := wsproto.SignedChallenge{Challenge: raw, Signature: make([]byte, 70)}
	assert.NoError(t, signed.Validate(), "the longest credentials fit into a challenge")
}

func TestOutcomeHoldsWhatItsKindRequires(t *testing.T) {
	hash, p12 := make([]byte, 32), []byte("p12")
	issued := wsproto.Outcome{Kind: wsproto.Issued, Serial: "01", Thumbprint: hash, PKCS12: p12}
	require.NoError(t, issued.Validate())
	sealed := issued
	sealed.PKCS12, sealed.Sealed = nil, []byte(`{}`)
	require.NoError(t, sealed.Validate())
	for _, bad := range []string{`[]`, `"x"`, `1`, ` {}`, `{` + strings.Repeat(" ", sealedbundle.MaxText-1) + `}`} {
		sealed.Sealed = []byte(bad)
		require.ErrorIs(t, sealed.Validate(), wsproto.ErrBounds)
	}
	for name, o := range map[string]wsproto.Outcome{
		"no kind":                {},
		"no serial":              {Kind: wsproto.Issued, Thumbprint: hash, PKCS12: p12},
		"no thumbprint":          {Kind: wsproto.Issued, Serial: "01", PKCS12: p12},
		"no bundle":              {Kind: wsproto.Issued, Serial: "01", Thumbprint: hash},
		"two bundles":            {Kind: wsproto.Issued, Serial: "01", Thumbprint: hash, PKCS12: p12, Sealed: []byte(`{}`)},
		"pending without id":     {Kind: wsproto.Pending},
		"pending with a bundle":  {Kind: wsproto.Pending, RequestID: 1, PKCS12: p12},
		"rejected with a bundle": {Kind: wsproto.Rejected, Serial: "01", Thumbprint: hash, PKCS12: p12},
		"failed, sealed":         {Kind: wsproto.Failed, Sealed: []byte(`{}`)},
	} {
		assert.ErrorIs(t, o.Validate(), wsproto.ErrBounds, name)
	}
}

// A member that is null is like one that is absent, also where its value is kept as text.
func TestNullIsAbsent(t *testing.T) {
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, text := range []string{
		`{"kind":"issued","serial":"01","thumbprint":"` + hash + `","pkcs12":"AA==","sealed":null}`,
		`{"kind":"denied","pkcs12":null,"sealed":null}`,
	} {
		var o wsproto.Outcome
		require.NoError(t, wsproto.Unmarshal([]byte(text), &o))
		require.NoError(t, o.Validate(), text)
		require.Nil(t, o.Sealed)
	}
	var h wsproto.Hello
	require.NoError(t, wsproto.Unmarshal([]byte(`{"attestation":null}`), &h))
	require.Nil(t, h.Attestation)
}

func TestOfferBounds(t *testing.T) {
	b := newBench(t)
	good := wsproto.Offer{Job: "j", Attempt: 1, Order: []byte(`{"x":"` + strings.Repeat("x", 64<<10-8) + `"}`), Checkpoint: b.sealed}
	require.NoError(t, good.Validate())
	for name, edit := range map[string]func(*wsproto.Offer){
		"no order":          func(o *wsproto.Offer) { o.Order = nil },
		"order too long":    func(o *wsproto.Offer) { o.Order = append(o.Order, ' ') },
		"no job":            func(o *wsproto.Offer) { o.Job = "" },
		"attempt 0":         func(o *wsproto.Offer) { o.Attempt = 0 },
		"time over":         func(o *wsproto.Offer) { o.TimeLeftMS = -1 },
		"trace too long":    func(o *wsproto.Offer) { o.Traceparent = strings.Repeat("x", 256) },
		"a bad checkpoint":  func(o *wsproto.Offer) { o.Checkpoint = &wsproto.Checkpoint{} },
		"refused, no scope": nil,
	} {
		if edit == nil {
			assert.ErrorIs(t, (&wsproto.OfferResult{Answer: wsproto.OfferRefused}).Validate(), wsproto.ErrBounds, name)
			continue
		}
		o := good
		edit(&o)
		assert.ErrorIs(t, o.Validate(), wsproto.ErrBounds, name)
	}
}
