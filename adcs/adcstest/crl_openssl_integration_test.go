//go:build integration

package adcstest_test

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// crlFolder is a folder with what OpenSSL verifies against: roots, CAs and CRLs.
type crlFolder struct{ dir string }

func newCRLFolder(t *testing.T, ca *adcstest.Authority) crlFolder {
	t.Helper()
	f := crlFolder{t.TempDir()}
	chain := ca.Chain()
	root := chain[len(chain)-1]
	roots, middle := [][]byte{root.Raw}, [][]byte{}
	for _, c := range append(chain[:len(chain)-1:len(chain)-1], ca.Certificates()...) {
		if c.CheckSignatureFrom(c) == nil {
			roots = append(roots, c.Raw)
			continue
		}
		middle = append(middle, c.Raw)
	}
	writePEM(t, f.file("roots.pem"), roots...)
	writePEM(t, f.file("middle.pem"), append(middle, roots...)...) // never empty, which OpenSSL refuses
	f.writeCRLs(t, ca)
	return f
}

func (f crlFolder) file(name string) string { return filepath.Join(f.dir, name) }

func (f crlFolder) writeCRLs(t *testing.T, ca *adcstest.Authority) {
	t.Helper()
	lists, err := ca.CRLs(false)
	require.NoError(t, err)
	var b []byte
	for _, l := range lists {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: l.Raw})...)
	}
	require.NoError(t, os.WriteFile(f.file("crls.pem"), b, 0o600))
}

// verify returns what OpenSSL says of a certificate whose whole chain is looked up in the CRLs.
func (f crlFolder) verify(t *testing.T, der []byte, at time.Time) (string, error) {
	t.Helper()
	writePEM(t, f.file("leaf.pem"), der)
	out, err := exec.CommandContext(t.Context(), "openssl", "verify", "-crl_check_all", "-x509_strict",
		"-attime", strconv.FormatInt(at.Unix(), 10), "-CAfile", f.file("roots.pem"),
		"-untrusted", f.file("middle.pem"), "-CRLfile", f.file("crls.pem"), f.file("leaf.pem")).CombinedOutput()
	return string(out), err
}

// TestOpenSSLReadsCRLs has OpenSSL look up certificates in the CA's CRLs, before and after they were revoked, and after
// the CA was renewed with a new key.
func TestOpenSSLReadsCRLs(t *testing.T) {
	for name, profile := range map[string]adcstest.Profile{
		"root": {SelfSigned: true}, "subordinate": {Intermediates: 1}, "RSA": {RSA: true},
	} {
		t.Run(name, func(t *testing.T) {
			ca, now := newRevoker(t, profile)
			bad, serial := issueOne(t, ca)
			held, heldSerial := issueOne(t, ca)
			good, _ := issueOne(t, ca)
			f := newCRLFolder(t, ca)
			check := func(der []byte, want string) {
				t.Helper()
				out, err := f.verify(t, der, now.Add(time.Minute))
				assert.Contains(t, out, want)
				assert.Equal(t, want == "leaf.pem: OK", err == nil)
			}
			check(bad, "leaf.pem: OK")

			*now = now.Add(time.Hour)
			require.Zero(t, ca.Revoke(serial, 1, *now))
			require.Zero(t, ca.Revoke(heldSerial, 6, *now))
			require.Zero(t, ca.PublishCRLs(time.Time{}, 1))
			require.NoError(t, ca.Renew(true))
			young, _ := issueOne(t, ca)
			f = newCRLFolder(t, ca)
			check(bad, "certificate revoked")
			check(held, "certificate revoked")
			check(good, "leaf.pem: OK")
			check(young, "leaf.pem: OK")

			*now = now.Add(time.Hour)
			require.Zero(t, ca.Revoke(heldSerial, released, *now))
			require.Zero(t, ca.PublishCRLs(time.Time{}, 1))
			f.writeCRLs(t, ca)
			check(held, "leaf.pem: OK")
			check(bad, "certificate revoked")

			f.printed(t, ca)
		})
	}
}

// printed reads what a delta CRL says through OpenSSL.
func (f crlFolder) printed(t *testing.T, ca *adcstest.Authority) {
	t.Helper()
	lists, err := ca.CRLs(true)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(f.file("delta.crl"), lists[0].Raw, 0o600))
	text := openssl(t, "crl", "-inform", "DER", "-in", f.file("delta.crl"), "-noout", "-text")
	for _, want := range []string{
		"X509v3 Delta CRL Indicator: critical", "X509v3 CRL Number", "X509v3 Authority Key Identifier", "Remove From CRL",
		"Key Compromise", "1.3.6.1.4.1.311.21.4", "1.3.6.1.4.1.311.21.1",
	} {
		assert.Contains(t, text, want)
	}
}
