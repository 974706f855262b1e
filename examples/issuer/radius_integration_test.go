//go:build integration && linux

package issuer_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
)

// radius is FreeRADIUS with a certificate of the company, in the foreground, on a port of its own.
type radius struct {
	*foreign
	port   string
	secret string
}

// radiusConfig says what a RADIUS server is like.
type radiusConfig struct {
	tls   string // the highest version
	name  string // in its certificate; "" for the one that the documents have
	trust []byte // CAs and revocation lists, PEM
}

// startRADIUS orders a certificate for a server and starts it.
func (c *company) startRADIUS(t *testing.T, cfg radiusConfig) *radius {
	t.Helper()
	needForeign(t, "freeradius", "freeradius")
	if cfg.name == "" {
		cfg.name = "radius.example.com"
	}
	folder := t.TempDir()
	certificate, key := c.serverCertificate(t, cfg.name)
	writeSecret(t, filepath.Join(folder, "server.pem"), certificate)
	writeSecret(t, filepath.Join(folder, "server.key"), key)
	writeSecret(t, filepath.Join(folder, "trust.pem"), cfg.trust)
	text, err := os.ReadFile("testdata/radiusd.conf")
	require.NoError(t, err)
	r := &radius{secret: rand.Text()}
	var failures []error
	for range 10 { // another program may take the port
		r.port = freeUDPPort(t)
		conf := strings.NewReplacer("<folder>", folder, "<secret>", r.secret, "<tls>", cfg.tls, "<port>", r.port).Replace(string(text))
		writeSecret(t, filepath.Join(folder, "radiusd.conf"), []byte(conf))
		r.foreign, err = startForeign(t, "Ready to process requests", foreignProgram("freeradius"), "-X", "-d", folder, "-n", "radiusd")
		if err == nil {
			return r
		}
		failures = append(failures, err)
		if !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	require.NoError(t, errors.Join(failures...))
	return nil
}

// serverCertificate orders a certificate for a server, and returns it with the CA's, and the key.
func (c *company) serverCertificate(t *testing.T, name string) (certs, key []byte) {
	t.Helper()
	o := c.device("p256")
	o.Template, o.Subject, o.DNS = templateServer, "CN="+name, []string{name}
	private, chain, err := pkcs12.Decode(c.order(t, o).PKCS12, o.Password)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pemOf(chain...), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func freeUDPPort(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	return strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)
}

// logon is what became of a laptop that wanted into the network.
type logon struct {
	accepted bool
	laptop   string // what the laptop says
	server   string // what the RADIUS server says
}

// connect has a laptop with this configuration log on: eapol_test is wpa_supplicant without a radio.
func (r *radius) connect(t *testing.T, conf string) logon {
	t.Helper()
	needForeign(t, "eapoltest", "eapol_test")
	file := filepath.Join(t.TempDir(), "wpa_supplicant.conf")
	writeSecret(t, file, []byte(conf))
	begin := r.now()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "eapol_test", "-c", file, "-p", r.port, "-s", r.secret, "-t", "30")
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit)
	}
	l := logon{accepted: err == nil, laptop: out.String()}
	l.server, err = r.await(begin, "Sent Access-Accept", "Sent Access-Reject")
	require.NoError(t, err, "%s", l.laptop)
	require.Equal(t, l.accepted, strings.Contains(l.server, "Sent Access-Accept"), "%s", l.laptop)
	return l
}

// isAccepted checks that the laptop is in, with the certificate that was delivered, and in this version of TLS.
func (l logon) isAccepted(t *testing.T, o wsproto.Outcome, tls string) {
	t.Helper()
	require.True(t, l.accepted, "%s", l.errors())
	for _, sign := range []string{`TLS-Client-Cert-Serial := "` + o.Serial + `"`, `TLS-Session-Version = "TLS ` + tls + `"`} {
		require.True(t, strings.Contains(l.server, sign), "the server does not say %s: %s", sign, l.server)
	}
	require.True(t, strings.Contains(l.laptop, "MPPE keys OK: 1  mismatch: 0"), "the keys for the radio differ: %s", l.laptop)
}

// isRefused checks that the server refuses the laptop, and that it says all of this.
func (l logon) isRefused(t *testing.T, why ...string) {
	t.Helper()
	require.False(t, l.accepted)
	for _, reason := range why {
		require.True(t, strings.Contains(l.server, reason), "the server does not say %q, but: %s", reason, l.errors())
	}
}

// refuses checks that the laptop refuses the server, and says all of this.
func (l logon) refuses(t *testing.T, why ...string) {
	t.Helper()
	require.False(t, l.accepted)
	for _, reason := range why {
		require.True(t, strings.Contains(l.laptop, reason), "the laptop does not say %q, but: %s", reason, l.laptop)
	}
}

// errors are the lines of the server's words that say what went wrong.
func (l logon) errors() string {
	var lines []string
	for line := range strings.Lines(l.server) {
		if strings.Contains(line, "ERROR") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
