package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"time"

	"github.com/adcskit/adcskit/wsproto"
	"github.com/adcskit/adcskit/wsproto/connector"
)

func tenantKey(key crypto.Signer) func(context.Context, string) (crypto.Signer, error) {
	return func(context.Context, string) (crypto.Signer, error) { return key, nil }
}

// listenTLS listens on a loopback port with a certificate made for this run.
func listenTLS(ctx context.Context) (net.Listener, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "quickstart gateway"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	return tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12,
	}), cert, nil
}

// localPolicy is what this connector does for a tenant, and no more.
func localPolicy(o *options, ca wsproto.CAAssignment) *connector.Policy {
	keys := []string{"rsa2048", "p256"}
	if o.key != "" {
		keys = append(keys, o.key)
	}
	return &connector.Policy{
		CAs:           []wsproto.CAAssignment{ca},
		Templates:     []string{"Device", "DeviceHeld", "DeviceDenied"},
		Keys:          keys,
		Subjects:      []string{"CN=*"},
		DNS:           []string{".devices.corp.test"},
		OrdersPerHour: o.count + 100,
		Passwords:     true,
	}
}
