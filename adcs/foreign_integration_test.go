//go:build integration

package adcs_test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

// foreignCA starts the CA of testdata/foreign_ca.py, whose user is alice, and returns the address of its endpoint
// mapper.
func foreignCA(t *testing.T, options ...string) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.Command("/usr/bin/python3", append(append([]string{"testdata/foreign_ca.py", "--user", "alice"}, options...),
		folder)...)
	cmd.Env = append(os.Environ(), "PEER_PASSWORD=Pass-word1")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var text strings.Builder
	cmd.Stderr = &text
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		assert.NoError(t, cmd.Wait(), text.String())
		assert.Empty(t, text.String(), "what it holds against the client")
	})
	var ports struct{ EPM int }
	require.NoError(t, json.NewDecoder(out).Decode(&ports), "%s", &text)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports.EPM))
}

// TestForeignCA gets certificates from a CA whose DCE/RPC, NTLM and certificates are by others. With a time in its NTLM
// challenge the logon carries a MIC, without it an LMv2 response.
func TestForeignCA(t *testing.T) {
	for mode, options := range map[string][]string{"time": nil, "notime": {"--without", "timestamp"}} {
		t.Run(mode, func(t *testing.T) {
			mapper := foreignCA(t, options...)
			client := func(user, password, ca string) *adcs.Client {
				c, err := adcs.New("127.0.0.1", ca, adcs.Password(user, password), &adcs.Options{
					Auth: adcs.AuthNTLM, EndpointMapper: mapper, Timeout: 30 * time.Second,
				})
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, c.Close()) })
				return c
			}
			c := client(`CORP\alice`, "Pass-word1", "Foreign CA")
			require.NoError(t, c.Ping(t.Context()))
			for _, size := range []int{10, 20_000} {
				csr := bigCSR(t, size)
				r, err := c.Submit(t.Context(), adcs.Request{CSR: csr, Template: "WebServer"})
				require.NoError(t, err)
				assert.Equal(t, adcs.Issued, r.Disposition)
				assert.Equal(t, "www.corp.test", r.Certificate.Subject.CommonName)
				require.NotEmpty(t, r.Chain)
				assert.NoError(t, r.Certificate.CheckSignatureFrom(r.Chain[0]))
			}
			require.ErrorIs(t, client(`CORP\alice`, "wrong", "Foreign CA").Ping(t.Context()), adcs.ErrLogon)
			_, err := client(`CORP\eve`, "Pass-word1", "Foreign CA").Submit(t.Context(), adcs.Request{
				CSR: bigCSR(t, 10), Template: "WebServer",
			})
			require.ErrorIs(t, err, adcs.ErrLogon)
			require.ErrorIs(t, client(`CORP\alice`, "Pass-word1", "No CA").Ping(t.Context()), adcs.ErrInvalidArg)
		})
	}
}
