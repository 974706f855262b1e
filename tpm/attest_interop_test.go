//go:build integration

package tpm_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// toolbox is a folder in which other programs work.
type toolbox struct {
	*testing.T
	folder string
	tcti   string
}

func newToolbox(t *testing.T, programs ...string) *toolbox {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is missing (Debian packages swtpm-tools, tpm2-tools)")
		}
	}
	folder, err := os.MkdirTemp("", "tools") // a socket's path must be short
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(folder)) })
	return &toolbox{T: t, folder: folder}
}

func (b *toolbox) run(line string, args ...any) []byte {
	b.Helper()
	words := strings.Fields(fmt.Sprintf(line, args...))
	cmd := exec.CommandContext(b.Context(), words[0], words[1:]...)
	cmd.Dir, cmd.WaitDelay = b.folder, 10*time.Second
	cmd.Env = append(os.Environ(), "TPM2TOOLS_TCTI="+b.tcti, "TSS2_LOG=all+ERROR")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(b, err, "%q\n%s%s", words, out, stderr.String())
	return out
}

// tool runs one of tpm2-tools and flushes what it leaves in a TPM without a resource manager.
func (b *toolbox) tool(line string, args ...any) []byte {
	b.Helper()
	out := b.run(line, args...)
	b.run("tpm2_flushcontext -t")
	return out
}

func (b *toolbox) read(name string) []byte {
	b.Helper()
	content, err := os.ReadFile(filepath.Join(b.folder, name))
	require.NoError(b, err)
	return content
}

func (b *toolbox) write(name string, content []byte) {
	b.Helper()
	require.NoError(b, os.WriteFile(filepath.Join(b.folder, name), content, 0o600))
}

// certificate reads a PEM file.
func (b *toolbox) certificate(name string) *x509.Certificate {
	b.Helper()
	block, _ := pem.Decode(b.read(name))
	require.NotNil(b, block)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(b, err)
	return cert
}

// A TPM that swtpm_setup has provided with endorsement keys and certificates, as virtual machines have it.
func TestAttestationOfAVirtualMachinesTPM(t *testing.T) {
	b := newToolbox(t, "swtpm", "swtpm_setup", "swtpm_localca")
	for _, folder := range []string{"ca", "state"} {
		require.NoError(t, os.Mkdir(filepath.Join(b.folder, folder), 0o700))
	}
	b.write("ca.conf", fmt.Appendf(nil, "statedir = %[1]s/ca\nsigningkey = %[1]s/ca/signkey.pem\nissuercert = %[1]s/ca/issuercert.pem\n"+
		"certserial = %[1]s/ca/certserial\n", b.folder))
	b.write("ca.options", []byte("--platform-manufacturer Test\n--platform-version 1\n--platform-model Test\n"))
	b.write("setup.conf", fmt.Appendf(nil, "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = %[1]s/ca.conf\n"+
		"create_certs_tool_options = %[1]s/ca.options\nactive_pcr_banks = sha256\n", b.folder))
	b.run("swtpm_setup --tpm2 --tpmstate %[1]s/state --createek --create-ek-cert --config %[1]s/setup.conf --overwrite", b.folder)
	device := tpmtest.Start(t, &tpmtest.Options{State: filepath.Join(b.folder, "state")}).Transport()

	roots, cas := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(b.certificate("ca/swtpm-localca-rootca-cert.pem"))
	cas.AddCert(b.certificate("ca/issuercert.pem"))
	v := tpm.NewVerifier(tpm.VerifierOptions{Roots: roots, Intermediates: cas, RequireVerified: true})
	opened, err := tpm.New(device, nil)
	require.NoError(t, err)
	defer opened.Close()
	for _, template := range []string{"L-1", "H-3"} {
		ek, err := opened.EndorsementKey(t.Context())
		require.NoError(t, err)
		assert.Equal(t, template, ek.Template)
		level, detail := newParty(t, opened).attest(t, v)
		assert.Equal(t, tpm.LevelVerified, level, detail)
		if template == "H-3" {
			break
		}
		read, err := tpm2.NVReadPublic{NVIndex: tpm2.TPMHandle(0x01c00002)}.Execute(device)
		require.NoError(t, err)
		_, err = tpm2.NVUndefineSpace{
			AuthHandle: tpm2.TPMRHPlatform, NVIndex: tpm2.NamedHandle{Handle: tpm2.TPMHandle(0x01c00002), Name: read.NVName},
		}.Execute(device)
		require.NoError(t, err, "so that the key on P-384 is the next")
	}
}

