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
	d.mu.Lock()
	defer d.mu.Unlock()
	schema, ok := d.schemas[pointer]
	if !ok {
		if schema, err = d.compiler.Compile(location + pointer); err != nil {
			return err
		}
		d.schemas[pointer] = schema
	}
	return schema.Validate(value)
}

// Wrap returns a transport that checks every frame that side writes to inner or reads from it, and fails the test for
// each that is not as asyncapi.yaml says.
func Wrap(t testing.TB, inner wsproto.Transport, side wsproto.Side) wsproto.Transport {
	t.Helper()
	doc, err := Load()
	if err != nil {
		t.Fatalf("loading asyncapi.yaml: %v", err)
	}
	other := wsproto.SideTenant
	if side == wsproto.SideTenant {
		other = wsproto.SideConnector
	}
	return &wrapped{
		Transport: inner,
		check:     &Checker{doc: doc, requests: make(map[string]string)},
		fail:      func(err error) { t.Error(err) },
		side:      side, other: other,
	}
}

type wrapped struct {
	wsproto.Transport
	check       *Checker
	fail        func(error)
	side, other wsproto.Side
}

func (w *wrapped) Write(ctx context.Context, message []byte) error {
	if err := w.check.Frame(w.side, message); err != nil {
		w.fail(err)
	}
	return w.Transport.Write(ctx, message)
}

func (w *wrapped) Read(ctx context.Context) ([]byte, error) {
	message, err := w.Transport.Read(ctx)
	if err == nil {
		if err := w.check.Frame(w.other, message); err != nil {
			w.fail(err)
		}
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
	var f struct {
		ID     json.RawMessage
		Method string
		Result json.RawMessage
		Error  json.RawMessage
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("schematest: %s sent no JSON: %w", from, err)
	}
	name, err := c.name(from, f.Method, string(f.ID), f.Error != nil)
	if err != nil {
		return err
	}
	if err := c.doc.ValidateMessage(name, text); err != nil {
		return fmt.Errorf("schematest: %s sent %s: %w", from, name, err)
	}
	if name == wsproto.MethodHello+".result" {
		return c.challenge(f.Result)
	}
	return nil
}

// name returns the name of the message that the frame must be.
func (c *Checker) name(from wsproto.Side, method, id string, failed bool) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if method == "" {
		asker := wsproto.SideTenant
		if from == wsproto.SideTenant {
			asker = wsproto.SideConnector
		}
		asked, ok := c.requests[string(asker)+id]
		if !ok {
			return "", fmt.Errorf("schematest: %s answered request %s, which was not made", from, id)
		}
		delete(c.requests, string(asker)+id)
		if failed {
			return "error", nil
		}
		return asked + ".result", nil
	}
	for _, m := range wsproto.Methods() {
		if m.Name != method {
			continue
		}
		if m.From != from && m.From != wsproto.SideBoth {
			return "", fmt.Errorf("schematest: %s sent %s, which is for the other side to send", from, method)
		}
		if m.Notification != (id == "") {
			return "", fmt.Errorf("schematest: %s sent %s with the id %q", from, method, id)
		}
		if id != "" {
			c.requests[string(from)+id] = method
		}
		return method, nil
	}
	return "", fmt.Errorf("schematest: %s sent the unknown method %q", from, method)
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
