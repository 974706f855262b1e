package cli_test

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/internal/cli"
)

func TestParse(t *testing.T) {
	parse := func(args ...string) (string, error) {
		s := flag.NewFlagSet("x", flag.ContinueOnError)
		s.Int("count", 0, "how `many`")
		var out strings.Builder
		err := cli.Parse(s, args, "Help.\n\n", &out)
		return out.String(), err
	}
	out, err := parse("-h")
	require.ErrorIs(t, err, flag.ErrHelp)
	assert.Equal(t, 0, cli.ExitStatus(err))
	assert.Contains(t, out, "Help.\n\n  -count many\n")
	for _, args := range [][]string{{"-cont", "1"}, {"-count", "x"}} {
		out, err = parse(args...)
		assert.Empty(t, out, "main prints it, once")
		assert.Equal(t, 2, cli.ExitStatus(err))
		assert.ErrorContains(t, err, "co")
	}
	_, err = parse("-count", "1")
	require.NoError(t, err)
	assert.Equal(t, 0, cli.ExitStatus(nil))
	assert.Equal(t, 1, cli.ExitStatus(errors.Join(io.EOF)))
	assert.Equal(t, 2, cli.ExitStatus(errors.Join(cli.Usagef("%d", 1))))
}
