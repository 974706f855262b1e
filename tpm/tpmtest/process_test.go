package tpmtest

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnotherProgramIsNotTakenForATPM(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer other.Close()
	p := newProcess(t, true, false)
	p.address = other.Addr().String()
	require.ErrorContains(t, p.start(), "swtpm has ended")
	p.address = ""
	require.NoError(t, p.start(), "on a port of its own choice")
	assert.NotEqual(t, other.Addr().String(), p.address)
}
