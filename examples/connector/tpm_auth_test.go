//go:build unix

package main

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// TestTPMAuth: hierarchies that have authorization values, and keys that get one. None of them is printed.
func TestTPMAuth(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationVerified, nil)
	values := map[string]string{"owner": "owner-of-it-all", "endorsement": "endorsed-by-me", "key": "open-sesame-now"}
	s.tpm.Do(func(dev transport.TPM) {
		for hierarchy, value := range map[tpm2.TPMHandle]string{
			tpm2.TPMRHOwner: values["owner"], tpm2.TPMRHEndorsement: values["endorsement"],
		} {
			change := tpm2.HierarchyChangeAuth{AuthHandle: hierarchy, NewAuth: tpm2.TPM2BAuth{Buffer: []byte(value)}}
			_, err := change.Execute(dev)
			require.NoError(t, err)
		}
	})
	for name, value := range values {
		s.write(name, []byte(value+"\n"))
	}
	require.ErrorContains(t, s.start()(), "auth", "the owner wants to be asked")
	all := tpmAuthConfig{KeyFile: "key", OwnerFile: "owner", EndorsementFile: "endorsement"}
	s.config.TPMAuth = all
	s.config.TPMAuth.OwnerFile = "missing"
	require.ErrorContains(t, s.start()(), "tpmAuth.ownerFile: open")

	s.config.TPMAuth = all
	stop := s.connected()
	assert.Equal(t, gateway.LevelVerified, s.only().Attestation)
	assert.Equal(t, wsproto.Issued, s.order().Kind)
	require.NoError(t, stop())
	log := s.log.String()
	s.config.TPMAuth.KeyFile = ""
	s.loaded()
	check := []string{"-config", filepath.Join(s.folder, "connector.json"), "check"}
	err := run(t.Context(), check, io.Discard, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "the identity key cannot be used: tpm: ", "before it is needed")
	s.forget()
	stop = s.start()
	s.await("error=")
	require.NoError(t, stop())
	assert.Regexp(t, `could not sign: tpm: .*auth`, s.log.String())
	for _, value := range values {
		assert.NotContains(t, log+s.log.String(), value)
	}
	s.config.TPMAuth = all
	require.NoError(t, s.connected()())
}
