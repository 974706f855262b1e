package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/internal/cli"
)

// errUsage is a command that is not written as it should be.
var errUsage = errors.New("usage")

// reasonReleased releases a certificate from hold (MS-CSRA section 3.1.4.1.8).
const reasonReleased = 0xffffffff

// decide makes a command of a decision on a request.
func (c *console) decide(decision func(uint32) error) func([]string) (string, error) {
	return func(args []string) (string, error) {
		if len(args) != 1 {
			return "", errUsage
		}
		id, err := strconv.ParseUint(args[0], 10, 32)
		if err != nil {
			return "", errUsage
		}
		return args[0], decision(uint32(id))
	}
}

// revoke is revoke ID [REASON].
func (c *console) revoke(args []string) (string, error) {
	reason := uint64(0)
	if len(args) == 2 {
		var err error
		if reason, err = strconv.ParseUint(args[1], 10, 32); err != nil {
			return "", errUsage
		}
		args = args[:1]
	}
	return c.decide(func(id uint32) error { return c.revokeRequest(id, uint32(reason)) })(args)
}

// release is release ID.
func (c *console) release(args []string) (string, error) {
	return c.decide(func(id uint32) error { return c.revokeRequest(id, reasonReleased) })(args)
}

func (c *console) revokeRequest(id, reason uint32) error {
	for _, r := range c.ca.Requests() {
		if r.ID == id && r.Serial != "" {
			return c.ca.Revoke(r.Serial, reason, time.Now())
		}
	}
	return fmt.Errorf("request %d has no certificate", id)
}

// publish is publish [FILE].
func (c *console) publish(args []string) (string, error) {
	if len(args) > 1 {
		return "", errUsage
	}
	if err := c.ca.PublishCRLs(); err != nil || len(args) == 0 {
		return "", err
	}
	return args[0], writeCRLs(c.ca, args[0])
}

// writeCRLs writes the CRLs of every key of the CA, and of the CAs above it.
func writeCRLs(ca *adcstest.Server, file string) error {
	lists, err := ca.CRLs()
	if err != nil {
		return err
	}
	var b []byte
	for _, l := range lists {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: l.Raw})...)
	}
	return os.WriteFile(file, b, 0o644)
}

// renew is renew [new-key]. A CA that is its own root has another root then.
func (c *console) renew(args []string) (string, error) {
	newKey := len(args) == 1 && args[0] == "new-key"
	if len(args) > 0 && !newKey {
		return "", errUsage
	}
	if err := c.ca.RenewCA(newKey); err != nil {
		return "", err
	}
	return strings.Join(args, ""), writeRoots(c.ca, c.caFile)
}

// writeRoots writes what clients have to trust, in PEM.
func writeRoots(ca *adcstest.Server, file string) error {
	chain := ca.Chain()
	roots := chain[len(chain)-1:]
	if len(chain) == 1 {
		roots = ca.CACertificates()
	}
	return os.WriteFile(file, cli.EncodeCertificates(roots...), 0o644)
}
