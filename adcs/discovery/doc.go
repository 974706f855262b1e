// Package discovery reads from the directory of an Active Directory forest what AD CS publishes there: the enterprise
// CAs, the certificate templates and who may enroll for them, and it warns of templates that are dangerous or will not
// do what a connector wants of them.
//
//	c, err := discovery.New("dc.corp.test", adcs.Password(`CORP\svc`, password), &discovery.Options{Roots: roots})
//	...
//	s, err := c.Read(ctx)
//	...
//	for _, ca := range s.CAs { ... }
//	for _, f := range s.Findings() { ... }
//
// Any domain controller of the forest will do: the Configuration partition, where all this is, is the same everywhere.
// Nothing is written, and any account of the forest may read it.
//
// The connection is protected, always: by TLS, or by Kerberos. What the directory says is not trusted: sizes and counts
// are bounded, and a value that cannot be read makes no template safe (see [Template.Problems]).
package discovery
