package connector_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// recipientKey is the public key of a new recipient, or of an ordering key on P-256.
func recipientKey(t testing.TB, curve ecdh.Curve) []byte {
	t.Helper()
	key, err := curve.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(key.PublicKey())
	require.NoError(t, err)
	return der
}

func orderingKey(t testing.TB) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := wsproto.MarshalPublicKey(key.Public())
	require.NoError(t, err)
	return key, der
}

// TestPolicyRecipients changes one thing in an order for a recipient that is allowed. The rule is that which must refuse,
// empty for none.
func TestPolicyRecipients(t *testing.T) {
	ordering, orderingDER := orderingKey(t)
	second, secondDER := orderingKey(t)
	stranger, _ := orderingKey(t)
	mdm, laptop := recipientKey(t, ecdh.P256()), recipientKey(t, ecdh.X25519())
	sign := func(key *ecdsa.PrivateKey, o *connector.Order) {
		var err error
		o.Recipient.Signature, err = wsproto.SignRecipient(key, o.Tenant, &o.Order)
		require.NoError(t, err)
	}
	// moved signs an order of the same recipient that is then changed.
	moved := func(change func(o *connector.Order)) func(o *connector.Order) {
		return func(o *connector.Order) {
			o.Recipient.ID, o.Recipient.Key = "laptop", laptop
			sign(ordering, o)
			change(o)
		}
	}
	pin := func(p *connector.Policy) { p.Recipients = []connector.PinnedRecipient{{ID: "mdm", Key: mdm}} }
	trust := func(p *connector.Policy) { p.OrderingKeys = [][]byte{secondDER, orderingDER} }
	both := func(p *connector.Policy) { pin(p); trust(p) }
	for name, c := range map[string]struct {
		policy func(p *connector.Policy)
		change func(o *connector.Order)
		rule   string
	}{
		"nobody is pinned":                     {func(*connector.Policy) {}, func(*connector.Order) {}, "recipients"},
		"pinned":                               {pin, func(*connector.Order) {}, ""},
		"pinned, though passwords are refused": {func(p *connector.Policy) { pin(p); p.Passwords = false }, func(*connector.Order) {}, ""},
		"another id with the pinned key":       {pin, func(o *connector.Order) { o.Recipient.ID = "MDM" }, "recipients"},
		"pinned id with another key":           {pin, func(o *connector.Order) { o.Recipient.Key = laptop }, "recipients"},
		"pinned id with a key of its curve":    {pin, func(o *connector.Order) { o.Recipient.Key = recipientKey(t, ecdh.P256()) }, "recipients"},
		"pinned id without a key":              {pin, func(o *connector.Order) { o.Recipient.Key = nil }, "recipients"},
		"pinned id with a cut key":             {pin, func(o *connector.Order) { o.Recipient.Key = mdm[:90] }, "recipients"},
		"pinned id with another key, signed": {both, func(o *connector.Order) {
			o.Recipient.Key = laptop
			sign(ordering, o)
		}, "recipients"},
		"pinned with two keys": {func(p *connector.Policy) {
			p.Recipients = []connector.PinnedRecipient{{ID: "mdm", Key: laptop}, {ID: "mdm", Key: mdm}}
		}, func(*connector.Order) {}, ""},

		"signed":                   {trust, moved(func(*connector.Order) {}), ""},
		"signed by the other key":  {both, moved(func(o *connector.Order) { sign(second, o) }), ""},
		"signed, none is trusted":  {pin, moved(func(*connector.Order) {}), "recipients"},
		"signature is absent":      {both, moved(func(o *connector.Order) { o.Recipient.Signature = nil }), "orderingKeys"},
		"of an unpinned key":       {both, moved(func(o *connector.Order) { sign(stranger, o) }), "orderingKeys"},
		"signature is spoilt":      {trust, moved(func(o *connector.Order) { o.Recipient.Signature[10] ^= 1 }), "orderingKeys"},
		"for another id":           {trust, moved(func(o *connector.Order) { o.Recipient.ID = "desktop" }), "orderingKeys"},
		"for another key":          {trust, moved(func(o *connector.Order) { o.Recipient.Key = mdm }), "orderingKeys"},
		"key of a wrong curve":     {trust, moved(func(o *connector.Order) { o.Recipient.Key = recipientKey(t, ecdh.P384()) }), "orderingKeys"},
		"for another tenant":       {trust, moved(func(o *connector.Order) { o.Tenant = "umbrella" }), "orderingKeys"},
		"with another subject":     {trust, moved(func(o *connector.Order) { o.Subject = "CN=y.corp.test,O=Corp" }), "orderingKeys"},
		"with a subject by itself": {trust, moved(func(o *connector.Order) { o.DNS = nil }), "orderingKeys"},
		"with another name":        {trust, moved(func(o *connector.Order) { o.DNS = []string{"y.corp.test"} }), "orderingKeys"},
		"with one name more":       {trust, moved(func(o *connector.Order) { o.UPN = []string{"admin@corp.test"} }), "orderingKeys"},
		"with a SID":               {trust, moved(func(o *connector.Order) { o.SID = domainSID + "-500" }), "orderingKeys"},
		"with another template":    {trust, moved(func(o *connector.Order) { o.Template = "User" }), "orderingKeys"},
		"with another key kind":    {trust, moved(func(o *connector.Order) { o.Order.Key = "rsa2048" }), "orderingKeys"},
		"by another spelling":      {trust, moved(func(o *connector.Order) { o.CA.Host = "CA.corp.test" }), "orderingKeys"},
		"again, in another job":    {trust, moved(func(o *connector.Order) { o.Job = "job-2" }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := somePolicy()
			c.policy(p)
			rules, err := p.Compile()
			require.NoError(t, err)
			o := connector.Order{Order: anOrder(), Tenant: tenantName, Job: "job-1"}
			o.Subject, o.Password = "CN=x.corp.test,O=Corp", ""
			o.Recipient = &wsproto.Recipient{ID: "mdm", Key: mdm}
			c.change(&o)
			err = rules.Allow(t.Context(), o)
			if c.rule == "" {
				require.NoError(t, err)
				return
			}
			var refusal *connector.PolicyError
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, c.rule, refusal.Rule, refusal.Detail)
			assert.Equal(t, wsproto.ReasonPolicyRecipient, refusal.Reason())
		})
	}
}

// TestPolicyKeepsItsPins: what was compiled does not change with the configuration that it was compiled from.
func TestPolicyKeepsItsPins(t *testing.T) {
	p := somePolicy()
	mdm := recipientKey(t, ecdh.X25519())
	p.Recipients = []connector.PinnedRecipient{{ID: "mdm", Key: bytes.Clone(mdm)}}
	rules, err := p.Compile()
	require.NoError(t, err)
	clear(p.Recipients[0].Key)
	p.Recipients[0].ID = "other"
	o := connector.Order{Order: anOrder()}
	o.Subject, o.Password, o.Recipient = "", "", &wsproto.Recipient{ID: "mdm", Key: mdm}
	require.NoError(t, rules.Allow(t.Context(), o))
}
