package wsproto_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// fullOrder has every member that a recipient's signature covers, and X25519 for the recipient's key.
func fullOrder(t testing.TB) wsproto.Order {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	pub, err := wsproto.MarshalRecipientKey(key.PublicKey())
	require.NoError(t, err)
	return wsproto.Order{
		CA: wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp CA"}, Template: "WiFi", SubjectSource: "request",
		Subject: "CN=device", DNS: []string{"a.corp.example", "b.corp.example"}, Email: []string{"a@corp.example"},
		URI: []string{"urn:device:1"}, IP: []string{"10.0.0.1"}, UPN: []string{"a@corp.example"}, SID: "S-1-5-21-1-2-3-1105",
		SIDForm: "both", Key: "p256", Profile: "modern", Recipient: &wsproto.Recipient{ID: "laptop-17", Key: pub},
	}
}

func signedOrder(t testing.TB) (*ecdsa.PrivateKey, wsproto.Order) {
	t.Helper()
	ordering, o := newKey(t), fullOrder(t)
	signature, err := wsproto.SignRecipient(ordering, "acme", &o)
	require.NoError(t, err)
	o.Recipient.Signature = signature
	return ordering, o
}

func TestSignRecipient(t *testing.T) {
	ordering, o := signedOrder(t)
	require.NoError(t, o.Validate())
	require.NoError(t, wsproto.VerifyRecipient(&ordering.PublicKey, "acme", &o))

	// What is not covered may change.
	o.Resubmit, o.Critical = true, []string{"recipient"}
	require.NoError(t, wsproto.VerifyRecipient(&ordering.PublicKey, "acme", &o))

	// An order that went over the wire says the same.
	text, err := wsproto.EncodeOrder(o)
	require.NoError(t, err)
	again, err := wsproto.DecodeOrder(text)
	require.NoError(t, err)
	require.NoError(t, wsproto.VerifyRecipient(&ordering.PublicKey, "acme", again))
}

func TestRecipientSignatureBinds(t *testing.T) {
	changes := map[string]func(o *wsproto.Order){
		"the CA's host":      func(o *wsproto.Order) { o.CA.Host = "other.corp.example" },
		"the CA's name":      func(o *wsproto.Order) { o.CA.Name = "Other CA" },
		"template":           func(o *wsproto.Order) { o.Template = "Admin" },
		"subject source":     func(o *wsproto.Order) { o.SubjectSource = "directory" },
		"subject":            func(o *wsproto.Order) { o.Subject = "CN=admin" },
		"no subject":         func(o *wsproto.Order) { o.Subject = "" },
		"a DNS name":         func(o *wsproto.Order) { o.DNS[1] = "c.corp.example" },
		"another DNS name":   func(o *wsproto.Order) { o.DNS = append(o.DNS, "c.corp.example") },
		"one DNS name less":  func(o *wsproto.Order) { o.DNS = o.DNS[:1] },
		"names joined":       func(o *wsproto.Order) { o.DNS = []string{"a.corp.exampleb.corp.example"} },
		"order of names":     func(o *wsproto.Order) { slices.Reverse(o.DNS) },
		"another list":       func(o *wsproto.Order) { o.Email, o.UPN = nil, []string{"a@corp.example", "a@corp.example"} },
		"e-mail":             func(o *wsproto.Order) { o.Email[0] = "b@corp.example" },
		"URI":                func(o *wsproto.Order) { o.URI = nil },
		"IP":                 func(o *wsproto.Order) { o.IP = []string{"10.0.0.2"} },
		"UPN":                func(o *wsproto.Order) { o.UPN = []string{"admin@corp.example"} },
		"SID":                func(o *wsproto.Order) { o.SID = "S-1-5-21-1-2-3-500" },
		"form of the SID":    func(o *wsproto.Order) { o.SIDForm = "" },
		"key algorithm":      func(o *wsproto.Order) { o.Key = "rsa2048" },
		"profile":            func(o *wsproto.Order) { o.Profile = "" },
		"recipient's id":     func(o *wsproto.Order) { o.Recipient.ID = "laptop-18" },
		"recipient's key":    func(o *wsproto.Order) { o.Recipient.Key = fullOrder(t).Recipient.Key },
		"a byte of the sum":  func(o *wsproto.Order) { o.Recipient.Signature[9] ^= 1 },
		"no signature":       func(o *wsproto.Order) { o.Recipient.Signature = nil },
		"too long signature": func(o *wsproto.Order) { o.Recipient.Signature = make([]byte, 81) },
	}
	for name, change := range changes {
		ordering, o := signedOrder(t)
		change(&o)
		assert.ErrorIs(t, wsproto.VerifyRecipient(&ordering.PublicKey, "acme", &o), wsproto.ErrSignature, name)
	}
	ordering, o := signedOrder(t)
	assert.ErrorIs(t, wsproto.VerifyRecipient(&ordering.PublicKey, "umbrella", &o), wsproto.ErrSignature, "another tenant")
	assert.ErrorIs(t, wsproto.VerifyRecipient(&newKey(t).PublicKey, "acme", &o), wsproto.ErrSignature, "another key")
	signature, err := wsproto.SignAuthenticate(ordering, wsproto.Binding{Tenant: "acme"})
	require.NoError(t, err)
	o.Recipient.Signature = signature
	assert.ErrorIs(t, wsproto.VerifyRecipient(&ordering.PublicKey, "acme", &o), wsproto.ErrSignature, "another use")
}

