package adcs_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/rpc"
)

const secret = "hunter2-do-not-print"

// checkExplanation is what holds for every explanation.
func checkExplanation(t *testing.T, e adcs.Explanation) {
	t.Helper()
	assert.NotEmpty(t, e.Summary)
	assert.NotEmpty(t, e.Remedy)
	assert.True(t, strings.HasSuffix(e.Summary, "."), e.Summary)
	assert.True(t, strings.HasSuffix(e.Remedy, "."), e.Remedy)
	assert.NotContains(t, e.Summary+e.Remedy, "\n")
	assert.NotContains(t, e.Summary+e.Remedy, secret)
	assert.Less(t, len(e.Summary), 600)
	assert.Contains(t, []adcs.RetryClass{adcs.RetryNever, adcs.RetryAfter, adcs.RetryOperator}, e.Retry)
}

// TestExplainKnowsEveryCode walks the tables: every entry is complete and reaches the person who asks.
func TestExplainKnowsEveryCode(t *testing.T) {
	codes := adcs.KnownCodes()
	require.Greater(t, len(codes), 100)
	unknown := adcs.Explain(errors.New(secret))
	for _, code := range codes {
		e := adcs.Explain(fmt.Errorf("call with %s: %w", secret, code))
		checkExplanation(t, e)
		assert.NotEqual(t, unknown, e, "%v", code)
		text := code.(interface{ Explanation() string }).Explanation()
		require.NotEmpty(t, text, "%v", code)
		assert.Contains(t, e.Summary, text)
		assert.NotEmpty(t, code.(interface{ Name() string }).Name())
		assert.NotRegexp(t, `[.!]$|^[A-Z][a-z]`, text, "a clause, for use inside of sentences")
	}
	for _, m := range adcs.Mismatches() {
		e := adcs.Explain(fmt.Errorf("%s: %w", secret, &adcs.VerifyError{Mismatch: m, Detail: "x", Err: errors.New(secret)}))
		checkExplanation(t, e)
		assert.False(t, strings.HasPrefix(e.Remedy, " "), "%s has no remedy", m)
	}
	for d := adcs.Incomplete; d <= adcs.Revoked; d++ {
		checkExplanation(t, adcs.Explain(&adcs.RequestError{RequestID: 9, Disposition: d, Message: secret}))
	}
}

