package discovery_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/adcs/discovery"
)

// Which CAs there are, what they issue for, and what somebody should look at. It logs on by Kerberos, which also
// protects the connection; for LDAP over TLS and a password set Protection and Roots.
func Example() {
	cred := adcs.Keytab("connector@CORP.TEST", "/etc/connector.keytab")
	c, err := discovery.New("dc.corp.test", cred, &discovery.Options{KRB5Conf: "/etc/krb5.conf"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := c.Read(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err, discovery.Explain(err).Remedy)
		return
	}
	for _, ca := range s.CAs {
		fmt.Println(ca.DisplayName, ca.Host, ca.Templates)
	}
	if t := s.Template("Device"); t != nil {
		fmt.Println(t.MinKeySize, t.Validity, s.MayEnroll(t))
	}
	for _, f := range s.Findings() {
		fmt.Println(f.Severity, f.Template, f.Text, f.Remedy)
	}
}
