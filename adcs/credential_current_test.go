package adcs_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/internal/rpc"
	"github.com/adcskit/adcskit/internal/rpc/assoc"
	"github.com/adcskit/adcskit/internal/sspi"
)

// otherSystem is a system's security packages, with those of this module behind them.
type otherSystem struct {
	user     adcstest.User
	asked    []sspi.Package
	noNTLM   []bool
	initiate func(target string) assoc.Initiator
}

func (s *otherSystem) Acquire(p sspi.Package, noNTLM bool) (sspi.Credential, error) {
	s.asked, s.noNTLM = append(s.asked, p), append(s.noNTLM, noNTLM)
	if p == sspi.Kerberos || noNTLM {
		return nil, errors.New("no ticket")
	}
	password := func(target string) assoc.Password {
		return assoc.Password{User: s.user.Name, Domain: s.user.Domain, Password: s.user.Password, Target: target}
	}
	s.initiate = func(target string) assoc.Initiator { return assoc.NTLM(password(target)) }
	if p == sspi.Negotiate {
		s.initiate = func(target string) assoc.Initiator { return assoc.SPNEGO(assoc.NTLM(password(target))) }
	}
	return otherCredential{s}, nil
}

type otherCredential struct{ *otherSystem }

func (c otherCredential) Free() {}
func (c otherCredential) Begin(target string, _ uint32) (sspi.Context, sspi.Leg) {
	x := &otherContext{i: c.initiate(target)}
	return x, x.Continue(nil)
}

type otherContext struct{ i assoc.Initiator }

func (x *otherContext) Free()                       {}
func (x *otherContext) Package() sspi.Package       { return sspi.NTLM }
func (x *otherContext) SessionKey() ([]byte, error) { return x.i.SessionKey(), nil }
func (x *otherContext) Sizes() (signature, trailer int, err error) {
	return x.i.Protector().SignatureSize(false), x.i.Protector().SignatureSize(true), nil
}

func (x *otherContext) Continue(token []byte) sspi.Leg {
	out, done, err := x.i.Step(token)
	if err != nil {
		return sspi.Leg{Status: 0x80090308}
	}
	return sspi.Leg{Token: out, Done: done, Flags: 0x1001c}
}

func (x *otherContext) Protect(op sspi.Operation, parts []sspi.Part) (int, error) {
	m := &rpc.Message{
		Header: parts[0].Data, Body: parts[1].Data, Trailer: parts[2].Data,
		SignHeader: parts[0].Type&sspi.ReadOnlyWithChecksum != 0, Seal: op == sspi.Encrypt || op == sspi.Decrypt,
	}
	if op == sspi.Decrypt || op == sspi.Verify {
		return 0, x.i.Protector().Unwrap(m, bytes.Clone(parts[3].Data))
	}
	signature, err := x.i.Protector().Wrap(m)
	return copy(parts[3].Data, signature), err
}

// TestCurrentAccount logs on with the packages of a system.
func TestCurrentAccount(t *testing.T) {
	s := newServer(t, nil)
	for auth, p := range map[adcs.Auth]sspi.Package{adcs.AuthNTLM: sspi.NTLM, adcs.AuthNegotiate: sspi.Negotiate} {
		system := &otherSystem{user: s.User()}
		client := newClientFor(t, s, adcs.SystemCredential(`CORP\PC$`, system), &adcs.Options{Auth: auth})
		_, csr := newCSR(t, "pc1.corp.test")
		result, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
		require.NoError(t, err, auth)
		require.NoError(t, client.Ping(t.Context()))
		assert.Equal(t, s.User().Account(), s.Requests()[result.RequestID-1].Requester)
		assert.Equal(t, []sspi.Package{p}, system.asked, "one logon")
	}
	system := &otherSystem{user: s.User()}
	client := newClientFor(t, s, adcs.SystemCredential(`CORP\PC$`, system), &adcs.Options{Auth: adcs.AuthKerberos})
	_, csr := newCSR(t, "pc1.corp.test")
	_, err := client.Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
	require.ErrorContains(t, err, "no ticket")
	assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	assert.Equal(t, sspi.Kerberos, system.asked[0])
	assert.True(t, system.noNTLM[0])
}

func TestCurrentAccountElsewhere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it is here")
	}
	_, err := adcs.New("ca.corp.test", "CA", adcs.CurrentAccount(), nil)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	assert.NotEmpty(t, adcs.Explain(err).Remedy)
}
