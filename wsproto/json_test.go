package wsproto_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

type sample struct {
	Text   string           `json:"text"`
	Bytes  []byte           `json:"bytes"`
	Int    int              `json:"int"`
	Int64  int64            `json:"int64"`
	Uint32 uint32           `json:"uint32"`
	Bool   bool             `json:"bool"`
	Inner  *sample          `json:"inner"`
	List   []sample         `json:"list"`
	Map    map[string]int64 `json:"map"`
	Raw    json.RawMessage  `json:"raw"`
	Time   time.Time        `json:"time"`
	Hidden string           `json:"-"`
	Kind   wsproto.Retry    `json:"kind"`
}

func TestUnmarshalReadsWhatMessagesConsistOf(t *testing.T) {
	text := ` { "text":"a\u00e9\ud83d\ude00\n\"\\\/", "bytes":"AAEC", "int":-7, "int64":9007199254740993, "uint32":4294967295,
	  "bool":true, "inner":{"text":"x"}, "list":[{"int":1},{"int":2}], "map":{"a":1,"b":2}, "raw": {"z" : [1, 2]},
	  "time":"2026-11-22T14:30:00Z", "kind":"after", "other":[{"deep":[1.5e3,null,false]}], "bool2":null } `
	var got sample
	require.NoError(t, wsproto.Unmarshal([]byte(text), &got))
	assert.Equal(t, sample{
		Text: "aé😀\n\"\\/", Bytes: []byte{0, 1, 2}, Int: -7, Int64: 9007199254740993, Uint32: 4294967295, Bool: true,
		Inner: &sample{Text: "x"}, List: []sample{{Int: 1}, {Int: 2}}, Map: map[string]int64{"a": 1, "b": 2},
		Raw: json.RawMessage(`{"z" : [1, 2]}`), Time: time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC), Kind: "after",
	}, got)
}

func TestUnmarshalMatchesNamesExactly(t *testing.T) {
	var got sample
	require.NoError(t, wsproto.Unmarshal([]byte(`{"TEXT":"no","Text":"no","-":"no","Hidden":"no"}`), &got))
	assert.Equal(t, sample{}, got)
}

func TestUnmarshalNullLeavesAMember(t *testing.T) {
	got := sample{Text: "kept", Int: 3}
	require.NoError(t, wsproto.Unmarshal([]byte(`{"text":null,"int":null,"list":null,"inner":null,"time":null}`), &got))
	assert.Equal(t, sample{Text: "kept", Int: 3}, got)
}

