package discovery

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/rpc"
)

// TestExplain tells each error from the others, and never speaks of a CA.
func TestExplain(t *testing.T) {
	assert.Zero(t, Explain(nil))
	refusal := func(code uint16) error {
		return fmt.Errorf("x: %w", &ldap.Error{ResultCode: code, Err: errors.New("y")})
	}
	summaries := map[string]string{}
	for name, err := range map[string]error{
		"no such host":    &connectError{&net.DNSError{IsNotFound: true}},
		"no host":         fmt.Errorf("%w: x", adcs.ErrInvalidRequest),
		"no connection":   &connectError{&net.OpError{Err: errors.New("refused")}},
		"logon":           refused(ldap.LDAPResultInvalidCredentials, errors.New("data 52e")),
		"service":         fmt.Errorf("x: %w", adcs.ErrUnknownService),
		"host name":       x509.HostnameError{},
		"authority":       x509.UnknownAuthorityError{},
		"account":         fmt.Errorf("x: %w", ErrUnknownAccount),
		"groups":          errNoGroups,
		"integrity":       fmt.Errorf("x: %w", rpc.ErrIntegrity),
		"malformed":       fmt.Errorf("x: %w", ErrMalformed),
		"deadline":        fmt.Errorf("x: %w", context.DeadlineExceeded),
		"more protection": refusal(ldap.LDAPResultStrongAuthRequired),
		"rights":          refusal(ldap.LDAPResultInsufficientAccessRights),
		"other":           refusal(ldap.LDAPResultBusy),
	} {
		e := Explain(err)
		assert.NotEmpty(t, e.Remedy, name)
		assert.NotContains(t, e.Summary, "CA", name)
		assert.NotContains(t, summaries, e.Summary, name)
		summaries[e.Summary] = name
	}
	assert.Equal(t, adcs.Explain(adcs.ErrWrongPassword), Explain(fmt.Errorf("x: %w", adcs.ErrWrongPassword)))
	assert.Equal(t, adcs.Explain(adcs.ErrNoKDC), Explain(fmt.Errorf("x: %w", adcs.ErrNoKDC)))
}
