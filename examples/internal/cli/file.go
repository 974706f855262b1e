package cli

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"regexp"
)

const (
	maxConfig = 1 << 20
	maxPEM    = 4 << 20
)

// LoadJSON reads a configuration file into v: one JSON value, no key that v does not know.
func LoadJSON(path string, v any) error {
	b, err := ReadFile(path, maxConfig)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if line := lineOf(b, err); line > 0 {
			path = fmt.Sprintf("%s:%d", path, line)
		}
		if _, binary := errors.AsType[base64.CorruptInputError](err); binary {
			err = fmt.Errorf("a public key, or another binary value, is not base64: %w", err)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%s: more after the configuration", path)
	}
	return nil
}

var unknownField = regexp.MustCompile(`^json: unknown field ("[^"]*")$`)

// lineOf returns the line that an error of encoding/json is about, or 0 if it is not to be found.
func lineOf(text []byte, err error) int {
	offset := -1
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = int(syntax.Offset)
	} else if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = int(kind.Offset)
	} else if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
		if at := regexp.MustCompile(regexp.QuoteMeta(m[1]) + `\s*:`).FindIndex(text); at != nil {
			offset = at[0]
		}
	}
	if offset < 0 || offset > len(text) {
		return 0
	}
	return 1 + bytes.Count(text[:offset], []byte("\n"))
}

// Certificates reads the certificates of a PEM file, or the one of a DER file, which is what Windows exports. There must
// be one at least; PEM blocks of other types are refused.
func Certificates(path string) ([]*x509.Certificate, error) {
	b, err := ReadFile(path, maxPEM)
	if err != nil {
		return nil, err
	}
	if cert, err := x509.ParseCertificate(b); err == nil {
		return []*x509.Certificate{cert}, nil
	}
	var certs []*x509.Certificate
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s holds a %q, not only certificates", path, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", path, len(certs)+1, err)
		}
		certs, b = append(certs, cert), rest
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("%s holds no certificate in PEM or DER", path)
	}
	return certs, nil
}

// EncodeCertificates returns certificates in PEM.
func EncodeCertificates(certs ...*x509.Certificate) []byte {
	var b []byte
	for _, c := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return b
}
