//go:build integration

package tpm

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

const interopMessage = "what both sides sign"

// peer is a software TPM that other programs use too, one after the other.
type peer struct {
	*testing.T
	device *tpmtest.TPM
	folder string
}

// newPeer starts a TPM. With srk, tpm2-tools make a storage key persistent in it: "tcg" is one by the TCG's template,
// "rsa" the TCG's for RSA, "tools" has the attributes that tpm2_createprimary gives by itself.
func newPeer(t *testing.T, srk string) *peer {
	t.Helper()
	for _, program := range []string{"openssl", "tpm2_create", "tpm2_encodeobject"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is missing (Debian packages openssl, tpm2-openssl, tpm2-tools)")
		}
	}
	device := tpmtest.Start(t, &tpmtest.Options{Control: true, Certificate: tpmtest.None})
	p := &peer{T: t, device: device, folder: t.TempDir()}
	const tcg = "-a restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda"
	switch srk {
	case "":
		return p
	case "tcg":
		p.tools("tpm2_createprimary -C o -c srk.ctx -G ecc " + tcg)
	case "rsa":
		p.tools("tpm2_createprimary -C o -c srk.ctx -G rsa2048:aes128cfb " + tcg)
	case "tools":
		p.tools("tpm2_createprimary -C o -c srk.ctx -G ecc")
	}
	p.tools("tpm2_evictcontrol -C o -c srk.ctx 0x81000001")
	return p
}

// run runs a program in the folder: its name and arguments, and more arguments, in which there may be spaces.
func (p *peer) run(line string, more ...string) []byte {
	p.Helper()
	args := append(strings.Fields(line), more...)
	cmd := exec.CommandContext(p.Context(), args[0], args[1:]...)
	cmd.Dir = p.folder
	cmd.WaitDelay = 10 * time.Second
	tcti := p.device.TCTI()
	cmd.Env = append(os.Environ(), "TPM2OPENSSL_TCTI="+tcti, "TPM2TOOLS_TCTI="+tcti, "TSS2_LOG=all+ERROR")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(p, err, "%q\n%s", args, stderr.String())
	return out
}

// tools runs one of tpm2-tools and flushes what it leaves in a TPM without a resource manager.
func (p *peer) tools(line string, more ...string) []byte {
	p.Helper()
	out := p.run(line, more...)
	p.run("tpm2_flushcontext -t")
	return out
}

// provided runs openssl with its TPM provider.
func (p *peer) provided(command, line string, more ...string) []byte {
	p.Helper()
	return p.run("openssl "+command+" -provider tpm2 -provider default -propquery ?provider=tpm2 "+line, more...)
}

func (p *peer) write(name string, content []byte) {
	p.Helper()
	require.NoError(p, os.WriteFile(filepath.Join(p.folder, name), content, 0o600))
}

func (p *peer) read(name string) []byte {
	p.Helper()
	content, err := os.ReadFile(filepath.Join(p.folder, name))
	require.NoError(p, err)
	return content
}

// ours opens the TPM for a while.
func (p *peer) ours(opts *Options, f func(d *TPM)) {
	p.Helper()
	d, err := Open(p.device.Path(), opts)
	require.NoError(p, err)
	f(d)
	require.NoError(p, d.Close())
}

func (p *peer) publicKey(text []byte) crypto.PublicKey {
	p.Helper()
	block, rest := pem.Decode(text)
	require.NotNil(p, block)
	require.Empty(p, bytes.TrimSpace(rest))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(p, err)
	return key
}

func (p *peer) writePublic(name string, key crypto.PublicKey) {
	p.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(p, err)
	p.write(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// verify verifies a signature over interopMessage.
func (p *peer) verify(key crypto.PublicKey, signature []byte) {
	p.Helper()
	digest := sha256.Sum256([]byte(interopMessage))
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		assert.True(p, ecdsa.VerifyASN1(key, digest[:], signature))
	case *rsa.PublicKey:
		assert.NoError(p, rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature))
	default:
		p.Fatalf("%T", key)
	}
}

