//go:build integration

package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adtest"
)

// TestDiscover lists what a real directory has.
func TestDiscover(t *testing.T) {
	d := adtest.Start(t)
	user := d.AddUser(t, "lister", "Lister-1")
	d.AddTemplate(t, adtest.Template{
		Name: "Dangerous", SchemaVersion: 2, NameFlags: 1, MinKeySize: 2048, EKUs: []string{adtest.ClientAuth},
		SDDL: adtest.UsersEnroll, Validity: 30 * 24 * time.Hour,
	})
	d.PublishCA(t, adtest.CA{
		Name: "Listed CA", Host: "ca.corp.test", Certificates: []*x509.Certificate{selfSigned(t)},
		Templates: []string{"Dangerous"},
	})
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "right"), []byte(user.Password), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wrong"), []byte("wrong"), 0o600))
	for name, args := range map[string][]string{
		"kerberos": {"-directory", d.Host, "-auth", "kerberos", "-krb5-conf", d.KRB5Config()},
		"ldaps":    {"-directory", "ldaps://" + d.Host, "-directory-roots", d.RootsFile()},
	} {
		args = append([]string{"-discover", "-user", user.Logon(), "-password-file", "right"}, args...)
		status, out, stderr := enroll(t, dir, append(args, "-json")...)
		require.Zero(t, status, out+stderr)
		var l struct {
			Outcome, Account string
			CAs              []struct{ Name, Host string }
			Templates        []struct {
				Name      string
				MayEnroll bool `json:"account_may_enroll"`
			}
			Findings []struct{ Code, Template string }
		}
		require.NoError(t, json.Unmarshal([]byte(out), &l), out)
		assert.Equal(t, "read", l.Outcome, name)
		assert.Equal(t, user.Name, l.Account)
		require.Len(t, l.CAs, 1)
		assert.Equal(t, "Listed CA", l.CAs[0].Name)
		assert.Len(t, l.Templates, 4)
		require.Len(t, l.Findings, 1)
		assert.Equal(t, "enrollee-supplies-subject", l.Findings[0].Code)

		status, out, stderr = enroll(t, dir, args...)
		require.Zero(t, status, stderr)
		for _, text := range []string{
			`CA "Listed CA" on ca.corp.test`, `template "Dangerous"`, "Domain Users; this account: true", "DANGER: template",
		} {
			assert.Contains(t, out, text)
		}
	}
	status, _, stderr := enroll(t, dir, "-discover", "-user", user.Logon(), "-password-file", "wrong",
		"-directory", d.Host, "-krb5-conf", d.KRB5Config())
	assert.Equal(t, 7, status, stderr)
	status, _, stderr = enroll(t, dir, "-discover", "-user", user.Logon())
	assert.Equal(t, 2, status, stderr)
}

// selfSigned is the certificate of some CA.
func selfSigned(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Listed CA"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}
