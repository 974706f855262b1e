//go:build integration

package adcs_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

// TestOpenSSLReadsSignedRequests has OpenSSL verify both kinds of signed requests, with every kind of key, and the
// PKCS#10 request inside of them.
func TestOpenSSLReadsSignedRequests(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	require.NoError(t, err, "install openssl")
	for name, key := range keys(t) {
		cert, agent := holder(t, key, oidClientAuth), holder(t, key, oidAgent)
		renewal, err := adcs.RenewalRequest(nil, newKey(t), cert, key)
		require.NoError(t, err)
		behalf, err := adcs.OnBehalfOfRequest(csrFor(t, newKey(t)), `CORP\bob`, agent, key)
		require.NoError(t, err)
		for kind, message := range map[string]struct {
			der    []byte
			signer *x509.Certificate
		}{"renewal": {renewal, cert}, "on behalf": {behalf, agent}} {
			t.Run(name+", "+kind, func(t *testing.T) {
				dir := t.TempDir()
				file := func(name string, b []byte) string {
					path := filepath.Join(dir, name)
					require.NoError(t, os.WriteFile(path, b, 0o600))
					return path
				}
				run := func(args ...string) string {
					out, err := exec.CommandContext(t.Context(), openssl, args...).CombinedOutput()
					require.NoError(t, err, "%s", out)
					return string(out)
				}
				in := file("message.der", message.der)
				content, signer := filepath.Join(dir, "csr.der"), filepath.Join(dir, "signer.pem")
				// The signature, with the certificate in the message; the certificate itself is nobody's.
				out := run("cms", "-verify", "-inform", "DER", "-in", in, "-noverify", "-binary", "-out", content, "-signer", signer)
				assert.Contains(t, out, "successful")
				used, err := os.ReadFile(signer)
				require.NoError(t, err)
				block, _ := pem.Decode(used)
				require.NotNil(t, block)
				assert.Equal(t, message.signer.Raw, block.Bytes)
				assert.Contains(t, run("req", "-inform", "DER", "-in", content, "-noout", "-verify"), "OK")
				// What was changed does not verify.
				bad := append([]byte(nil), message.der...)
				bad[len(bad)-1] ^= 1
				cmd := exec.CommandContext(t.Context(), openssl, "cms", "-verify", "-inform", "DER", "-in", file("bad.der", bad),
					"-noverify", "-binary", "-out", content)
				assert.Error(t, cmd.Run())
			})
		}
	}
}
