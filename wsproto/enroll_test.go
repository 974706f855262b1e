package wsproto_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

func TestEnrollmentCodeSurvivesCopying(t *testing.T) {
	tenant := fingerprint(t, newKey(t).Public())
	code := wsproto.NewEnrollmentCode(tenant)
	text := code.Reveal()
	assert.Regexp(t, `^adcs1[a-z2-7]{103}$`, text)
	for _, copied := range []string{text, strings.ToUpper(text), " " + text + "\r\n", text[:40] + "\n  " + text[40:], text[:5] + "-" + text[5:]} {
		got, err := wsproto.ParseEnrollmentCode(copied)
		require.NoError(t, err)
		assert.Equal(t, code, got)
		assert.Equal(t, tenant, got.TenantKey())
	}
	assert.NotEqual(t, code.ID(), wsproto.NewEnrollmentCode(tenant).ID())
	assert.False(t, code.IsZero())
	assert.True(t, wsproto.EnrollmentCode{}.IsZero())
}

func TestEnrollmentCodeFindsEveryWrongCharacter(t *testing.T) {
	text := wsproto.NewEnrollmentCode(wsproto.Fingerprint{1}).Reveal()
	for i := range text {
		for _, c := range "a7" {
			wrong := text[:i] + string(c) + text[i+1:]
			if wrong == text {
				continue
			}
			_, err := wsproto.ParseEnrollmentCode(wrong)
			assert.ErrorIs(t, err, wsproto.ErrEnrollmentCode, wrong)
		}
		_, err := wsproto.ParseEnrollmentCode(text[:i] + text[i+1:])
		assert.ErrorIs(t, err, wsproto.ErrEnrollmentCode)
	}
	for _, wrong := range []string{"", "adcs1", "adcs2" + text[5:], text + "a", text + text, strings.Repeat("a", 1<<20), "adcs1ä"} {
		_, err := wsproto.ParseEnrollmentCode(wrong)
		assert.ErrorIs(t, err, wsproto.ErrEnrollmentCode)
	}
}

func TestEnrollmentCodeRedactsItself(t *testing.T) {
	code := wsproto.NewEnrollmentCode(wsproto.Fingerprint{1})
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("code", "code", code)
	shown := log.String() + fmt.Sprintf("%v %+v %#v %s %q %x %d", code, code, code, code, code, code, []any{code})
	assert.Contains(t, shown, code.ID())
	secret := code.Reveal()[5+13 : 5+13+32]
	assert.NotContains(t, shown, secret)
	assert.NotContains(t, shown, fmt.Sprintf("%x", code.Hash()))
}

func TestEnrollmentMACNeedsTheCode(t *testing.T) {
	b := wsproto.Binding{Tenant: "t", Authority: "a", Hello: []byte("h"), Challenge: []byte("c")}
	code, other := wsproto.NewEnrollmentCode(wsproto.Fingerprint{1}), wsproto.NewEnrollmentCode(wsproto.Fingerprint{1})
	mac := code.MAC(b)
	assert.Equal(t, code.ID(), mac.ID)
	assert.True(t, wsproto.VerifyEnrollment(code.Hash(), b, mac.MAC))
	assert.False(t, wsproto.VerifyEnrollment(other.Hash(), b, mac.MAC))
	unkeyed := hmac.New(sha256.New, nil)
	unkeyed.Write(b.Transcript(wsproto.ContextEnrollment))
	assert.False(t, wsproto.VerifyEnrollment(nil, b, unkeyed.Sum(nil)), "no stored hash is no key")
	assert.False(t, wsproto.VerifyEnrollment(code.Hash(), b, nil))
	assert.False(t, wsproto.VerifyEnrollment(code.Hash(), b, mac.MAC[:31]))
}

func FuzzEnrollmentCode(f *testing.F) {
	f.Add(wsproto.NewEnrollmentCode(wsproto.Fingerprint{1}).Reveal())
	f.Add("adcs1")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		code, err := wsproto.ParseEnrollmentCode(text)
		if err != nil {
			require.True(t, code.IsZero())
			return
		}
		again, err := wsproto.ParseEnrollmentCode(code.Reveal())
		require.NoError(t, err)
		require.Equal(t, code, again)
	})
}
