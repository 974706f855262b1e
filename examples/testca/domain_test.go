//go:build integration

package main_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/epm/epm/v3"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/oiweiwei/go-msrpc/ssp/krb5"
	"github.com/oiweiwei/gokrb5.fork/v9/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	icertpassage "github.com/oiweiwei/go-msrpc/msrpc/icpr/icertpassage/v0"

	"github.com/adcskit/adcskit/internal/adtest"
)

// TestDomain runs testca as a computer of a domain, and clients of several makes get their tickets from its KDC.
func TestDomain(t *testing.T) {
	d := adtest.Start(t)
	computer := d.AddComputer(t, "CA", "host/ca.corp.test")
	u := d.AddUser(t, "domain-user", "Doma1n-user")
	p := start(t, "-listen", "127.0.0.2", "-keytab", d.Keytab(t, computer.Name))
	env := append(d.Environ(t), "PEER_PASSWORD="+u.Password, "KRB5CCNAME="+d.Kinit(t, u))
	t.Run("MIT", func(t *testing.T) {
		csr := newCSR(t)
		a := runWith(t, env, csr, "../../adcs/adcstest/testdata/gssapi_client.py", p.host, p.port, "Corp CA", "ca.corp.test",
			"spnego", "seal")
		require.Empty(t, a.Error)
		checkIssued(t, a.Answers[0], csr)
	})
	t.Run("Samba", func(t *testing.T) {
		csr := newCSR(t)
		a := runWith(t, env, csr, "../../adcs/adcstest/testdata/samba_client.py", p.host, p.port, "Corp CA", "CORP/"+u.Name,
			"krb5", "seal", "kerberos=ca.corp.test")
		require.Empty(t, a.Error)
		checkIssued(t, a.Answers[0], csr)
	})
	t.Run("go-msrpc", func(t *testing.T) { msrpcInDomain(t, d, u, p) })
	out, err := exec.Command(program, "-h").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "-keytab", "which the help tells of")
	_, err = p.in.Write([]byte("list\n"))
	require.NoError(t, err)
	for p.lines.Scan() && !strings.HasPrefix(p.lines.Text(), "total ") {
		assert.Contains(t, p.lines.Text(), "requester="+u.Logon())
	}
}

// msrpcInDomain goes the way of go-msrpc's examples, with a password that only the KDC sees.
func msrpcInDomain(t *testing.T, d *adtest.Domain, u adtest.Account, p *process) {
	conf, err := config.Load(d.KRB5Config())
	require.NoError(t, err)
	mech := krb5.NewConfig()
	mech.KRB5Config = krb5.ParsedLibDefaults(conf)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx = gssapi.NewSecurityContext(ctx,
		gssapi.WithCredential(credential.NewFromPassword(adtest.Realm+`\`+u.Name, u.Password)),
		gssapi.WithMechanismFactory(ssp.KRB5, mech), gssapi.WithMechanismFactory(ssp.SPNEGO))
	conn, err := dcerpc.Dial(ctx, p.host, epm.EndpointMapper(ctx, p.host+":"+p.port, dcerpc.WithInsecure()))
	require.NoError(t, err)
	defer conn.Close(ctx)
	client, err := icertpassage.NewCertPassageClient(ctx, conn, dcerpc.WithSeal(), dcerpc.WithTargetName("host/ca.corp.test"))
	require.NoError(t, err)
	submitMSRPC(t, ctx, client)
}
