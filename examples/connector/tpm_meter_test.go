//go:build unix

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/stretchr/testify/require"
)

// meter is a socket in front of that of a TPM, which counts the commands that come through.
type meter struct {
	t    testing.TB
	path string // of its socket
	to   string // of the TPM's
	done sync.WaitGroup

	mu     sync.Mutex
	counts map[tpm2.TPMCC]int
	missed int // connections that came while the TPM was away
	conns  map[net.Conn]struct{}
}

func newMeter(t testing.TB, to string) *meter {
	t.Helper()
	folder, err := os.MkdirTemp("", "tpm") // short: the path of a socket is bounded
	require.NoError(t, err)
	m := &meter{
		t: t, path: filepath.Join(folder, "s"), to: to, counts: make(map[tpm2.TPMCC]int), conns: make(map[net.Conn]struct{}),
	}
	listener, err := net.Listen("unix", m.path)
	require.NoError(t, err)
	m.done.Go(func() { m.serve(listener) })
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		m.cut()
		m.done.Wait()
		require.NoError(t, os.RemoveAll(folder))
	})
	return m
}

func (m *meter) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // the test is over
		}
		m.done.Go(func() { m.relay(conn) })
	}
}

// relay passes commands and responses on, whole ones, until one of the two sides is gone.
func (m *meter) relay(conn net.Conn) {
	m.mu.Lock()
	m.conns[conn] = struct{}{}
	m.mu.Unlock()
	defer func() {
		conn.Close()
		m.mu.Lock()
		delete(m.conns, conn)
		m.mu.Unlock()
	}()
	tpm, err := net.Dial("unix", m.to)
	if err != nil {
		m.mu.Lock()
		m.missed++
		m.mu.Unlock()
		return
	}
	defer tpm.Close()
	for {
		command, err := readMessage(conn)
		if err != nil {
			return
		}
		m.mu.Lock()
		m.counts[tpm2.TPMCC(binary.BigEndian.Uint32(command[6:]))]++
		m.mu.Unlock()
		if _, err := tpm.Write(command); err != nil {
			return
		}
		response, err := readMessage(tpm)
		if err != nil {
			return
		}
		if _, err := conn.Write(response); err != nil {
			return
		}
	}
}

// readMessage reads a command or a response: tag, size of all of it, code (TPM 2.0 Library, Part 1, section 18).
func readMessage(r io.Reader) ([]byte, error) {
	header := make([]byte, 10)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[2:])
	if size < 10 || size > 4096 {
		return nil, fmt.Errorf("a message of %d bytes", size)
	}
	message := append(header, make([]byte, size-10)...)
	_, err := io.ReadFull(r, message[10:])
	return message, err
}

// cut ends the connections that there are.
func (m *meter) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for conn := range m.conns {
		if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			m.t.Error(err)
		}
	}
}

// since returns what was counted since it was called last.
func (m *meter) since() map[tpm2.TPMCC]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := m.counts
	m.counts = make(map[tpm2.TPMCC]int)
	return counts
}

// misses returns how many connections came while the TPM was away.
func (m *meter) misses() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.missed
}
