package adcstest_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/adcsasn1"
)

const pacUserSID = "S-1-5-21-1004336348-1177238915-682003330-1105"

// newPAC is a PAC of two buffers, the second of which is UPN_DNS_INFO.
func newPAC(t testing.TB, edit func(info []byte) []byte) []byte {
	t.Helper()
	sid, err := adcsasn1.ParseSID(pacUserSID)
	require.NoError(t, err)
	le := binary.LittleEndian
	info := make([]byte, 24)
	le.PutUint32(info[8:], 2) // with name and SID
	le.PutUint16(info[16:], uint16(len(sid.Bytes())))
	le.PutUint16(info[18:], 24)
	info = append(info, sid.Bytes()...)
	if edit != nil {
		info = edit(info)
	}
	pac := le.AppendUint32(le.AppendUint32(nil, 2), 0)
	for _, b := range [][3]uint64{{10, 8, 40}, {12, uint64(len(info)), 48}} {
		pac = le.AppendUint64(le.AppendUint32(le.AppendUint32(pac, uint32(b[0])), uint32(b[1])), b[2])
	}
	return append(append(pac, make([]byte, 8)...), info...)
}

func TestSIDOfPAC(t *testing.T) {
	assert.Equal(t, pacUserSID, adcstest.SIDOfPAC(newPAC(t, nil)))
	for name, pac := range map[string][]byte{
		"nothing":         nil,
		"without a SID":   newPAC(t, func(b []byte) []byte { b[8] = 0; return b }),
		"SID too long":    newPAC(t, func(b []byte) []byte { b[16]++; return b }),
		"SID past it":     newPAC(t, func(b []byte) []byte { b[18] = 0xff; return b }),
		"revision 2":      newPAC(t, func(b []byte) []byte { b[24] = 2; return b }),
		"short":           newPAC(t, func(b []byte) []byte { return b[:19] }),
		"many buffers":    patched(newPAC(t, nil), 0, 0xff, 0xff, 0xff, 0xff),
		"more than there": patched(patched(newPAC(t, nil), 24, 13), 0, 60),
		"past the end":    patched(newPAC(t, nil), 32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"size":            patched(newPAC(t, nil), 28, 0xff, 0xff, 0xff, 0xff),
		"another buffer":  patched(newPAC(t, nil), 24, 13),
	} {
		assert.Empty(t, adcstest.SIDOfPAC(pac), name)
	}
}

func FuzzSIDOfPAC(f *testing.F) {
	f.Add(newPAC(f, nil))
	f.Fuzz(func(t *testing.T, pac []byte) {
		if sid := adcstest.SIDOfPAC(pac); sid != "" {
			require.NoError(t, adcsasn1.ValidSID(sid))
		}
	})
}
