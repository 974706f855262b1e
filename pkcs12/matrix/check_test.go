//go:build integration

package matrix_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCheck: an outcome is wrong if any part of it is.
func TestCheck(t *testing.T) {
	leafKey, caKey, otherKey := key(t, "P-256"), key(t, "P-256"), key(t, "P-256")
	ca := sign(t, caTemplate("CA"), nil, caKey.Public(), caKey)
	leaf := sign(t, leafTemplate(), ca, leafKey.Public(), caKey)
	f := &file{friendlyName: "a name", leaf: leaf, cas: []*x509.Certificate{ca}}
	tool := tool{shown: func(name string) string { return name }, wrong: "wrong password"}
	good := outcome{
		Leaf: leaf.Raw, CAs: [][]byte{ca.Raw}, Name: []byte("a name"), Wrong: []byte("it is a wrong password!"),
		Signature: signature(t, leafKey),
	}
	require.NoError(t, f.check(t, tool, good))
	for what, change := range map[string]func(*outcome){
		"refused": func(o *outcome) { *o = refused("") }, "a problem": func(o *outcome) { *o = problem("") },
		"nothing": func(o *outcome) { *o = outcome{} }, "no leaf": func(o *outcome) { o.Leaf = nil },
		"another leaf": func(o *outcome) { o.Leaf = ca.Raw }, "no CA": func(o *outcome) { o.CAs = nil },
		"another CA": func(o *outcome) { o.CAs = [][]byte{leaf.Raw} },
		"two":        func(o *outcome) { o.CAs = [][]byte{ca.Raw, ca.Raw} },
		"no name":    func(o *outcome) { o.Name = nil }, "another name": func(o *outcome) { o.Name = []byte("A name") },
		"opens": func(o *outcome) { o.Wrong = nil }, "another reason": func(o *outcome) { o.Wrong = []byte("no such file") },
		"no signature": func(o *outcome) { o.Signature = nil },
		"another key":  func(o *outcome) { o.Signature = signature(t, otherKey) },
		"no CMS":       func(o *outcome) { o.Signature, o.CMS = nil, []byte{0x30, 0} },
	} {
		o := good
		change(&o)
		assert.Error(t, f.check(t, tool, o), what)
	}
}

func signature(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(message))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	require.NoError(t, err)
	return signature
}
