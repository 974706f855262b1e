package adcs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/adcskit/adcskit/internal/dcom"
)

// CheckError is the error of a step of [Client.Check] that found something wrong which no call has failed of yet. Err,
// if not nil, is what the CA would say.
type CheckError struct {
	Step   CheckName
	Detail string
	Err    error
}

// Error names the step and what is wrong.
func (e *CheckError) Error() string { return fmt.Sprintf("adcs: check of %s: %s", e.Step, e.Detail) }

// Unwrap returns Err.
func (e *CheckError) Unwrap() error { return e.Err }

// aboutSteps are those about the CA, in their order.
func aboutSteps() []CheckName {
	return []CheckName{CheckCAName, CheckTemplate, CheckEnroll, CheckChain}
}

// about makes the steps about the CA. What the directory knows is told even where the CA cannot be reached.
func (k *checker) about(ctx context.Context, unreached error) {
	facts := k.gather(ctx, unreached)
	for _, name := range aboutSteps() {
		step := CheckStep{Name: name, Status: CheckPassed}
		switch name {
		case CheckCAName:
			k.checkName(&step, facts, unreached)
		case CheckTemplate:
			k.checkTemplate(&step, facts)
		case CheckEnroll:
			k.checkEnroll(&step, facts)
		case CheckChain:
			k.checkChain(&step, facts)
		}
		k.report.Steps = append(k.report.Steps, step)
	}
}

// caFacts are what CA and directory tell about the CA. What is nil is not known.
type caFacts struct {
	names        []string
	templates    []string
	certificates []*x509.Certificate
	standalone   bool // the CA says that it has no templates
	directory    *DirectoryFacts
	undirected   string // why the directory does not tell
	missing      string // why neither it nor the CA does
}

// gather asks the CA, where it can be reached, and the directory.
func (k *checker) gather(ctx context.Context, unreached error) *caFacts {
	f := &caFacts{}
	var why []string
	if unreached != nil {
		why = append(why, "the CA was not reached")
	} else if err := k.askCA(ctx, f); err != nil {
		why = append(why, "the CA does not describe itself over DCOM: "+clean(err.Error()))
	}
	switch {
	case k.opts.Directory == nil:
		f.undirected = "no directory was given"
	case errors.Is(unreached, ErrLogon):
		f.undirected = "the directory was not asked, since the logon failed"
	default:
		if err := k.lookUpDirectory(ctx, f); err != nil {
			f.undirected = "the directory does not answer: " + clean(err.Error())
		}
	}
	if f.undirected != "" {
		why = append(why, f.undirected)
	}
	f.missing = strings.Join(why, "; ")
	return f
}

// askCA lets the CA describe itself, which it does over DCOM only: under its own name, whatever it was addressed by.
func (k *checker) askCA(ctx context.Context, f *caFacts) error {
	ctx, cancel := context.WithTimeoutCause(ctx, maxStep, errNoAnswer)
	defer cancel()
	return k.inspect(ctx, func(ctx context.Context, q *caQuery) error {
		value, err := q.getCACert(ctx, dcom.CACertName, "")
		if err == nil {
			q.ca, err = nameValue(value)
		}
		if err != nil {
			return refusedQuery(err)
		}
		f.names = []string{q.ca}
		d, err := q.describe(ctx)
		if err == nil {
			f.take(d)
		}
		return err
	})
}

// take takes what a CA says about itself.
func (f *caFacts) take(d *Description) {
	f.standalone = d.Type == StandaloneRoot || d.Type == StandaloneSubordinate
	for _, t := range d.Templates {
		f.templates = append(f.templates, t.Name)
	}
	if c := d.Current(); c != nil {
		f.certificates = append([]*x509.Certificate{c.Certificate}, c.Chain...)
	}
}

// lookUpDirectory asks the directory. What the CA has said itself counts more.
func (k *checker) lookUpDirectory(ctx context.Context, f *caFacts) error {
	ctx, cancel := context.WithTimeout(ctx, k.Client.opts.Timeout)
	defer cancel()
	d, err := k.opts.Directory.LookUp(ctx, DirectoryQuery{Host: k.host, CA: k.ca, Template: k.opts.Template})
	if err != nil {
		return err
	}
	f.directory = d
	if f.names == nil {
		f.names = d.CAs
	}
	if f.templates == nil {
		f.templates = d.Templates
	}
	if f.certificates == nil {
		f.certificates = d.Certificates
	}
	return nil
}

func (k *checker) checkName(s *CheckStep, f *caFacts, unreached error) {
	known := len(f.names) > 0
	right := slices.ContainsFunc(f.names, func(n string) bool { return strings.EqualFold(n, k.ca) })
	switch {
	case k.named == nil && unreached == nil:
		s.Detail = fmt.Sprintf("the CA answers to %q", clean(k.ca))
	case k.named == nil && !known:
		s.skip("the CA was not reached")
	case k.named == nil && right:
		s.Detail = fmt.Sprintf("the directory knows %q on this host", clean(k.ca))
	default:
		wrong := fmt.Sprintf("he CA on this host is not called %q", clean(k.ca))
		s.fail(&CheckError{s.Name, "t" + wrong, k.named})
		s.Summary = "T" + wrong + "."
		s.Remedy = "Give its common name, without the host: certutil -config - -ping on the host tells it."
		if known && !right {
			s.Remedy = "Use the right name: " + quoted(f.names) + "."
		}
	}
}

