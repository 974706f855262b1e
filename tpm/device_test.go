//go:build unix

package tpm

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm/tpmtest"
)

// manager is a link like one to a resource manager: what was loaded by it goes when it is closed, and after a failure.
type manager struct {
	link
	t       *testing.T
	refuse  func(command []byte) bool
	refused *int
}

func (m *manager) Send(command []byte) ([]byte, error) {
	if m.refuse(command) {
		*m.refused++
		m.flush()
		return nil, &os.PathError{Op: "write", Path: "/dev/tpmrm0", Err: syscall.ENOMEM}
	}
	return m.link.Send(command)
}

func (m *manager) flush() {
	for _, h := range loadedIn(m.t, m.link) {
		_, err := tpm2.FlushContext{FlushHandle: h}.Execute(m.link)
		assert.NoError(m.t, err)
	}
}

func (m *manager) Close() error {
	m.flush()
	return m.link.Close()
}

// TestResourceManager uses a TPM by a resource manager that fails now and then.
func TestResourceManager(t *testing.T) {
	device := tpmtest.Start(t, nil)
	o := mustCheck(t, nil)
	open, _, err := opener(device.Path(), o.Timeout)
	require.NoError(t, err)
	n, links, refused := 0, 0, 0
	tpm := newTPM(&redialer{open: func() (link, error) {
		links++
		l, err := open()
		return &manager{link: l, t: t, refused: &refused, refuse: func(command []byte) bool {
			n++
			return n%37 == 0
		}}, err
	}}, o, private)
	defer tpm.Close()
	signers := []*Signer{signerIn(t, tpm, P256), signerIn(t, tpm, P256), signerIn(t, tpm, P256)}
	for i := range 200 {
		require.NoError(t, sign(signers[i*i%3]), i)
	}
	require.Greater(t, refused, 5)
	require.Equal(t, refused+1, links, "opened anew after each failure, and not else")
	require.NoError(t, tpm.Close())
	requireEmpty(t, device)
}

// TestDeviceFile reads and writes as with a device file: one write for a command, one read for its answer.
func TestDeviceFile(t *testing.T) {
	swtpm := tpmtest.Start(t, nil)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0)
	require.NoError(t, err)
	ours, theirs := device{os.NewFile(uintptr(fds[0]), "device")}, os.NewFile(uintptr(fds[1]), "driver")
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		back := swtpm.Dial()
		defer back.Close()
		tp := &socket{Conn: back, timeout: time.Minute}
		for {
			command := make([]byte, maxAnswer)
			n, err := theirs.Read(command)
			if err != nil || n == 0 {
				return
			}
			answer, err := tp.Send(command[:n])
			if err != nil {
				return
			}
			if _, err := theirs.Write(answer); err != nil {
				return
			}
		}
	}()
	tpm := newTPM(&redialer{open: func() (link, error) { return ours, nil }}, mustCheck(t, nil), exclusive)
	require.NoError(t, tpm.probe())
	require.NoError(t, sign(signerIn(t, tpm, P256)))
	require.NoError(t, agree(t, exchangerIn(t, tpm)))
	require.NoError(t, tpm.Close())
	<-done
	requireEmpty(t, swtpm)
}
