package wsproto_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

func newOrder() wsproto.Order {
	return wsproto.Order{
		CA: wsproto.CAAssignment{Host: "ca.corp.example", Name: "Corp <Issuing> CA"}, Template: "WiFi", Subject: "CN=device & co",
		DNS: []string{"device.corp.example"}, Key: "p256", Password: "correct horse battery",
	}
}

func TestOrderHidesItsPassword(t *testing.T) {
	o := newOrder()
	raw, err := wsproto.EncodeOrder(o)
	require.NoError(t, err)
	assert.Contains(t, string(raw), o.Password, "the wire holds it")
	offer := wsproto.Offer{Job: "j", Attempt: 1, Order: raw}

	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("m", "order", o, "pointer", &o, "offer", offer, "offerPointer", &offer)
	}
	shown := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		shown += fmt.Sprintf(verb+verb+verb+verb, o, &o, offer, &offer)
		shown += fmt.Sprintf(verb, []any{o, &o, offer, struct{ O wsproto.Order }{o}})
	}
	assert.NotContains(t, shown, o.Password)
	assert.NotContains(t, shown, fmt.Sprintf("%x", o.Password))
	assert.Contains(t, shown, "WiFi")
	assert.Contains(t, shown, "[redacted]")
}

func TestOutcomesAndRequestsRedactThemselves(t *testing.T) {
	outcome := wsproto.Outcome{Kind: wsproto.Issued, Message: "hello", PKCS12: []byte("the bundle"), Sealed: []byte(`"the bundle"`)}
	request := wsproto.Request{Method: "job.offer", Params: []byte(`"the bundle"`)}
	finish := wsproto.FinishParams{Outcome: outcome}
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("m", "outcome", outcome, "pointer", &outcome, "request", &request, "value", request)
	}
	shown := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		shown += fmt.Sprintf(verb+verb+verb+verb, outcome, &outcome, request, &request)
		shown += fmt.Sprintf(verb, []any{finish, outcome, request})
	}
	for _, verb := range []string{"%s", "%d", "%x", "%v"} {
		assert.NotContains(t, shown, strings.Trim(fmt.Sprintf(verb, []byte("the bundle")), "[]"))
	}
	base := base64.StdEncoding.EncodeToString([]byte("the bundle"))
	assert.NotContains(t, shown, base)
	for _, told := range []string{"issued", "hello", "22 bytes", "job.offer", "12 bytes"} {
		assert.Contains(t, shown, told)
	}
}

func TestOrderTextDoesNotChangeInAnOffer(t *testing.T) {
	for name, text := range map[string]string{
		"spaces":  "{ \"ca\" : {\"host\":\"h\", \"name\":\"a<b>&c\u2028\"},\n\"template\":\"t\", \"key\":\"p256\", \"new\": [1, 2.50] }",
		"escapes": `{"ca":{"host":"\u0068","name":"\u003c\u2028"},"template":"t","key":"p256","x":"\/"}`,
	} {
		canonical, err := wsproto.CanonicalOrder([]byte(text))
		require.NoError(t, err, name)
		frame, err := json.Marshal(wsproto.Offer{Job: "j", Attempt: 1, Order: canonical})
		require.NoError(t, err)
		assert.True(t, bytes.Contains(frame, canonical), name)
		var offer wsproto.Offer
		require.NoError(t, wsproto.Unmarshal(frame, &offer))
		assert.Equal(t, wsproto.OrderDigest(canonical), wsproto.OrderDigest(offer.Order))
	}
	raw, err := wsproto.EncodeOrder(newOrder())
	require.NoError(t, err)
	canonical, err := wsproto.CanonicalOrder(raw)
	require.NoError(t, err)
	assert.Equal(t, raw, canonical)
}

