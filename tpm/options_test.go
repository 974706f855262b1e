package tpm

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNothingIsPrinted prints everything that holds authorization values.
func TestNothingIsPrinted(t *testing.T) {
	secret := []byte("an authorization")
	opts := &Options{KeyAuth: secret, OwnerAuth: secret, EndorsementAuth: secret, ParentName: []byte{0, 11}}
	tpm, err := New(sender(nil), opts)
	require.NoError(t, err)
	defer tpm.Close()
	signer := &Signer{t: tpm}
	var log bytes.Buffer
	for _, logger := range []*slog.Logger{
		slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil)),
	} {
		logger.Info("opts", "options", *opts, "pointer", opts, "tpm", tpm, "signer", signer, "store", tpm.Store())
	}
	for _, value := range []any{*opts, opts, tpm, *tpm.Store(), tpm.Store(), signer, *signer} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			fmt.Fprintf(&log, verb+"\n", value)
		}
	}
	printed := log.String()
	require.Contains(t, printed, "(hidden)")
	require.NotContains(t, printed, string(secret))
	require.NotContains(t, printed, fmt.Sprint(secret)[1:])
	require.NotContains(t, printed, fmt.Sprintf("%x", secret))
	require.NotContains(t, printed, fmt.Sprintf("%#v", secret)[8:])
}
