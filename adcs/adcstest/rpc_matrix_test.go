package adcstest_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wcce"
	icertpassage "github.com/oiweiwei/go-msrpc/msrpc/icpr/icertpassage/v0"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// newServer starts a server that ends with the test.
func newServer(t testing.TB, opts *adcstest.Options) *adcstest.Server {
	t.Helper()
	s, err := adcstest.NewServer(opts)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// newCSR makes a certification request that the default template of the tests takes.
func newCSR(t testing.TB, cn string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: cn},
	}, key)
	require.NoError(t, err)
	return der
}

// msrpcClient is go-msrpc as a client: an implementation that is not ours.
func msrpcClient(t testing.TB, s *adcstest.Server, mechs []gssapi.MechanismFactory, password string,
	dial []dcerpc.Option, bind ...dcerpc.Option) (icertpassage.CertPassageClient, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	u := s.User()
	security := []gssapi.ContextOption{gssapi.WithCredential(credential.NewFromPassword(u.Account(), password))}
	for _, m := range mechs {
		security = append(security, gssapi.WithMechanismFactory(m))
	}
	ctx = gssapi.NewSecurityContext(ctx, security...)
	_, port, err := net.SplitHostPort(s.Addr())
	require.NoError(t, err)
	dial = append([]dcerpc.Option{dcerpc.WithEndpoint("ncacn_ip_tcp:[" + port + "]"),
		dcerpc.WithTimeout(20 * time.Second)}, dial...)
	conn, err := dcerpc.Dial(ctx, "127.0.0.1", dial...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return icertpassage.NewCertPassageClient(ctx, conn, bind...)
}

func utf16z(s string) []byte {
	var b []byte
	for _, c := range s + "\x00" {
		b = append(b, byte(c), byte(c>>8))
	}
	return b
}

func TestGoMSRPCMatrix(t *testing.T) {
	mechs := map[string][]gssapi.MechanismFactory{"ntlm": {ssp.NTLM}, "spnego": {ssp.SPNEGO, ssp.NTLM}}
	levels := map[string]dcerpc.Option{
		"connect": dcerpc.WithConnect(), "sign": dcerpc.WithSign(), "seal": dcerpc.WithSeal(),
	}
	syntaxes := map[string]dcerpc.Option{"ndr": dcerpc.WithNDR20(), "ndr64": dcerpc.WithNDR64()}
	signing := map[string][]dcerpc.Option{"header": nil, "noheader": {dcerpc.NoHeaderSign()}}
	s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
	for mechName, mech := range mechs {
		for levelName, level := range levels {
			for syntaxName, syntax := range syntaxes {
				for signName, sign := range signing {
					name := fmt.Sprintf("%s/%s/%s/%s", mechName, levelName, syntaxName, signName)
					t.Run(name, func(t *testing.T) {
						opts := append([]dcerpc.Option{level, syntax, dcerpc.WithVerifyHeader2(true),
							dcerpc.WithVerifyPresentation(true)}, sign...)
						cli, err := msrpcClient(t, s, mech, s.User().Password, nil, opts...)
						require.NoError(t, err)
						for _, size := range []int{0, 1, 15, 16, 4095, 4096, 5000, 200 << 10} {
							callPadded(t, s, cli, size)
						}
					})
				}
			}
		}
	}
}

// callPadded sends a request with a blob of this size, which the CA refuses to parse, and then an honest one.
func callPadded(t *testing.T, s *adcstest.Server, cli icertpassage.CertPassageClient, size int) {
	t.Helper()
	for _, der := range [][]byte{bytes.Repeat([]byte{0x30}, size), newCSR(t, "matrix")} {
		resp, err := cli.CertServerRequest(context.Background(), &icertpassage.CertServerRequestRequest{
			Flags: 0x100, Authority: s.Name(),
			Attributes: &wcce.CertTransportBlob{Buffer: utf16z("CertificateTemplate:User")},
			Request:    &wcce.CertTransportBlob{Buffer: der},
		})
		if !assert.NotNil(t, resp, "%v", err) {
			t.FailNow()
		}
	}
}
