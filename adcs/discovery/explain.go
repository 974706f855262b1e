package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"

	"github.com/go-ldap/ldap/v3"

	"github.com/adcskit/adcskit/adcs"
	"github.com/adcskit/adcskit/internal/rpc"
)

// connectError is a connection to the directory server that could not be made.
type connectError struct{ err error }

func (e *connectError) Error() string { return "discovery: connecting: " + e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// Explain says what an error of this package means for the person who runs it, and what can be done, as [adcs.Explain]
// does for the errors of a CA. For nil it returns the zero Explanation.
func Explain(err error) adcs.Explanation {
	var connect *connectError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return adcs.Explain(err)
	case errors.Is(err, adcs.ErrInvalidRequest):
		return adcs.Explanation{Summary: "The server, the account or an option of the client is not one that there can be.",
			Remedy: "Correct what the error names.", Retry: adcs.RetryNever}
	case errors.As(err, &connect):
		return explainConnect(connect)
	case errors.Is(err, adcs.ErrUnknownService), errors.Is(err, adcs.ErrTicketRefused):
		return operator("The domain has no ticket for the directory server, or the server does not accept it.",
			"Give the DNS name of a domain controller, not an alias, an address or the name of the domain; setspn -Q ldap/NAME "+
				"tells who has the service principal name.")
	case errors.Is(err, adcs.ErrWrongPassword), errors.Is(err, adcs.ErrAccountUnusable), errors.Is(err, adcs.ErrNoKDC),
		errors.Is(err, adcs.ErrUnknownRealm):
		return adcs.Explain(err) // the KDC says so, or is missing, before the directory server is asked
	case errors.Is(err, adcs.ErrLogon):
		return operator("The directory server refused user or password.",
			"Check user and password, and whether the account is locked, disabled or expired. The user is DOMAIN\\name or "+
				"name@domain here. Do not retry with the same password: accounts get locked.")
	}
	if e, ok := explainTLS(err); ok {
		return e
	}
	return explainDirectory(err)
}

func operator(summary, remedy string) adcs.Explanation {
	return adcs.Explanation{Summary: summary, Remedy: remedy, Retry: adcs.RetryOperator}
}

func explainConnect(err error) adcs.Explanation {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return operator("The name of the directory server is not known to DNS.",
			"Give the DNS name of a domain controller; the record _ldap._tcp.dc._msdcs of the domain lists them.")
	}
	e := operator("The directory server cannot be reached.",
		"Check that it is up, and that a firewall lets port 389 through, or 636 for LDAP over TLS.")
	e.Retry = adcs.RetryAfter
	return e
}

// explainTLS explains what is wrong with the server's certificate, or with TLS.
func explainTLS(err error) (adcs.Explanation, bool) {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return operator("The directory server's certificate is for another name.",
			"Give the server by a name that is in its certificate: the DNS name of the domain controller."), true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return operator("The directory server's certificate is not below a root that is trusted here.",
			"Give the roots of the domain controllers' certificates, or use a sealed connection, which needs none."), true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return operator("The directory server's certificate is not valid.",
			"Renew the domain controller's certificate, or use a sealed connection, which needs none."), true
	}
	return adcs.Explanation{}, false
}

// explainDirectory explains what the server said, or failed to say.
func explainDirectory(err error) adcs.Explanation {
	var e *ldap.Error
	asLDAP(err, &e)
	switch {
	case errors.Is(err, ErrUnknownAccount):
		return operator("The account whose rights were asked for is not in the domain of the directory server.",
			"Give its logon name, and a domain controller of its domain.")
	case errors.Is(err, errNoGroups):
		return operator("The directory server does not tell which groups the account is in, so that its rights are not known.",
			"Log on as the account itself; or let the one that logs on read the attribute tokenGroups of others, as the group "+
				"Windows Authorization Access Group may.")
	case errors.Is(err, rpc.ErrIntegrity):
		return operator("What came from the directory server was changed on the way.",
			"Find out what is between here and the server, and try again.")
	case errors.Is(err, ErrMalformed), errors.Is(err, ErrTooLarge):
		return operator("What answers is no directory server of Active Directory, or it does not answer as one does.",
			"Check server and port: 389, or 636 for LDAP over TLS.")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return adcs.Explanation{Summary: "The directory server does not answer in time.",
			Remedy: "Try again, with another domain controller or with more time.", Retry: adcs.RetryAfter}
	case e == nil:
		return adcs.Explain(err)
	case e.ResultCode == ldap.LDAPResultStrongAuthRequired || e.ResultCode == ldap.LDAPResultConfidentialityRequired:
		return operator("The directory server wants more protection than the connection has.",
			"Use LDAP over TLS with a password, or a sealed connection.")
	case e.ResultCode == ldap.LDAPResultInsufficientAccessRights:
		return operator("The account may not read this.", "Let it read the container Public Key Services.")
	}
	return operator("The directory server refused.", "Look at the error itself, which has the server's reason.")
}
