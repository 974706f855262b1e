//go:build integration

package adcs_test

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
)

// foreignCA starts the CA of testdata/foreign_ca.py and returns the address of its endpoint mapper.
func foreignCA(t *testing.T, mode string) string {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", "testdata/foreign_ca.py", mode)
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
		if t.Failed() {
			t.Log(text.String())
		}
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, text.String())
	return "127.0.0.1:" + strings.TrimSpace(port)
}

// TestForeignCA gets certificates from a CA whose DCE/RPC, NTLM and certificates are by others. With a time in its NTLM
// challenge the logon carries a MIC, without it an LMv2 response.
func TestForeignCA(t *testing.T) {
	for _, mode := range []string{"time", "notime"} {
		t.Run(mode, func(t *testing.T) {
			mapper := foreignCA(t, mode)
			client := func(user, password, ca string) *adcs.Client {
				c, err := adcs.New("127.0.0.1", ca, adcs.Password(user, password), &adcs.Options{
					Transport: adcs.TransportTCP, Auth: adcs.AuthNTLM, EndpointMapper: mapper, Timeout: 30 * time.Second,
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
				require.Len(t, r.Chain, 1)
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
