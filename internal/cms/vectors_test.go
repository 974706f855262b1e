package cms_test

import (
	"crypto/x509"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/cms"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// vector reads a real message from ADCSKIT_VECTORS.
func vector(t testing.TB, name string) []byte {
	dir := os.Getenv("ADCSKIT_VECTORS")
	if dir == "" {
		t.Skip("ADCSKIT_VECTORS is not set")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return b
}

// TestRealRequests reads a renewal and a CMC request that Windows made. Their signatures are over SHA-1, which proves
// nothing any more.
func TestRealRequests(t *testing.T) {
	sd, err := cms.Parse(vector(t, "WSTEP-1417.der"))
	require.NoError(t, err)
	assert.True(t, sd.ContentType.Equal(cms.OIDData()))
	require.Len(t, sd.Certificates, 1)
	require.Len(t, sd.Signers, 1)
	old, err := x509.ParseCertificate(sd.Certificates[0])
	require.NoError(t, err)
	info, err := cms.ParseSigner(sd.Signers[0])
	require.NoError(t, err)
	assert.True(t, info.Names(old))
	assert.Nil(t, info.Attributes)
	assert.ErrorIs(t, info.Verify(sd, old), cms.ErrAlgorithm)
	csr, err := x509.ParseCertificateRequest(sd.Content)
	require.NoError(t, err)
	renewed, err := cms.Attributes(csr, cms.OIDRenewalCertificate())
	require.NoError(t, err)
	assert.Equal(t, [][]byte{old.Raw}, renewed)

	sd, err = cms.Parse(vector(t, "OTPCE-571.der"))
	require.NoError(t, err)
	assert.True(t, sd.ContentType.Equal(cms.OIDPKIData()))
	require.Len(t, sd.Signers, 2)
	first, err := cms.ParseSigner(sd.Signers[0])
	require.NoError(t, err)
	assert.True(t, first.NoSignature())
	second, err := cms.ParseSigner(sd.Signers[1])
	require.NoError(t, err)
	assert.False(t, second.NoSignature())
	assert.Len(t, second.Attributes, 2)
}
