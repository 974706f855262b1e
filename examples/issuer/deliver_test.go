package issuer_test

import (
	"crypto/fips140"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/pkcs12"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// TestPathNamesTheKey: importers show the name of the certificate; one that they could not show is left out.
func TestPathNamesTheKey(t *testing.T) {
	p := startPath(t, 2)
	for cn, name := range map[string]string{
		"bench": "bench", "Zoë Müller, 東京": "Zoë Müller, 東京", "rocket \U0001f680": "", strings.Repeat("m", 64): strings.Repeat("m", 64),
	} {
		o := p.outcome(t, func(o *wsproto.Order) { o.Subject, o.Profile = "CN="+strings.ReplaceAll(cn, ",", `\,`), "windows" })
		require.Equal(t, wsproto.Issued, o.Kind, "%q: %s %s", cn, o.Reason, o.Message)
		info, err := pkcs12.Inspect(o.PKCS12, p.device("").Password)
		require.NoError(t, err)
		assert.Equal(t, cn, info.Chain[0].Subject.CommonName)
		assert.Empty(t, info.KeyName, "Windows would make it a container's name")
		assert.Equal(t, name, info.Chain[0].FriendlyName)
	}
}

// unreachable is an issuer whose CA must not be dialed.
func unreachable(t *testing.T) *issuer.Issuer { return trusting(t, x509.NewCertPool()) }

func order() *connector.Order {
	return &connector.Order{Order: wsproto.Order{
		CA: wsproto.CAAssignment{Host: "ca.corp.test", Name: "Corp CA"}, Template: "Device", Subject: "CN=bench", Key: "p256",
		Password: "correct-horse-battery-staple",
	}}
}

// checkNothingIsAsked: what cannot be delivered is refused before a key is made, and what was begun elsewhere before the
// CA is asked for anything.
func checkNothingIsAsked(t *testing.T, o *connector.Order, why error) {
	t.Helper()
	i := unreachable(t)
	_, err := i.Prepare(t.Context(), o)
	require.ErrorIs(t, err, why)
	rejection, ok := errors.AsType[*connector.Rejection](err)
	require.True(t, ok)
	assert.Equal(t, wsproto.ReasonOrderUnsupported, rejection.Reason)
	for name, ask := range map[string]func() (*connector.CAResult, error){
		"submit":   func() (*connector.CAResult, error) { return i.Submit(t.Context(), o, &connector.Prepared{}) },
		"retrieve": func() (*connector.CAResult, error) { return i.Retrieve(t.Context(), o, 1) },
		"find":     func() (*connector.CAResult, error) { return i.Find(t.Context(), o, connector.Lookup{}) },
	} {
		_, err := ask()
		require.ErrorIs(t, err, why, name)
		e, ok := errors.AsType[*connector.CAError](err)
		require.True(t, ok, name)
		assert.Equal(t, connector.CAInvalid, e.Kind, name)
		assert.Equal(t, wsproto.ReasonOrderUnsupported, e.Reason, name)
	}
}

func TestWhatCannotBeDeliveredIsNotAskedFor(t *testing.T) {
	for name, change := range map[string]func(*connector.Order){
		"no such profile":  func(o *connector.Order) { o.Profile = "unheard-of" },
		"no such platform": func(o *connector.Order) { o.Profile = "windows-phone" },
		"no such version":  func(o *connector.Order) { o.Profile = "ios-17,4" },
	} {
		t.Run(name, func(t *testing.T) {
			o := order()
			change(o)
			checkNothingIsAsked(t, o, pkcs12.ErrUnsupported)
		})
	}
	o := order()
	o.Password = "ohne Umlaute geht es nüscht"
	checkNothingIsAsked(t, o, pkcs12.ErrPassword)
}

// TestProtocolNamesTheProfiles: the set that PROTOCOL.md has is the one that is made.
func TestProtocolNamesTheProfiles(t *testing.T) {
	text, err := os.ReadFile("../../wsproto/PROTOCOL.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(text), "`profile` is one of")
	section, _, found := strings.Cut(section, "For a platform the connector chooses")
	require.True(t, found)
	var named []string
	for i, word := range strings.Split(section, "`") {
		if i%2 == 1 {
			named = append(named, word)
			_, err := pkcs12.ParseProfile(word)
			assert.NoError(t, err)
		}
	}
	assert.Subset(t, named, append(pkcs12.Platforms(), "compat", "modern", "pbmac1"))
}

// TestFIPS runs itself in a process that enforces FIPS 140-3, where no .p12 can be made.
func TestFIPS(t *testing.T) {
	const enforced = "ADCSKIT_TEST_FIPS"
	if os.Getenv(enforced) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFIPS$", "-test.v")
		cmd.Env = append(os.Environ(), enforced+"=1", "GODEBUG=fips140=only")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestFIPS")
		return
	}
	require.True(t, fips140.Enforced())
	for _, profile := range []string{"", "modern", "pbmac1", "windows-11"} {
		o := order()
		o.Profile = profile
		checkNothingIsAsked(t, o, pkcs12.ErrFIPS)
		o.Password, o.Recipient = "", &wsproto.Recipient{ID: "laptop"}
		checkNothingIsAsked(t, o, pkcs12.ErrFIPS)
	}
}