func TestExplain(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, tc := range []struct {
		name    string
		err     error
		summary string
		retry   adcs.RetryClass
	}{
		{"no right on the template", &adcs.RequestError{RequestID: 9, Code: adcs.ErrTemplateDenied, Message: secret},
			"The CA refused request 9: the account has no permission to enroll for this certificate template.",
			adcs.RetryOperator},
		{"a weak key", &adcs.RequestError{Code: adcs.ErrKeyLength}, "The CA refused: the key is shorter than the " +
			"template's minimum, or of another algorithm.", adcs.RetryNever},
		{"revocation offline", &adcs.RequestError{Code: adcs.ErrRevocationOffline}, "revocation list", adcs.RetryOperator},
		{"a code of a policy module", &adcs.RequestError{Code: 0x80041234}, "0x80041234", adcs.RetryOperator},
		{"the spec's variant of access denied", &adcs.RequestError{Code: 0x80000009}, "access denied", adcs.RetryOperator},
		{"denied by the manager", &adcs.RequestError{RequestID: 9, Disposition: adcs.Denied}, "its manager denied it",
			adcs.RetryNever},
		{"revoked since", &adcs.RequestError{Disposition: adcs.Revoked}, "has been revoked", adcs.RetryNever},
		{"outcome unknown, whatever the cause",
			&adcs.OutcomeUnknownError{CA: "CA", Err: io.ErrUnexpectedEOF},
			"The CA's answer was lost after the request may have reached it: a certificate may have been issued.",
			adcs.RetryOperator},
		{"outcome unknown after a fault that proves nothing",
			&adcs.OutcomeUnknownError{CA: "CA", Err: &adcs.RPCError{Phase: adcs.PhaseCall, Err: adcs.ErrRPCAccessDenied}},
			"nca_s_fault_access_denied (0x00000005)", adcs.RetryOperator},
		{"unusable answer to a submit", &adcs.OutcomeUnknownError{CA: "CA", Err: &adcs.AnswerError{Reason: "x"}},
			"a certificate may have been issued", adcs.RetryOperator},
		{"unusable answer", &adcs.AnswerError{RequestID: 8, Reason: "the question was about request 7"},
			"the question was about request 7", adcs.RetryOperator},
		{"invalid request", fmt.Errorf("%w: %s", adcs.ErrInvalidRequest, secret), "was not sent", adcs.RetryNever},
		{"not what was ordered", &adcs.VerifyError{Mismatch: adcs.MismatchSID, Detail: "it carries S-1-5-21-1-2-3-500"},
			"not what was ordered (SID): it carries S-1-5-21-1-2-3-500.", adcs.RetryOperator},
		{"a chain to nowhere", &adcs.VerifyError{Mismatch: adcs.MismatchChain, Detail: "x", Err: x509.UnknownAuthorityError{}},
			"certificate chain", adcs.RetryOperator},
		{"no logon at the endpoint mapper", &adcs.RPCError{Phase: adcs.PhaseMap, Err: adcs.BindNakInvalidChecksum},
			"The endpoint mapper of the CA's host refused the call", adcs.RetryOperator},
		{"logon", fmt.Errorf("%w: %s", adcs.ErrLogon, secret), "The logon to the CA's host failed", adcs.RetryOperator},
		{"logon by fault", &adcs.RPCError{Phase: adcs.PhaseBind, Err: adcs.ErrSecurityPackage}, "The logon to the CA's host failed",
			adcs.RetryOperator},
		{"locked account", &adcs.RPCError{Phase: adcs.PhaseBind, Err: adcs.ErrAccountLockedOut}, "the account is locked",
			adcs.RetryOperator},
		{"no CA at the endpoint mapper", &adcs.RPCError{Phase: adcs.PhaseMap, Err: adcs.ErrNotRegistered},
			"The endpoint mapper of the CA's host refused the call: the endpoint mapper knows no CA on this host.",
			adcs.RetryOperator},
		{"access denied by fault", &adcs.RPCError{Phase: adcs.PhaseCall, Err: adcs.ErrRPCAccessDenied},
			"no right on the interface", adcs.RetryOperator},
		{"an unknown fault", &adcs.RPCError{Phase: adcs.PhaseCall, Err: adcs.RPCStatus(0x1C0100FF)}, "0x1C0100FF",
			adcs.RetryOperator},
		{"an unknown reason", &adcs.RPCError{Phase: adcs.PhaseBind, Err: adcs.BindNak(77)}, `in phase "bind"`,
			adcs.RetryOperator},
		{"a bit was changed on the way", fmt.Errorf("%s: %w", secret, rpc.ErrIntegrity), "signed and encrypted", adcs.RetryOperator},
		{"a web server", fmt.Errorf("%s: %w", secret, rpc.ErrMalformed), "does not speak RPC", adcs.RetryOperator},
		{"not supported", errors.ErrUnsupported, "does not support", adcs.RetryNever},
		{"deadline", fmt.Errorf("%s: %w", secret, context.DeadlineExceeded), "did not answer in time", adcs.RetryAfter},
		{"cancelled", context.Canceled, "cancelled here", adcs.RetryAfter},
		{"refused", dial(syscall.ECONNREFUSED), "refuses connections", adcs.RetryAfter},
		{"refused, in the numbers of Windows", dial(syscall.Errno(10061)), "refuses connections", adcs.RetryAfter},
		{"no route", dial(syscall.EHOSTUNREACH), "no way to the CA's host", adcs.RetryAfter},
		{"no answer", dial(syscall.ETIMEDOUT), "does not answer", adcs.RetryAfter},
		{"no answer within the dial's own time", os.ErrDeadlineExceeded, "does not answer", adcs.RetryAfter},
		{"reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, "closed the connection", adcs.RetryAfter},
		{"end of file", io.ErrUnexpectedEOF, "closed the connection", adcs.RetryAfter},
		{"unknown host", dial(&net.DNSError{Name: secret, IsNotFound: true}), "not known to DNS", adcs.RetryOperator},
		{"DNS is down", &net.DNSError{Name: secret, IsTemporary: true}, "could not be looked up", adcs.RetryAfter},
		{"closed", net.ErrClosed, "was closed here", adcs.RetryAfter},
		{"some other error of the network", &net.OpError{Op: "dial", Err: errors.New(secret)}, "connection to the CA's host failed",
			adcs.RetryAfter},
		{"anything else", errors.New(secret), "no advice about", adcs.RetryOperator},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, err := range []error{tc.err, fmt.Errorf("order for %s: %w", secret, tc.err), errors.Join(errors.New(secret), tc.err)} {
				e := adcs.Explain(err)
				checkExplanation(t, e)
				assert.Contains(t, e.Summary, tc.summary)
				assert.Equal(t, tc.retry, e.Retry)
			}
		})
	}
	assert.Zero(t, adcs.Explain(nil))
}
