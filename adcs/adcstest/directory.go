package adcstest

// Entry is an account in the server's directory: what a real CA reads from Active Directory when it builds the subject
// of a certificate, and when it asks whether an account may enroll. Fields that are "" are attributes without a value.
type Entry struct {
	// Account is DOMAIN\name (a computer's name ends in $). Required; compared without regard to case.
	Account string
	// CommonName is the cn attribute; the last component of the distinguished name if DN is "".
	CommonName string
	// DN is the distinguished name as an RFC 4514 string, say "CN=Alice,OU=People,DC=corp,DC=test".
	DN string
	// DNSName is the dNSHostName attribute of a computer.
	DNSName string
	// UPN is the userPrincipalName attribute.
	UPN string
	// Email is the mail attribute.
	Email string
	// SID is the objectSid attribute, S-1-5-21-…
	SID string
	// Groups are the groups of the account, by the names that templates use in Enroll.
	Groups []string
}
