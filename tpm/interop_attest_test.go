//go:build integration

package tpm

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// attestedKeys is a connector's side: the attester of two keys, and the keys.
type attestedKeys struct {
	*Attester
	identity, decryption     *key
	identityDER, exchangeDER []byte
}

func newAttestedKeys(t *testing.T, d *TPM) *attestedKeys {
	t.Helper()
	s, e := signerIn(t, d, P256), exchangerIn(t, d)
	a, err := NewAttester(s, e)
	require.NoError(t, err)
	k := &attestedKeys{Attester: a, identity: s.key, decryption: e.key}
	k.identityDER, err = x509.MarshalPKIXPublicKey(s.Public())
	require.NoError(t, err)
	k.exchangeDER, err = x509.MarshalPKIXPublicKey(e.PublicKey())
	require.NoError(t, err)
	return k
}

// madeCredential is the header of the files of tpm2_makecredential and tpm2_activatecredential: a magic number and a
// version, before TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET.
const madeCredential = "\xba\xdc\xc0\xde\x00\x00\x00\x01"

// toolsCredential has the tools make a credential, without the TPM.
func (p *peer) toolsCredential(secret, name []byte) credential {
	p.Helper()
	p.write("secret", secret)
	p.run("tpm2_makecredential -T none -u ek.pub -s secret -o credential -n " + hex.EncodeToString(name))
	rest, ok := bytes.CutPrefix(p.read("credential"), []byte(madeCredential))
	require.True(p, ok)
	size := 2 + int(binary.BigEndian.Uint16(rest))
	return credential{Credential: rest[:size], Secret: rest[size:]}
}

func TestAttestationWithTools(t *testing.T) {
	for name, ek := range map[string]tpmtest.EK{"ecc": tpmtest.ECC, "rsa": tpmtest.RSA} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, "")
			maker := p.device.Manufacturer()
			p.device.SetCertificate(ek, maker.Issue(p.device.EKPublic(ek), maker.Root().NotAfter))
			p.tools("tpm2_createek -c ek.ctx -u ek.pub -G " + name)
			identity, decryption := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("two"))

			d, err := Open(p.device.Path(), nil)
			require.NoError(t, err)
			defer d.Close()
			k := newAttestedKeys(t, d)
			evidence, err := k.Evidence(t.Context())
			require.NoError(t, err)
			require.NoError(t, d.Close())

			credentials, verify, err := NewVerifier(VerifierOptions{Roots: maker.Roots(), Intermediates: maker.Intermediates()}).
				Challenge(t.Context(), "t", evidence, k.identityDER, k.exchangeDER)
			require.NoError(t, err)
			made, err := decodeCredentials(credentials)
			require.NoError(t, err)
			text, err := json.Marshal(activation{
				Identity: p.toolsActivate(k.identity, made.Identity), Decryption: p.toolsActivate(k.decryption, made.Decryption),
			})
			require.NoError(t, err)
			level, detail, err := verify(text)
			require.NoError(t, err, "the tools open what our verifier makes")
			assert.Equal(t, LevelVerified, level, detail)

			theirs, err := json.Marshal(map[string]credential{
				"identity":   p.toolsCredential(identity[:], k.identity.name),
				"decryption": p.toolsCredential(decryption[:], k.decryption.name),
			})
			require.NoError(t, err)
			d, err = Open(p.device.Path(), nil)
			require.NoError(t, err)
			defer d.Close()
			k.t = d
			answer, err := k.Activate(t.Context(), theirs)
			require.NoError(t, err)
			opened, err := decodeActivation(answer)
			require.NoError(t, err)
			assert.Equal(t, identity[:], opened.Identity, "we open what the tools make")
			assert.Equal(t, decryption[:], opened.Decryption)
		})
	}
}

// toolsActivate has the tools activate a credential with a key of ours.
func (p *peer) toolsActivate(k *key, c credential) []byte {
	p.Helper()
	p.write("key.pem", k.file())
	p.write("credential", append(append([]byte(madeCredential), c.Credential...), c.Secret...))
	p.tools("tpm2_load -r key.pem -c key.ctx")
	p.run("tpm2_startauthsession --policy-session -S session.ctx")
	p.run("tpm2_policysecret -S session.ctx -c e")
	p.tools("tpm2_activatecredential -c key.ctx -C ek.ctx -i credential -o secret -P session:session.ctx")
	p.run("tpm2_flushcontext session.ctx")
	return p.read("secret")
}

// TestAttestationOfAForeignTPM attests on a TPM that swtpm_setup has furnished, with certificates by its own CA.
func TestAttestationOfAForeignTPM(t *testing.T) {
	setup, err := exec.LookPath("swtpm_setup")
	if err != nil {
		t.Skip("swtpm_setup is missing (Debian package swtpm-tools)")
	}
	folder := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	write("localca.options", "--platform-manufacturer Test\n--platform-version 2.1\n--platform-model Test\n")
	write("localca.conf", "statedir = "+folder+"\nsigningkey = "+folder+"/key.pem\nissuercert = "+folder+
		"/issuer.pem\ncertserial = "+folder+"/serial\n")
	write("setup.conf", "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = "+folder+
		"/localca.conf\ncreate_certs_tool_options = "+folder+"/localca.options\nactive_pcr_banks = sha256\n")
	state := filepath.Join(folder, "state")
	require.NoError(t, os.Mkdir(state, 0o700))
	out, err := exec.CommandContext(t.Context(), setup, "--tpm2", "--tpm-state", state, "--config",
		filepath.Join(folder, "setup.conf"), "--create-ek-cert", "--ecc").CombinedOutput()
	require.NoError(t, err, string(out))

	d, err := Open(tpmtest.Start(t, &tpmtest.Options{State: state}).Path(), nil)
	require.NoError(t, err)
	defer d.Close()
	k := newAttestedKeys(t, d)
	evidence, err := k.Evidence(t.Context())
	require.NoError(t, err)
	pool := func(name string) *x509.CertPool {
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		block, _ := pem.Decode(text)
		cert, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		pool := x509.NewCertPool()
		pool.AddCert(cert)
		return pool
	}
	roots, intermediates := pool("swtpm-localca-rootca-cert.pem"), pool("issuer.pem")
	for _, test := range []struct {
		options VerifierOptions
		want    string
	}{
		{VerifierOptions{Roots: roots, Intermediates: intermediates, RequireVerified: true}, LevelVerified},
		{VerifierOptions{Roots: roots}, LevelUnverified},
	} {
		verifier := NewVerifier(test.options)
		credentials, verify, err := verifier.Challenge(t.Context(), "t", evidence, k.identityDER, k.exchangeDER)
		require.NoError(t, err)
		answer, err := k.Activate(t.Context(), credentials)
		require.NoError(t, err)
		level, detail, err := verify(answer)
		require.NoError(t, err)
		assert.Equal(t, test.want, level, detail)
	}
}
