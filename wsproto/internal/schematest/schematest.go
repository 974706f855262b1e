// Package schematest holds messages against asyncapi.yaml in tests: every frame that passes a wrapped transport, in
// both directions, must match the schema of its message, be sent by the side that may send it, and have no member that
// the schema does not describe.
package schematest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/adcskit/adcskit/wsproto"
)

const location = "asyncapi.json"

// Document is a loaded asyncapi.yaml.
type Document struct {
	compiler *jsonschema.Compiler
	Root     map[string]any // as encoding/json would decode it

	mu      sync.Mutex // the compiler is not safe for concurrent use
	schemas map[string]*jsonschema.Schema
}

// Load reads wsproto/asyncapi.yaml of the module that the working directory is in.
func Load() (*Document, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	// Once through JSON, so that numbers and maps have the types that the validator expects.
	asJSON, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		return nil, err
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("schematest: asyncapi.yaml is no object")
	}
	closeObjects(root["components"])
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7) // what AsyncAPI 3.0 schemas are a superset of
	if err := c.AddResource(location, root); err != nil {
		return nil, err
	}
	return &Document{compiler: c, Root: root, schemas: make(map[string]*jsonschema.Schema)}, nil
}

// shared is Load once for all connections of a test binary: reading the document costs more than most tests do.
var shared = sync.OnceValues(Load)

// find looks for the file from the working directory upwards.
func find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "wsproto", "asyncapi.yaml"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("schematest: no go.mod above the working directory")
		}
		dir = parent
	}
}

// closeObjects makes the schemas refuse members that they do not describe. Receivers must ignore such members, so the
// document itself leaves its objects open; but whatever this module sends is to be described.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, described := v["properties"]
		_, decided := v["additionalProperties"]
		if v["type"] == "object" && described && !decided {
			v["additionalProperties"] = false
		}
		for _, member := range v {
			closeObjects(member)
		}
	case []any:
		for _, element := range v {
			closeObjects(element)
		}
	}
}

// ValidateSchema holds a JSON text against components/schemas/name.
func (d *Document) ValidateSchema(name string, text []byte) error {
	return d.validate("#/components/schemas/"+name, text)
}

// ValidateMessage holds a whole frame against components/messages/name.
func (d *Document) ValidateMessage(name string, text []byte) error {
	return d.validate("#/components/messages/"+name+"/payload", text)
}

func (d *Document) validate(pointer string, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	schema, err := d.compiled(pointer)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func (d *Document) compiled(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	schema, ok := d.schemas[pointer]
	if ok {
		return schema, nil
	}
	schema, err := d.compiler.Compile(location + pointer)
	if err == nil {
		d.schemas[pointer] = schema
	}
	return schema, err
}

// Recorder checks the frames of connections and counts the messages.
type Recorder struct {
	doc  *Document
	fail func(error)

	mu   sync.Mutex
	seen map[string]int
}

// NewRecorder returns a Recorder that fails the test for every frame that is not as asyncapi.yaml says.
func NewRecorder(t testing.TB) *Recorder {
	t.Helper()
	doc, err := shared()
	if err != nil {
		t.Fatalf("loading asyncapi.yaml: %v", err)
	}
	return &Recorder{doc: doc, fail: func(err error) { t.Error(err) }, seen: make(map[string]int)}
}

// Seen returns how often each message was seen, by its name in components/messages.
func (r *Recorder) Seen() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.seen)
}

// Wrap returns a transport that checks every frame that side writes to inner or reads from it.
func (r *Recorder) Wrap(inner wsproto.Transport, side wsproto.Side) wsproto.Transport {
	return &wrapped{Transport: inner, recorder: r, check: r.doc.NewChecker(), side: side, other: otherSide(side)}
}

// Wrap returns a transport that checks every frame that side writes to inner or reads from it, and fails the test for
// each that is not as asyncapi.yaml says.
func Wrap(t testing.TB, inner wsproto.Transport, side wsproto.Side) wsproto.Transport {
	t.Helper()
	return NewRecorder(t).Wrap(inner, side)
}

// WrapSent is Wrap for tests whose other side breaks the rules on purpose: only what side writes is checked.
func WrapSent(t testing.TB, inner wsproto.Transport, side wsproto.Side) wsproto.Transport {
	t.Helper()
	w := NewRecorder(t).Wrap(inner, side).(*wrapped)
	w.lenient = true
	return w
}

