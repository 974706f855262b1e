package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/adcskit/adcskit/adcs/adcstest"
	"github.com/adcskit/adcskit/examples/issuer"
	"github.com/adcskit/adcskit/wsproto/gateway"
)

const tenant = "quickstart"

// lab is the three parts that a company has in three places.
type lab struct {
	ca      *adcstest.Server
	gateway *gateway.Gateway
	http    *http.Server
	issuer  *issuer.Issuer
	folder  string // of the connector's identity

	stopConnector, stopGateway context.CancelFunc
	connecting, serving        sync.WaitGroup

	mu   sync.Mutex
	errs []error
	held map[string]map[string]int64 // by job: the milliseconds until the CA held it
}

// fail keeps an error of something that runs in the background.
func (l *lab) fail(err error) {
	if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *lab) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.errs...)
}

// close stops everything, the connector first, and removes its identity. It may be called again.
func (l *lab) close() {
	l.stopConnector()
	l.connecting.Wait()
	l.stopGateway()
	if l.gateway != nil {
		l.fail(l.gateway.Close())
	}
	if l.http != nil {
		l.fail(l.http.Close())
	}
	l.serving.Wait()
	if l.issuer != nil {
		l.fail(l.issuer.Close())
	}
	if l.ca != nil {
		l.ca.Close()
	}
	if l.folder != "" {
		l.fail(os.RemoveAll(l.folder))
	}
}
