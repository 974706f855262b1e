package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"log"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// manufacturer is the certificate of a CA, in PEM.
func manufacturer(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "TPM Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cli.EncodeCertificates(cert)
}

// TestAttestationIsStrict: what is mistyped is an error when the gateway starts, and not a connector that is let in, or
// that never is.
func TestAttestationIsStrict(t *testing.T) {
	hash := strings.Repeat("0f", 32)
	for want, a := range map[string]map[string]any{
		`policy "TPM" is not any, tpm or tpm-verified`: {"acme": map[string]any{"policy": "TPM"}},
		"needs ekRoots or ekHashes":                    {"acme": map[string]any{"policy": "tpm-verified"}},
		"without ekRoots":                              {"acme": map[string]any{"ekIntermediates": "roots.pem"}},
		`"0f" is no SHA-256 hash`:                      {"acme": map[string]any{"ekHashes": []string{hash, "0f"}}},
		`attestation: acme: ekHashes: "zz`:             {"acme": map[string]any{"ekHashes": []string{strings.Repeat("zz", 32)}}},
		`"other" is not in tenants`:                    {"other": map[string]any{}},
		"ekRoot\"":                                     {"acme": map[string]any{"ekRoot": "roots.pem"}},
	} {
		_, err := call(write(t, func(m map[string]any) { m["attestation"] = a }), "init")
		require.ErrorContains(t, err, want)
	}
	for want, a := range map[string]map[string]any{
		"attestation: acme: ekRoots: open":         {"policy": "tpm-verified", "ekRoots": "missing.pem"},
		"attestation: acme: ekIntermediates: open": {"ekRoots": "roots.pem", "ekIntermediates": "missing.pem"},
		"holds no certificate":                     {"ekRoots": "empty.pem"},
	} {
		path := write(t, func(m map[string]any) { m["attestation"] = map[string]any{"acme": a} })
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "roots.pem"), manufacturer(t), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), "empty.pem"), nil, 0o600))
		_, err := call(path, "init")
		require.NoError(t, err)
		_, err = call(path, "serve")
		require.ErrorContains(t, err, want)
	}
}

// TestAttestationOfATenant: each tenant has its own, and who says nothing takes any keys.
func TestAttestationOfATenant(t *testing.T) {
	path := write(t, func(m map[string]any) {
		m["tenants"] = map[string]string{"acme": "acme.key", "other": "other.key"}
		m["attestation"] = map[string]any{"acme": map[string]any{
			"policy": "tpm-verified", "ekRoots": "roots.pem", "ekHashes": []string{strings.Repeat("0F", 32)},
		}}
	})
	roots := filepath.Join(filepath.Dir(path), "roots.pem")
	require.NoError(t, os.WriteFile(roots, manufacturer(t), 0o600))
	c, err := loadConfig(path)
	require.NoError(t, err)
	acme := c.Attestation["acme"]
	assert.Equal(t, gateway.AttestationVerified, acme.Policy)
	assert.Equal(t, roots, acme.EKRoots, "relative to the configuration")
	assert.Empty(t, acme.EKIntermediates)
	hashes, err := acme.hashes()
	require.NoError(t, err)
	assert.EqualValues(t, 0x0f, hashes[0][31])
	assert.Empty(t, c.Attestation["other"].Policy)

	all, err := newVerifiers(c)
	require.NoError(t, err)
	assert.NotSame(t, all["acme"], all["other"])
	_, _, err = all.Challenge(t.Context(), "nobody", nil, nil, nil)
	require.ErrorIs(t, err, gateway.ErrNotFound)
	for tenant := range c.Tenants {
		_, _, err = all.Challenge(t.Context(), tenant, []byte(`{}`), nil, nil)
		require.Error(t, err)
	}
}

// TestLevelIsSaid to whoever reads the log.
func TestLevelIsSaid(t *testing.T) {
	var out bytes.Buffer
	logger := log.New(&out, "", 0)
	e := gateway.ConnectorEvent{
		Kind: gateway.ConnectorWaits, Tenant: "acme", Connector: "id",
		Attestation: gateway.LevelUnverified, AttestationDetail: "no certificate",
	}
	logConnector(logger, e)
	e.Kind, e.Attestation, e.AttestationDetail = gateway.ConnectorActive, gateway.LevelSoftware, ""
	e.Message = "has the place of another"
	logConnector(logger, e)
	assert.Contains(t, out.String(), "waits for approval, keys: tpm-unverified (no certificate);")
	assert.Contains(t, out.String(), "is connected, keys: software;")
	assert.Contains(t, out.String(), "has the place of another")
}
