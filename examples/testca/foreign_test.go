//go:build integration

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce"
	"github.com/oiweiwei/go-msrpc/msrpc/epm/epm/v3"
	icertpassage "github.com/oiweiwei/go-msrpc/msrpc/icpr/icertpassage/v0"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/internal/adtest"
)

// program is the built testca.
var program string

func TestMain(m *testing.M) {
	os.Exit(adtest.Run(func() int {
		dir, err := os.MkdirTemp("", "testca")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "testca")
		if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s\n", out)
			return 1
		}
		return m.Run()
	}))
}

const account, secret = `CORP\enroller`, "Testca-1"

// process is a running testca.
type process struct {
	host, port string // of the endpoint mapper
	ready      string // its first line
	in         io.Writer
	lines      *bufio.Scanner
}

// start runs testca until the end of the test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	password, config := filepath.Join(dir, "password"), filepath.Join(dir, "ca.json")
	require.NoError(t, os.WriteFile(password, []byte(secret+"\n"), 0o600))
	require.NoError(t, os.WriteFile(config, []byte(`{"templates": [{"name": "User"}, {"name": "Held", "hold": true},
		{"name": "Denied", "deny": "0x80094012", "denyMessage": "not for you"}]}`), 0o600))
	cmd := exec.Command(program, append([]string{"-password-file", password, "-config", config, "-user", account,
		"-name", "Corp CA", "-ca-file", filepath.Join(dir, "ca.pem")}, args...)...)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, stdout)
		assert.NoError(t, cmd.Wait(), "a signal ends testca with status 0: %s", &stderr)
	})
	p := &process{in: stdin, lines: bufio.NewScanner(stdout)}
	require.True(t, p.lines.Scan(), "testca says that it is ready: %s", &stderr)
	p.ready = p.lines.Text()
	_, rest, _ := strings.Cut(p.ready, " epm=")
	p.host, p.port, err = net.SplitHostPort(strings.Fields(rest)[0])
	require.NoError(t, err, p.lines.Text())
	return p
}

// standardPort is an address of loopback where nothing else listens at port 135.
const standardPort = "127.0.1.35"

// startAtStandardPort runs testca where clients look for it if nobody tells them otherwise.
func startAtStandardPort(t *testing.T) *process {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(standardPort, "135"))
	if err != nil {
		t.Skipf("port 135 is not to be had: %v", err)
	}
	require.NoError(t, l.Close())
	p := start(t, "-listen", standardPort)
	require.Equal(t, "135", p.port)
	return p
}

// decide gives testca a manager's decision.
func (p *process) decide(t *testing.T, verb string, id uint32) {
	t.Helper()
	_, err := fmt.Fprintf(p.in, "%s %d\n", verb, id)
	require.NoError(t, err)
	require.True(t, p.lines.Scan())
	require.Equal(t, fmt.Sprintf("done %s %d", verb, id), p.lines.Text())
}

// answer is what the clients print.
type answer struct {
	ID          uint32
	Disposition uint32
	Leaf        string
	Chain       string
	Message     string
	Error       string
	Answers     []answer
}

// run runs a client with a password.
func run(t *testing.T, password string, stdin []byte, script string, args ...string) answer {
	t.Helper()
	return runWith(t, []string{"PEER_PASSWORD=" + password}, stdin, script, args...)
}

// runWith runs a client with these variables. Debian's Python packages belong to /usr/bin/python3; another one may come
// first in PATH.
func runWith(t *testing.T, env []string, stdin []byte, script string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s %v: %s", script, args, &stderr)
	var a answer
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &a), "%s%s", &stdout, &stderr)
	return a
}

func newCSR(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "client"}}, key)
	require.NoError(t, err)
	return der
}

// checkIssued requires a certificate for the key of csr.
func checkIssued(t *testing.T, a answer, csr []byte) {
	t.Helper()
	require.Empty(t, a.Error)
	require.EqualValues(t, 3, a.Disposition, a.Message)
	der, err := hex.DecodeString(a.Leaf)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	request, err := x509.ParseCertificateRequest(csr)
	require.NoError(t, err)
	assert.Equal(t, request.PublicKey, leaf.PublicKey)
}

// tool runs testdata/tool.py with a request in a file.
func (p *process) tool(t *testing.T, ca, account, password string, args ...string) answer {
	t.Helper()
	return run(t, password, nil, "testdata/tool.py", append([]string{p.host, p.port, ca, account}, args...)...)
}

