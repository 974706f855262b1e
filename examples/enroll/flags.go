package main

import (
	"errors"
	"flag"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/adcskit/adcskit/keygen"
)

type flags struct {
	host, epm, ca, template string
	user, passwordFile      string
	keytab, ccache          string
	krb5Conf, kdc, spn      string
	auth, transport         string
	allowNTLM               bool
	request                 keygen.Request
	fromDirectory           bool
	rootsFile               string
	keyFile                 string
	retrieve                uint
	wait, poll, timeout     time.Duration
	json                    bool
	preflight, discover     bool
	directory               string
	directoryRoots          string
	currentAccount          bool
	signedFlags
	fileFlags

	algorithm keygen.Algorithm
	set       map[string]bool // the flags that were given
	asked     bool            // subject or names were
	again     string          // those that a later call for the same request has to repeat
}

// usageError is a mistake of whoever called the program.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func parseFlags(args []string, out io.Writer) (flags, error) {
	var f flags
	s := flag.NewFlagSet("enroll", flag.ContinueOnError)
	s.SetOutput(io.Discard) // a mistake is reported by itself, without the help that is longer than a screen
	s.Usage = func() {}
	f.caFlags(s)
	f.accountFlags(s)
	f.requestFlags(s)
	f.signedFlags.add(s)
	s.BoolVar(&f.fromDirectory, "from-directory", false,
		"the template takes subject and names from the directory; implied if neither is given")
	s.StringVar(&f.rootsFile, "roots", "", "`file` with the roots that the certificate must chain to, in PEM or one in DER")
	f.fileFlags.add(s)
	s.UintVar(&f.retrieve, "retrieve", 0, "`id` of a held request to retrieve, with -key-file, instead of a new one")
	s.StringVar(&f.keyFile, "key-file", "", "`file` for the key while there is no certificate; -out with .key if empty")
	s.DurationVar(&f.wait, "wait", 0, "how long to wait for a manager's decision")
	s.DurationVar(&f.poll, "poll", 5*time.Second, "time before the CA is asked again; it grows with each time")
	s.DurationVar(&f.timeout, "timeout", 2*time.Minute, "how long one call may take, the CA's thinking included")
	s.BoolVar(&f.preflight, "check", false, "check everything up to the request, print a table, and submit nothing")
	f.directoryFlags(s)
	s.BoolVar(&f.json, "json", false, "print one JSON object for programs")
	err := s.Parse(args)
	f.json = f.json || err != nil && (slices.Contains(args, "-json") || slices.Contains(args, "--json"))
	f.set, f.again = map[string]bool{}, again(s)
	s.Visit(func(given *flag.Flag) { f.set[given.Name] = true })
	if errors.Is(err, flag.ErrHelp) {
		s.SetOutput(out)
		usage(s)
	}
	if err != nil {
		return f, err
	}
	if err := f.fileFlags.parse(f.set); err != nil {
		return f, err
	}
	return f, f.check(s.Args())
}

// caFlags are those that say where the CA is, and who asks it.
func (f *flags) caFlags(s *flag.FlagSet) {
	s.StringVar(&f.host, "host", "", "DNS `name` of the CA's host")
	s.StringVar(&f.epm, "epm", "", "`host:port` of the endpoint mapper, where the CA is reached too; port 135 of -host if empty")
	s.StringVar(&f.ca, "ca", "", "common `name` of the CA")
	s.StringVar(&f.template, "template", "", "`name` of the certificate template (not its display name); '' if the CA has none")
	s.StringVar(&f.auth, "auth", "negotiate", "`mechanism`: negotiate (SPNEGO: Kerberos, and NTLM only with -allow-ntlm), kerberos or ntlm")
	s.BoolVar(&f.allowNTLM, "allow-ntlm", false, "let negotiate use NTLM where Kerberos is impossible; it does not prove who the CA is")
	s.StringVar(&f.transport, "transport", "auto", "`way` to the CA: auto (the first that works), tcp, np (named pipe) or dcom")
}

// directoryFlags are those that say where the directory is, and what is wanted of it.
func (f *flags) directoryFlags(s *flag.FlagSet) {
	s.BoolVar(&f.discover, "discover", false,
		"list CAs and templates of the directory, and what is dangerous about them; -host and -ca are not needed")
	s.StringVar(&f.directory, "directory", "",
		"with -check and -discover: DNS `name` of a domain controller; ldaps:// in front of it uses TLS and a password")
	s.StringVar(&f.directoryRoots, "directory-roots", "",
		"`file` with the roots of the domain controller's certificate; the system's if empty")
}

// requestFlags are those that say what the certificate is for.
func (f *flags) requestFlags(s *flag.FlagSet) {
	f.algorithm = keygen.ECDSAP256
	s.Func("key", "`kind` of key: rsa2048, rsa3072, rsa4096, p256 (default), p384 or p521", func(name string) (err error) {
		f.algorithm, err = keygen.ParseAlgorithm(name)
		return err
	})
	r := &f.request
	s.StringVar(&r.TemplateName, "csr-template", "",
		"`name` of a template to put into the certification request itself; -template may then be left out")
	s.StringVar(&r.Subject, "subject", "", "subject as an RFC 4514 `name`, say CN=device,O=Corp")
	list := func(into *[]string, name, usage string) {
		s.Func(name, usage, func(v string) error {
			*into = append(*into, v)
			return nil
		})
	}
	list(&r.DNSNames, "dns", "DNS `name`; may be given several times")
	list(&r.EmailAddresses, "email", "e-mail `address`; may be given several times")
	list(&r.URIs, "uri", "`URI`; may be given several times")
	list(&r.UPNs, "upn", "user principal `name`; may be given several times")
	s.Func("ip", "IP `address`; may be given several times", func(v string) error {
		ip, err := netip.ParseAddr(v)
		r.IPAddresses = append(r.IPAddresses, ip)
		return err
	})
	s.StringVar(&r.SID, "sid", "", "`SID` of the account that the certificate is for (strong mapping)")
	s.StringVar((*string)(&r.SIDForm), "sid-form", "", "`form`: where the SID goes: extension (default), uri or both")
}
