//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/tpm"
	"github.com/adcskit/adcskit/tpm/tpmtest"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

// another is another connector of the same site, with an identity and a log of its own.
func (s *tpmSite) another(state, at string) *tpmSite {
	site, config := *s.site, *s.config
	config.State, config.TPM, config.Policy.Siblings = state, at, nil
	site.config = &config
	return &tpmSite{site: &site, log: new(safeBuffer), said: s.said}
}

// public is what a sibling of this connector pins.
func (s *tpmSite) public(name string) connector.Sibling {
	s.t.Helper()
	k, err := openKeys(s.loaded())
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, k.close()) }()
	identity, err := wsproto.MarshalPublicKey(k.identity.Signer().Public())
	require.NoError(s.t, err)
	decryption, err := wsproto.MarshalPublicKey(k.identity.Decryption().PublicKey())
	require.NoError(s.t, err)
	return connector.Sibling{Name: name, IdentityKey: identity, DecryptionKey: decryption}
}

// active returns the connectors of the gateway that are trusted.
func (s *tpmSite) active() (ids []string) {
	s.t.Helper()
	all, err := s.gateway.Connectors(s.t.Context(), "acme")
	require.NoError(s.t, err)
	for _, c := range all {
		if c.State == wsproto.StateActive {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// clear clears the TPM, and shows that the connector says so and does not become another one. With the folder moved away
// it registers anew.
func (s *tpmSite) clear(stop func() error) (again func() error) {
	s.t.Helper()
	require.NoError(s.t, stop())
	s.tpm.Clear()
	err := s.start()()
	require.ErrorIs(s.t, err, tpm.ErrOtherTPM)
	require.ErrorContains(s.t, err, "move the directory away to register anew")
	require.NoError(s.t, os.Rename(filepath.Join(s.folder, s.config.State), filepath.Join(s.folder, "lost")))
	s.code()
	return s.connected()
}

// TestTPMCleared: a TPM that was cleared has lost the keys. A new registration takes the place of the old one, and what the
// CA holds for it goes on at a sibling.
func TestTPMCleared(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationVerified, nil)
	s.allowHeld()
	sibling := s.another("sibling", tpmtest.Start(t, &tpmtest.Options{Manufacturer: s.tpm.Manufacturer()}).Path())
	s.config.Policy.Siblings = []connector.Sibling{sibling.public("sibling")}
	stop := s.connected()
	lost := s.only().ID
	held, request := s.hold("held")
	mine := s.another(s.config.State, s.config.TPM) // to pin it while it still has its keys
	require.NoError(t, stop())
	sibling.config.Policy.Siblings = []connector.Sibling{mine.public("first")}
	stop = s.connected()

	s.code()
	stopSibling := sibling.connected()
	require.NoError(t, s.gateway.Assign(t.Context(), "acme", sibling.fingerprint(), nil))
	again := s.clear(stop)
	fresh := s.fingerprint()
	assert.ElementsMatch(t, []string{lost, fresh, sibling.fingerprint()}, s.active())
	require.NoError(t, s.gateway.Assign(t.Context(), "acme", fresh, nil))
	require.NoError(t, s.gateway.Replace(t.Context(), "acme", lost, fresh))
	assert.ElementsMatch(t, []string{fresh, sibling.fingerprint()}, s.active(), "the lost one is gone")

	s.issued(s.place("Device", "at-the-new-one"))
	require.NoError(t, s.ca.Approve(request))
	require.NoError(t, s.gateway.Assign(t.Context(), "acme", sibling.fingerprint(), []wsproto.CAAssignment{s.served()}))
	assert.Equal(t, request, s.issued(held).RequestID, "the sibling has opened it")
	require.NoError(t, again())
	require.NoError(t, stopSibling())
	assert.Len(t, s.ca.Requests(), 2)
}

// TestTPMClearedAlone: without a sibling nobody can open what the CA holds, and the gateway says so at once.
func TestTPMClearedAlone(t *testing.T) {
	s := newTPMSite(t, gateway.AttestationVerified, nil)
	s.allowHeld()
	stop := s.connected()
	lost := s.only().ID
	held, request := s.hold("held")
	again := s.clear(stop)
	require.NoError(t, s.gateway.Replace(t.Context(), "acme", lost, s.fingerprint()))
	o := s.outcome(held)
	assert.Equal(t, wsproto.Lost, o.Kind, "%+v", o)
	assert.Equal(t, request, o.RequestID, "a person can find it at the CA")
	s.issued(s.place("Device", "anew"))
	require.NoError(t, again())
}

var connectedAs = regexp.MustCompile(`state=connected connector=(\w+)`)

// fingerprint is the gateway's id of this connector, while it runs.
func (s *tpmSite) fingerprint() string {
	s.t.Helper()
	found := connectedAs.FindStringSubmatch(s.log.String())
	require.NotNil(s.t, found, s.log)
	return found[1]
}
