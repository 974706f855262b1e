package tpm

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

func TestDetect(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/dev/tpmrm0", Err: fs.ErrPermission}
	busy := &fs.PathError{Op: "open", Path: "/dev/tpm0", Err: errors.New("device or resource busy")}
	for name, test := range map[string]struct {
		system  string
		devices map[string]error // those that exist
		want    string
		reason  string
	}{
		"Windows":              {"windows", nil, "tbs", ""},
		"another system":       {"darwin", nil, "", "darwin"},
		"no TPM":               {"linux", nil, "", "neither /dev/tpmrm0 nor /dev/tpm0"},
		"the resource manager": {"linux", map[string]error{"/dev/tpmrm0": nil, "/dev/tpm0": nil}, "/dev/tpmrm0", ""},
		"an old kernel":        {"linux", map[string]error{"/dev/tpm0": nil}, "/dev/tpm0", ""},
		"one of two":           {"linux", map[string]error{"/dev/tpmrm0": denied, "/dev/tpm0": nil}, "/dev/tpm0", ""},
		"not allowed":          {"linux", map[string]error{"/dev/tpmrm0": denied, "/dev/tpm0": busy}, "", "group tss"},
		"in use":               {"linux", map[string]error{"/dev/tpm0": busy}, "", "busy"},
	} {
		got, err := detect(test.system, deviceNames[:], func(name string) error {
			if err, exists := test.devices[name]; exists {
				return err
			}
			return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		})
		require.Equal(t, test.want, got, name)
		if test.reason != "" {
			require.ErrorIs(t, err, ErrNoTPM, name)
			require.ErrorContains(t, err, test.reason, name)
		} else {
			require.NoError(t, err, name)
		}
	}
}

func TestOpenWhatIsNone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the devices and reasons are those of Linux")
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for path, reason := range map[string]string{
		"unix:" + filepath.Join(folder, "none"): "whether swtpm runs there",
		"tcp:127.0.0.1":                         "tcp:HOST:PORT",
		"tcp:":                                  "tcp:HOST:PORT",
		file:                                    "not a device file",
		filepath.Join(folder, "tpm0"):           "no such file",
		"/dev/null":                             "no good answer",
		"/dev/zero":                             "no good answer",
		"unix:":                                 "unix",
		"tbs":                                   "Windows",
	} {
		_, err := Open(path, nil)
		require.ErrorIs(t, err, ErrNoTPM, path)
		require.ErrorContains(t, err, reason, path)
	}
	_, err := Open("unix:/x", &Options{Timeout: -1})
	require.ErrorContains(t, err, "options")
	require.NotErrorIs(t, err, ErrNoTPM)
}

// TestOpenStrangers opens sockets at which something else than a TPM listens.
func TestOpenStrangers(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"hangs up":       func(net.Conn) {},
		"speaks HTTP":    func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\nbad request")) },
		"huge answer":    func(c net.Conn) { _, _ = c.Write([]byte{0x80, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}) },
		"half an answer": func(c net.Conn) { _, _ = c.Write([]byte{0x80, 1, 0, 0, 0, 20, 0, 0, 0, 0, 1}) },
		"says nothing":   func(c net.Conn) { _, _ = c.Read(make([]byte, 100)); _, _ = c.Read(make([]byte, 1)) },
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var conns atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				conns.Add(1)
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				serve(c)
				_ = c.Close()
			}
		}()
		start := time.Now()
		_, err = Open("tcp:"+listener.Addr().String(), &Options{Timeout: 300 * time.Millisecond})
		assert.ErrorIs(t, err, ErrNoTPM, name)
		assert.ErrorIs(t, err, ErrTransport, name)
		assert.Less(t, time.Since(start), 5*time.Second, name)
		assert.LessOrEqual(t, conns.Load(), int64(2), name)
		require.NoError(t, listener.Close())
		<-done
	}
}

// TestOneClientAtATime is what swtpm does with a second one: it lets it wait.
func TestOneClientAtATime(t *testing.T) {
	device, tpm := opened(t, nil)
	_, err := Open(device.Path(), &Options{Timeout: 300 * time.Millisecond})
	require.ErrorIs(t, err, ErrNoTPM)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, tpm.Close())
	again, err := Open(device.Path(), &Options{Timeout: 10 * time.Second})
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestTCP(t *testing.T) {
	device := tpmtest.Start(t, &tpmtest.Options{TCP: true})
	tpm, err := Open(device.Path(), nil)
	require.NoError(t, err)
	defer tpm.Close()
	require.Equal(t, device.Path(), tpm.Path())
	signer := signerIn(t, tpm, P256)
	device.PowerLoss()
	require.NoError(t, sign(signer))
	require.NoError(t, tpm.Close())
	requireEmpty(t, device)
}

func TestClosed(t *testing.T) {
	_, tpm := opened(t, nil)
	signer, exchanger := signerIn(t, tpm, P256), exchangerIn(t, tpm)
	require.NoError(t, tpm.Close())
	require.NoError(t, tpm.Close())
	_, err := tpm.Store().Bind(nil)
	for _, err := range []error{err, sign(signer), agree(t, exchanger), tpm.probe()} {
		require.ErrorIs(t, err, net.ErrClosed)
	}
}

func TestNewWithoutATransport(t *testing.T) {
	_, err := New(nil, nil)
	require.ErrorContains(t, err, "transport")
}
