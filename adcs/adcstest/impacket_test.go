//go:build integration

package adcstest_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// peerAnswer is what the clients in testdata print.
type peerAnswer struct {
	Error   string `json:"error"`
	Port    int    `json:"port"`
	Ports   []int  `json:"ports"`   // Samba: the whole endpoint map
	Entries int    `json:"entries"` // impacket: its length
	// Samba: what the management interface says of the CA's port.
	Interfaces []string `json:"interfaces"`
	Listening  int      `json:"listening"`
	// impacket over DCOM: the host of the CA.
	DNS string `json:"dns"`
	// and of the database of the CA, by column.
	Rows []map[string]any `json:"rows"`
	// Samba over DCOM: what its calls were answered with.
	Stubs   []string `json:"stubs"`
	Answers []struct {
		ID          uint32 `json:"id"`
		Disposition uint32 `json:"disposition"`
		Return      uint32 `json:"return"`
		Chain       string `json:"chain"`
		Leaf        string `json:"leaf"`
		Message     string `json:"message"`
	} `json:"answers"`
}

// peer is a client of testdata in its environment.
type peer struct {
	password string
	env      []string // more variables
}

// runPeer runs a client with a password.
func runPeer(t *testing.T, s *adcstest.Server, script, account, password string, csr []byte, args ...string) peerAnswer {
	t.Helper()
	return peer{password: password}.run(t, s, script, account, csr, args...)
}

// run runs it against the server's endpoint mapper. Debian's Python packages belong to /usr/bin/python3; another one
// may come first in PATH.
func (p peer) run(t *testing.T, s *adcstest.Server, script, account string, csr []byte, args ...string) peerAnswer {
	t.Helper()
	return p.runAt(t, s.EndpointMapper(), s, script, account, csr, args...)
}

// runAt runs it against another port.
func (p peer) runAt(
	t *testing.T, addr string, s *adcstest.Server, script, account string, csr []byte, args ...string,
) peerAnswer {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/usr/bin/python3",
		append([]string{"testdata/" + script, host, port, s.Name(), account}, args...)...)
	cmd.Env = append(append(os.Environ(), "PEER_PASSWORD="+p.password), p.env...)
	cmd.Stdin = bytes.NewReader(csr)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s %v: %s", script, args, &stderr)
	var a peerAnswer
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &a), "%s", &stdout)
	return a
}

// requirePeer fails the test when a peer is not installed: the integration tests have to run against it.
func requirePeer(t *testing.T, module string) {
	t.Helper()
	out, err := exec.Command("/usr/bin/python3", "-c", "import "+module).CombinedOutput()
	require.NoError(t, err, "python3-%s is not installed: %s", strings.Split(module, ".")[0], out)
}

// checkIssued requires two certificates for the key of csr, and the requests in the CA's table.
func checkIssued(t *testing.T, s *adcstest.Server, a peerAnswer, csr []byte) {
	t.Helper()
	require.Empty(t, a.Error)
	_, port, err := net.SplitHostPort(s.Addr())
	require.NoError(t, err)
	require.Equal(t, port, strconv.Itoa(a.Port))
	checkAnswers(t, s, a, csr)
}

// checkAnswers is checkIssued for a client that does not say which port it used.
func checkAnswers(t *testing.T, s *adcstest.Server, a peerAnswer, csr []byte) {
	t.Helper()
	require.Len(t, a.Answers, 2)
	request, err := x509.ParseCertificateRequest(csr)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	chain := s.Chain()
	roots.AddCert(chain[len(chain)-1])
	between := x509.NewCertPool()
	between.AddCert(s.Certificate())
	for _, answer := range a.Answers {
		require.EqualValues(t, 3, answer.Disposition, answer.Message)
		require.Zero(t, answer.Return)
		require.NotEmpty(t, answer.Chain)
		der, err := hex.DecodeString(answer.Leaf)
		require.NoError(t, err)
		leaf, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		assert.Equal(t, request.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo)
		_, err = leaf.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		})
		assert.NoError(t, err)
		rows := s.Requests()
		i := slices.IndexFunc(rows, func(r adcstest.RequestInfo) bool { return r.ID == answer.ID })
		require.GreaterOrEqual(t, i, 0)
		assert.Equal(t, s.User().Account(), rows[i].Requester)
	}
}

func TestImpacket(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.epm")
	for _, options := range []string{
		"connect", "sign", "seal", "seal ndr64", "connect noess", "sign noess", "seal noess", "seal noess nokeyexch",
		"sign nokeyexch", "seal nokeyexch", "seal noversion", "seal frag=100", "connect frag=100",
	} {
		t.Run(strings.ReplaceAll(options, " ", ","), func(t *testing.T) {
			t.Parallel()
			s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
			csr := newCSR(t, "impacket")
			u := s.User()
			a := runPeer(t, s, "impacket_client.py", u.Domain+"/"+u.Name, u.Password, csr, strings.Fields(options)...)
			checkIssued(t, s, a, csr)
			assert.Equal(t, 2, a.Entries)
		})
	}
}

// The names under which people log on.
func TestImpacketAccounts(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.epm")
	s := newServer(t, nil)
	u := s.User()
	for _, account := range []string{
		"CORP/" + u.Name, "corp/" + strings.ToUpper(u.Name), "/" + u.Name, "corp.test/" + u.Name, "/" + u.Name + "@corp.test",
	} {
		t.Run(strings.ReplaceAll(account, "/", ":"), func(t *testing.T) {
			csr := newCSR(t, "accounts")
			checkIssued(t, s, runPeer(t, s, "impacket_client.py", account, u.Password, csr, "seal"), csr)
		})
	}
}

// A long request, and what a server with the default level refuses.
func TestImpacketRefused(t *testing.T) {
	requirePeer(t, "impacket.dcerpc.v5.epm")
	s := newServer(t, &adcstest.Options{Users: []adcstest.User{
		{Name: "alice", Password: "right"}, {Name: "gone", Password: "right", Disabled: true},
	}})
	csr := newCSR(t, "refused")
	for _, c := range []struct{ account, password, level, want string }{
		{"CORP/alice", "wrong", "seal", "00000721"},
		{"CORP/nobody", "right", "seal", "00000721"},
		{"ELSEWHERE/alice", "right", "seal", "00000721"},
		{"CORP/gone", "right", "seal", "00000721"},
		{"CORP/alice", "wrong", "connect", "00000721"},
		{"/", "", "seal", "00000721"},
		{"CORP/alice", "right", "sign", "access_denied"},
		{"CORP/alice", "right", "connect", "access_denied"},
		{"CORP/alice", "right", "none", "access_denied"},
	} {
		a := runPeer(t, s, "impacket_client.py", c.account, c.password, csr, c.level)
		assert.Contains(t, a.Error, c.want, "%+v", c)
	}
	assert.Empty(t, s.Requests())

	a := runPeer(t, s, "impacket_client.py", "CORP/alice", "right", csr, "seal", "size=200000")
	require.Empty(t, a.Error)
	require.Len(t, a.Answers, 2)
	require.Len(t, s.Requests(), 2)
	assert.Len(t, s.Requests()[0].Raw, 200000)
}
