package adcstest_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	icertpassage "github.com/oiweiwei/go-msrpc/msrpc/icpr/icertpassage/v0"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/oiweiwei/go-msrpc/ssp/krb5"
	"github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/oiweiwei/gokrb5.fork/v9/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adcskit/adcskit/adcs/adcstest"
)

// msrpcKerberos is go-msrpc as a client with a ticket of the server.
func msrpcKerberos(t testing.TB, s *adcstest.Server, ticket []byte, spnego, dceStyle bool, bind ...dcerpc.Option) (
	icertpassage.CertPassageClient, error) {
	t.Helper()
	cache := new(credentials.CCache)
	require.NoError(t, cache.Unmarshal(ticket))
	conf, err := config.NewFromString(s.KRB5Config())
	require.NoError(t, err)
	mech := krb5.NewConfig()
	mech.KRB5Config, mech.DCEStyle = krb5.ParsedLibDefaults(conf), dceStyle
	mech.SName = "host/" + s.Host()
	if !dceStyle {
		mech.Flags = append(mech.Flags, int(gssapi.MutualAuthn))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	security := []gssapi.ContextOption{
		gssapi.WithCredential(credential.NewFromCCache("", cache)), gssapi.WithMechanismFactory(ssp.KRB5, mech),
	}
	if spnego {
		security = append(security, gssapi.WithMechanismFactory(ssp.SPNEGO))
	}
	ctx = gssapi.NewSecurityContext(ctx, security...)
	_, port, err := net.SplitHostPort(s.Addr())
	require.NoError(t, err)
	conn, err := dcerpc.Dial(ctx, "127.0.0.1", dcerpc.WithEndpoint("ncacn_ip_tcp:["+port+"]"),
		dcerpc.WithTimeout(20*time.Second))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return icertpassage.NewCertPassageClient(ctx, conn, append(bind, dcerpc.WithTargetName("host/"+s.Host()))...)
}

// TestGoMSRPCKerberos has go-msrpc log on with tickets of the server.
func TestGoMSRPCKerberos(t *testing.T) {
	levels := map[string]dcerpc.Option{
		"connect": dcerpc.WithConnect(), "sign": dcerpc.WithSign(), "seal": dcerpc.WithSeal(),
	}
	syntaxes := map[string]dcerpc.Option{"ndr": dcerpc.WithNDR20(), "ndr64": dcerpc.WithNDR64()}
	signing := map[string][]dcerpc.Option{"header": nil, "noheader": {dcerpc.NoHeaderSign()}}
	s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
	for etype, encryption := range encryptions() {
		for _, spnego := range []bool{false, true} {
			for levelName, level := range levels {
				for syntaxName, syntax := range syntaxes {
					for signName, sign := range signing {
						name := fmt.Sprintf("%s/spnego=%v/%s/%s/%s", etype, spnego, levelName, syntaxName, signName)
						t.Run(name, func(t *testing.T) {
							ticket, err := s.Ticket(adcstest.TicketRequest{Encryption: encryption})
							require.NoError(t, err)
							opts := append([]dcerpc.Option{level, syntax, dcerpc.WithVerifyHeader2(true),
								dcerpc.WithVerifyPresentation(true)}, sign...)
							cli, err := msrpcKerberos(t, s, ticket, spnego, true, opts...)
							require.NoError(t, err)
							for _, size := range []int{0, 15, 16, 5000, 100 << 10} {
								callPadded(t, s, cli, size)
							}
							rows := s.Requests()
							assert.Equal(t, s.User().Account(), rows[len(rows)-1].Requester)
						})
					}
				}
			}
		}
	}
}

// encryptions are the encryption types by name.
func encryptions() map[string]adcstest.Encryption {
	return map[string]adcstest.Encryption{"aes256": adcstest.AES256, "aes128": adcstest.AES128, "rc4": adcstest.RC4}
}

// TestGoMSRPCTwoLegs has go-msrpc log on without DCE style.
func TestGoMSRPCTwoLegs(t *testing.T) {
	s := newServer(t, &adcstest.Options{MinAuthLevel: adcstest.LevelConnect})
	levels := map[string]dcerpc.Option{
		"connect": dcerpc.WithConnect(), "sign": dcerpc.WithSign(), "seal": dcerpc.WithSeal(),
	}
	for etype, encryption := range encryptions() {
		for _, spnego := range []bool{false, true} {
			for levelName, level := range levels {
				t.Run(fmt.Sprintf("%s/spnego=%v/%s", etype, spnego, levelName), func(t *testing.T) {
					ticket := ticketFor(t, s, adcstest.TicketRequest{Encryption: encryption})
					cli, err := msrpcKerberos(t, s, ticket, spnego, false, level)
					require.NoError(t, err)
					callPadded(t, s, cli, 5000)
				})
			}
		}
	}
}