func TestDecodeOrderChecksCritical(t *testing.T) {
	const order = `{"ca":{"host":"h","name":"n"},"template":"t","key":"p256","new":1,"dns":null,"critical":%s}`
	for critical, member := range map[string]string{
		`["new"]`:                               "new",
		`["template","New"]`:                    "New",
		`["Template"]`:                          "Template",
		`["password"]`:                          "password", // understood, but not there
		`["dns"]`:                               "dns",      // null is not there either
		`["ca.host"]`:                           "ca.host",
		`["template","ca"]`:                     "",
		`["critical","key"]`:                    "",
		`[]`:                                    "",
		`null`:                                  "",
		`["templat\u0065"]`:                     "",
		`["template","\""]`:                     `"`,
		`["template",{}]`:                       "malformed",
		`"template"`:                            "malformed",
		`["template",""]`:                       "malformed",
		`["` + strings.Repeat("x", 1000) + `"]`: strings.Repeat("x", 64),
	} {
		_, err := wsproto.DecodeOrder(fmt.Appendf(nil, order, critical))
		var unknown *wsproto.CriticalError
		switch member {
		case "":
			assert.NoError(t, err, critical)
		case "malformed":
			assert.Error(t, err, critical)
			assert.NotErrorAs(t, err, &unknown, critical)
		default:
			require.ErrorAs(t, err, &unknown, critical)
			assert.Equal(t, member, unknown.Member)
		}
	}
}

// TestCriticalGoesBeforeBounds: what a later version wants of other members, too, may be out of the bounds of this one.
// The order is then for a newer connector, and not invalid for all of them.
func TestCriticalGoesBeforeBounds(t *testing.T) {
	for _, text := range []string{
		`{"ca":{"host":"h","name":"n"},"template":"t","key":"p256","recipient":{"id":"x","key":"AAAA"},"mlkem":1,"critical":["mlkem"]}`,
		`{"ca":{"host":"h","name":"n"},"key":"p256","templates":["t"],"critical":["templates"]}`,
	} {
		_, err := wsproto.DecodeOrder([]byte(text))
		var unknown *wsproto.CriticalError
		assert.ErrorAs(t, err, &unknown, text)
	}
	for _, critical := range []string{`[""]`, `["` + strings.Repeat("x", 1025) + `"]`, `[` + strings.Repeat(`"ca",`, 64) + `"ca"]`} {
		_, err := wsproto.DecodeOrder([]byte(`{"ca":{"host":"h","name":"n"},"template":"t","key":"p256","critical":` + critical + `}`))
		assert.ErrorIs(t, err, wsproto.ErrBounds)
	}
}

func TestDecodeOrderBounds(t *testing.T) {
	for name, edit := range map[string]func(*wsproto.Order){
		"no CA":         func(o *wsproto.Order) { o.CA.Host = "" },
		"no CA name":    func(o *wsproto.Order) { o.CA.Name = "" },
		"no template":   func(o *wsproto.Order) { o.Template = "" },
		"no key":        func(o *wsproto.Order) { o.Key = "" },
		"long subject":  func(o *wsproto.Order) { o.Subject = strings.Repeat("x", 1025) },
		"many names":    func(o *wsproto.Order) { o.UPN = make([]string, 65) },
		"an empty name": func(o *wsproto.Order) { o.DNS = []string{""} },
		"long password": func(o *wsproto.Order) { o.Password = strings.Repeat("x", 256) },
		"no recipient":  func(o *wsproto.Order) { o.Recipient = &wsproto.Recipient{} },
		"no recipient's id": func(o *wsproto.Order) {
			o.Recipient = &wsproto.Recipient{Key: fullOrder(t).Recipient.Key}
		},
		"a recipient's key of another kind": func(o *wsproto.Order) {
			o.Recipient = &wsproto.Recipient{ID: "r", Key: []byte("key")}
		},
		"no recipient's key": func(o *wsproto.Order) { o.Recipient = &wsproto.Recipient{ID: "r"} },
		"short signature": func(o *wsproto.Order) {
			o.Recipient = &wsproto.Recipient{ID: "r", Key: fullOrder(t).Recipient.Key, Signature: []byte{1}}
		},
	} {
		o := newOrder()
		edit(&o)
		raw, err := wsproto.EncodeOrder(o)
		require.NoError(t, err)
		_, err = wsproto.DecodeOrder(raw)
		assert.ErrorIs(t, err, wsproto.ErrBounds, name)
		if err != nil && o.Password != "" {
			assert.NotContains(t, err.Error(), o.Password)
		}
	}
}
