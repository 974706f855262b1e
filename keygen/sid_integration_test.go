//go:build integration

package keygen_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/keygen"
)

// sambaSIDs prints the binary form of each SID, and the string form that comes of it again.
const sambaSIDs = `
import sys
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
for text in sys.argv[1:]:
    binary = ndr_pack(security.dom_sid(text))
    print(binary.hex(), ndr_unpack(security.dom_sid, binary))
`

// TestSIDsOfSamba holds both forms of random SIDs against those of Samba.
func TestSIDsOfSamba(t *testing.T) {
	texts := []string{"S-1-1-0", "S-1-5-32-544", sampleSID, "S-1-5-4294967295", "S-1-5" + strings.Repeat("-7", 15)}
	random := rand.New(rand.NewPCG(1, 0))
	for range 300 {
		text := fmt.Sprintf("S-1-%d", random.Uint32N(1<<31))
		for range 1 + random.IntN(15) {
			text += fmt.Sprintf("-%d", random.Uint32()>>random.IntN(32))
		}
		texts = append(texts, text)
	}
	// Samba is in the packages of the system's own Python.
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"-B", "-c", sambaSIDs}, texts...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, len(texts))
	for i, text := range texts {
		sid, err := keygen.ParseSID(text)
		require.NoError(t, err)
		assert.Equal(t, hex.EncodeToString(sid.Bytes())+" "+text, lines[i])
		binary, _, _ := strings.Cut(lines[i], " ")
		theirs, err := hex.DecodeString(binary)
		require.NoError(t, err)
		back, err := keygen.ParseSIDBytes(theirs)
		require.NoError(t, err)
		assert.Equal(t, text, back.String())
	}
}
