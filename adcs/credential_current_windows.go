package adcs

import "github.com/adcskit/adcskit/internal/sspi"

// CurrentAccount is the account that this process runs as, with Windows' own security packages (SSPI) and without a
// password: Local System and Network Service log on as the computer, a service account as itself. On other systems it
// is refused by [New], with an error that matches errors.ErrUnsupported.
//
// It is experimental: no Windows machine has run it yet, only Wine, with NTLM. Kerberos is then configured in Windows:
// Options.KRB5Conf and Options.KDC mean nothing. A logon that Windows takes long for, looking for a domain controller,
// is not cut short by the end of a context.
func CurrentAccount() Credential {
	c := account(sspi.Account())
	c.system = sspi.System
	return c
}
