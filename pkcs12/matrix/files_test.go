//go:build integration

package matrix_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

// set is a folder with the .p12 files, and beside them root.pem, issuing.pem, password, wrong, and message, which the
// tools sign.
type set struct {
	dir             string
	password, wrong string
	files           []*file
}

const message = "signed with the key of the file"

// file is one .p12.
type file struct {
	name         string // in the folder
	row          row
	key          string // its kind
	friendlyName string
	leaf         *x509.Certificate
	cas          []*x509.Certificate // those that are in the file
}

// friendlyName has quotes and letters of one, two and three bytes.
const friendlyName = `Wi-Fi of "Jörg" 日本`

// variants are without any option and with all of them. A MAC with one iteration does without the number (RFC 7292, 4).
var variants = map[string]pkcs12.Options{
	"":         {},
	"-options": {FriendlyName: friendlyName, Iterations: 10_000, MACIterations: 1},
}

var keyKinds = []string{"RSA-2048", "RSA-4096", "P-256", "P-384"}

func newSet(t *testing.T) *set {
	t.Helper()
	s := &set{dir: t.TempDir()}
	for _, secret := range []*string{&s.password, &s.wrong} {
		var err error
		*secret, err = pkcs12.NewPassword()
		require.NoError(t, err)
	}
	rootKey, issuingKey := key(t, "RSA-3072"), key(t, "P-384")
	root := sign(t, caTemplate("Matrix Root CA"), nil, rootKey.Public(), rootKey)
	issuing := sign(t, caTemplate("Matrix Issuing CA"), root, issuingKey.Public(), rootKey)
	for name, data := range map[string][]byte{
		"password": []byte(s.password), "wrong": []byte(s.wrong), "message": []byte(message),
		"root.pem": pemOf(root), "issuing.pem": pemOf(issuing),
	} {
		write(t, filepath.Join(s.dir, name), data)
	}
	for _, kind := range keyKinds {
		leafKey := key(t, kind)
		leaf := sign(t, leafTemplate(), issuing, leafKey.Public(), issuingKey)
		write(t, filepath.Join(s.dir, kind+".pem"), pemOf(leaf))
		for _, r := range rows {
			for suffix, options := range variants {
				options.Profile = profile(t, r.profiles[0])
				cas := []*x509.Certificate{issuing, root}[:r.cas]
				f := &file{r.profiles[0] + "-" + kind + suffix + ".p12", r, kind, options.FriendlyName, leaf, cas}
				data, err := options.Encode(leafKey, []*x509.Certificate{leaf, issuing, root}, s.password)
				require.NoError(t, err, f.name)
				write(t, filepath.Join(s.dir, f.name), data)
				s.files = append(s.files, f)
			}
		}
	}
	return s
}

// key reads RSA keys that are made for tests, since making them takes seconds, and makes the others.
func key(t *testing.T, kind string) crypto.Signer {
	t.Helper()
	if curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384()}[kind]; curve != nil {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		return key
	}
	text, err := os.ReadFile("../../keygen/testdata/rsa" + kind[len("RSA-"):] + ".pem")
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key.(crypto.Signer)
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

// leafTemplate has the usages of AD CS's template User that matter here: its second lets the tools sign a CMS message.
func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		Subject:  pkix.Name{Organization: []string{"Köln & Söhne"}, CommonName: "jörg"},
		KeyUsage: x509.KeyUsageDigitalSignature, EmailAddresses: []string{"joerg@corp.test"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
	}
}

func sign(t *testing.T, template, parent *x509.Certificate, pub crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent = template
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	var err error
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, by)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func pemOf(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// missing returns the certificates between root and leaf that are not in a file, as PEM. Its device gets them by other
// means, such as a payload beside that of the .p12.
func (s *set) missing(t *testing.T, f *file) []byte {
	t.Helper()
	if len(f.cas) > 0 {
		return nil
	}
	text, err := os.ReadFile(s.in("issuing.pem"))
	require.NoError(t, err)
	return text
}