// TestRecipientSignatureCoversTheOrder fails when an order gets a member about which nobody has decided.
func TestRecipientSignatureCoversTheOrder(t *testing.T) {
	left := map[string]string{
		"password": "excludes a recipient", "resubmit": "the same certificate for the same recipient", "critical": "changes nothing by itself",
	}
	full := reflect.ValueOf(fullOrder(t))
	for i := range full.NumField() {
		name, _, _ := strings.Cut(full.Type().Field(i).Tag.Get("json"), ",")
		if left[name] != "" {
			continue
		}
		require.False(t, full.Field(i).IsZero(), "%s: the test of what is covered does not know it", name)
		if name == "recipient" {
			continue
		}
		ordering, o := signedOrder(t)
		reflect.ValueOf(&o).Elem().Field(i).SetZero()
		require.ErrorIs(t, wsproto.VerifyRecipient(&ordering.PublicKey, "acme", &o), wsproto.ErrSignature, name)
	}
}

func TestRecipientKeys(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	wrong, err := x509.MarshalPKIXPublicKey(p384.Public())
	require.NoError(t, err)
	for name, recipient := range map[string]*wsproto.Recipient{
		"none": nil, "no key": {ID: "r"}, "P-384": {ID: "r", Key: wrong}, "text": {ID: "r", Key: []byte("key")},
		"low order": {ID: "r", Key: append(slices.Clone(fullOrder(t).Recipient.Key[:12]), make([]byte, 32)...)},
	} {
		o := fullOrder(t)
		o.Recipient = recipient
		_, err := wsproto.SignRecipient(newKey(t), "acme", &o)
		assert.ErrorIs(t, err, wsproto.ErrRecipient, name)
		assert.ErrorIs(t, wsproto.VerifyRecipient(&newKey(t).PublicKey, "acme", &o), wsproto.ErrRecipient, name)
		if recipient != nil {
			assert.ErrorIs(t, o.Validate(), wsproto.ErrBounds, name)
		}
	}
	o := fullOrder(t)
	for _, key := range []crypto.Signer{nil, p384} {
		_, err = wsproto.SignRecipient(key, "acme", &o)
		assert.ErrorIs(t, err, wsproto.ErrKeyType)
	}
	assert.ErrorIs(t, wsproto.VerifyRecipient(&p384.PublicKey, "acme", &o), wsproto.ErrKeyType)
	assert.ErrorIs(t, wsproto.VerifyRecipient(nil, "acme", &o), wsproto.ErrKeyType)
	_, err = wsproto.MarshalRecipientKey(nil)
	assert.ErrorIs(t, err, wsproto.ErrRecipient)

	o.Recipient.Key = spki(t, newKey(t).Public())
	assert.NoError(t, o.Validate(), "P-256")
}