func otherSide(side wsproto.Side) wsproto.Side {
	if side == wsproto.SideTenant {
		return wsproto.SideConnector
	}
	return wsproto.SideTenant
}

func (r *Recorder) frame(c *Checker, from wsproto.Side, message []byte) {
	name, err := c.frame(from, message)
	if err != nil {
		r.fail(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[name]++
}

type wrapped struct {
	wsproto.Transport
	recorder    *Recorder
	check       *Checker
	side, other wsproto.Side
	lenient     bool
}

func (w *wrapped) Write(ctx context.Context, message []byte) error {
	w.recorder.frame(w.check, w.side, message)
	return w.Transport.Write(ctx, message)
}

func (w *wrapped) Read(ctx context.Context) ([]byte, error) {
	message, err := w.Transport.Read(ctx)
	switch {
	case err != nil:
	case w.lenient:
		w.check.observe(w.other, message)
	default:
		w.recorder.frame(w.check, w.other, message)
	}
	return message, err
}

// Checker checks the frames of one connection, whose answers have the schema that their request asks for.
type Checker struct {
	doc *Document

	mu       sync.Mutex
	requests map[string]string // method by sender and id
}

// NewChecker returns a Checker for one connection.
func (d *Document) NewChecker() *Checker {
	return &Checker{doc: d, requests: make(map[string]string)}
}

// Frame checks one frame that a side sent.
func (c *Checker) Frame(from wsproto.Side, text []byte) error {
	_, err := c.frame(from, text)
	return err
}

// parts are the members of a frame by which it is told what it is.
type parts struct {
	ID     json.RawMessage
	Method string
	Result json.RawMessage
	Error  json.RawMessage
}

func (c *Checker) frame(from wsproto.Side, text []byte) (string, error) {
	var f parts
	if err := json.Unmarshal(text, &f); err != nil {
		return "", fmt.Errorf("schematest: %s sent no JSON: %w", from, err)
	}
	name, err := c.name(from, &f)
	if err != nil {
		return "", err
	}
	if err := c.doc.ValidateMessage(name, text); err != nil {
		return "", fmt.Errorf("schematest: %s sent %s: %w", from, name, err)
	}
	if name == wsproto.MethodHello+".result" {
		return name, c.challenge(f.Result)
	}
	return name, nil
}

// observe notes a request of a side whose frames are not checked.
func (c *Checker) observe(from wsproto.Side, text []byte) {
	var f parts
	if json.Unmarshal(text, &f) == nil && f.Method != "" && f.ID != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests[string(from)+string(f.ID)] = f.Method
	}
}

// name returns the name of the message that the frame must be.
func (c *Checker) name(from wsproto.Side, f *parts) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := string(f.ID)
	if f.Method == "" {
		key := string(otherSide(from)) + id
		asked, ok := c.requests[key]
		if !ok {
			return "", fmt.Errorf("schematest: %s answered request %s, which was not made", from, id)
		}
		delete(c.requests, key)
		if f.Error != nil {
			return "error", nil
		}
		return asked + ".result", nil
	}
	for _, m := range wsproto.Methods() {
		if m.Name != f.Method {
			continue
		}
		if m.From != from && m.From != wsproto.SideBoth {
			return "", fmt.Errorf("schematest: %s sent %s, which is for the other side to send", from, m.Name)
		}
		if m.Notification != (id == "") {
			return "", fmt.Errorf("schematest: %s sent %s with the id %q", from, m.Name, id)
		}
		if id != "" {
			c.requests[string(from)+id] = m.Name
		}
		return m.Name, nil
	}
	return "", fmt.Errorf("schematest: %s sent the unknown method %q", from, f.Method)
}

// challenge checks the JSON text inside the answer to a hello.
func (c *Checker) challenge(result []byte) error {
	var signed struct{ Challenge string }
	if err := json.Unmarshal(result, &signed); err != nil {
		return err
	}
	text, err := base64.StdEncoding.DecodeString(signed.Challenge)
	if err != nil {
		return err
	}
	if err := c.doc.ValidateSchema("Challenge", text); err != nil {
		return fmt.Errorf("schematest: the challenge: %w", err)
	}
	return nil
}