func (k *checker) checkTemplate(s *CheckStep, f *caFacts) {
	name := k.opts.Template
	published := slices.ContainsFunc(f.templates, func(t string) bool { return strings.EqualFold(t, name) })
	switch {
	case name == "":
		s.skip("no template was named")
	case f.standalone:
		s.skip("a standalone CA has no templates")
	case f.templates == nil && f.directory == nil:
		s.skip(f.missing)
	case published:
		s.Detail = fmt.Sprintf("the CA issues for %q", clean(name))
	case f.directory != nil && !f.directory.TemplateExists:
		s.fail(&CheckError{s.Name, fmt.Sprintf("there is no template %q", clean(name)), ErrUnsupportedCertType})
		s.Summary = fmt.Sprintf("There is no template %q in the directory.", clean(name))
		s.Remedy = "Give the template's name, not its display name (certtmpl.msc shows both)." + issuesFor(f.templates)
	default:
		s.fail(&CheckError{
			s.Name, fmt.Sprintf("the CA does not issue for template %q", clean(name)), ErrUnsupportedCertType,
		})
		s.Summary = fmt.Sprintf("The CA does not issue for the template %q.", clean(name))
		s.Remedy = "Publish it (certsrv.msc, Certificate Templates, New, Certificate Template to Issue), or give the name " +
			"of one that is published; a display name is not a name." + issuesFor(f.templates)
	}
}

// issuesFor lists what the CA issues for.
func issuesFor(templates []string) string {
	if len(templates) == 0 {
		return ""
	}
	return " The CA issues for " + quoted(templates) + "."
}

func (k *checker) checkEnroll(s *CheckStep, f *caFacts) {
	d := f.directory
	switch {
	case k.opts.Template == "":
		s.skip("no template was named")
	case d == nil:
		s.skip("only the directory tells: " + f.undirected)
	case !d.TemplateExists:
		s.skip("there is no such template")
	case !d.MayEnroll:
		s.fail(&CheckError{s.Name, fmt.Sprintf("%s has no right to enroll for template %q", clean(d.Account),
			clean(k.opts.Template)), ErrTemplateDenied})
		s.Summary = fmt.Sprintf("%s may not enroll for the template %q.", clean(d.Account), clean(k.opts.Template))
	case len(d.Templates) > 0 && !d.MayEnrollAtCA:
		s.fail(&CheckError{s.Name, clean(d.Account) + " has no right to enroll at this CA", ErrEnrollDenied})
		s.Summary = clean(d.Account) + " may not enroll at this CA."
	default:
		s.Detail = clean(d.Account) + " may enroll"
	}
}

func (k *checker) checkChain(s *CheckStep, f *caFacts) {
	switch {
	case k.opts.Roots == nil:
		s.skip("no roots were given")
		return
	case len(f.certificates) == 0:
		s.skip(f.missing)
		return
	}
	current := f.certificates[0]
	pool := x509.NewCertPool()
	for _, c := range f.certificates[1:] {
		pool.AddCert(c)
	}
	_, err := current.Verify(x509.VerifyOptions{
		Roots: k.opts.Roots, Intermediates: pool, CurrentTime: k.Client.opts.now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		failChain(s, current, err)
		return
	}
	s.Detail = fmt.Sprintf("the CA's certificate is valid until %s and below a root that was given",
		current.NotAfter.UTC().Format(time.DateOnly))
}

// failChain says what is wrong with a CA's certificate.
func failChain(s *CheckStep, current *x509.Certificate, err error) {
	s.fail(&CheckError{Step: s.Name, Detail: clean(err.Error()), Err: err})
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		s.Summary = fmt.Sprintf("The certificate of the CA, or of one above it, is not valid now (the CA's: %s to %s).",
			current.NotBefore.UTC().Format(time.DateOnly), current.NotAfter.UTC().Format(time.DateOnly))
		s.Remedy = "Renew the CA's certificate (certsrv.msc, All Tasks, Renew CA Certificate), or set the clock of this " +
			"host."
		return
	}
	s.Summary = "The CA's certificate is not below a root that is trusted here."
	s.Remedy = "Check that the configured roots are those of this CA (certutil -ca.cert on its host writes its " +
		"certificate), and that a CA between them is known."
}

// maxListed bounds the names that a remedy lists.
const maxListed = 20

func quoted(names []string) string {
	var all []string
	for _, n := range names[:min(len(names), maxListed)] {
		all = append(all, fmt.Sprintf("%q", clean(n)))
	}
	return strings.Join(all, ", ")
}

// clean bounds a text of others and removes control characters.
func clean(s string) string {
	return bounded(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s))
}
