package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/adcskit/adcskit/examples/internal/cli"
	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

// trust fills in whom the connector trusts: the pin of an earlier registration, else what the configuration says.
func (c *config) trust(to *connector.Config, registered *connector.Registration) error {
	pin := c.Gateway.TenantKey
	if registered != nil {
		if pin != "" && !strings.EqualFold(pin, registered.TenantKey) {
			return errors.New("gateway.tenantKey is not the key that this connector is registered under")
		}
		pin = registered.TenantKey
	}
	var err error
	if pin != "" {
		if to.TenantKey, err = wsproto.ParseFingerprint(pin); err != nil {
			return fmt.Errorf("gateway.tenantKey: %w", err)
		}
	}
	if c.Gateway.EnrollmentCodeFile == "" || registered != nil && registered.Connector != "" {
		return nil
	}
	text, err := cli.Password(c.Gateway.EnrollmentCodeFile, "")
	if errors.Is(err, os.ErrNotExist) && pin != "" {
		return nil // the registration is approved by a person instead
	}
	if err != nil {
		return fmt.Errorf("gateway.enrollmentCodeFile: the code: %w", err)
	}
	if to.Enrollment, err = wsproto.ParseEnrollmentCode(text); err != nil {
		return fmt.Errorf("gateway.enrollmentCodeFile: %s: %w", c.Gateway.EnrollmentCodeFile, err)
	}
	return nil
}
