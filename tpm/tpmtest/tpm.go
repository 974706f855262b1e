package tpmtest

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/require"
)

// Options are what a TPM can be besides the usual one. The zero value is a TPM on a unix socket with a valid
// certificate of its ECC endorsement key.
type Options struct {
	// Manufacturer issues the certificates of endorsement keys. Nil: one of this TPM's own.
	Manufacturer *Manufacturer
	// Certificate says what kind of certificate the endorsement keys have.
	Certificate Kind
	// EKs are the endorsement keys that have one. Nil: ECC alone, since making an RSA key takes the TPM much longer.
	EKs []EK
	// State is a folder with the state of a TPM that another program has furnished, such as swtpm_setup. It is copied, and
	// the three options above mean nothing then.
	State string
	// TCP makes the TPM listen on a TCP port of the loopback interface instead of a unix socket.
	TCP bool
	// Control adds the control port that other programs want (see TPM.TCTI). It implies TCP.
	Control bool
}

// TPM is a running software TPM. Its methods end the test when they fail, so they belong to the test's own goroutine,
// except Path, TCTI and Manufacturer, which any goroutine may call.
type TPM struct {
	tb           testing.TB
	options      Options
	manufacturer *Manufacturer
	process      *process
}

// Start starts a TPM that lives until the test ends. Options may be nil. Without swtpm the test is skipped.
func Start(tb testing.TB, opts *Options) *TPM {
	tb.Helper()
	if opts == nil {
		opts = &Options{}
	}
	d := &TPM{tb: tb, options: *opts, manufacturer: opts.Manufacturer}
	if d.manufacturer == nil {
		d.manufacturer = NewManufacturer(tb)
	}
	d.process = newProcess(tb, opts.TCP || opts.Control, opts.Control)
	if opts.State != "" {
		require.NoError(tb, os.CopyFS(d.process.folder, os.DirFS(opts.State)), "tpmtest: state of swtpm")
	}
	require.NoError(tb, d.process.start(), "tpmtest: start of swtpm")
	if opts.State == "" {
		d.furnish()
	}
	return d
}

// Path names the TPM as package tpm's Open takes it: "unix:/path/of/the/socket" or "tcp:127.0.0.1:port". It stays the
// same over restarts.
func (d *TPM) Path() string { return d.process.network + ":" + d.process.address }

// TCTI names the TPM for tpm2-tools and for OpenSSL's provider tpm2 (environment variables TPM2TOOLS_TCTI and
// TPM2OPENSSL_TCTI). Only a TPM with Options.Control has one.
func (d *TPM) TCTI() string {
	require.True(d.tb, d.options.Control, "tpmtest: set Options.Control")
	host, port, err := net.SplitHostPort(d.process.address)
	require.NoError(d.tb, err)
	return "swtpm:host=" + host + ",port=" + port
}

// Manufacturer is who issued the certificates of this TPM's endorsement keys.
func (d *TPM) Manufacturer() *Manufacturer { return d.manufacturer }

// Dial connects to the TPM: commands and responses are bytes, without any framing but their own headers. The TPM takes
// nobody else until the connection is closed, which is the caller's task.
func (d *TPM) Dial() net.Conn {
	d.tb.Helper()
	return d.dial(d.process)
}

func (d *TPM) dial(p *process) net.Conn {
	d.tb.Helper()
	conn, err := net.DialTimeout(p.network, p.address, patience)
	require.NoError(d.tb, err, "tpmtest: connection to swtpm")
	return conn
}

// Transport connects to the TPM for commands of go-tpm, as Dial does. It is closed when the test ends, if not before.
func (d *TPM) Transport() transport.TPMCloser {
	d.tb.Helper()
	conn := d.Dial()
	d.tb.Cleanup(func() { _ = conn.Close() })
	return transport.FromReadWriteCloser(conn)
}

// Do runs f with a connection of its own, which must not take longer than half a minute. Close all other connections
// to the TPM first.
func (d *TPM) Do(f func(t transport.TPM)) {
	d.tb.Helper()
	d.do(d.process, f)
}

func (d *TPM) do(p *process, f func(t transport.TPM)) {
	d.tb.Helper()
	conn := d.dial(p)
	defer conn.Close()
	require.NoError(d.tb, conn.SetDeadline(time.Now().Add(patience)))
	f(transport.FromReadWriteCloser(conn))
}

// PowerLoss restarts the TPM as after a loss of power, without a word to it before: connections break, sessions and
// loaded objects are gone; keys in files, persistent keys and the hierarchies' seeds stay. If the TPM has checked an
// auth value of an object under dictionary attack protection since it was started, it counts the loss as one more
// failure (TPM 2.0 Library part 1, "Dictionary Attack Protection").
func (d *TPM) PowerLoss() {
	d.tb.Helper()
	d.process.stop()
	require.NoError(d.tb, d.process.start(), "tpmtest: restart of swtpm")
}

// Restart restarts the TPM as an operating system does that is shut down in order: with TPM2_Shutdown. Close all
// connections to the TPM first; no system turns its TPM off under a running program.
func (d *TPM) Restart() {
	d.tb.Helper()
	d.Do(func(t transport.TPM) {
		_, err := tpm2.Shutdown{ShutdownType: tpm2.TPMSUClear}.Execute(t)
		require.NoError(d.tb, err, "tpmtest: TPM2_Shutdown (is a connection still open?)")
	})
	d.PowerLoss()
}

// Stop ends the TPM: nobody listens any more, until PowerLoss starts it again.
func (d *TPM) Stop() { d.process.stop() }

// Clear restarts the TPM and clears the owner's hierarchy through the platform's, as the firmware does when a person
// asks for it: objects made under the owner, persistent ones included, and the auth values of the owner, of the
// endorsement and of the lockout hierarchy are gone for good. Endorsement keys and their certificates stay.
func (d *TPM) Clear() {
	d.tb.Helper()
	d.process.stop()
	firmware := d.process.apart() // where no client that connects again and again comes first
	require.NoError(d.tb, firmware.start(), "tpmtest: restart of swtpm")
	defer firmware.stop()
	d.do(firmware, func(t transport.TPM) {
		_, err := tpm2.Clear{AuthHandle: tpm2.TPMRHPlatform}.Execute(t)
		require.NoError(d.tb, err, "tpmtest: TPM2_Clear")
	})
	firmware.stop()
	require.NoError(d.tb, d.process.start(), "tpmtest: restart of swtpm")
}
