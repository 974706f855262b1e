package strictjson

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Unmarshal decodes a JSON text into the struct that v points to. Errors about the text match syntax and hold nothing of
// the text. Members that the struct does not have are checked for syntax and ignored; null leaves a member as it is.
//
// It decodes structs, slices, byte slices (base64 with padding, RFC 4648, section 4), strings, integers, booleans,
// pointers, maps of string to integer, json.RawMessage (which shares the memory of text) and time.Time.
func Unmarshal(text []byte, v any, syntax error) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("strictjson: Unmarshal into a %T", v)
	}
	s := New(text, syntax)
	if err := s.decode(target.Elem()); err != nil {
		return err
	}
	return s.End()
}

func (s *Scanner) decode(v reflect.Value) error {
	if s.Peek() == 'n' && s.Literal("null") {
		return nil
	}
	switch p := v.Addr().Interface().(type) {
	case *json.RawMessage:
		raw, err := s.Value()
		*p = raw
		return err
	case *time.Time:
		return s.decodeTime(p)
	}
	switch v.Kind() {
	case reflect.Struct:
		return s.decodeStruct(v)
	case reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		if err := s.decode(target.Elem()); err != nil {
			return err
		}
		v.Set(target)
		return nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return s.decodeBytes(v)
		}
		return s.decodeSlice(v)
	case reflect.Map:
		return s.decodeMap(v)
	}
	return s.decodeScalar(v)
}

func (s *Scanner) decodeScalar(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		text, err := s.String()
		v.SetString(text)
		return err
	case reflect.Bool:
		if s.Literal("true") {
			v.SetBool(true)
		} else if s.Literal("false") {
			v.SetBool(false)
		} else {
			return s.Malformed(s.pos, "no boolean")
		}
		return nil
	case reflect.Int, reflect.Int64, reflect.Uint32:
		return s.decodeInteger(v)
	}
	return fmt.Errorf("strictjson: Unmarshal cannot decode a %v", v.Type())
}

func (s *Scanner) decodeInteger(v reflect.Value) error {
	at := s.pos
	text, err := s.Number()
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return s.Malformed(at, "no integer of the expected size")
	}
	if v.Kind() == reflect.Uint32 {
		if n < 0 || v.OverflowUint(uint64(n)) {
			return s.Malformed(at, "no integer of the expected size")
		}
		v.SetUint(uint64(n))
		return nil
	}
	if v.OverflowInt(n) {
		return s.Malformed(at, "no integer of the expected size")
	}
	v.SetInt(n)
	return nil
}

func (s *Scanner) decodeStruct(v reflect.Value) error {
	t := v.Type()
	return s.Object(func(name string) error {
		for i := range t.NumField() {
			tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if tag == name && tag != "-" {
				return s.decode(v.Field(i))
			}
		}
		_, err := s.Value()
		return err
	})
}

func (s *Scanner) decodeSlice(v reflect.Value) error {
	v.SetZero()
	return s.array(func(i int) error {
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		return s.decode(v.Index(i))
	})
}

func (s *Scanner) decodeMap(v reflect.Value) error {
	out := reflect.MakeMap(v.Type())
	err := s.Object(func(name string) error {
		element := reflect.New(v.Type().Elem()).Elem()
		if err := s.decode(element); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), element)
		return nil
	})
	if err == nil {
		v.Set(out)
	}
	return err
}

func (s *Scanner) decodeBytes(v reflect.Value) error {
	at := s.pos
	text, err := s.String()
	if err != nil {
		return err
	}
	// DecodeString skips line breaks, which are no base64.
	if strings.ContainsAny(text, "\r\n") {
		return s.Malformed(at, "no base64")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return s.Malformed(at, "no base64")
	}
	v.SetBytes(b)
	return nil
}

// decodeTime reads the one form that the protocol knows: UTC, whole seconds.
func (s *Scanner) decodeTime(p *time.Time) error {
	at := s.pos
	text, err := s.String()
	if err != nil {
		return err
	}
	t, err := time.Parse(timeLayout, text)
	if err != nil || t.Format(timeLayout) != text {
		return s.Malformed(at, "no time")
	}
	*p = t
	return nil
}
