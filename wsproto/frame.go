package wsproto

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// frame is one JSON-RPC 2.0 message: a request or notification (method), or an answer (result or failure).
type frame struct {
	id        string // the text of the id as it stood in the message, "" when there is none
	method    string
	params    json.RawMessage
	result    json.RawMessage
	failure   *Error
	isRequest bool // has a method
}

// decodeFrame reads a message in one pass. Every value in it is checked to be the JSON of this protocol, those that are
// decoded later and those that are ignored alike.
func decodeFrame(text []byte) (*frame, error) {
	s := newScanner(text)
	if s.Peek() == '[' {
		return nil, s.Malformed(s.Pos(), "a batch")
	}
	var f frame
	var version string
	err := s.Object(func(name string) (err error) {
		if name != "id" && s.Peek() == 'n' && s.Literal("null") {
			return nil // as if it were absent
		}
		switch name {
		case "jsonrpc":
			version, err = s.String()
		case "id":
			f.id, err = s.requestID()
		case "method":
			f.isRequest = true
			f.method, err = s.String()
		case "params":
			f.params, err = s.Value()
		case "result":
			f.result, err = s.Value()
		case "error":
			f.failure, err = s.failure()
		default:
			_, err = s.Value()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	return &f, f.check(version)
}

func (f *frame) check(version string) error {
	if version != "2.0" {
		return fmt.Errorf("%w: no JSON-RPC 2.0", ErrSyntax)
	}
	answers := 0
	if f.result != nil {
		answers++
	}
	if f.failure != nil {
		answers++
	}
	switch {
	case f.isRequest && answers == 0 && f.id != "null" && f.method != "" && len(f.method) <= maxMethod:
		return nil
	case !f.isRequest && answers == 1 && f.id != "" && f.params == nil:
		return nil
	}
	return fmt.Errorf("%w: neither a request nor an answer", ErrSyntax)
}

// requestID consumes an id and returns its text: an integer from 0 to 2^53, a string of 1 to 64 bytes without escapes,
// or null.
func (s *scanner) requestID() (string, error) {
	c := s.Peek()
	at := s.Pos()
	switch {
	case c == '"':
		inner, escaped, err := s.Quoted()
		if err != nil {
			return "", err
		}
		if escaped || len(inner) == 0 || len(inner) > maxID {
			return "", s.Malformed(at, "an id out of bounds")
		}
		return `"` + string(inner) + `"`, nil
	case c == 'n' && s.Literal("null"):
		return "null", nil
	}
	text, err := s.Number()
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxMillis || text[0] == '-' {
		return "", s.Malformed(at, "an id out of bounds")
	}
	return text, nil
}

// failure consumes an error object. Its text is shortened.
func (s *scanner) failure() (*Error, error) {
	at := s.Pos()
	var e struct {
		Code    *int            `json:"code"`
		Message *string         `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	raw, err := s.Value()
	if err != nil {
		return nil, err
	}
	if err := Unmarshal(raw, &e); err != nil || e.Code == nil || e.Message == nil {
		return nil, s.Malformed(at, "no error object")
	}
	if len(e.Data) > maxRemoteText {
		e.Data = nil
	}
	return &Error{Code: ErrorCode(*e.Code), Message: bound(*e.Message, maxRemoteText), Data: e.Data}, nil
}

// appendRequest writes a request, or a notification when id is 0. params stand in it exactly as they are.
func appendRequest(b []byte, id uint64, method string, params []byte) []byte {
	b = append(b, `{"jsonrpc":"2.0",`...)
	if id != 0 {
		b = append(b, `"id":`...)
		b = strconv.AppendUint(b, id, 10)
		b = append(b, ',')
	}
	b = append(b, `"method":"`...)
	b = append(b, method...) // one of ours, checked by validMethod
	b = append(b, '"')
	if len(params) > 0 {
		b = append(b, `,"params":`...)
		b = append(b, params...)
	}
	return append(b, '}')
}

// appendResult writes the answer to the request with this id text.
func appendResult(b []byte, id string, result []byte) []byte {
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"result":`...)
	b = append(b, result...)
	return append(b, '}')
}

// appendError writes an error as the answer.
func appendError(b []byte, id string, e *Error) []byte {
	text, err := json.Marshal(e)
	if err != nil { // its Data is no JSON
		text, _ = json.Marshal(&Error{Code: e.Code, Message: e.Message})
	}
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"error":`...)
	b = append(b, text...)
	return append(b, '}')
}

// validMethod reports whether a method name needs no escaping.
func validMethod(name string) bool {
	if name == "" || len(name) > maxMethod {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
