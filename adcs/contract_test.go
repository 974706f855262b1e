package adcs_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/adcstest"
)

// The error contracts of the calls of a client: what the comments of Submit, Retrieve and Ping promise, against a CA
// that behaves.

func TestSubmitErrors(t *testing.T) {
	s := newServer(t, &adcstest.Options{
		Templates: append(adcstest.DefaultTemplates(),
			adcstest.Template{Name: "Strong", MinimumKeySize: 4096},
			adcstest.Template{Name: "Restricted", Enroll: []string{`CORP\nobody`}},
			adcstest.Template{Name: "Signed", Signatures: 1},
			adcstest.Template{Name: "Broken", Deny: 0x80092013, DenyMessage: "Der Sperrserver ist\r\nnicht verfügbar."},
			adcstest.Template{Name: "Policy", Deny: 0xA0001234},
			adcstest.Template{Name: "Plain", Deny: 2},
		),
	})
	client := newClient(t, s, nil)
	_, csr := newCSR(t, "pc1.corp.test")
	noSubject := requestFor(t, newKey(t), pkix.Name{})
	for _, tc := range []struct {
		name, template string
		csr            []byte
		want           error
		retry          adcs.RetryClass
	}{
		{"unknown template", "NoSuchTemplate", csr, adcs.ErrUnsupportedCertType, adcs.RetryOperator},
		{"no right on the template", "Restricted", csr, adcs.ErrTemplateDenied, adcs.RetryOperator},
		{"weak key", "Strong", csr, adcs.ErrKeyLength, adcs.RetryNever},
		{"no signature of an agent", "Signed", csr, adcs.ErrSignaturePolicyRequired, adcs.RetryOperator},
		{"no subject", "Device", noSubject, adcs.ErrBadRequestSubject, adcs.RetryNever},
		{"revocation offline", "Broken", csr, adcs.ErrRevocationOffline, adcs.RetryOperator},
		{"a code of a policy module", "Policy", csr, adcs.HResult(0xA0001234), adcs.RetryOperator},
		{"denied", "Plain", csr, nil, adcs.RetryNever},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result, err := client.Submit(t.Context(), adcs.Request{CSR: tc.csr, Template: tc.template})
			assert.Nil(t, result)
			refusal, ok := errors.AsType[*adcs.RequestError](err)
			require.True(t, ok, "%v", err)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
			} else {
				assert.Equal(t, adcs.Denied, refusal.Disposition)
			}
			assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
			assert.NotZero(t, refusal.RequestID, "a refused request has a row")
			assert.NotContains(t, refusal.Message, "\n")
			assert.Equal(t, tc.retry, adcs.Explain(err).Retry)
		})
	}
}

