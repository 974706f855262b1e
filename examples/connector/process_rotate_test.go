//go:build unix

package main_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
)

// TestRotateWhileItRuns: keys that a connector works with stay as they are. Once it has ended, in whatever way, they can be
// rotated.
func TestRotateWhileItRuns(t *testing.T) {
	l := newLab(t)
	l.up()
	before := l.read("connector.state/state.json")
	const command = "./connector -config connector.json rotate"
	p := l.start(command)
	require.Equal(t, 1, p.exit(), "%s", &p.out)
	assert.Contains(t, p.out.String(), "stop it, then try again")
	assert.Equal(t, before, l.read("connector.state/state.json"))
	l.run("./connector -config connector.json show")
	assert.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "before", "p256")).Kind)

	l.connector.signal(syscall.SIGKILL)
	assert.Equal(t, -1, l.connector.exit())
	l.run(command)
	l.startConnector()
	assert.Equal(t, wsproto.Issued, l.outcome(l.order("Device", "after", "p256")).Kind)
	require.Equal(t, 1, l.start(command).exit())
	l.connector.stop()
	l.run(command)
}