// toolTalk is what administrators do with a tool that is built on impacket.
func toolTalk(t *testing.T, p *process) {
	csr := newCSR(t)
	der, text := filepath.Join(t.TempDir(), "request.der"), filepath.Join(t.TempDir(), "request.pem")
	require.NoError(t, os.WriteFile(der, csr, 0o600))
	require.NoError(t, os.WriteFile(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}), 0o600))
	user := "CORP/enroller"
	a := p.tool(t, "Corp CA", user, secret, "request", "User", der, "ccm:client.corp.test", "SAN:dns=client.corp.test")
	checkIssued(t, a, csr)
	b := p.tool(t, "corp ca", "/enroller@corp.test", secret, "retrieve", fmt.Sprint(a.ID))
	assert.Equal(t, a.Leaf, b.Leaf, "the name of the CA is compared without regard to case")

	a = p.tool(t, "Corp CA", user, secret, "request", "Held", der)
	assert.EqualValues(t, 5, a.Disposition)
	assert.EqualValues(t, 5, p.tool(t, "Corp CA", user, secret, "retrieve", fmt.Sprint(a.ID)).Disposition)
	p.decide(t, "approve", a.ID)
	checkIssued(t, p.tool(t, "Corp CA", user, secret, "retrieve", fmt.Sprint(a.ID)), csr)

	a = p.tool(t, "Corp CA", user, secret, "request", "Denied", der)
	assert.EqualValues(t, 0x80094012, a.Disposition)
	assert.Contains(t, a.Message, "not for you")
	assert.EqualValues(t, 0x80094800, p.tool(t, "Corp CA", user, secret, "request", "Nonesuch", der).Disposition)
	a = p.tool(t, "Corp CA", user, secret, "request", "User", text)
	assert.EqualValues(t, 0x8009310b, a.Disposition, "the protocol carries DER; base64 is for the certcli API")
	assert.Contains(t, p.tool(t, "Other CA", user, secret, "request", "User", der).Error, "0x80070057")
	assert.Contains(t, p.tool(t, "Corp CA", user, secret, "retrieve", "4711").Error, "return value 0x80")
	assert.NotEmpty(t, p.tool(t, "Corp CA", user, "wrong", "request", "User", der).Error)
	assert.NotEmpty(t, p.tool(t, "Corp CA", "CORP/nobody", secret, "request", "User", der).Error)
}

func TestImpacketTool(t *testing.T) {
	t.Run("free port", func(t *testing.T) {
		t.Parallel()
		toolTalk(t, start(t, "-epm-port", "0"))
	})
	t.Run("port 135", func(t *testing.T) {
		t.Parallel()
		toolTalk(t, startAtStandardPort(t))
	})
}

// TestClients runs the clients of package adcstest, which look up, map, bind and call twice, against the process.
func TestClients(t *testing.T) {
	p := start(t, "-epm-port", "0")
	for script, options := range map[string][]string{
		"impacket_client.py": {"seal", "seal noversion nokeyexch"},
		"samba_client.py":    {"ntlm seal", "spnego seal", "spnego seal ndr64"},
	} {
		for _, option := range options {
			t.Run(strings.ReplaceAll(script+" "+option, " ", ","), func(t *testing.T) {
				t.Parallel()
				csr := newCSR(t)
				a := run(t, secret, csr, "../../adcs/adcstest/testdata/"+script,
					append([]string{p.host, p.port, "Corp CA", "CORP/enroller"}, strings.Fields(option)...)...)
				require.Empty(t, a.Error)
				require.Len(t, a.Answers, 2)
				checkIssued(t, a.Answers[0], csr)
				checkIssued(t, a.Answers[1], csr)
			})
		}
	}
}

// TestGoMSRPC goes the way of go-msrpc's examples: a host, and the endpoint mapper at its port.
func TestGoMSRPC(t *testing.T) {
	p := startAtStandardPort(t)
	for name, mechanisms := range map[string][]gssapi.MechanismFactory{"spnego": {ssp.SPNEGO, ssp.NTLM}, "ntlm": {ssp.NTLM}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			security := []gssapi.ContextOption{gssapi.WithCredential(credential.NewFromPassword(account, secret))}
			for _, m := range mechanisms {
				security = append(security, gssapi.WithMechanismFactory(m))
			}
			ctx = gssapi.NewSecurityContext(ctx, security...)
			conn, err := dcerpc.Dial(ctx, p.host, epm.EndpointMapper(ctx, p.host, dcerpc.WithInsecure()))
			require.NoError(t, err)
			defer conn.Close(ctx)
			client, err := icertpassage.NewCertPassageClient(ctx, conn, dcerpc.WithSeal())
			require.NoError(t, err)
			submitMSRPC(t, ctx, client)
		})
	}
}

// submitMSRPC gets a certificate.
func submitMSRPC(t *testing.T, ctx context.Context, client icertpassage.CertPassageClient) {
	t.Helper()
	csr := newCSR(t)
	var attributes []byte
	for _, u := range utf16.Encode([]rune("CertificateTemplate:User\x00")) {
		attributes = append(attributes, byte(u), byte(u>>8))
	}
	a, err := client.CertServerRequest(ctx, &icertpassage.CertServerRequestRequest{
		Authority:  "Corp CA",
		Attributes: &wcce.CertTransportBlob{Buffer: attributes},
		Request:    &wcce.CertTransportBlob{Buffer: csr},
	})
	require.NoError(t, err)
	checkIssued(t, answer{Disposition: a.Disposition, Leaf: hex.EncodeToString(a.EncodedCert.Buffer)}, csr)
}
