package wsproto_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/sealedbundle"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/internal/schematest"
)

func loadSchema(t testing.TB) *schematest.Document {
	t.Helper()
	doc, err := schematest.Load()
	require.NoError(t, err)
	return doc
}

// samples holds, for each method, params and results with every member set.
func samples(t testing.TB) map[string][2]any {
	t.Helper()
	b := newBench(t)
	now := time.Date(2026, 11, 22, 14, 30, 0, 500, time.FixedZone("x", 3600))
	hash := make([]byte, 32)
	key := spki(t, newKey(t).Public())
	sig, err := wsproto.SignAuthenticate(newKey(t), wsproto.Binding{})
	require.NoError(t, err)
	hello := newHello(t)
	hello.Attestation = json.RawMessage(`{"x":1}`)
	previous := newKey(t)
	hello.Rotation, err = wsproto.SignRotation(previous, "acme", wsproto.RotationKeys{
		PreviousDecryption: spki(t, newKey(t).Public()), Identity: hello.IdentityKey, Decryption: hello.DecryptionKey,
	})
	require.NoError(t, err)
	signed := wsproto.SignedChallenge{Challenge: newChallenge(t, newKey(t).Public()), Signature: sig}
	proof := wsproto.Authenticate{
		Signature: sig, Enrollment: &wsproto.EnrollmentMAC{ID: "0011223344556677", MAC: hash}, Activation: json.RawMessage(`[]`),
	}
	state := wsproto.State{
		State: wsproto.StatePending, Connector: "c", RegistrationURL: "https://x.example/", FormerKeys: [][]byte{hash},
	}
	ca := wsproto.CAAssignment{Host: "h", Name: "n"}
	order, err := wsproto.EncodeOrder(wsproto.Order{
		CA: ca, Template: "t", SubjectSource: "request", Subject: "CN=x", DNS: []string{"a"}, Email: []string{"a@b"}, URI: []string{"u:x"},
		IP: []string{"::1"}, UPN: []string{"a@b"}, SID: "S-1-5-21-1-2-3-1000", SIDForm: "both", Key: "p256", Profile: "modern", Password: "p",
		Recipient: &wsproto.Recipient{ID: "r", Key: key, Signature: sig}, Resubmit: true, Critical: []string{"sid"},
	})
	require.NoError(t, err)
	outcome := wsproto.Outcome{
		Kind: wsproto.Issued, Reason: wsproto.ReasonBusy, Retry: wsproto.RetryAfter, RetryAfterMS: 1, Message: "m", RequestID: 1, Disposition: 3,
		HResult: 0x80094012, Serial: "6f00", Thumbprint: hash, NotBefore: &now, NotAfter: &now, PublicKeyHash: hash, PKCS12: []byte("p12"),
		TimingsMS: map[string]int64{"key": 12}, Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	return map[string][2]any{
		wsproto.MethodHello:          {hello, signed},
		wsproto.MethodAuthenticate:   {proof, state},
		wsproto.MethodReauthenticate: {signed, proof},
		wsproto.MethodDrain:          {wsproto.Drain{Reason: "update", DeadlineMS: 60000}, wsproto.Empty{}},
		wsproto.MethodApproved:       {state, nil},
		wsproto.MethodRejected:       {state, nil},
		wsproto.MethodConfigure:      {wsproto.Configure{Revision: 1, CAs: []wsproto.CAAssignment{ca}}, wsproto.Empty{}},
		wsproto.MethodStatus: {wsproto.Status{InFlight: 1, CAs: []wsproto.CAHealth{
			{CA: ca, Healthy: true, Reason: wsproto.ReasonCALogon, Message: "m"}}}, nil},
		wsproto.MethodOffer: {
			wsproto.Offer{Job: "job-1", Attempt: 2, TimeLeftMS: 1, Order: order, Checkpoint: b.sealed, Traceparent: outcome.Traceparent},
			wsproto.OfferResult{Answer: wsproto.OfferRefused, Scope: wsproto.RefusedNever, Reason: wsproto.ReasonPolicy, Message: "m", RetryAfterMS: 1}},
		wsproto.MethodCheckpoint: {
			wsproto.CheckpointParams{Job: "job-1", Attempt: 2, Sequence: 3, Checkpoint: *b.sealed}, wsproto.CheckpointAck{LeaseMS: 30000}},
		wsproto.MethodFinish: {wsproto.FinishParams{Job: "job-1", Attempt: 2, Sequence: 4, Outcome: outcome}, wsproto.FinishAck{Recorded: true}},
		wsproto.MethodCancel: {wsproto.Cancel{Job: "job-1", Attempt: 2}, wsproto.CancelResult{Cancelled: true}},
	}
}

func TestEveryMessageIsAsDescribed(t *testing.T) {
	all := samples(t)
	for _, m := range wsproto.Methods() {
		t.Run(m.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sample, ok := all[m.Name]
				require.True(t, ok)
				assert.IsType(t, m.Params, sample[0])
				assert.IsType(t, m.Result, sample[1])
				left, right := wsproto.Pipe()
				from, to := left, right
				if m.From == wsproto.SideTenant {
					from, to = right, left
				}
				got := make(chan string, 1)
				handle := func(_ context.Context, r *wsproto.Request) (any, error) {
					params := reflect.New(reflect.TypeOf(m.Params))
					err := r.Decode(params.Interface())
					assert.NoError(t, err)
					again, err := json.Marshal(params.Interface())
					assert.NoError(t, err)
					got <- string(again)
					return sample[1], nil
				}
				connector, tenant := wsproto.SideConnector, wsproto.SideTenant
				if from == right {
					connector, tenant = tenant, connector
				}
				caller := start(t, schematest.Wrap(t, from, connector), nil, nil)
				start(t, schematest.Wrap(t, to, tenant), handle, nil)
				want, err := json.Marshal(sample[0])
				require.NoError(t, err)
				if m.Notification {
					require.NoError(t, caller.Notify(t.Context(), m.Name, sample[0]))
				} else {
					result := reflect.New(reflect.TypeOf(m.Result))
					require.NoError(t, caller.Call(t.Context(), m.Name, sample[0], result.Interface()))
					again, err := json.Marshal(result.Interface())
					require.NoError(t, err)
					sent, err := json.Marshal(sample[1])
					require.NoError(t, err)
					assert.JSONEq(t, string(sent), string(again), "nothing is lost on the way back")
				}
				assert.JSONEq(t, string(want), <-got, "nothing is lost on the way")
			})
		})
	}
}

func TestErrorsAreAsDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := wsproto.Pipe()
		var answer error
		a := start(t, schematest.Wrap(t, left, wsproto.SideConnector), nil, nil)
		start(t, schematest.Wrap(t, right, wsproto.SideTenant), func(context.Context, *wsproto.Request) (any, error) { return nil, answer }, nil)
		finish := samples(t)[wsproto.MethodFinish][0]
		for _, info := range wsproto.ErrorCodes() {
			for _, answer = range []error{info.Code, wsproto.Errorf(info.Code, "%s", strings.Repeat("x", 2000))} {
				assert.ErrorIs(t, a.Call(t.Context(), wsproto.MethodFinish, finish, nil), info.Code)
			}
		}
	})
}

// The check that the other tests rely on finds what it should.
func TestSchemaFindsWhatIsNotDescribed(t *testing.T) {
	doc := loadSchema(t)
	good := `{"jsonrpc":"2.0","id":1,"method":"job.cancel","params":{"job":"j","attempt":1}}`
	require.NoError(t, doc.NewChecker().Frame(wsproto.SideTenant, []byte(good)))
	assert.Error(t, doc.NewChecker().Frame(wsproto.SideConnector, []byte(good)), "the wrong side")
	for _, change := range [][2]string{
		{`"attempt":1`, `"attempt":0`},
		{`"attempt":1`, `"attempt":"1"`},
		{`,"attempt":1`, ``},
		{`"attempt":1`, `"attempt":1,"extra":1`},
		{`"job":"j"`, `"job":""`},
		{`"jsonrpc":"2.0"`, `"jsonrpc":"2.1"`},
		{`"id":1,`, ``},
		{`"id":1,`, `"id":1,"extra":1,`},
		{`job.cancel`, `job.unheard`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		require.NotEqual(t, good, bad)
		assert.Error(t, doc.NewChecker().Frame(wsproto.SideTenant, []byte(bad)), bad)
	}
	c := doc.NewChecker()
	assert.Error(t, c.Frame(wsproto.SideConnector, []byte(`{"jsonrpc":"2.0","id":1,"result":{"cancelled":true}}`)), "no request")
	require.NoError(t, c.Frame(wsproto.SideTenant, []byte(good)))
	assert.Error(t, c.Frame(wsproto.SideConnector, []byte(`{"jsonrpc":"2.0","id":1,"result":{"cancelled":1}}`)))
	require.NoError(t, c.Frame(wsproto.SideTenant, []byte(good)))
	assert.Error(t, c.Frame(wsproto.SideConnector, []byte(`{"jsonrpc":"2.0","id":1,"error":{"code":5,"message":""}}`)))
	require.NoError(t, c.Frame(wsproto.SideTenant, []byte(good)))
	assert.NoError(t, c.Frame(wsproto.SideConnector, []byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32006,"message":""}}`)))

	pending := `{"kind":"pending"%s}`
	assert.Error(t, doc.ValidateSchema("Outcome", fmt.Appendf(nil, pending, "")))
	assert.NoError(t, doc.ValidateSchema("Outcome", fmt.Appendf(nil, pending, `,"requestId":4`)))
}

// SealedBundle is what the schema of this name describes; the type is in a package of its own, under a shorter name.
type SealedBundle sealedbundle.Bundle

// schemaTypes are the Go types with a schema of the same name.
func schemaTypes() []any {
	return []any{
		wsproto.Hello{}, wsproto.Rotation{}, wsproto.SignedChallenge{}, wsproto.Challenge{}, wsproto.Limits{}, wsproto.Authenticate{}, wsproto.EnrollmentMAC{},
		wsproto.State{}, wsproto.Drain{}, wsproto.Configure{}, wsproto.CAAssignment{}, wsproto.Status{}, wsproto.CAHealth{}, wsproto.Offer{},
		wsproto.OfferResult{}, wsproto.Order{}, wsproto.Recipient{}, wsproto.Checkpoint{}, wsproto.SealedPart{}, wsproto.CheckpointParams{},
		wsproto.CheckpointAck{}, wsproto.FinishParams{}, wsproto.FinishAck{}, wsproto.Outcome{}, SealedBundle{}, wsproto.Cancel{}, wsproto.CancelResult{},
		wsproto.Empty{}, wsproto.Error{},
	}
}

func TestSchemasHaveTheMembersOfTheTypes(t *testing.T) {
	schemas := loadSchema(t).Root["components"].(map[string]any)["schemas"].(map[string]any)
	described := map[string]bool{}
	for _, v := range schemaTypes() {
		typ := reflect.TypeOf(v)
		described[typ.Name()] = true
		schema, ok := schemas[typ.Name()].(map[string]any)
		require.True(t, ok, typ.Name())
		var members, required []string
		for i := range typ.NumField() {
			name, rest, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			members = append(members, name)
			if rest == "" {
				required = append(required, name)
			}
		}
		var properties, must []string
		for name := range schema["properties"].(map[string]any) {
			properties = append(properties, name)
		}
		for _, name := range asSlice(schema["required"]) {
			must = append(must, name.(string))
		}
		assert.ElementsMatch(t, members, properties, typ.Name())
		assert.ElementsMatch(t, required, must, typ.Name()+": what is always sent is required")
	}
	for name, schema := range schemas {
		if schema.(map[string]any)["type"] == "object" && !strings.HasPrefix(name, "TPM2") { // another package's, see there
			assert.True(t, described[name], "%s: no Go type is compared with it", name)
		}
	}
}

func asSlice(v any) []any {
	s, _ := v.([]any)
	return s
}

func TestSchemaListsAreThoseOfTheCode(t *testing.T) {
	schemas := loadSchema(t).Root["components"].(map[string]any)["schemas"].(map[string]any)
	enum := func(name ...string) []string {
		v := any(schemas)
		for _, n := range name {
			v = v.(map[string]any)[n]
		}
		var out []string
		for _, e := range v.(map[string]any)["enum"].([]any) {
			out = append(out, fmt.Sprint(e))
		}
		return out
	}
	var reasons, codes, kinds []string
	for _, r := range wsproto.Reasons() {
		reasons = append(reasons, string(r))
	}
	for _, c := range wsproto.ErrorCodes() {
		codes = append(codes, fmt.Sprint(int(c.Code)))
	}
	for _, k := range wsproto.OutcomeKinds() {
		kinds = append(kinds, string(k))
	}
	assert.Equal(t, reasons, enum("Reason"))
	assert.Equal(t, codes, enum("Error", "properties", "code"))
	assert.Equal(t, kinds, enum("Outcome", "properties", "kind"))
}

func TestDocumentHasTheMethodsOfTheCode(t *testing.T) {
	root := loadSchema(t).Root
	messages := root["components"].(map[string]any)["messages"].(map[string]any)
	channel := root["channels"].(map[string]any)["session"].(map[string]any)["messages"].(map[string]any)
	var want, sent, received []string
	for _, m := range wsproto.Methods() {
		want = append(want, m.Name)
		if !m.Notification {
			want = append(want, m.Name+".result")
		}
		if m.From != wsproto.SideConnector {
			sent = append(sent, m.Name)
		}
		if m.From != wsproto.SideTenant {
			received = append(received, m.Name)
		}
	}
	want = append(want, "error")
	for _, place := range []map[string]any{messages, channel} {
		var got []string
		for name := range place {
			got = append(got, name)
		}
		assert.ElementsMatch(t, want, got)
	}
	actions := map[string][]string{}
	for _, v := range root["operations"].(map[string]any) {
		op := v.(map[string]any)
		name := refName(op["messages"].([]any)[0])
		action := op["action"].(string)
		actions[action] = append(actions[action], name)
		reply, answered := op["reply"].(map[string]any)
		i := slices.IndexFunc(wsproto.Methods(), func(m wsproto.MethodInfo) bool { return m.Name == name })
		require.GreaterOrEqual(t, i, 0, name)
		assert.Equal(t, !wsproto.Methods()[i].Notification, answered, name)
		if answered {
			assert.Equal(t, name+".result", refName(reply["messages"].([]any)[0]))
			assert.Equal(t, "error", refName(reply["messages"].([]any)[1]))
		}
	}
	assert.ElementsMatch(t, sent, actions["send"], "the document describes the gateway")
	assert.ElementsMatch(t, received, actions["receive"])
}

func refName(v any) string {
	ref := v.(map[string]any)["$ref"].(string)
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// At each limit, the code and the schema say the same.
func TestValidateAgreesWithTheSchema(t *testing.T) {
	doc := loadSchema(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	all := samples(t)
	for name, edits := range boundaryEdits(long) {
		for i, edit := range edits {
			for _, m := range wsproto.Methods() {
				for _, v := range all[m.Name] {
					if v == nil || reflect.TypeOf(v).Name() != name {
						continue
					}
					text, err := json.Marshal(v)
					require.NoError(t, err)
					require.NoError(t, doc.ValidateSchema(name, text))
					changed := bytes.Replace(text, []byte(edit.old), []byte(edit.new), 1)
					require.NotEqual(t, string(text), string(changed), "%s %d", name, i)
					target := reflect.New(reflect.TypeOf(v))
					r := &wsproto.Request{Params: changed}
					codeErr, schemaErr := r.Decode(target.Interface()), doc.ValidateSchema(name, changed)
					assert.Equal(t, edit.ok, codeErr == nil, "%s: code on %s: %v", name, edit.new, codeErr)
					assert.Equal(t, edit.ok, schemaErr == nil, "%s: schema on %s: %v", name, edit.new, schemaErr)
				}
			}
		}
	}
}

// formerKeys begins a list with n keys.
func formerKeys(n int) string { return strings.Repeat(strings.Repeat("A", 43)+`=","`, n) }

type boundaryEdit struct {
	old, new string
	ok       bool
}

func boundaryEdits(long func(int) string) map[string][]boundaryEdit {
	return map[string][]boundaryEdit{
		"Hello": {
			{`"capacity":4`, `"capacity":1`, true}, {`"capacity":4`, `"capacity":0`, false},
			{`"capacity":4`, `"capacity":65536`, true}, {`"capacity":4`, `"capacity":65537`, false},
			{`"versions":[1]`, `"versions":[]`, false}, {`"versions":[1]`, `"versions":[1,2]`, true},
			{`"instance":"i"`, `"instance":"` + long(64) + `"`, true}, {`"instance":"i"`, `"instance":"` + long(65) + `"`, false},
			{`"instance":"i"`, `"instance":""`, false}, {`"host":"host"`, `"host":""`, true},
			{`"host":"host"`, `"host":"` + long(255) + `"`, true}, {`"host":"host"`, `"host":"` + long(256) + `"`, false},
			{`"nonce":"AAAA`, `"nonce":"`, false}, {`"identityKey":"MFk`, `"identityKey":"`, false},
			{`"rotation":{"identityKey":"MFk`, `"rotation":{"identityKey":"`, false},
		},
		"State": {
			{`"pending"`, `"active"`, true}, {`"pending"`, `"Active"`, false},
			{`"connector":"c"`, `"connector":"` + long(65) + `"`, false},
			{`"formerKeys":["AAAA`, `"formerKeys":["`, false}, {`"formerKeys":["`, `"formerKeys":["` + formerKeys(15), true},
			{`"formerKeys":["`, `"formerKeys":["` + formerKeys(16), false},
		},
		"Drain": {
			{`"deadlineMs":60000`, `"deadlineMs":0`, true}, {`"deadlineMs":60000`, `"deadlineMs":-1`, false},
			{`"reason":"update"`, `"reason":"` + long(1024) + `"`, true}, {`"reason":"update"`, `"reason":"` + long(1025) + `"`, false},
		},
		"OfferResult": {
			{`"refused"`, `"maybe"`, false}, {`"never"`, `"elsewhere"`, true}, {`"never"`, `"sometimes"`, false},
			{`"retryAfterMs":1`, `"retryAfterMs":-1`, false},
		},
		"CheckpointAck": {
			{`30000`, `86400000`, true}, {`30000`, `86400001`, false}, {`30000`, `0`, true}, {`30000`, `-1`, false},
		},
		"CheckpointParams": {
			{`"state":"pending"`, `"state":"done"`, false}, {`"requestId":17`, `"requestId":4294967295`, true},
			{`"requestId":17`, `"requestId":4294967296`, false}, {`:05Z"`, `:05+00:00"`, false}, {`:05Z"`, `:05.5Z"`, false},
		},
		"FinishParams": {
			{`"attempt":2`, `"attempt":0`, false}, {`"attempt":2`, `"attempt":9007199254740992`, true},
			{`"attempt":2`, `"attempt":9007199254740993`, false}, {`"issued"`, `"won"`, false}, {`"serial":"6f00"`, `"serial":"xyz"`, false},
			{`"serial":"6f00",`, ``, false},
			{`"key":12`, `"key":-1`, false}, {`"retry":"after"`, `"retry":"always"`, false},
		},
		"Cancel": {{`"job":"job-1"`, `"job":"` + long(65) + `"`, false}},
		"Status": {{`"inFlight":1`, `"inFlight":-1`, false}, {`"host":"h"`, `"host":""`, false}},
		"Configure": {{`"revision":1`, `"revision":0`, true}, {`"revision":1`, `"revision":-1`, false},
			{`"name":"n"`, `"name":"` + long(256) + `"`, false}},
	}
}