// opensslUses has OpenSSL's provider read key.pem, sign, and make a certification request.
func (p *peer) opensslUses(public crypto.PublicKey, password string) {
	p.Helper()
	pass := []string{"-passin", "pass:" + password}
	assert.Equal(p, public, p.publicKey(p.provided("pkey", "-in key.pem -pubout", pass...)))
	p.write("message", []byte(interopMessage))
	p.provided("dgst", "-sha256 -sign key.pem -out signature", append(pass, "message")...)
	p.verify(public, p.read("signature"))
	p.provided("req", "-new -subj /CN=device -sha256 -key key.pem -outform DER -out csr", pass...)
	csr, err := x509.ParseCertificateRequest(p.read("csr"))
	require.NoError(p, err)
	require.NoError(p, csr.CheckSignature())
	assert.Equal(p, public, csr.PublicKey)
}

// opensslVerifies has OpenSSL, without a TPM, verify what we sign: a message, and a certification request.
func (p *peer) opensslVerifies(signer crypto.Signer) {
	p.Helper()
	digest := sha256.Sum256([]byte(interopMessage))
	signature, err := signer.Sign(nil, digest[:], crypto.SHA256)
	require.NoError(p, err)
	p.write("message", []byte(interopMessage))
	p.write("signature", signature)
	p.writePublic("public.pem", signer.Public())
	out := p.run("openssl dgst -sha256 -verify public.pem -signature signature message")
	assert.Contains(p, string(out), "Verified OK")
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "device"}}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, signer)
	require.NoError(p, err)
	p.write("csr", csr)
	p.run("openssl req -verify -noout -inform DER -in csr")
}

// opensslDerives has OpenSSL's provider agree on a secret with a key of ours, and compares.
func (p *peer) opensslDerives(exchanger ecdh.KeyExchanger, then func(), password string) {
	p.Helper()
	other, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(p, err)
	ours, err := exchanger.ECDH(other.PublicKey())
	require.NoError(p, err)
	then()
	want, err := other.ECDH(exchanger.PublicKey())
	require.NoError(p, err)
	assert.Equal(p, want, ours)
	p.writePublic("other.pem", other.PublicKey())
	p.provided("pkeyutl", "-derive -inkey key.pem -peerkey other.pem -out secret", "-passin", "pass:"+password)
	assert.Equal(p, want, p.read("secret"))
}

// weUse loads a key and signs with it.
func (p *peer) weUse(file []byte, want crypto.PublicKey, auth string) {
	p.Helper()
	p.ours(&Options{KeyAuth: []byte(auth)}, func(d *TPM) {
		signer, err := d.Signer(p.Context(), file)
		require.NoError(p, err)
		assert.Equal(p, want, signer.Public())
		p.opensslVerifies(signer)
	})
	if auth == "" {
		return
	}
	p.ours(nil, func(d *TPM) {
		signer, err := d.Signer(p.Context(), file)
		if err == nil {
			_, err = signer.Sign(nil, make([]byte, 32), crypto.SHA256)
		}
		require.ErrorContains(p, err, "Options.KeyAuth")
	})
	p.ours(&Options{KeyAuth: []byte("wrong")}, func(d *TPM) {
		signer, err := d.Signer(p.Context(), file)
		if err == nil {
			_, err = signer.Sign(nil, make([]byte, 32), crypto.SHA256)
		}
		require.ErrorIs(p, err, ErrAuth)
	})
}

// encoded has the tools write the file of a key. Option -p of tpm2_encodeobject 5.4 does the opposite of what its
// manual says, so the file tells.
func (p *peer) encoded(emptyAuth bool) []byte {
	p.Helper()
	for _, option := range []string{"", "-p"} {
		p.tools("tpm2_encodeobject -C 0x81000001 -u key.pub -r key.priv -o key.pem " + option)
		file := p.read("key.pem")
		k, err := parseTSS2(file)
		require.NoError(p, err)
		if k.emptyAuth == emptyAuth {
			return file
		}
	}
	p.Fatal("tpm2_encodeobject does not say whether a key has an authorization value")
	return nil
}