func TestUnmarshalRefuses(t *testing.T) {
	deep := strings.Repeat("[", wsproto.MaxDepth) + strings.Repeat("]", wsproto.MaxDepth)
	for name, text := range map[string]string{
		"empty":                   ``,
		"no value":                `{"text":}`,
		"no object":               `[]`,
		"a word":                  `nul`,
		"something after":         `{} {}`,
		"no end":                  `{"text":"a"`,
		"no end of a string":      `{"text":"a`,
		"trailing comma":          `{"text":"a",}`,
		"leading comma":           `{,"text":"a"}`,
		"no colon":                `{"text" "a"}`,
		"a member twice":          `{"text":"a","text":"a"}`,
		"a member twice, escaped": `{"text":"a","t\u0065xt":"a"}`,
		"an unknown member twice": `{"x":1,"x":1}`,
		"a member twice, inside":  `{"other":{"x":1,"x":1}}`,
		"twice in a raw member":   `{"raw":{"x":1,"x":1}}`,
		"too deep":                `{"other":` + deep + `}`,
		"too many elements":       `{"other":[` + strings.Repeat("1,", wsproto.MaxArray) + `1]}`,
		"too many members":        `{"other":` + manyMembers(wsproto.MaxMembers+1) + `}`,
		"not UTF-8":               "{\"text\":\"\xff\"}",
		"overlong UTF-8":          "{\"text\":\"\xc0\x80\"}",
		"a control character":     "{\"text\":\"a\nb\"}",
		"an unknown escape":       `{"text":"\x41"}`,
		"a short escape":          `{"text":"\u00e"}`,
		"a signed escape":         `{"text":"\u+0e1"}`,
		"half a pair":             `{"text":"\ud83d"}`,
		"half a pair, then text":  `{"text":"\ud83dx\u0041"}`,
		"the wrong half":          `{"text":"\ude00\ud83d"}`,
		"two first halves":        `{"text":"\ud83d\ud83d"}`,
		"a string for a number":   `{"int":"1"}`,
		"a number for a string":   `{"text":1}`,
		"a fraction":              `{"int":1.5}`,
		"an exponent":             `{"int":1e3}`,
		"an integer too large":    `{"int64":9223372036854775808}`,
		"a negative uint32":       `{"uint32":-1}`,
		"a uint32 too large":      `{"uint32":4294967296}`,
		"a leading zero":          `{"int":01}`,
		"a minus":                 `{"int":-}`,
		"a plus":                  `{"int":+1}`,
		"an open fraction":        `{"other":1.}`,
		"an open exponent":        `{"other":1e}`,
		"NaN":                     `{"other":NaN}`,
		"a word for a boolean":    `{"bool":"true"}`,
		"base64url":               `{"bytes":"_-8="}`,
		"base64 without padding":  `{"bytes":"AAE"}`,
		"base64 with rest bits":   `{"bytes":"AAF="}`,
		"base64 in lines":         `{"bytes":"AA\nEC"}`,
		"an array for a struct":   `{"inner":[]}`,
		"an object for a list":    `{"list":{}}`,
		"a time with a zone":      `{"time":"2026-11-22T14:30:00+01:00"}`,
		"a time with a fraction":  `{"time":"2026-11-22T14:30:00.5Z"}`,
		"a time that is none":     `{"time":"2026-13-22T14:30:00Z"}`,
		"a comment":               `{/**/}`,
		"a byte order mark":       "\ufeff{}",
		"a NUL":                   "{}\x00",
	} {
		t.Run(name, func(t *testing.T) {
			var got sample
			assert.ErrorIs(t, wsproto.Unmarshal([]byte(text), &got), wsproto.ErrSyntax)
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		b.WriteString(`"m` + strings.Repeat("x", i) + `":1`)
	}
	return b.String() + "}"
}

func TestUnmarshalTakesTheLimitsThemselves(t *testing.T) {
	n := wsproto.MaxDepth - 1
	for _, text := range []string{
		`{"other":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`,
		`{"other":[` + strings.Repeat("1,", wsproto.MaxArray-1) + `1]}`,
		`{"other":` + manyMembers(wsproto.MaxMembers) + `}`,
	} {
		var got sample
		assert.NoError(t, wsproto.Unmarshal([]byte(text), &got))
	}
}

func TestUnmarshalFindsALateDuplicate(t *testing.T) {
	text := strings.TrimSuffix(manyMembers(100), "}") + `,"m":1}`
	var got sample
	assert.ErrorIs(t, wsproto.Unmarshal([]byte(text), &got), wsproto.ErrSyntax)
}

func TestUnmarshalErrorsHoldNothingOfTheText(t *testing.T) {
	var got sample
	err := wsproto.Unmarshal([]byte(`{"text":"hunter2","text":"hunter2"}`), &got)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestUnmarshalWantsAPointer(t *testing.T) {
	assert.Error(t, wsproto.Unmarshal([]byte(`{}`), sample{}))
	assert.Error(t, wsproto.Unmarshal([]byte(`{}`), (*sample)(nil)))
	assert.Error(t, wsproto.Unmarshal([]byte(`{}`), nil))
}

// Whatever it takes, encoding/json takes too and reads the same, for texts whose names differ in more than case.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"text":"a","list":[{"int":1}],"map":{"a":1},"raw":[1],"bytes":"AAEC","time":"2026-11-22T14:30:00Z"}`))
	f.Add([]byte(`{"text":"\ud83d\ude00","inner":{"inner":{"uint32":7}},"x":[null,true,-1.5e-3]}`))
	f.Add([]byte(`{"a":1,"A":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got sample
		if wsproto.Unmarshal(text, &got) != nil {
			return
		}
		require.True(t, json.Valid(text), "took what is no JSON")
		again, err := json.Marshal(got)
		require.NoError(t, err)
		var second sample
		require.NoError(t, wsproto.Unmarshal(again, &second))
		third, err := json.Marshal(second)
		require.NoError(t, err)
		require.JSONEq(t, string(again), string(third))
	})
}

func FuzzOrder(f *testing.F) {
	f.Add([]byte(`{"ca":{"host":"h","name":"n"},"template":"t","key":"p256","critical":["template"]}`))
	f.Add([]byte(`{"ca":{"host":"h","name":"n"},"template":"t","key":"p256","dns":["a"],"recipient":{"id":"x"},"y":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		order, err := wsproto.DecodeOrder(text)
		if err != nil {
			require.Nil(t, order)
			return
		}
		canonical, err := wsproto.CanonicalOrder(text)
		require.NoError(t, err)
		again, err := wsproto.CanonicalOrder(canonical)
		require.NoError(t, err)
		require.Equal(t, canonical, again)
		same, err := wsproto.DecodeOrder(canonical)
		require.NoError(t, err)
		require.Equal(t, order, same)
	})
}
