package wsproto_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/sealedbundle"
	"github.com/adcskit/adcskit/wsproto"
)

// protocol is PROTOCOL.md by its sections.
func protocol(t testing.TB) (text string, tables func(heading string) [][]string) {
	t.Helper()
	raw, err := os.ReadFile("PROTOCOL.md")
	require.NoError(t, err)
	text = string(raw)
	return text, func(heading string) [][]string {
		_, rest, ok := strings.Cut(text, "\n"+heading+"\n")
		require.True(t, ok, "no section %q", heading)
		var rows [][]string
		for line := range strings.Lines(rest) {
			if strings.HasPrefix(line, "#") {
				break
			}
			if !strings.HasPrefix(line, "|") {
				continue
			}
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows = append(rows, cells)
		}
		require.NotEmpty(t, rows, heading)
		return rows
	}
}

// column returns the cells of a column below the heading of the table whose first heading is name.
func column(t testing.TB, rows [][]string, name string, columns ...int) []string {
	t.Helper()
	i := slices.IndexFunc(rows, func(r []string) bool { return r[0] == name })
	require.GreaterOrEqual(t, i, 0, name)
	var out []string
	for _, r := range rows[i+2:] {
		if strings.HasPrefix(r[0], "---") {
			out = out[:len(out)-1] // that was the heading of the next table
			break
		}
		var cells []string
		for _, c := range columns {
			cells = append(cells, r[c])
		}
		out = append(out, strings.Join(cells, " | "))
	}
	return out
}

func TestProtocolListsTheMethods(t *testing.T) {
	_, tables := protocol(t)
	var want []string
	for _, m := range wsproto.Methods() {
		kind, result := "request", ""
		if m.Notification {
			kind = "notification"
		} else {
			result = reflect.TypeOf(m.Result).Name()
		}
		want = append(want, strings.Join([]string{m.Name, string(m.From), kind, reflect.TypeOf(m.Params).Name(), result}, " | "))
	}
	assert.Equal(t, want, column(t, tables("### 3.2 JSON-RPC"), "method", 0, 1, 2, 3, 4))
}

func TestProtocolListsTheErrorCodes(t *testing.T) {
	_, tables := protocol(t)
	var want []string
	for _, c := range wsproto.ErrorCodes() {
		want = append(want, fmt.Sprintf("%d | %s", int(c.Code), c.Name))
	}
	assert.Equal(t, want, column(t, tables("### 3.3 Errors"), "code", 0, 1))
}

func TestProtocolListsTheCloseCodes(t *testing.T) {
	_, tables := protocol(t)
	var want []string
	for _, c := range wsproto.CloseCodes() {
		alarm := "no"
		if c.Alarm {
			alarm = "yes"
		}
		want = append(want, fmt.Sprintf("%d | %s | %s | %s", int(c.Code), c.Name, c.Reconnect, alarm))
	}
	assert.Equal(t, want, column(t, tables("## 9. Closing and reconnecting"), "code", 0, 1, 2, 3))
}

func TestProtocolListsTheReasons(t *testing.T) {
	_, tables := protocol(t)
	var want []string
	for _, r := range wsproto.Reasons() {
		want = append(want, string(r))
	}
	assert.Equal(t, want, column(t, tables("## 10. Reasons"), "reason", 0))
}

func TestProtocolListsTheContexts(t *testing.T) {
	_, tables := protocol(t)
	var want []string
	for _, c := range wsproto.Contexts() {
		want = append(want, "`"+string(c)+"`")
	}
	assert.Equal(t, want, column(t, tables("## 4. Keys, fields and signatures"), "context", 0))
}

func TestProtocolListsTheOutcomes(t *testing.T) {
	_, tables := protocol(t)
	var want []string
	for _, k := range wsproto.OutcomeKinds() {
		want = append(want, string(k))
	}
	assert.Equal(t, want, column(t, tables("#### Outcome"), "outcome", 0))
}

func TestProtocolListsTheLimits(t *testing.T) {
	_, tables := protocol(t)
	assert.Equal(t, []string{
		fmt.Sprintf("message | %d", wsproto.DefaultMaxMessage), fmt.Sprintf("depth | %d", wsproto.MaxDepth),
		fmt.Sprintf("array | %d", wsproto.MaxArray), fmt.Sprintf("members | %d", wsproto.MaxMembers),
		fmt.Sprintf("id | %d", wsproto.MaxIDForTest), fmt.Sprintf("method | %d", wsproto.MaxMethodForTest),
		fmt.Sprintf("in flight | %d", wsproto.MaxInFlight), fmt.Sprintf("text | %d", wsproto.MaxText),
		fmt.Sprintf("name | %d", wsproto.MaxNameForTest), fmt.Sprintf("hello | %d", wsproto.MaxHello),
		fmt.Sprintf("attestation | %d", wsproto.MaxAttestation), fmt.Sprintf("former keys | %d", wsproto.MaxFormerKeys),
		fmt.Sprintf("order | %d", wsproto.MaxOrderForTest),
		fmt.Sprintf("checkpoint parts | %d", wsproto.MaxSealedParts), fmt.Sprintf("sealed bundle | %d", sealedbundle.MaxText),
		fmt.Sprintf("CAs | %d", wsproto.MaxCAs),
		fmt.Sprintf("names | %d", wsproto.MaxNames),
	}, column(t, tables("### 3.1 JSON"), "limit", 0, 1))
}

func TestProtocolListsTheMembers(t *testing.T) {
	_, tables := protocol(t)
	for _, v := range schemaTypes() {
		typ := reflect.TypeOf(v)
		if typ.NumField() == 0 || typ == reflect.TypeFor[wsproto.Error]() {
			continue
		}
		var want []string
		for i := range typ.NumField() {
			name, rest, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			want = append(want, fmt.Sprintf("`%s` %t", name, rest == "omitempty"))
		}
		rows := tables("#### " + typ.Name())
		names, types := column(t, rows, "member", 0), column(t, rows, "member", 1)
		var got []string
		for i := range names {
			optional := strings.HasSuffix(types[i], ", optional") || types[i] == "`elsewhere` or `never`" || names[i] == "`requestId`"
			got = append(got, fmt.Sprintf("%s %t", names[i], optional))
		}
		assert.Equal(t, want, got, typ.Name())
	}
}

// The example in the text is that of the vectors.
func TestProtocolShowsTheVectors(t *testing.T) {
	text, _ := protocol(t)
	_, example, ok := strings.Cut(text, "\n## 13. Worked example\n")
	require.True(t, ok)
	var shown []string
	for _, m := range regexp.MustCompile("(?s)```\n(.*?)\n```").FindAllStringSubmatch(example, -1) {
		shown = append(shown, strings.ReplaceAll(m[1], "\n", ""))
	}
	v := loadVectors(t)
	assert.Equal(t, []string{
		v.Hello, v.Challenge, v.Transcripts[wsproto.ContextChallenge], v.Challenge1, v.Transcripts[wsproto.ContextAuthenticate],
		v.Authenticate, v.EnrollmentCode, v.EnrollmentHash, v.EnrollmentMAC, v.RotationSigned, v.Order, v.OrderDigest,
		v.SealInfo, v.SealedOrder, v.RecipientSigned, v.BundleInfo,
	}, shown)
	assert.Contains(t, example, "`"+v.EnrollmentID+"`")
	assert.Contains(t, example, fmt.Sprintf("Tenant `%s`, authority `%s`", v.Tenant, v.Authority))
}