// tpm2-tools stand in for another connector: they make the keys, and activate what our verifier encrypts.
func TestToolsAreAttested(t *testing.T) {
	for _, ek := range []string{"ecc", "rsa"} {
		t.Run(ek, func(t *testing.T) { toolsAreAttested(t, ek) })
	}
}

func toolsAreAttested(t *testing.T, ek string) {
	t.Helper()
	b := newToolbox(t, "tpm2_create", "tpm2_activatecredential")
	device := tpmtest.Start(t, &tpmtest.Options{Control: true, Certificate: tpmtest.None})
	b.tcti = device.TCTI()
	b.tool("tpm2_createek -c ek.ctx -G %s -u ek.pub", ek)
	b.tool("tpm2_createprimary -C o -c srk.ctx -G ecc")
	const attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda"
	var e evidence
	e.Format, e.EK.Public = "tpm2", b.read("ek.pub")[2:]
	keys := map[string][]byte{}
	for name, use := range map[string]string{"identity": "sign", "decryption": "decrypt"} {
		b.tool("tpm2_create -C srk.ctx -G ecc256:null:null -a %s|%s -u %s.pub -r %[3]s.priv", attributes, use, name)
		b.tool("tpm2_load -C srk.ctx -u %s.pub -r %[1]s.priv -c %[1]s.ctx", name)
		b.tool("tpm2_readpublic -c %s.ctx -f der -o %[1]s.der", name)
		keys[name] = b.read(name + ".der")
	}
	e.Keys = pair{b.read("identity.pub")[2:], b.read("decryption.pub")[2:]}
	hash, err := tpm.EvidenceEKHash(marshalled(t, e))
	require.NoError(t, err)
	v := tpm.NewVerifier(tpm.VerifierOptions{EKHashes: [][32]byte{hash}})
	text, verify, err := v.Challenge(t.Context(), "acme", marshalled(t, e), keys["identity"], keys["decryption"])
	require.NoError(t, err)
	var c credentials
	require.NoError(t, json.Unmarshal(text, &c))
	opened := pair{b.activate("identity", c.Identity), b.activate("decryption", c.Decryption)}
	level, detail, err := verify(marshalled(t, opened))
	require.NoError(t, err)
	assert.Equal(t, tpm.LevelVerified, level, detail)
}

// magic begins tpm2-tools' file of a credential, before the two structures; 1 is its version.
var magic = []byte{0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1}

func (b *toolbox) activate(key string, c credential) []byte {
	b.Helper()
	b.write("credential", append(append(bytes.Clone(magic), c.Credential...), c.Secret...))
	b.run("tpm2_startauthsession --policy-session -S session.ctx")
	b.run("tpm2_policysecret -S session.ctx -c e")
	b.tool("tpm2_activatecredential -c %s.ctx -C ek.ctx -i credential -o secret -P session:session.ctx", key)
	b.run("tpm2_flushcontext session.ctx")
	return b.read("secret")
}

// tpm2-tools stand in for another verifier: our attester opens what they encrypt.
func TestToolsAttest(t *testing.T) {
	for name, ek := range map[string]tpmtest.EK{"ECC": tpmtest.ECC, "RSA": tpmtest.RSA} {
		t.Run(name, func(t *testing.T) {
			b := newToolbox(t, "tpm2_makecredential")
			device := tpmtest.Start(t, &tpmtest.Options{EKs: []tpmtest.EK{ek}})
			p := newParty(t, open(t, device, nil))
			e := p.said(t)
			b.write("ek.pub", sized(e.EK.Public))
			want := pair{make([]byte, 32), make([]byte, 32)}
			_, _ = rand.Read(want.Identity)
			_, _ = rand.Read(want.Decryption)
			made := credentials{b.credential(e.Keys.Identity, want.Identity), b.credential(e.Keys.Decryption, want.Decryption)}
			activation, err := p.attester.Activate(t.Context(), marshalled(t, made))
			require.NoError(t, err)
			var got pair
			require.NoError(t, json.Unmarshal(activation, &got))
			assert.Equal(t, want, got)
		})
	}
}

func sized(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

// credential has tpm2-tools encrypt a secret for a key, without a TPM.
func (b *toolbox) credential(area, secret []byte) credential {
	b.Helper()
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](area)
	require.NoError(b, err)
	name, err := tpm2.ObjectName(public)
	require.NoError(b, err)
	b.write("secret", secret)
	b.run("tpm2_makecredential -T none -u ek.pub -s secret -n %s -o credential", hex.EncodeToString(name.Buffer))
	rest, ok := bytes.CutPrefix(b.read("credential"), magic)
	require.True(b, ok)
	size := 2 + int(binary.BigEndian.Uint16(rest))
	return credential{Credential: rest[:size], Secret: rest[size:]}
}
