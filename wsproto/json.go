package wsproto

import (
	"errors"

	"github.com/adcskit/adcskit/internal/strictjson"
)

// ErrSyntax is matched by every error about a text that is not the JSON of protocol v1: not RFC 8259, not UTF-8, a
// member twice in an object, too deep, too many elements, a value of the wrong type.
var ErrSyntax = errors.New("wsproto: malformed message")

// scanner reads the JSON of this protocol.
type scanner struct{ strictjson.Scanner }

func newScanner(text []byte) scanner { return scanner{strictjson.New(text, ErrSyntax)} }

// Unmarshal decodes a JSON text into the struct that v points to. Unlike encoding/json it matches member names
// exactly, refuses a member that occurs twice, text that is not UTF-8 and half surrogate pairs, takes numbers only
// where they fit, and bounds depth and counts (see [MaxDepth], [MaxArray], [MaxMembers]). Members that the struct does
// not have are checked for syntax and ignored. null leaves a member as it is. Errors match [ErrSyntax] and hold
// nothing of the text.
//
// It decodes what the messages of this package consist of: structs, slices, byte slices (base64 with padding, RFC 4648,
// section 4), strings, integers, booleans, pointers, maps of string to integer, json.RawMessage and time.Time.
// A json.RawMessage shares the memory of text.
func Unmarshal(text []byte, v any) error { return strictjson.Unmarshal(text, v, ErrSyntax) }

// memberNames returns the names of the members of a JSON object, without those that are null.
func memberNames(text []byte) (map[string]bool, error) {
	s := newScanner(text)
	found := make(map[string]bool)
	err := s.Object(func(name string) error {
		value, err := s.Value()
		if string(value) != "null" {
			found[name] = true
		}
		return err
	})
	return found, err
}
