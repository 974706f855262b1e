package adcs

import "errors"

// explainKerberos explains why Kerberos failed.
func explainKerberos(err error) (Explanation, bool) {
	e, ok := errors.AsType[*kerberosFailure](err)
	if !ok {
		return Explanation{}, false
	}
	if explanation, ok := kerberosExplanations[KerberosError(e.reason)]; ok {
		return explanation, true
	}
	return Explanation{
		Summary: "Kerberos failed: the KDC or the CA's host refused for a reason that is in the error.",
		Remedy:  "Look for the error's code in RFC 4120 section 7.5.9, and into the event logs of the domain controller.",
		Retry:   RetryOperator,
	}, true
}

// kerberosExplanations is never written to.
var kerberosExplanations = map[KerberosError]Explanation{
	ErrClockSkew: {
		Summary: "The clocks of this host and of the domain differ by more than Kerberos allows (five minutes).",
		Remedy:  "Set this host's clock by the domain's time server (NTP), or the other one's if that is wrong; the error has both.",
		Retry:   RetryOperator,
	},
	ErrUnknownPrincipal: {
		Summary: "The domain does not know the user.",
		Remedy:  "Check the user's name and realm (name@REALM), and that the KDC is one of the user's domain.",
		Retry:   RetryOperator,
	},
	ErrWrongPassword: {
		Summary: "The domain refused the password or key of the user.",
		Remedy: "Check the password; for a keytab, make a new one, since the password was changed after it was made. Do not retry " +
			"with the same one: accounts get locked.",
		Retry: RetryOperator,
	},
	ErrAccountUnusable: {
		Summary: "The account may not log on: it is disabled, locked out or expired, its password is, or a policy forbids it.",
		Remedy:  "Look at the account in the directory (Active Directory Users and Computers, tab Account); the error says more.",
		Retry:   RetryOperator,
	},
	ErrUnknownService: {
		Summary: "No account of the domain has the service principal name of the CA's host, or more than one has it.",
		Remedy: "Give the CA's host by its DNS name as in the directory, not by an alias or an address, or give the service " +
			"principal name; setspn -Q host/NAME tells who has it.",
		Retry: RetryOperator,
	},
	ErrTicketExpired: {
		Summary: "The tickets of the credential cache have ended.",
		Remedy:  "Get new ones (kinit), and let something renew them, or use a keytab or a password in the place of the cache.",
		Retry:   RetryOperator,
	},
	ErrNoKDC: {
		Summary: "No KDC of the realm answers.",
		Remedy: "Check that a domain controller can be reached on TCP port 88, and that krb5.conf, or the DNS record " +
			"_kerberos._tcp of the realm, names it; or give the KDC.",
		Retry: RetryAfter,
	},
	ErrNoTicket: {
		Summary: "The credential cache or keytab cannot be read, or has nothing for this user.",
		Remedy:  "Check the path, who may read the file, and what klist (for a keytab klist -k) says is in it.",
		Retry:   RetryOperator,
	},
	ErrUnknownRealm: {
		Summary: "The Kerberos realm of the user is not known, or nothing says where its KDCs are.",
		Remedy: "Write the user as name@REALM, and give a krb5.conf or the KDC, or use a DNS server of the domain, which has the " +
			"record _kerberos._tcp of the realm. Where there is no Kerberos at all, NTLM with a password has to be allowed.",
		Retry: RetryOperator,
	},
	ErrTicketRefused: {
		Summary: "The CA's host does not accept the Kerberos ticket.",
		Remedy: "Check that the service principal name belongs to the account that the CA's host runs as (setspn -Q), that no other " +
			"account has it, and that the host takes Kerberos and lets the user log on from the network.",
		Retry: RetryOperator,
	},
	ErrKRB5Conf: {
		Summary: "The krb5.conf cannot be read, or is none.",
		Remedy:  "Correct the file, as the error says, or give another one; for a user name@REALM whose KDC is given none is needed.",
		Retry:   RetryOperator,
	},
	ErrEncryptionType: {
		Summary: "There is no encryption type of Kerberos that both sides permit and have keys of.",
		Remedy: "Check the types that the account supports (msDS-SupportedEncryptionTypes), those of krb5.conf and of the keytab; an " +
			"NT hash is good for RC4 only, which domains are about to switch off. AES wants the password to be set once more.",
		Retry: RetryOperator,
	},
}
