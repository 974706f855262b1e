package adcs

import (
	"github.com/adcskit/adcskit/internal/rpc/assoc"
	"github.com/adcskit/adcskit/internal/sspi"
)

// currentInitiator is a new logon of the account that this process runs as. SMB takes SPNEGO only, and not in DCE
// style.
func (c *Client) currentInitiator(spn string, forRPC bool) assoc.Initiator {
	cfg := sspi.Config{Package: sspi.Negotiate, Target: spn, AllowNTLM: c.opts.AllowNTLM, DCEStyle: forRPC}
	switch {
	case c.opts.Auth == AuthNTLM && forRPC:
		cfg.Package, cfg.AllowNTLM = sspi.NTLM, true
	case c.opts.Auth == AuthNTLM:
		cfg.AllowNTLM = true
	case c.opts.Auth == AuthKerberos && forRPC:
		cfg.Package, cfg.AllowNTLM = sspi.Kerberos, false
	case c.opts.Auth == AuthKerberos:
		cfg.AllowNTLM = false
	}
	return sspi.NewInitiator(c.cred.system(), cfg)
}
