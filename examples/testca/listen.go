package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// start starts the CA. Where port 135 is for root and nobody insists on it, a free one has to do.
func start(opts *adcstest.Options, f flags) (*adcstest.Server, error) {
	ca, err := adcstest.NewServer(opts)
	if errors.Is(err, os.ErrPermission) && !f.epmPortGiven {
		opts.Wire.EndpointMapperPort = 0
		if ca, err = adcstest.NewServer(opts); err == nil {
			fmt.Fprintf(os.Stderr, "testca: port %d is for root: tell clients the endpoint mapper's address (enroll -epm %s)\n",
				f.epmPort, ca.EndpointMapper())
		}
	}
	if err != nil {
		return nil, explainListen(err, f)
	}
	return ca, nil
}

// explainListen says what to do where the port cannot be had.
func explainListen(err error, f flags) error {
	const alternatives = "use -epm-port with another port (and tell clients: enroll -epm HOST:PORT)"
	switch {
	case errors.Is(err, os.ErrPermission) && f.epmPort < 1024:
		return fmt.Errorf("%w: ports below 1024 are for root: %s, or let programs have them: "+
			"sysctl net.ipv4.ip_unprivileged_port_start=%d", err, alternatives, f.epmPort)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: something else listens there: %s", err, alternatives)
	}
	return err
}
