//go:build integration

package pkcs12_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
)

// foreignFile is what testdata/read.py finds in a file.
type foreignFile struct {
	MAC     [2]any      `json:"mac"` // object identifier, iterations
	Certs   [2]any      `json:"certs"`
	Key     [2]any      `json:"key"`
	Chain   [][3]string `json:"chain"` // DER, friendlyName, localKeyID
	Private [3]string   `json:"private"`
}

// TestPythonReader opens files with a reader that shares nothing with this package: the key derivations of the RFCs
// written out in Python, and a parser that takes DER alone. It prints every byte that is in a file.
func TestPythonReader(t *testing.T) {
	const oid3DES, oidPBES2 = "1.2.840.113549.1.12.1.3", "1.2.840.113549.1.5.13"
	dir := t.TempDir()
	write(t, dir, "password", []byte(password))
	files, want := []string{filepath.Join(dir, "password")}, []foreignFile{}
	for kind, key := range map[string]crypto.Signer{"RSA": rsaKey(t, "rsa2048"), "P-521": ecKey(t, elliptic.P521())} {
		chain := newChain(t, key)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		id := sha1.Sum(chain[0].Raw)
		for profile, oids := range map[string][2]string{
			"compat": {oid3DES, "1.3.14.3.2.26"}, "modern": {oidPBES2, "2.16.840.1.101.3.4.2.1"},
			"pbmac1": {oidPBES2, "1.2.840.113549.1.5.14"}, "ios": {oid3DES, "1.3.14.3.2.26"},
		} {
			for i, o := range []pkcs12.Options{
				{}, {FriendlyName: "a", MACIterations: 1}, {FriendlyName: "A much longer 名", Iterations: 1024, MACIterations: 3000},
			} {
				o.Profile, err = pkcs12.ParseProfile(profile)
				require.NoError(t, err)
				file, err := o.Encode(key, chain, password)
				require.NoError(t, err)
				name := fmt.Sprintf("%s-%s-%d.p12", kind, profile, i)
				write(t, dir, name, file)
				files = append(files, filepath.Join(dir, name))
				encryption := [2]any{oids[0], float64([]int{2048, 2048, 1024}[i])}
				f := foreignFile{
					MAC: [2]any{oids[1], float64([]int{2048, 1, 3000}[i])}, Certs: encryption, Key: encryption,
					Chain:   [][3]string{{hex.EncodeToString(chain[0].Raw), o.FriendlyName, hex.EncodeToString(id[:])}},
					Private: [3]string{hex.EncodeToString(der), o.FriendlyName, hex.EncodeToString(id[:])},
				}
				if profile != "ios" {
					f.Chain = append(f.Chain, [3]string{hex.EncodeToString(chain[1].Raw)})
				}
				want = append(want, f)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"testdata/read.py"}, files...)...)
	cmd.Env = append(cmd.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.Output()
	if err != nil {
		exit, _ := err.(*exec.ExitError)
		require.NoError(t, err, "%s", exit.Stderr)
	}
	var got []foreignFile
	require.NoError(t, json.Unmarshal(out, &got))
	assert.Equal(t, want, got)
}