func TestSubmitRefusedHere(t *testing.T) {
	s := newServer(t, nil)
	client := newClient(t, s, nil)
	_, csr := newCSR(t, "pc1.corp.test")
	forged := append([]byte(nil), csr...)
	forged[len(forged)-1] ^= 1
	huge := requestFor(t, newKey(t), testSubject, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, 1<<20)})
	for name, request := range map[string]adcs.Request{
		"no CSR":              {},
		"no DER":              {CSR: []byte("-----BEGIN CERTIFICATE REQUEST-----")},
		"bytes after the CSR": {CSR: append(append([]byte(nil), csr...), 0)},
		"a wrong signature":   {CSR: forged},
		"huge":                {CSR: huge},
		"a line break":        {CSR: csr, Template: "User\nSAN:upn=administrator@corp.test"},
		"cdc": {CSR: csr, Attributes: adcs.Attributes{
			Other: []adcs.Attribute{{Name: "cdc", Value: "evil.test"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Submit(t.Context(), request)
			require.ErrorIs(t, err, adcs.ErrInvalidRequest)
			assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
		})
	}
	_, err := client.Retrieve(t.Context(), 0)
	require.ErrorIs(t, err, adcs.ErrInvalidRequest)
	assert.Empty(t, s.Requests(), "nothing was sent")
}

func TestRetrieveErrors(t *testing.T) {
	s := newServer(t, &adcstest.Options{Users: []adcstest.User{
		{Name: "alice", Password: secret}, {Name: "bob", Password: secret},
	}})
	alice := newClientFor(t, s, adcs.Password(`CORP\alice`, secret), nil)
	bob := newClientFor(t, s, adcs.Password(`CORP\bob`, secret), nil)
	_, csr := newCSR(t, "pc1.corp.test")
	pending, err := alice.Submit(t.Context(), adcs.Request{CSR: csr, Template: "DeviceHeld"})
	require.NoError(t, err)
	require.Equal(t, adcs.Pending, pending.Disposition, "pending is a value")
	require.NotZero(t, pending.RequestID)

	_, err = bob.Retrieve(t.Context(), pending.RequestID)
	require.ErrorIs(t, err, adcs.ErrNotOwner, "another account's request")
	_, err = bob.Wait(t.Context(), pending.RequestID, nil)
	require.ErrorIs(t, err, adcs.ErrNotOwner, "asking again is of no use")
	_, err = alice.Retrieve(t.Context(), 4711)
	require.ErrorIs(t, err, adcs.ErrPropertyEmpty)

	require.NoError(t, s.Deny(pending.RequestID))
	_, err = alice.Retrieve(t.Context(), pending.RequestID)
	refusal, ok := errors.AsType[*adcs.RequestError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, pending.RequestID, refusal.RequestID)
	assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
	assert.Equal(t, adcs.RetryNever, adcs.Explain(err).Retry)

	_, err = alice.Wait(t.Context(), pending.RequestID, nil)
	_, ok = errors.AsType[*adcs.RequestError](err)
	assert.True(t, ok, "%v", err)
}

func TestConnectionErrors(t *testing.T) {
	_, csr := newCSR(t, "pc1.corp.test")
	request := adcs.Request{CSR: csr, Template: "Device"}
	for _, auth := range []adcs.Auth{adcs.AuthNTLM, adcs.AuthNegotiate} {
		t.Run(string(auth), func(t *testing.T) {
			s := newServer(t, &adcstest.Options{Users: []adcstest.User{
				{Name: "alice", Password: "right"}, {Name: "off", Password: "right", Disabled: true},
			}})
			for name, cred := range map[string]adcs.Credential{
				"wrong password": adcs.Password(`CORP\alice`, secret), "unknown user": adcs.Password(`CORP\eve`, secret),
				"disabled user": adcs.Password(`CORP\off`, "right"), "other domain": adcs.Password(`OTHER\alice`, "right"),
			} {
				t.Run(name, func(t *testing.T) {
					client := newClientFor(t, s, cred, &adcs.Options{Auth: auth})
					for what, err := range map[string]error{
						"Submit": second(client.Submit(t.Context(), request)), "Ping": client.Ping(t.Context()),
						"Retrieve": second(client.Retrieve(t.Context(), 1)), "Wait": second(client.Wait(t.Context(), 1, nil)),
					} {
						require.ErrorIs(t, err, adcs.ErrLogon, what)
						assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown, what)
						assert.NotContains(t, err.Error(), secret)
						checkExplanation(t, adcs.Explain(err))
						assert.Contains(t, adcs.Explain(err).Summary, "logon")
					}
				})
			}
			assert.Empty(t, s.Requests())
		})
	}
	t.Run("wrong CA name", func(t *testing.T) {
		s := newServer(t, nil)
		user := s.User()
		client, err := adcs.New(s.Host(), "Another CA", adcs.Password(user.Account(), user.Password),
			adcs.Options{Transport: adcs.TransportTCP, AllowNTLM: true, DialContext: s.DialContext}.WithoutKDC())
		require.NoError(t, err)
		defer client.Close()
		_, err = client.Submit(t.Context(), request)
		require.ErrorIs(t, err, adcs.ErrInvalidArg)
		require.ErrorIs(t, client.Ping(t.Context()), adcs.ErrInvalidArg)
		assert.Contains(t, adcs.Explain(err).Remedy, "CA's name")
	})
	t.Run("interface off", func(t *testing.T) {
		s := newServer(t, nil)
		s.SetInterface(false)
		client := newClient(t, s, nil)
		_, err := client.Submit(t.Context(), request)
		require.ErrorIs(t, err, adcs.ErrNotRegistered)
		require.ErrorIs(t, client.Ping(t.Context()), adcs.ErrNotRegistered)
		s.SetInterface(true)
		require.NoError(t, client.Ping(t.Context()))
	})
	t.Run("refused", func(t *testing.T) {
		s := newServer(t, nil)
		client := newClient(t, s, nil)
		s.Close()
		_, err := client.Submit(t.Context(), request)
		require.Error(t, err)
		assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
		assert.Equal(t, adcs.RetryAfter, adcs.Explain(err).Retry)
	})
}

func TestContextErrorsStayVisible(t *testing.T) {
	_, csr := newCSR(t, "pc1.corp.test")
	s := newServer(t, nil)
	client := newClient(t, s, nil)
	calls := map[string]func(context.Context) error{
		"Submit": func(ctx context.Context) error {
			return second(client.Submit(ctx, adcs.Request{CSR: csr, Template: "Device"}))
		},
		"Retrieve": func(ctx context.Context) error { return second(client.Retrieve(ctx, 1)) },
		"Wait":     func(ctx context.Context) error { return second(client.Wait(ctx, 1, nil)) },
		"Ping":     client.Ping,
	}
	reason := errors.New("the order was withdrawn")
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, call(ctx), context.Canceled)

			ctx, cancel = context.WithDeadline(t.Context(), time.Unix(1, 0))
			defer cancel()
			require.ErrorIs(t, call(ctx), context.DeadlineExceeded)

			ctx, cancelCause := context.WithCancelCause(t.Context())
			cancelCause(reason)
			err := call(ctx)
			require.ErrorIs(t, err, context.Canceled, "a cause does not hide that the context ended")
			assert.ErrorIs(t, err, reason)
			assert.NotErrorIs(t, err, adcs.ErrOutcomeUnknown)
		})
	}
	require.NoError(t, client.Ping(t.Context()), "the client is as good as before")
	require.NoError(t, client.Close())
	require.NoError(t, client.Close())
	for name, call := range calls {
		require.ErrorIs(t, call(t.Context()), net.ErrClosed, name)
	}
	assert.Empty(t, s.Requests())
}

// TestSubmitWeakRSA has a key of an algorithm and a size that the CA itself judges.
func TestSubmitWeakRSA(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "pc1"}}, key)
	require.NoError(t, err)
	s := newServer(t, &adcstest.Options{Templates: []adcstest.Template{{Name: "Device", MinimumKeySize: 2048}}})
	_, err = newClient(t, s, nil).Submit(t.Context(), adcs.Request{CSR: csr, Template: "Device"})
	require.ErrorIs(t, err, adcs.ErrKeyLength)
}

func second[T any](_ T, err error) error { return err }
